"""Which number is dialled: exactly the digits that were written, or none."""

import re

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.address import (
    EXAMPLE,
    Mailbox,
    country_of,
    parse_mailbox,
    parse_number,
    pretty,
    shown,
)
from gateway.errors import Kind, Refusal

COUNTRIES = ["US", "CA", "GB", "DE", "FR", "IT", "IE", "AU", "JP", "BR", "MX", "AR", "CH"]


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("+12025550123", "US", "+12025550123"),
        ("12025550123", "US", "+12025550123"),
        ("2025550123", "US", "+12025550123"),
        ("202-555-0123", "US", "+12025550123"),
        ("202.555.0123", "US", "+12025550123"),
        ("+1-202-555-0123", "DE", "+12025550123"),
        ("FAX=+12025550123", "US", "+12025550123"),
        ("fax=2025550123", "US", "+12025550123"),
        ("030123456", "DE", "+4930123456"),
        ("0209212345", "IT", "+390209212345"),
        ("0041446681800", "DE", "+41446681800"),
        ("011442071838750", "US", "+442071838750"),
        ("442071838750", "US", "+442071838750"),  # lost its plus
        ("+442071838750", "", "+442071838750"),
        ("442071838750", "GB", "+442071838750"),
        ("493012345678", "DE", "+493012345678"),
        ("12025550123", "DE", "+12025550123"),
        # What could be abroad as well, and is written as everybody does it there.
        ("84951234567", "RU", "+74951234567"),
        ("4951234567", "RU", "+74951234567"),
        ("13517315914", "CN", "+8613517315914"),
        ("33998765432", "BR", "+5533998765432"),
        ("4748505825", "BR", "+554748505825"),
        ("6585554975", "US", "+16585554975"),
        ("3726705791", "IN", "+913726705791"),
        # Toll-free numbers may have N11 in the middle.
        ("8004110123", "US", "+18004110123"),
    ],
)
def test_numbers_are_read_as_they_are_dialled(written: str, country: str, number: str) -> None:
    assert parse_number(written, country) == number


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "911",
        "12",
        "0",
        "2025550123x9",
        "202 555 0123",
        "(202)5550123",
        "+1(555)1234567",
        "1800FLOWERS",
        "FAX=FAX=2025550123",
        "2025550123/T33S=9",
        "-2025550123",
        "2025550123-",
        "++12025550123",
        "+1+2025550123",
        "2025550123\n",
        "２０２５５５０１２３",
        "٢٠٢٥٥٥٠١٢٣",
        "5550123",  # without an area code
        "1202555012",  # a digit is missing
        "+120255501234",  # a digit too many
        "1" * 40,
        "+9999999999999",
    ],
)
def test_what_is_no_number_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_number(written, "US")
    reason = refused.value.reason
    assert reason.kind is Kind.NUMBER_INVALID
    assert EXAMPLE in reason.sentence
    assert reason.sentence.isascii()
    assert reason.sentence.isprintable()


@pytest.mark.parametrize(
    ("written", "country"), [("+9996642687540", "FI"), ("+0012025550123", "GB"), ("+01112025550123", "US")]
)
def test_the_way_abroad_is_not_taken_off_a_number_with_a_plus(written: str, country: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_number(written, country)
    assert refused.value.reason.kind is Kind.NUMBER_INVALID


@pytest.mark.parametrize(
    ("written", "here", "abroad"),
    [
        ("442071838750", "+49442071838750", "+442071838750"),
        ("33142685300", "+4933142685300", "+33142685300"),
        ("4539696969", "+494539696969", "+4539696969"),
        ("4915123456789", "+494915123456789", "+4915123456789"),  # of the country itself
    ],
)
def test_a_number_that_may_be_two_is_refused_and_both_are_named(written: str, here: str, abroad: str) -> None:
    """Without its first 0 a number from Germany is as likely one from abroad without its plus."""
    with pytest.raises(Refusal) as refused:
        parse_number(written, "DE")
    assert refused.value.reason.sentence == f"{written} may be {here} or {abroad}; write one of the two"
    assert parse_number(here, "DE") == here
    assert parse_number(abroad, "DE") == abroad
    assert parse_number(f"0{written}", "DE") == here


def digits_of(written: str) -> str:
    """The digits of a number, with its plus."""
    return re.sub(r"[^+0-9]", "", re.sub(r"^[Ff][Aa][Xx]=", "", written))


def check(written: str, country: str) -> None:
    """Refused, or exactly what libphonenumber reads from the digits alone."""
    try:
        number = parse_number(written, country)
    except Refusal as refusal:
        refused = refusal.reason
    else:
        assert re.fullmatch(r"\+[1-9][0-9]{5,14}", number)
        assert phonenumbers.is_valid_number(phonenumbers.parse(number))
        readings = {_read(digits_of(written), country), _read(f"+{digits_of(written)}", country)}
        assert number in readings
        return
    assert refused.kind is Kind.NUMBER_INVALID


def _read(digits: str, country: str) -> str:
    try:
        number = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@settings(max_examples=1500, deadline=None)
@given(written=st.text(alphabet="+0123456789.-", max_size=24), country=st.sampled_from(COUNTRIES))
@example(written="+1.2.0.2.5.5.5.0.1.2.3", country="US")
@example(written="20100000000000", country="DE")  # libphonenumber takes it; with 49 it has sixteen digits
def test_any_digits_are_dialled_as_written_or_refused(written: str, country: str) -> None:
    check(written, country)


@settings(max_examples=1000, deadline=None)
@given(written=st.text(max_size=30), country=st.sampled_from(COUNTRIES))
def test_any_text_is_dialled_as_written_or_refused(written: str, country: str) -> None:
    check(written, country)


def _sample(country: str) -> phonenumbers.PhoneNumber:
    sample = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.FIXED_LINE)
    assert sample is not None
    return sample


