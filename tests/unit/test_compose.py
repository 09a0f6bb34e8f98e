"""Mails of ours: what they say, how they are built, and that nothing from outside gets into their headers."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import Any
from uuid import UUID

import pytest

from gateway.document import Part
from gateway.errors import Kind
from gateway.fax import Direction, Fax, Origin, State
from gateway.mail.compose import Attachment, ComposedMail, NotSent, compose, document_name
from gateway.mail.facts import LONGEST, Facts, IgnoredPart, UsedPart, facts_about, read_facts
from gateway.mail.reasons import WHYS, why
from gateway.mail.wording import counted, spoken_duration, spoken_time
from gateway.telling import Tale, Telling, TellingState
from tests.samples import pdf, png

FAX_ID = UUID("0193a2b4-1111-7000-8000-00000000beef")
SENDER = "fax@fax.example.com"
FACTS = Facts(
    fax_id=str(FAX_ID),
    to_number="+12025550123",
    to_written="2025550123@fax.example.com",
    from_number="+12025550199",
    pages=3,
    pages_sent=3,
    duration=72,
    tries=1,
    tries_allowed=3,
    submitted_at=datetime(2026, 11, 22, 20, 28, tzinfo=UTC),
    finished_at=datetime(2026, 11, 22, 20, 30, tzinfo=UTC),
    timezone="America/New_York",
    used_parts=[UsedPart("Befund Müller.pdf", 2), UsedPart("scan.tif", 1)],
    ignored_parts=[IgnoredPart("logo.png", "image/png", "a picture inside the text")],
    in_reply_to="<submitted@example.org>",
    references="<older@example.org> <newer@example.org>",
    subject_submitted="Diagnosis of Mrs Doe",
    faxbox_name="Front desk",
)
ANSWERS = {Tale.RECEIPT, Tale.FAILURE, Tale.DELAYED, Tale.HELD}
DOCUMENT = Attachment("", "application/pdf", pdf(3))
PREVIEW = Attachment("first.png", "image/png", png(), inline=True, cid="page-1")


def telling(tale: Tale, facts: Facts = FACTS, **changes: Any) -> Telling:
    return Telling(
        id=UUID(int=5),
        fax_id=changes.pop("fax_id", FAX_ID),
        tale=tale,
        recipient=changes.pop("recipient", "alice@example.org"),
        message_id="<0193a2b4.receipt.1@fax.example.com>",
        state=TellingState.WAITING,
        created_at=datetime(2026, 11, 22, 20, 30, 5, tzinfo=UTC),
        facts=changes.pop("stored", None) or facts.to_json(),
    )


def composed(tale: Tale, facts: Facts = FACTS, *attachments: Attachment, **changes: Any) -> ComposedMail:
    return compose(
        telling(tale, facts, **changes), sender=SENDER, attachments=attachments, max_attachment_bytes=1_000_000
    )


def read(mail: ComposedMail) -> EmailMessage:
    return message_from_bytes(mail.message, policy=SMTPUTF8)


def bodies(mail: EmailMessage) -> tuple[str, str]:
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


def text(tale: Tale, facts: Facts = FACTS, *attachments: Attachment) -> str:
    """The plain text, its lines joined."""
    return " ".join(bodies(read(composed(tale, facts, *attachments)))[0].split())


def subject(tale: Tale, **changes: Any) -> str:
    return str(read(composed(tale, replace(FACTS, **changes)))["Subject"])


# what every mail is


@pytest.mark.parametrize("tale", list(Tale))
@pytest.mark.parametrize("facts", [FACTS, Facts()], ids=["all facts", "no facts"])
def test_every_tale_is_a_mail_with_two_alternatives_and_nothing_left_open(tale: Tale, facts: Facts) -> None:
    mail = read(composed(tale, facts))
    assert mail.defects == []
    assert mail.get_content_type() == "multipart/alternative"
    plain, html = bodies(mail)
    assert len(plain) > 80
    assert html.startswith("<!doctype html>")
    for words in (plain, html, str(mail["Subject"])):
        assert "{{" not in words
        assert "{%" not in words
        assert "None" not in words
    assert "\n\n\n\n" not in plain.replace("\r", "")


@pytest.mark.parametrize("tale", list(Tale))
def test_every_tale_has_the_headers_that_the_outside_relies_on(tale: Tale) -> None:
    mail = read(composed(tale))
    answers = tale in ANSWERS
    assert mail["Auto-Submitted"] == ("auto-replied" if answers else "auto-generated")
    assert mail["Message-ID"] == "<0193a2b4.receipt.1@fax.example.com>"
    assert mail["X-Fax-Id"] == str(FAX_ID)
    assert mail["From"] == f"Faxgate <{SENDER}>"
    assert mail["To"] == "alice@example.org"
    assert mail["Date"].datetime == datetime(2026, 11, 22, 20, 30, 5, tzinfo=UTC)
    assert mail["MIME-Version"] == "1.0"


@pytest.mark.parametrize("tale", list(Tale))
def test_answers_have_the_null_path_and_all_others_a_sender_that_a_bounce_comes_back_to(tale: Tale) -> None:
    mail = composed(tale)
    assert mail.envelope_sender == ("" if tale in ANSWERS else SENDER)
    assert mail.recipient == "alice@example.org"


@pytest.mark.parametrize("tale", list(Tale))
def test_no_mail_speaks_of_the_content_or_says_the_sender_name(tale: Tale) -> None:
    facts = replace(FACTS, from_name="ONCOLOGY WARD", caller_id="ONCOLOGY WARD")
    for words in (*bodies(read(composed(tale, facts))), str(read(composed(tale, facts))["Subject"])):
        assert "Diagnosis" not in words
        assert "ONCOLOGY" not in words


def test_the_same_telling_becomes_the_same_bytes() -> None:
    assert composed(Tale.RECEIPT, FACTS, PREVIEW, DOCUMENT) == composed(Tale.RECEIPT, FACTS, PREVIEW, DOCUMENT)


def test_a_mail_has_only_ascii_and_short_lines_with_crlf() -> None:
    facts = replace(FACTS, faxbox_name="Ambulanz für Ä", used_parts=[UsedPart("ß" * 300 + ".pdf", 1)])
    message = composed(Tale.RECEIVED, facts, DOCUMENT).message
    assert message.isascii()
    lines = message.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)


def test_a_mail_about_no_fax_still_says_that_it_is_ours() -> None:
    assert read(composed(Tale.TRIAL, Facts(), fax_id=None))["X-Fax-Id"] == "none"


# subjects


@pytest.mark.parametrize(
    ("tale", "changes", "expected"),
    [
        (Tale.RECEIPT, {}, "Fax to +1 202-555-0123: delivered (3 pages)"),
        (Tale.RECEIPT, {"pages": 1, "pages_sent": None}, "Fax to +1 202-555-0123: delivered (1 page)"),
        (Tale.RECEIPT, {"pages": None}, "Fax to +1 202-555-0123: delivered"),
        (Tale.RECEIPT, {"pages_sent": 2}, "Fax to +1 202-555-0123: delivered in part (2 of 3 pages)"),
        (Tale.RECEIPT, {"partial": True, "pages": None}, "Fax to +1 202-555-0123: delivered in part"),
        (Tale.FAILURE, {"failure_reason": "user_busy"}, "Fax to +1 202-555-0123: not delivered - the line was busy"),
        (Tale.FAILURE, {"failure_reason": "never_heard_of"}, "Fax to +1 202-555-0123: not delivered"),
        (
            Tale.FAILURE,
            {"failure_reason": Kind.DOCUMENT_ENCRYPTED},
            "Fax to +1 202-555-0123: not delivered - the document has a password",
        ),
        (Tale.DELAYED, {}, "Fax to +1 202-555-0123: delayed"),
        (Tale.DELAYED, {"failure_reason": "user_busy"}, "Fax to +1 202-555-0123: delayed - the line was busy"),
        (
            Tale.DELAYED,
            {"failure_reason": "carrier_unreachable"},
            "Fax to +1 202-555-0123: delayed - the carrier was unavailable",
        ),
        (Tale.HELD, {}, "Fax to +1 202-555-0123: waiting for approval"),
        (Tale.HELD, {"unknown": True}, "Fax to +1 202-555-0123: outcome not known"),
        (Tale.RECEIVED, {}, "Fax from +1 202-555-0199: 3 pages"),
        (Tale.RECEIVED, {"partial": True}, "Fax from +1 202-555-0199: incomplete, 3 pages"),
        (Tale.RECEIVED, {"from_number": ""}, "Fax from an unknown number: 3 pages"),
        (Tale.RECEPTION_FAILED, {}, "Fax from +1 202-555-0199: not received"),
        (Tale.UNROUTED, {}, "Fax for +1 202-555-0123: nobody owns this number"),
        (
            Tale.OPERATOR,
            {"held_reason": "too many pages"},
            "Faxgate needs your attention: fax to +1 202-555-0123 on hold",
        ),
        (Tale.OPERATOR, {}, "Faxgate needs your attention"),
        (Tale.OPERATOR, {"fax_id": "", "note": "the carrier is away"}, "Faxgate: The carrier is away"),
        (Tale.TRIAL, {}, "Faxgate: test mail"),
    ],
)
def test_subjects(tale: Tale, changes: dict[str, Any], expected: str) -> None:
    assert subject(tale, **changes) == expected


# receipts and failures


def test_a_receipt_answers_the_submitted_mail() -> None:
    mail = read(composed(Tale.RECEIPT))
    assert mail["In-Reply-To"] == "<submitted@example.org>"
    assert mail["References"] == "<older@example.org> <newer@example.org> <submitted@example.org>"


def test_a_delivered_fax_answers_nothing() -> None:
    mail = read(composed(Tale.RECEIVED))
    assert mail["In-Reply-To"] is None
    assert mail["References"] is None


def test_message_ids_longer_than_a_line_stay_whole() -> None:
    long = f"<{'x' * 120}@mail.prod.example.org>"
    mail = composed(Tale.RECEIPT, replace(FACTS, in_reply_to=long, references=long.replace("x", "y")))
    assert f"In-Reply-To: {long}\r\n".encode() in mail.message
    assert f"References: {long.replace('x', 'y')} {long}\r\n".encode() in mail.message


def test_of_too_many_references_the_oldest_are_left_out() -> None:
    chain = " ".join(f"<{number:050}@example.org>" for number in range(100))
    references = str(read(composed(Tale.RECEIPT, replace(FACTS, references=chain)))["References"]).split()
    assert references[-2:] == [f"<{99:050}@example.org>", "<submitted@example.org>"]
    assert 5 < len(references) < 20


@pytest.mark.parametrize(
    "broken", ["", "no brackets", "<a b@c>", "<a@b>\r\nBcc: <eve@example.org>", "<=?utf-8?q?=0a?=@c>"]
)
def test_a_message_id_that_is_none_is_not_answered(broken: str) -> None:
    mail = read(composed(Tale.RECEIPT, replace(FACTS, in_reply_to=broken)))
    assert mail["In-Reply-To"] is None
    assert mail["Bcc"] is None


def test_a_receipt_shows_the_first_page_inside_the_html() -> None:
    mail = read(composed(Tale.RECEIPT, FACTS, PREVIEW))
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
    ]
    picture = next(part for part in mail.walk() if part.get_content_type() == "image/png")
    assert picture["Content-ID"] == "<page-1>"
    assert picture.get_content_disposition() == "inline"
    assert picture.get_content() == PREVIEW.content
    assert 'src="cid:page-1"' in bodies(mail)[1]


def test_a_receipt_tells_all_that_is_known() -> None:
    words = text(Tale.RECEIPT)
    for said in (
        "To: +1 202-555-0123",
        "Address you used: 2025550123@fax.example.com",
        "Pages: 3 pages",
        "Pages confirmed: 3",
        "Time on the line: 1 min 12 s",
        "Tries: 1 of 3",
        "Submitted: 22 November 2026, 15:28 EST",
        "Delivered: 22 November 2026, 15:30 EST",
        "Part of the fax: - Befund Müller.pdf (2 pages) - scan.tif (1 page)",
        "Not part of the fax: - logo.png (image/png): a picture inside the text",
        str(FAX_ID),
    ):
        assert said in words


def test_what_the_carrier_did_not_say_is_not_reported() -> None:
    words = text(Tale.RECEIPT, replace(FACTS, pages_sent=None, duration=None, finished_at=None))
    assert "Pages confirmed: not reported" in words
    assert "Time on the line: not reported" in words
    assert "Delivered: not reported" in words


def test_a_partial_delivery_says_so_and_what_to_do() -> None:
    words = text(Tale.RECEIPT, replace(FACTS, pages_sent=2))
    assert "Only a part of your fax" in words
    assert "2 of 3 pages" in words
    assert "send the missing ones again" in words


def test_a_failure_tells_why_how_far_it_came_and_what_to_do() -> None:
    words = text(Tale.FAILURE, replace(FACTS, failure_reason="receiver_call_dropped", pages_sent=1, tries=3))
    assert "The call was cut off" in words
    assert "tried 3 times" in words
    assert "1 of 3 pages had gone through" in words
    assert "Ask the recipient, then send the fax again." in words


def test_given_sentences_replace_those_of_the_table() -> None:
    facts = replace(FACTS, failure_reason="user_busy", failure_text="it hums", advice="wait for the tone")
    words = text(Tale.FAILURE, facts)
    assert "It hums." in words
    assert "Wait for the tone." in words
    assert "The line of the recipient was busy" not in words


def test_what_to_do_is_said_once() -> None:
    said = replace(FACTS, failure_reason="user_busy", failure_text="The line was busy. Please send it again later.")
    words = text(Tale.FAILURE, said)
    assert "The line was busy." in words
    assert words.count("again later") == 1


def test_a_word_of_the_carrier_that_nobody_knows_is_told_as_it_is() -> None:
    assert "The carrier's reason is: lunar_eclipse." in text(
        Tale.FAILURE, replace(FACTS, failure_reason="lunar_eclipse")
    )
    assert "did not report a reason" in text(Tale.FAILURE)


def test_every_reason_has_whole_sentences() -> None:
    for word in WHYS:
        for inbound in (False, True):
            reason = why(word, inbound=inbound)
            assert reason.sentence[0].isupper()
            assert reason.sentence.endswith(".")
            assert reason.brief.isascii()
            assert not reason.brief.endswith(".")


def test_a_fax_with_an_unknown_outcome_is_not_called_failed() -> None:
    words = text(Tale.HELD, replace(FACTS, unknown=True))
    assert "not known whether your fax" in words
    assert "does not get it twice" in words
    assert "failed" not in words


# documents


@pytest.mark.parametrize(("media_type", "suffix"), [("application/pdf", "pdf"), ("image/tiff", "tif")])
def test_a_received_fax_has_exactly_one_attachment(media_type: str, suffix: str) -> None:
    mail = read(composed(Tale.RECEIVED, FACTS, Attachment("", media_type, b"II*\0document"), PREVIEW))
    attached = list(mail.iter_attachments())
    assert [part.get_content_type() for part in attached] == [media_type]
    assert attached[0].get_content() == b"II*\0document"
    assert attached[0].get_content_disposition() == "attachment"
    assert attached[0].get_filename() == f"fax-from-+12025550199-2026-11-22-1530.{suffix}"
    assert "The fax is attached to this mail." in bodies(mail)[0]


def test_a_fax_from_nobody_has_a_file_name_all_the_same() -> None:
    assert document_name(Facts(from_number="Clinic"), "application/pdf") == "fax-from-unknown.pdf"


@pytest.mark.parametrize(
    "name", ["Überweisung ß 漢字.pdf", 'a"b\\c/../d.pdf', "x" * 500 + ".pdf", "=?utf-8?q?=0d=0aBcc:?=.pdf"]
)
def test_any_file_name_is_safe_and_readable(name: str) -> None:
    mail = read(composed(Tale.RECEIVED, FACTS, Attachment(name, "application/pdf", b"%PDF-1.4")))
    (attached,) = mail.iter_attachments()
    found = attached.get_filename()
    assert found
    assert not set(found) & set('/\\"\r\n')
    assert mail["Bcc"] is None
    if name.isprintable() and name[0] == "Ü":
        assert found == name


LARGE = Attachment("", "application/pdf", b"x" * 1_000_001)


@pytest.mark.parametrize(
    ("changes", "way"),
    [
        ({"link": "https://fax.example.com/f/1?t=abc"}, "https://fax.example.com/f/1?t=abc"),
        ({"command": "faxgate inbox save 0193"}, "faxgate inbox save 0193"),
        ({}, "Ask your administrator for it, and give the fax id below."),
    ],
)
def test_a_document_over_the_limit_stays_behind_and_the_text_says_how_to_get_it(
    changes: dict[str, str], way: str
) -> None:
    facts = replace(FACTS, **changes)  # type: ignore[arg-type]  # texts, all of them
    mail = read(composed(Tale.RECEIVED, facts, LARGE))
    assert list(mail.iter_attachments()) == []
    for words in bodies(mail):
        joined = " ".join(words.split())
        assert "too large for this mail: it is 1.0 MB, and the limit is 1.0 MB." in joined
        assert way in joined
        assert str(FAX_ID) in joined
    assert len(composed(Tale.RECEIVED, facts, LARGE).message) < 100_000


def test_a_document_of_exactly_the_limit_goes_along() -> None:
    mail = read(composed(Tale.RECEIVED, FACTS, Attachment("", "application/pdf", b"x" * 1_000_000)))
    assert len(list(mail.iter_attachments())) == 1


def test_a_fax_that_is_not_to_be_attached_is_only_announced() -> None:
    words = text(Tale.RECEIVED)
    assert "A fax has come from +1 202-555-0199." in words
    assert "Ask your administrator" in words
    assert "too large" not in words


def test_a_link_that_is_no_web_page_is_not_shown() -> None:
    mail = read(composed(Tale.RECEIVED, replace(FACTS, link="javascript:alert(1)")))
    assert all("javascript" not in words for words in bodies(mail))


def test_an_unrouted_fax_says_what_the_operator_types() -> None:
    facts = replace(FACTS, command="faxgate inbox assign 0193 --faxbox ID")
    plain, html = bodies(read(composed(Tale.UNROUTED, facts)))
    assert "faxgate inbox assign 0193 --faxbox ID" in plain
    assert "faxgate inbox assign 0193 --faxbox ID" in html


# what comes from outside

HOSTILE = (
    "x\r\nBcc: eve@example.org\r\n\r\n<script>alert(1)</script>\u202e\x00\udc80\u2028Cc: =?utf-8?q?=0d=0aBcc:_eve?="
)


@pytest.mark.parametrize("tale", list(Tale))
def test_no_fact_can_add_a_header_a_line_or_a_tag(tale: Tale) -> None:
    strings = {name: HOSTILE for name, value in FACTS.to_json().items() if isinstance(value, str) and "_at" not in name}
    facts = FACTS.to_json() | strings
    facts |= {"timezone": HOSTILE, "used_parts": [{"name": HOSTILE, "pages": 1}]}
    facts |= {"ignored_parts": [{"name": HOSTILE, "media_type": HOSTILE, "why": HOSTILE}]}
    hostile = composed(tale, FACTS, Attachment(HOSTILE, HOSTILE, b"x"), PREVIEW, stored=facts, fax_id=None)
    mail, usual = read(hostile), read(composed(tale, FACTS, Attachment("a.pdf", "application/pdf", b"x"), PREVIEW))
    assert set(mail.keys()) <= set(usual.keys())
    assert [part.keys() for part in list(mail.walk())[1:]] == [part.keys() for part in list(usual.walk())[1:]]
    assert mail.defects == []
    plain, html = bodies(mail)
    assert "<script>" not in html
    assert not any(line.startswith(("Bcc", "Cc")) for line in plain.splitlines())
    assert "\u202e" not in plain + html


def test_long_texts_are_cut_but_a_link_is_not() -> None:
    facts = read_facts({"held_reason": "x" * 5000, "link": "https://fax.example.com/" + "y" * 2000})
    assert len(facts.held_reason) == LONGEST
    assert len(facts.link) > 2000


def test_facts_of_another_version_are_read() -> None:
    facts = read_facts({"fax_id": "1", "a_key_of_tomorrow": {"x": 1}})
    assert facts == Facts(fax_id="1")


def test_facts_survive_being_stored() -> None:
    assert read_facts(FACTS.to_json()) == FACTS


@pytest.mark.parametrize(
    "recipient", ["", "alice", "a b@example.org", "alice@example.org\r\nBcc: eve@x.org", '"a"@b.org', "ü@"]
)
def test_an_address_that_is_none_is_refused_for_good(recipient: str) -> None:
    with pytest.raises(NotSent) as refused:
        composed(Tale.RECEIPT, recipient=recipient)
    assert refused.value.permanent
    assert "\n" not in refused.value.message


def test_an_international_address_is_kept_and_its_domain_made_ascii() -> None:
    mail = composed(Tale.RECEIPT, recipient="jürgen@bücher.example")
    assert mail.recipient == "jürgen@xn--bcher-kva.example"
    assert "To: jürgen@xn--bcher-kva.example\r\n".encode() in mail.message


# how facts come about


def test_facts_about_a_fax_tell_what_it_says() -> None:
    at = datetime(2026, 11, 22, 20, 28, tzinfo=UTC)
    fax = Fax(
        id=FAX_ID,
        account_id=None,
        application_id=None,
        faxbox_id=None,
        direction=Direction.OUTBOUND,
        origin=Origin.MAIL,
        state=State.UNKNOWN,
        from_number="+12025550199",
        to_number="+12025550123",
        created_at=at,
        updated_at=at,
        pages=2,
        tries=1,
    )
    parts = [
        Part(0, "a.pdf", "application/pdf", 10, used=True, pages=2),
        Part(1, "b.png", "image/png", 5, used=False, why="a logo"),
    ]
    facts = facts_about(fax, timezone="Europe/Berlin", parts=parts, in_reply_to="<a@b>", faxbox_name="Front desk")
    assert facts.unknown
    assert (facts.fax_id, facts.submitted_at, facts.finished_at) == (str(FAX_ID), at, None)
    assert facts.used_parts == [UsedPart("a.pdf", 2)]
    assert facts.ignored_parts == [IgnoredPart("b.png", "image/png", "a logo")]
    assert read_facts(facts.to_json()) == facts


def test_counts_durations_and_times_are_spoken() -> None:
    assert (counted(1, "page"), counted(0, "page"), counted(None, "page")) == ("1 page", "0 pages", "not reported")
    assert (spoken_duration(59), spoken_duration(60), spoken_duration(None)) == ("59 s", "1 min 0 s", "not reported")
    at = datetime(2026, 7, 4, 12, 5, tzinfo=UTC)
    assert spoken_time(at, "Europe/Berlin") == "4 July 2026, 14:05 CEST"
    assert spoken_time(at, "Nowhere/At_All") == "4 July 2026, 12:05 UTC"
    assert spoken_time(at.replace(tzinfo=None), "../etc/passwd") == "4 July 2026, 12:05 UTC"
