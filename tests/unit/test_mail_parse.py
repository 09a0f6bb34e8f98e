"""What a mail is found to hold, and why it cannot be faxed."""

import base64
import binascii
import hashlib
import quopri
from collections.abc import Sequence

import pytest

from gateway.document import FAXABLE_NAMES, MAX_BYTES, MAX_PAGES, Automatic, MediaType, Reading
from gateway.errors import Kind, Refusal
from gateway.mail import parse
from gateway.sandbox.reader import DOCUMENTS
from tests.samples import Attachment, broken_pdf, encrypted_pdf, mail, pdf, png, tiff

ONLY = f"what is faxed is {FAXABLE_NAMES}"


def read(message: bytes, body: str = "ignore") -> Reading:
    return parse.read(message, DOCUMENTS, body)


def read_with(*attachments: Attachment, html: str = "") -> Reading:
    return read(mail(attachments, html=html))


def used(reading: Reading) -> list[tuple[str, int]]:
    return [(part.name, part.pages) for part in reading.parts if part.used]


def refusal(reading: Reading) -> tuple[Kind, str]:
    assert reading.refusal is not None
    return reading.refusal.kind, reading.refusal.sentence


def wrapped(*parts: bytes, kind: str = 'multipart/mixed; boundary="b"', head: str = "") -> bytes:
    """A mail written by hand: each part with its own header block."""
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    start = f"From: a@example.org\r\n{head}MIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\n"
    return start.encode() + body + b"--b--\r\n"


def test_a_pdf_is_used_and_the_text_is_not() -> None:
    reading = read(mail())
    text, document = reading.parts
    assert (document.index, document.name, document.media_type, document.pages) == (1, "document.pdf", MediaType.PDF, 1)
    assert document.used
    assert document.size == len(pdf())
    assert (text.used, text.why) == (False, "the text of the mail is not faxed")
    assert reading.refusal is None
    assert reading.pages == 1


def test_what_the_header_says_is_returned() -> None:
    message = mail(sender='"Example, Alice" <alice@EXAMPLE.Org>', subject="Für Sie", message_id="<1@x>")
    reading = read(message)
    assert (reading.header_from, reading.subject, reading.message_id) == ("alice@example.org", "Für Sie", "<1@x>")


def test_the_body_digest_covers_everything_behind_the_header() -> None:
    message = mail()
    body = message.partition(b"\r\n\r\n")[2]
    assert read(message).body_digest == hashlib.sha256(body).hexdigest()
    assert read(b"Received: another\r\n" + message).body_digest == read(message).body_digest


def test_documents_are_taken_in_the_order_of_the_message() -> None:
    reading = read_with(
        Attachment("first.pdf", pdf(2)),
        Attachment("second.tif", tiff(3), "image/tiff"),
        Attachment("third.pdf", pdf(1)),
    )
    assert used(reading) == [("first.pdf", 2), ("second.tif", 3), ("third.pdf", 1)]
    assert [part.index for part in reading.parts] == [0, 1, 2, 3]
    assert reading.pages == 6


@pytest.mark.parametrize(
    "media_type", ["application/octet-stream", "application/x-download", "image/png", "text/plain"]
)
def test_the_first_bytes_make_a_pdf_whatever_its_type(media_type: str) -> None:
    reading = read(
        wrapped(
            f'Content-Type: {media_type}; name="scan"\r\nContent-Disposition: attachment\r\n'.encode()
            + b"Content-Transfer-Encoding: binary\r\n\r\n"
            + pdf(2)
        )
    )
    assert used(reading) == [("scan", 2)]
    assert reading.parts[0].media_type == MediaType.PDF


def test_a_tiff_that_is_declared_as_pdf_is_a_tiff() -> None:
    reading = read_with(Attachment("x.pdf", tiff(2)))
    assert [(part.media_type, part.pages) for part in reading.parts if part.used] == [(MediaType.TIFF, 2)]


