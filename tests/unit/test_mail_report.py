"""What a delivery report says, in the forms that mail servers use."""

import pytest

from gateway.document import Report
from gateway.mail.report import report
from tests.bounce import EXCHANGE, POSTFIX, bounce

OURS = "<received.0123456789abcdef0123456789abcdef@fax.test.example>"
MAILBOXES = {"recipient": "ward@acme.test.example", "sender": "fax@fax.test.example"}


@pytest.mark.parametrize(
    ("form", "why"),
    [
        (POSTFIX, "550 5.1.1 <ward@acme.test.example>: Recipient address rejected: User unknown"),
        (EXCHANGE, "550 5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission"),
    ],
)
def test_it_names_the_mail_and_why_it_was_given_up(form: str, why: str) -> None:
    assert report(bounce(OURS, form=form, **MAILBOXES)) == Report(OURS, failed=True, why=why)


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_a_report_that_is_no_failure_says_so(action: str) -> None:
    assert report(bounce(OURS, action=action, **MAILBOXES)) == Report(OURS)


def test_without_line_ends_of_the_standard_it_reads_the_same() -> None:
    assert report(bounce(OURS, **MAILBOXES).replace(b"\r\n", b"\n")).message_id == OURS


def test_without_a_diagnostic_the_status_is_why() -> None:
    text = bounce(OURS, form=EXCHANGE, **MAILBOXES).replace(b"Diagnostic-Code:", b"X-Diagnostic:")
    assert report(text).why == "5.7.129"


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"Subject: a fax\r\n\r\nMessage-ID: " + OURS.encode(),
        b"Content-Type: multipart/report\r\n\r\nno boundary",
        b'Content-Type: multipart/report; boundary="a"\r\n\r\n--a\r\n\r\nhello\r\n--a--\r\n',
        bounce(OURS, **MAILBOXES).replace(b"multipart/report", b"multipart/mixed"),
        bounce(OURS, **MAILBOXES).replace(b"message/rfc822", b"application/pdf"),
        bounce("", **MAILBOXES),
    ],
)
def test_what_is_no_report_about_a_mail_names_none(message: bytes) -> None:
    assert report(message).message_id == ""