@st.composite
def real_numbers(draw: st.DrawFn) -> tuple[str, str]:
    """A valid number of a country, as people write it there or from abroad."""
    country = draw(st.sampled_from(COUNTRIES))
    sample = _sample(country)
    form = draw(st.sampled_from([phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.NATIONAL]))
    written = re.sub(r"[^+0-9]", "", phonenumbers.format_number(sample, form))
    places = draw(st.sets(st.integers(2, len(written) - 1), max_size=4))
    separator = draw(st.sampled_from(".-"))
    return "".join((separator if i in places else "") + char for i, char in enumerate(written)), country


@settings(max_examples=500, deadline=None)
@given(real_numbers())
def test_real_numbers_are_taken_however_they_are_grouped(number: tuple[str, str]) -> None:
    written, country = number
    e164 = phonenumbers.format_number(_sample(country), phonenumbers.PhoneNumberFormat.E164)
    assert parse_number(written, country) == e164
    check(written, country)


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("12025550123@fax.example.com", Mailbox("12025550123", "fax.example.com")),
        ("+1-202@FAX.Example.COM", Mailbox("+1-202", "fax.example.com")),
        ("a.b+c=d@x", Mailbox("a.b+c=d", "x")),
        ("!#$%&'*+-/=?^_`{|}~@x.y", Mailbox("!#$%&'*+-/=?^_`{|}~", "x.y")),
    ],
)
def test_a_mailbox_is_its_two_sides(text: str, mailbox: Mailbox) -> None:
    assert parse_mailbox(text) == mailbox


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "a@",
        "@b",
        "a",
        "a@b@c",
        '"a b"@c',
        '"a"@c',
        "a(comment)@c",
        "a@(comment)c",
        "a@[127.0.0.1]",
        "a b@c",
        "a@b c",
        ".a@c",
        "a.@c",
        "a..b@c",
        "a@-b",
        "a@b-",
        "a@b..c",
        "a@.b",
        "a@b.",
        "a@b_c",
        "a\r\n@c",
        "a@c\n",
        "a@c\0",
        "ä@c",
        "a@bücher.example",
        "a" * 65 + "@c",
        "a@" + "b" * 64,
        "a@" + ".".join(["b" * 63] * 5),
        "<a@c>",
        "@relay:a@c",
    ],
)
def test_what_is_no_plain_mailbox_is_none(text: str) -> None:
    assert parse_mailbox(text) is None


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=80) | st.text(alphabet='aB1.@-+"()<> \r\n\0', max_size=30))
def test_a_mailbox_is_the_text_itself_or_none(text: str) -> None:
    mailbox = parse_mailbox(text)
    if mailbox is not None:
        assert str(mailbox) == f"{mailbox.local}@{mailbox.domain}"
        assert text.startswith(f"{mailbox.local}@")
        assert str(mailbox).lower() == text.lower()
        assert text.isascii()
        assert text.isprintable()
        assert " " not in text


@settings(max_examples=300)
@given(st.text(max_size=200))
def test_what_is_shown_fits_a_reply(text: str) -> None:
    assert shown(text).isascii()
    assert shown(text).isprintable() or shown(text) == ""
    assert len(shown(text)) <= 64


def test_countries_and_people_read_numbers() -> None:
    assert country_of("+12025550123") == "US"
    assert country_of("+16135550123") == "CA"
    assert country_of("+870773111632") == ""
    assert pretty("+12025550123") == "+1 202-555-0123"
    assert pretty("sip:somebody@example.com") == "sip:somebody@example.com"