def test_an_inline_pdf_is_used() -> None:
    assert used(read_with(Attachment("scan.pdf", pdf(), disposition="inline"))) == [("scan.pdf", 1)]


def test_an_octet_stream_without_a_name_is_told_by_its_first_bytes() -> None:
    """Some scanners and programs send no more than that."""
    head = b"Content-Type: application/octet-stream\r\n\r\n"
    assert used(read(wrapped(head + pdf(2)))) == [("", 2)]
    assert refusal(read(wrapped(head + b"PK\x03\x04" + b"\0" * 26 + pdf())))[0] is Kind.NOTHING_TO_FAX


def test_an_archive_that_holds_a_pdf_is_no_pdf() -> None:
    stored = b"PK\x03\x04" + b"\0" * 26 + b"document.pdf" + pdf()
    reading = read_with(Attachment("all.zip", stored, "application/zip"), Attachment("a.pdf", pdf()))
    assert used(reading) == [("a.pdf", 1)]
    assert reading.parts[1].why == f"a file of another type; {ONLY}"


def test_a_signed_mail_is_faxed_without_its_signature() -> None:
    inner = (
        b'Content-Type: multipart/mixed; boundary="c"\r\n\r\n--c\r\nContent-Type: text/plain\r\n\r\nhello\r\n--c\r\n'
        b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + pdf() + b"\r\n--c--"
    )
    signature = b"Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nMII="
    reading = read(wrapped(inner, signature, kind='multipart/signed; protocol="x"; boundary="b"'))
    assert used(reading) == [("a.pdf", 1)]
    assert reading.parts[-1].why == "the mail's signature"


def test_documents_of_an_attached_mail_are_used_but_not_those_one_deeper() -> None:
    innermost = mail([Attachment("deep.pdf", pdf())])
    attached = (
        wrapped(
            b"Content-Type: text/plain\r\n\r\nsee below",
            b"Content-Type: application/pdf; name=inner.pdf\r\n\r\n" + pdf(2),
            b"Content-Type: message/rfc822\r\n\r\n" + innermost.replace(b"sample-boundary", b"deeper"),
        )
        .replace(b"--b", b"--inner-b")
        .replace(b'"b"', b'"inner-b"')
    )
    reading = read(wrapped(b"Content-Type: message/rfc822\r\n\r\n" + attached))
    assert used(reading) == [("inner.pdf", 2)]
    assert reading.parts[0].why == "the text of an attached mail is not faxed"
    assert reading.parts[-1].why == "a mail within an attached mail; attach its documents themselves"


