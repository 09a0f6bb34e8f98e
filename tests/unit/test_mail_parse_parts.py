"""Which parts of a mail are faxed: pictures and texts that are meant as pages, and files within files."""

import base64
from io import BytesIO

import pytest
from PIL import Image

from gateway.document import MediaType, Reading
from gateway.errors import Kind
from gateway.mail import structure
from gateway.mail.parse import extract
from tests.packed import sealed, winmail
from tests.samples import Attachment, mail, pdf, png
from tests.unit.test_mail_parse import read, read_with, refusal, used, wrapped

SCAN = png((1700, 2200))


def picture(form: str, size: tuple[int, int] = (900, 1200)) -> bytes:
    output = BytesIO()
    Image.new("RGB", size, "navy").save(output, form)
    return output.getvalue()


def whys(reading: Reading) -> list[str]:
    return [part.why.partition(";")[0] for part in reading.parts]


# -- pictures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "subtype"), [("PNG", "png"), ("JPEG", "jpeg"), ("GIF", "gif"), ("WEBP", "webp")])
def test_an_attached_picture_is_a_page(form: str, subtype: str) -> None:
    reading = read_with(Attachment(f"scan.{subtype}", picture(form), f"image/{subtype}"))
    assert used(reading) == [(f"scan.{subtype}", 1)]
    assert reading.parts[1].media_type == MediaType(f"image/{subtype}")


def test_pictures_and_documents_are_faxed_in_the_order_of_the_mail() -> None:
    reading = read_with(
        Attachment("1.png", SCAN, "image/png"),
        Attachment("2.pdf", pdf(2)),
        Attachment("3.jpg", picture("JPEG"), "image/jpeg"),
    )
    assert used(reading) == [("1.png", 1), ("2.pdf", 2), ("3.jpg", 1)]


def test_a_mail_that_is_a_picture_is_faxed_whatever_its_size() -> None:
    """A scanner's mail has no text and no attachment: it is the page."""
    head = b"Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    assert used(read(b"From: a@x.example\r\n" + head + png())) == [("", 1)]
    assert used(read(b"Content-Disposition: inline\r\n" + head + png())) == [("", 1)]


def test_a_picture_that_the_text_shows_is_a_logo() -> None:
    """By disposition, by its place, or by a reference of the HTML."""
    in_text = Attachment("a.png", SCAN, "image/png", "inline")
    reading = read_with(in_text, Attachment("a.pdf", pdf()))
    assert whys(reading)[1] == "a picture shown in the text of the mail"

    cid = b"Content-Type: image/png; name=b.png\r\nContent-ID: <Logo@x>\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    html = b"Content-Type: text/html\r\n\r\n<img src='cid:logo@X'>"
    referenced = read(wrapped(html, cid + SCAN, b"Content-Type: application/pdf\r\n\r\n" + pdf()))
    assert whys(referenced)[1] == "a picture shown in the text of the mail"
    # An id alone says nothing: telephones give one to every photograph.
    assert used(read(wrapped(b"Content-Type: text/html\r\n\r\n<p>", cid + SCAN))) == [("b.png", 1)]

    related = read(wrapped(html, cid.replace(b"Logo", b"other") + SCAN, kind='multipart/related; boundary="b"'))
    assert whys(related)[1] == "a picture shown in the text of the mail"


def test_a_picture_that_is_declared_an_attachment_is_a_page_beside_those_that_the_text_shows() -> None:
    """Some servers put what is attached and what is shown into one group."""
    attached = b"Content-Type: image/png; name=scan.png\r\nContent-Disposition: attachment\r\n"
    binary = b"Content-Transfer-Encoding: binary\r\n\r\n" + SCAN
    html = b"Content-Type: text/html\r\n\r\n<img src='cid:logo@x'>"
    logo = attached.replace(b"scan", b"logo") + b"Content-ID: <logo@x>\r\n" + binary
    document = b"Content-Type: application/pdf; name=a.pdf\r\n\r\n" + pdf()
    reading = read(wrapped(html, logo, attached + binary, document, kind='multipart/related; boundary="b"'))
    assert used(reading) == [("scan.png", 1), ("a.pdf", 1)]
    assert whys(reading)[1] == "a picture shown in the text of the mail"


