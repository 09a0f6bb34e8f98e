"""From the argument of RCPT to the number that is dialled, for as many arguments as are asked for.

``FAXGATE_TEST_CASES`` is their count. What is accepted is held against a reading of the text that shares nothing with
the parsers: the digits that stand in it, and libphonenumber's word on them.
"""

import os
import re

import phonenumbers
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.address import parse_mailbox, parse_number
from gateway.errors import Kind, Refusal
from gateway.smtp.paths import read_recipient
from gateway.smtp.replies import Rejection

CASES = int(os.environ.get("FAXGATE_TEST_CASES", "20000"))
COUNTRIES = ["US", "GB", "DE", "IT", "BR", "MX", "AR", "JP", "AU", "RU", "FI"]
#: Numbers in use, so that enough of what is tried is one.
REAL = [f"{number:012}".lstrip("0") for number in (12025550123, 442071838750, 493012345678, 5511987654321, 81312345678)]
#: What tempts a parser to read a number otherwise than it is written.
TRICKS = [
    *("+", "-", ".", "0", "00", "011", "FAX=", "fax=", "(", ")", " ", '"', "\\", ",", ";ext=5", "x9", "/T33S=9", "%31"),
    *(
        "=?utf-8?q?=31?=",
        "\t",
        "\r",
        "\n",
        "\0",
        "\x7f",
        "٣",
        "３",
        "p1",
        "w1",
        "*",
        "#",
        "<",
        ">",
        ":",
        "@relay:",
        "é",
    ),
]
DOMAINS = ["@fax.example.com", "@FAX.example.com", "@fax.example.com@evil.example", "@[127.0.0.1]", "", "@fax"]

pieces = st.sampled_from([*REAL, *TRICKS]) | st.text("0123456789", min_size=1, max_size=12)
locals_ = st.lists(pieces, max_size=5).map("".join) | st.text(st.characters(max_codepoint=0x3FF), max_size=24)
parameters = st.sampled_from(["", "", "", " NOTIFY=NEVER", " ORCPT=rfc822;+19005550123@x.example", " ", ">"])


@pytest.mark.full
@pytest.mark.timeout(max(600, CASES // 20))  # a million take a quarter of an hour
@settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(locals_, st.sampled_from(DOMAINS), parameters, st.sampled_from(COUNTRIES))
@example("+0012025550123", "@fax.example.com", "", "GB")
@example("+9996642687540", "@fax.example.com", "", "FI")
def test_the_number_that_is_dialled_is_the_number_that_was_written(
    local: str, domain: str, behind: str, country: str
) -> None:
    argument = f"TO:<{local}{domain}>{behind}"
    number = dialled(argument, country)
    if isinstance(number, Rejection):
        assert re.match(r"5[05]\d 5\.\d\.\d ", number.reply)
    elif isinstance(number, Refusal):
        assert number.reason.kind is Kind.NUMBER_INVALID
    elif number is not None:
        written = re.fullmatch(r"TO:<(?:fax=)?(\+?)([0-9.-]+)@[A-Za-z.]+> *", argument, re.IGNORECASE)
        assert written is not None, "nothing else may be read as a number"
        digits = re.sub(r"[.-]", "", written[2])
        assert number in {_read(written[1] + digits, country), _read("+" + digits, country)}
        if written[1]:
            assert number == _read("+" + digits, "ZZ"), "with a plus no country has a say"


def dialled(argument: str, country: str) -> str | Rejection | Refusal | None:
    """Return the number, how it is refused, or None for what is no mailbox."""
    try:
        mailbox = parse_mailbox(read_recipient(argument))
        return parse_number(mailbox.local, country) if mailbox else None
    except (Rejection, Refusal) as refused:
        return refused


def _read(digits: str, country: str) -> str:
    """Return what libphonenumber dials for *digits* in *country*, "" for nothing."""
    try:
        number = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return ""
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return e164 if phonenumbers.is_valid_number(number) else ""