@pytest.mark.parametrize(
    ("attachment", "why"),
    [
        (
            Attachment("logo.png", png(), "image/png", "inline"),
            "a picture shown in the text of the mail; attach it as a file to have it faxed",
        ),
        (Attachment("notes.csv", b"a,b", "text/csv"), f"a text file; {ONLY}"),
        (Attachment("a.ics", b"BEGIN", "text/calendar"), f"an invitation; {ONLY}"),
        (Attachment("a.mp3", b"ID3", "audio/mpeg"), f"a recording; {ONLY}"),
        (
            Attachment("winmail.dat", b"\x78\x9f\x3e\x22", "application/ms-tnef"),
            "Outlook's own format (winmail.dat); set Outlook to send HTML or plain text",
        ),
        (
            Attachment("smime.p7m", b"0", "application/pkcs7-mime"),
            "encrypted or sealed (S/MIME); send it as a plain mail",
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Attachment) else "",
)
def test_what_is_not_faxed_says_why(attachment: Attachment, why: str) -> None:
    reading = read_with(attachment, Attachment("a.pdf", pdf()))
    assert (reading.parts[1].used, reading.parts[1].why) == (False, why)
    assert reading.refusal is None


def test_a_mail_without_documents_is_refused_with_what_was_found() -> None:
    reading = read_with(Attachment("logo.png", png(), "image/png", "inline"), html="<p>hello</p>")
    assert refusal(reading) == (
        Kind.NOTHING_TO_FAX,
        f"the mail has nothing attached that can be faxed ({FAXABLE_NAMES}); found: its text, "
        'image/png "logo.png" (a picture shown in the text of the mail)',
    )


def test_a_mail_that_is_only_a_text_is_told_so() -> None:
    assert refusal(read(mail([])))[1].endswith("; found: nothing but its text")


def test_the_list_of_what_was_found_is_short() -> None:
    reading = read_with(*(Attachment(f"{n}.zip", b"PK", "application/zip") for n in range(30)))
    assert refusal(reading)[1].endswith('application/zip "3.zip" and 26 more')


@pytest.mark.parametrize(
    ("attachment", "kind", "sentence"),
    [
        (
            Attachment("secret.pdf", encrypted_pdf()),
            Kind.DOCUMENT_ENCRYPTED,
            '"secret.pdf" is protected with a password; send it without protection',
        ),
        (
            Attachment("bad.pdf", broken_pdf()),
            Kind.DOCUMENT_BROKEN,
            '"bad.pdf" is damaged and cannot be opened as a PDF; make it again and send that',
        ),
        (
            Attachment("bad.tif", b"II*\0" + b"\xff" * 40, "image/tiff"),
            Kind.DOCUMENT_BROKEN,
            '"bad.tif" cannot be read: it is damaged, or no common kind of TIFF; send it as a PDF',
        ),
        (
            Attachment("no.pdf", b"hello"),
            Kind.DOCUMENT_BROKEN,
            '"no.pdf" cannot be faxed: it is no PDF, TIFF, PNG, JPEG, GIF, WebP, HEIC, text or word processor file',
        ),
        (
            Attachment("no.pdf", b"hello", "application/octet-stream"),
            Kind.DOCUMENT_BROKEN,
            '"no.pdf" cannot be faxed: it is no PDF, TIFF, PNG, JPEG, GIF, WebP, HEIC, text or word processor file',
        ),
        (
            Attachment("empty.pdf", b""),
            Kind.DOCUMENT_BROKEN,
            '"empty.pdf" is empty: there is nothing in it that could be faxed',
        ),
        (
            Attachment("long.pdf", pdf(MAX_PAGES + 1)),
            Kind.TOO_MANY_PAGES,
            '"long.pdf" has 351 pages; one fax may have 350, so send it in parts',
        ),
    ],
    ids=lambda value: value.value if isinstance(value, Kind) else "",
)
def test_a_document_that_cannot_be_faxed_refuses_the_mail(attachment: Attachment, kind: Kind, sentence: str) -> None:
    reading = read_with(Attachment("good.pdf", pdf()), attachment)
    assert reading.refusal is not None
    assert refusal(reading) == (kind, sentence)
    assert reading.refusal.subject == attachment.name
    assert [(part.used, part.why) for part in reading.parts[1:]] == [(True, ""), (False, sentence)]


def test_pages_and_bytes_are_limited_for_all_documents_together() -> None:
    reading = read_with(Attachment("a.pdf", pdf(200)), Attachment("b.pdf", pdf(151)))
    assert refusal(reading)[0] is Kind.TOO_MANY_PAGES
    padded = b"Content-Type: application/pdf\r\n\r\n" + pdf() + bytes(26 << 20)
    assert refusal(read(wrapped(padded, padded))) == (
        Kind.DOCUMENT_TOO_LARGE,
        "the mail has 52 MB; one fax may have 50 MB",
    )


def test_a_document_over_the_carriers_limit_is_refused() -> None:
    reading = read(wrapped(b"Content-Type: application/pdf; name=big.pdf\r\n\r\n%PDF-1.4\n" + bytes(51 << 20)))
    assert refusal(reading) == (Kind.DOCUMENT_TOO_LARGE, '"big.pdf" has 51 MB; one fax may have 50 MB')
    barely = bytes(MAX_BYTES - 8)
    reading = read(wrapped(b"Content-Type: application/pdf; name=big.pdf\r\n\r\n%PDF-1.4\n" + barely))
    assert refusal(reading) == (Kind.DOCUMENT_TOO_LARGE, '"big.pdf" has 51 MB; one fax may have 50 MB')


def test_a_pdf_that_only_restricts_printing_is_used() -> None:
    assert used(read_with(Attachment("a.pdf", encrypted_pdf(2, user="")))) == [("a.pdf", 2)]


def test_a_document_without_a_name_is_named_by_its_place() -> None:
    reading = read(
        wrapped(b"Content-Type: text/plain\r\n\r\nhi", b"Content-Type: application/pdf\r\n\r\n" + broken_pdf())
    )
    assert refusal(reading)[1].startswith("part 2 of the mail is damaged")


@pytest.mark.parametrize("damage", [b"A", b"JVBERi0xLjQKJ"])
def test_damaged_base64_is_told_and_never_shortened(damage: bytes) -> None:
    reading = read(
        wrapped(b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + damage)
    )
    assert refusal(reading) == (Kind.DOCUMENT_BROKEN, '"a.pdf" cannot be decoded: its base64 encoding is damaged')


@pytest.mark.parametrize("written", ["base64 (of RFC 2045)", "(x) Base64", "base64;", '"base64"', " BASE64 "])
def test_a_transfer_encoding_is_read_with_what_stands_around_it(written: str) -> None:
    head = f"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: {written}\r\n\r\n"
    assert used(read(wrapped(head.encode() + base64.encodebytes(pdf(2))))) == [("a.pdf", 2)]


def test_eight_bits_are_eight_bits_with_a_hyphen_too() -> None:
    head = b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: 8-bit\r\n\r\n"
    assert used(read(wrapped(head + pdf(2)))) == [("a.pdf", 2)]


def uuencoded(name: str, data: bytes) -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45]).replace(b"\n", b"\r\n") for at in range(0, len(data), 45)]
    return f"begin 644 {name}\r\n".encode() + b"".join(lines) + b"`\r\nend\r\n"