def test_photos_placed_within_the_text_are_faxed_where_nothing_else_was_sent() -> None:
    """As telephones send them; what the text shows, and what is as small as a logo, is left out as ever."""
    photo = b"Content-Type: image/png; name=IMG_1.png\r\nContent-Disposition: inline\r\n"
    binary = b"Content-Transfer-Encoding: binary\r\n\r\n"
    words = b"Content-Type: text/plain\r\n\r\nSent from my telephone"
    small = photo.replace(b"IMG_1", b"logo") + binary + png()
    photos = (words, photo + binary + SCAN, words, photo.replace(b"_1", b"_2") + binary + SCAN, small)
    assert used(read(wrapped(*photos))) == [("IMG_1.png", 1), ("IMG_2.png", 1)]
    whole = read(wrapped(*photos), body="alone")
    assert used(whole) == [("", 1), ("IMG_1.png", 1), ("", 1), ("IMG_2.png", 1)]

    beside = read(wrapped(*photos, b"Content-Type: application/pdf; name=a.pdf\r\n\r\n" + pdf()))
    assert used(beside) == [("a.pdf", 1)]
    broken = read(wrapped(*photos, b"Content-Type: application/pdf; name=a.pdf\r\n\r\n%PDF-"))
    assert used(broken) == []
    html = b"Content-Type: text/html\r\n\r\n<img src='cid:1@x'>"
    assert used(read(wrapped(html, photo + b"Content-ID: <1@x>\r\n" + binary + SCAN))) == []


@pytest.mark.parametrize(
    ("size", "is_page"), [((60, 20), False), ((600, 150), False), ((1600, 40), False), ((500, 400), True), (SCAN, True)]
)
def test_a_small_picture_is_a_logo(size: tuple[int, int] | bytes, is_page: bool) -> None:
    data = size if isinstance(size, bytes) else png(size)
    reading = read_with(Attachment("image001.png", data, "image/png"), Attachment("a.pdf", pdf()))
    assert reading.parts[1].used is is_page
    assert is_page or whys(reading)[1] == "a small picture, like a logo"


def test_a_small_picture_of_many_bytes_is_a_page() -> None:
    noise = Image.effect_noise((400, 400), 200)
    output = BytesIO()
    noise.save(output, "PNG")
    assert len(output.getvalue()) > 100_000
    assert used(read_with(Attachment("photo.png", output.getvalue(), "image/png"))) == [("photo.png", 1)]


def test_a_broken_picture_refuses_the_mail_and_is_named() -> None:
    reading = read_with(Attachment("scan.png", SCAN[:40], "image/png"), Attachment("a.pdf", pdf()))
    kind, sentence = refusal(reading)
    assert kind is Kind.DOCUMENT_BROKEN
    assert '"scan.png"' in sentence


# -- texts -------------------------------------------------------------------------------------------------------------


def test_an_attached_text_is_a_document_and_the_mails_own_is_not() -> None:
    reading = read_with(Attachment("notes.txt", b"one line\n", "text/plain"))
    assert used(reading) == [("notes.txt", 1)]
    assert whys(reading)[0] == "the text of the mail is not faxed"


@pytest.mark.parametrize(
    ("declared", "written", "encoding"),
    [
        ("iso-8859-1", "\u201cPay\u201d \u2013 100 \u20ac", "cp1252"),
        ("ISO-8859-1", "100 \u20ac", "cp1252"),
        ("iso-8859-8-i", "\u05e9\u05dc\u05d5\u05dd", "iso-8859-8"),
        ("windows-874", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "cp874"),
        ("gb2312", "\u6731\u9555\u57fa", "gbk"),
        ("ks_c_5601-1987", "\ub620\ubc29\uac01\ud558", "cp949"),
        ("shift_jis", "\u2460 \u9ad9\u6a4b", "cp932"),
        ("windows-1251", "\u041f\u0440\u0438\u0432\u0435\u0442", "cp1251"),
    ],
)
def test_a_text_is_read_in_the_alphabet_that_its_sender_means(declared: str, written: str, encoding: str) -> None:
    head = f"Content-Type: text/plain; charset={declared}; name=a.txt\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    message = wrapped(head.encode() + written.encode(encoding))
    assert extract(message, 0).data.decode() == written


def test_a_piece_of_text_that_exchange_put_between_attachments_is_none() -> None:
    reading = read_with(Attachment("a.pdf", pdf()), Attachment("ATT00001.txt", b"--\nBob", "text/plain"))
    assert used(reading) == [("a.pdf", 1)]
    assert whys(reading)[2] == "a piece of the mail's text"


# -- Outlook -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", ["application/ms-tnef", "application/vnd.ms-tnef", "application/octet-stream"])
def test_the_files_in_outlooks_winmail_dat_are_faxed(media_type: str) -> None:
    packed = winmail(("A~1.PDF", pdf(2)), ("LOGO.PNG", png()), long_name="Discharge letter.pdf")
    message = mail([Attachment("winmail.dat", packed, media_type), Attachment("b.pdf", pdf(1))])
    reading = read(message)
    assert used(reading) == [("Discharge letter.pdf", 2), ("b.pdf", 1)]
    assert whys(reading)[2] == "a small picture, like a logo"
    # What is rendered later is the same part.
    (index,) = [part.index for part in reading.parts if part.name == "Discharge letter.pdf"][:1]
    assert extract(message, index)[1] == pdf(2)