@pytest.mark.parametrize("encoding", ["7bit", "quoted-printable", "base64"])
def test_a_file_that_is_written_into_the_text_refuses_the_mail(encoding: str) -> None:
    text = b"hello\r\n\r\n" + uuencoded("scan.pdf", pdf())
    encoded = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(text)
    head = f"Content-Type: text/plain\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    reading = read(wrapped(head.encode() + encoded, b"Content-Type: application/pdf; name=a.pdf\r\n\r\n" + pdf()))
    sentence = 'the text of the mail holds the file "scan.pdf" in an old form (uuencode); attach it to the mail'
    assert refusal(reading) == (Kind.FORMAT_UNSUPPORTED, sentence)


def test_a_text_that_only_speaks_of_such_a_file_is_a_text() -> None:
    text = b"Content-Type: text/plain\r\n\r\nIt says\r\nbegin 644 scan.pdf\r\nand then nonsense.\r\n"
    reading = read(wrapped(text, b"Content-Type: application/pdf; name=a.pdf\r\n\r\n" + pdf()))
    assert used(reading) == [("a.pdf", 1)]
    assert reading.refusal is None


def test_an_unknown_transfer_encoding_is_told() -> None:
    reading = read(wrapped(b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: x-odd\r\n\r\nx"))
    assert refusal(reading) == (Kind.DOCUMENT_BROKEN, '"a.pdf" cannot be decoded: its transfer encoding is unknown')


@pytest.mark.parametrize(
    ("headers", "automatic"),
    [
        ([], Automatic.NO),
        ([("Auto-Submitted", "no")], Automatic.NO),
        ([("Auto-Submitted", "No; owner=me")], Automatic.NO),
        ([("Auto-Submitted", "auto-replied (vacation)")], Automatic.REPLY),
        ([("Auto-Submitted", "auto-generated; type=x")], Automatic.REPLY),
        ([("List-Id", "<list.example.org>")], Automatic.LIST),
        ([("Precedence", "Bulk")], Automatic.LIST),
        ([("Precedence", "junk")], Automatic.LIST),
        ([("Precedence", "auto_reply")], Automatic.REPLY),
        ([("X-Autoreply", "yes")], Automatic.REPLY),
        ([("X-Autorespond", "on holiday")], Automatic.REPLY),
        ([("X-Autoreply", "no")], Automatic.NO),
        # Exchange puts it into what people write, too: it asks for no answers, and is none.
        ([("X-Auto-Response-Suppress", "All")], Automatic.NO),
        ([("Precedence", "first-class")], Automatic.NO),
        ([("X-Fax-Id", "0192")], Automatic.OURS),
        ([("X-Fax-Id", "0192"), ("Auto-Submitted", "auto-generated")], Automatic.OURS),
        ([("Received", "by x")] * 50, Automatic.NO),
        ([("Received", "by x")] * 51, Automatic.LOOP),
    ],
)
def test_automatic_mail_is_recognised(headers: Sequence[tuple[str, str]], automatic: Automatic) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
    assert read(lines + mail()).automatic is automatic


def test_a_delivery_report_is_recognised() -> None:
    message = wrapped(
        b"Content-Type: text/plain\r\n\r\nsorry", kind='multipart/report; report-type=delivery-status; boundary="b"'
    )
    assert read(message).automatic is Automatic.REPORT


def test_a_header_that_is_cut_short_does_not_make_pages_of_the_files_below() -> None:
    """Read as its text, a mail is a fax of base64."""
    spoilt = mail().replace(b"MIME-Version", b"no field at all\r\nMIME-Version")
    for body in ("ignore", "alone"):
        kind, sentence = refusal(parse.read(spoilt, DOCUMENTS, body))
        assert kind is Kind.MESSAGE_UNREADABLE
        assert sentence == 'the mail cannot be read: the line "no field at all" in its header is no header field'
    kind, sentence = refusal(parse.read(b"no field\r\n" + mail(), DOCUMENTS, "alone"))
    assert '"no field"' in sentence
    assert parse.read(b"\r\nContent-Type: x\r\n", DOCUMENTS, "alone").refusal is None
    # A text right below the header is one.
    for text in (b"Hello\r\nBob\r\n", b"\r\nHello\r\nContent-Type: x\r\n", b"\r\nContent-Type: x\r\n"):
        assert parse.read(b"From: a@x.example\r\n" + text, DOCUMENTS, "alone").refusal is None


@pytest.mark.parametrize("before", [b"\r\n", b"\r\n\r\n", b"a line of junk\r\n"])
@pytest.mark.parametrize("body", ["ignore", "alone"])
def test_a_part_whose_header_stands_in_its_body_refuses_the_mail(before: bytes, body: str) -> None:
    """Its file would be left out, or be faxed as pages of letters and digits."""
    head = before + b"Content-Type: application/pdf; name=b.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    first = b"Content-Type: application/pdf; name=a.pdf\r\n\r\n" + pdf()
    kind, sentence = refusal(read(wrapped(first, head + base64.encodebytes(pdf())), body=body))
    assert kind is Kind.MESSAGE_UNREADABLE
    assert "part 2 begins with a line that is no header field" in sentence
    # Text may come without a header, and speak of one further down.
    text = b"\r\nSee below.\r\n\r\nContent-Type: what it was\r\n"
    assert ("a.pdf", 1) in used(read(wrapped(first, text), body=body))


def test_a_part_is_extracted_by_its_index() -> None:
    message = mail([Attachment("a.pdf", pdf(1)), Attachment("b.tif", tiff(2), "image/tiff")])
    assert parse.extract(message, 1) == ('"a.pdf"', pdf(1), MediaType.PDF)
    assert parse.extract(message, 2) == ('"b.tif"', tiff(2), MediaType.TIFF)
    with pytest.raises(Refusal) as raised:
        parse.extract(message, 3)
    assert raised.value.reason.kind is Kind.MESSAGE_UNREADABLE