def test_a_damaged_winmail_dat_is_not_opened() -> None:
    packed = winmail(("a.pdf", pdf()))
    for damaged in (packed[:200], packed.replace(b"\x78\x9f", b"\x00\x00", 1), packed[:6] + b"\xff" * 40):
        reading = read_with(Attachment("winmail.dat", damaged, "application/ms-tnef"))
        assert refusal(reading)[0] is Kind.NOTHING_TO_FAX
        assert whys(reading)[1] == "Outlook's own format (winmail.dat)"


def test_what_stands_behind_the_end_of_a_winmail_dat_does_not_matter() -> None:
    packed = winmail(("a.pdf", pdf())) + b"\r\n\r\n" + b"-" * 40
    assert used(read_with(Attachment("winmail.dat", packed, "application/ms-tnef"))) == [("a.pdf", 1)]


def test_winmail_dat_in_winmail_dat_is_opened_once() -> None:
    message = bytes.fromhex("0703020000000000c000000000000046")
    inner = message + winmail(("deep.pdf", pdf()))
    assert used(read_with(Attachment("winmail.dat", winmail(("m", inner)), "application/ms-tnef"))) == [("deep.pdf", 1)]
    twice = message + winmail(("m", inner))
    assert used(read_with(Attachment("winmail.dat", winmail(("m", twice)), "application/ms-tnef"))) == []


# -- S/MIME ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["application/pkcs7-mime", "application/octet-stream"])
def test_what_was_signed_into_one_file_is_taken_out_and_faxed(kind: str) -> None:
    entity = wrapped(
        b"Content-Type: text/plain\r\n\r\nhello", b"Content-Type: application/pdf; name=a.pdf\r\n\r\n" + pdf(2)
    )
    reading = read_with(Attachment("smime.p7m", sealed(entity), kind))
    assert used(reading) == [("a.pdf", 2)]
    assert reading.refusal is None


#: The beginning of an enveloped file (RFC 5652, 6.1), as openssl streams it.
ENVELOPED = b"0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0\x80"


@pytest.mark.parametrize("kind", ["application/pkcs7-mime", "application/x-pkcs7-mime", "application/octet-stream"])
def test_an_encrypted_mail_is_refused_with_that_reason(kind: str) -> None:
    assert refusal(read_with(Attachment("smime.p7m", ENVELOPED, kind))) == (
        Kind.DOCUMENT_ENCRYPTED,
        "the mail is encrypted and cannot be read here; send it without encryption",
    )


# -- attached mails ----------------------------------------------------------------------------------------------------


def test_an_attached_mail_that_was_encoded_against_the_rules_is_opened_all_the_same() -> None:
    inner = base64.encodebytes(mail([Attachment("inner.pdf", pdf(3))])).replace(b"\n", b"\r\n")
    part = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + inner
    assert used(read(wrapped(part))) == [("inner.pdf", 3)]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: application/octet-stream; name=Letter.EML\r\nContent-Transfer-Encoding: base64\r\n",
        b"Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n",
    ],
)
def test_an_attached_mail_of_another_type_is_opened_once(head: bytes) -> None:
    deeper = mail([Attachment("deep.eml", mail([Attachment("deep.pdf", pdf())]), "application/octet-stream")])
    for inner, found in ((mail([Attachment("inner.pdf", pdf(3))]), [("inner.pdf", 3)]), (deeper, [])):
        message = wrapped(head + b"\r\n" + base64.encodebytes(inner).replace(b"\n", b"\r\n"))
        reading = read(message)
        assert used(reading) == found
    assert whys(reading)[1] == "a mail within an attached mail"


def test_what_only_its_name_calls_a_mail_is_what_it_is() -> None:
    scan = Attachment("scan.eml", pdf(2), "application/octet-stream")
    other = Attachment("data.eml", b"\0\1\2\3" * 100, "application/octet-stream")
    reading = read_with(scan, other)
    assert used(reading) == [("scan.eml", 2)]
    assert whys(reading)[2] == "a file of another type"


def test_what_is_packed_has_a_bound_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "MOST_UNWRAPPED_BYTES", 10_000)
    big = winmail(("a.bin", b"\0" * 20_000))
    assert refusal(read_with(Attachment("winmail.dat", big, "application/ms-tnef")))[0] is Kind.MESSAGE_UNREADABLE
