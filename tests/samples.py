"""Documents and mails for tests, made in code: small, and with the one property that a test asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from io import BytesIO

import pikepdf
from PIL import Image, ImageDraw

LETTER = (612.0, 792.0)
A4 = (595.0, 842.0)

#: Pixels of a letter page at 204x196 dpi and at 204x98 dpi.
FINE_PAGE = (1728, 2156)
NORMAL_PAGE = (1728, 1078)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part to attach; *disposition* may be ``attachment``, ``inline`` or empty."""

    name: str
    content: bytes
    media_type: str = "application/pdf"
    disposition: str = "attachment"


def pdf(
    pages: int = 1,
    text: str = "A page of a fax",
    *,
    size: tuple[float, float] = LETTER,
    rotate: int = 0,
    drawing: str = "",
) -> bytes:
    """Return a PDF of *pages* pages of *size* (points), with *text* and "page n" on each.

    ``drawing`` is put into every page's content stream as it is. The text must be Latin-1.
    """
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {pages} /Kids [{' '.join(f'{4 + 2 * n} 0 R' for n in range(pages))}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number in range(pages):
        stream = _page_stream(text, number + 1, size[1], drawing)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]:g} {size[1]:g}] /Rotate {rotate} "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    return _pdf_file(objects)


def encrypted_pdf(pages: int = 1, user: str = "secret", owner: str = "owner") -> bytes:
    """Return a PDF that needs the password *user* to open; with an empty one it only restricts printing."""
    output = BytesIO()
    with pikepdf.open(BytesIO(pdf(pages))) as document:
        document.save(output, encryption=pikepdf.Encryption(user=user, owner=owner))
    return output.getvalue()


def broken_pdf() -> bytes:
    """Return bytes that begin like a PDF and hold nothing that could be repaired."""
    return b"%PDF-1.7\n" + b"this is not a document at all\n" * 40


def endless_pdf(depth: int = 9, pages: int = 1) -> bytes:
    """Return *pages* pages whose drawing calls a form ten times that calls a form ten times, and so on: 10^``depth``
    rectangles each."""
    calls = "/F Do " * 10
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {pages} /Kids [{'3 0 R ' * pages}] >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        "/Resources << /XObject << /F 5 0 R >> >> >>",
        f"<< /Length {len(calls)} >>\nstream\n{calls}\nendstream",
    ]
    for level in range(depth):
        last = level == depth - 1
        content = "0 0 600 700 re f" if last else calls
        inner = "" if last else f"/Resources << /XObject << /F {6 + level} 0 R >> >>"
        objects.append(
            f"<< /Type /XObject /Subtype /Form /BBox [0 0 612 792] {inner} /Length {len(content)} >>\n"
            f"stream\n{content}\nendstream"
        )
    return _pdf_file(objects)


def tiff(pages: int = 1, text: str = "A page of a fax", *, size: tuple[int, int] = FINE_PAGE) -> bytes:
    """Return a TIFF-F file (RFC 2301, T.6) of *pages* pages of *size* dots, with *text* and "page n" on each."""
    frames = [_fax_page(text, number + 1, size) for number in range(pages)]
    output = BytesIO()
    frames[0].save(
        output,
        "TIFF",
        save_all=True,
        append_images=frames[1:],
        compression="group4",
        dpi=(204, 196 if size[1] > 1600 else 98),
    )
    return output.getvalue()


def png(size: tuple[int, int] = (60, 20)) -> bytes:
    """Return a small picture, as in a signature."""
    output = BytesIO()
    Image.new("RGB", size, "navy").save(output, "PNG")
    return output.getvalue()


def mail(
    attachments: Sequence[Attachment] | None = None,
    *,
    sender: str = "Alice Example <alice@example.org>",
    to: str = "12025550123@fax.example.com",
    subject: str = "A fax",
    body: str = "Please fax the attached document.\n",
    html: str = "",
    message_id: str = "<sample-1@example.org>",
    date: str = "Mon, 02 Nov 2026 10:00:00 +0000",
    headers: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Return a mail with CRLF line ends. Without *attachments* it carries ``document.pdf``, one page."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = date
    if message_id:
        message["Message-ID"] = message_id
    for name, value in headers:
        message[name] = value
    message.set_content(body)
    if html:
        message.add_alternative(html, subtype="html")
    for item in (Attachment("document.pdf", pdf()),) if attachments is None else attachments:
        maintype, _, subtype = item.media_type.partition("/")
        message.add_attachment(
            item.content,
            maintype=maintype,
            subtype=subtype,
            filename=item.name or None,
            disposition=item.disposition or None,
        )
    for number, part in enumerate(message.walk()):
        if part.is_multipart():
            part.set_boundary(f"sample-boundary-{number}")  # the same mail every time
    return message.as_bytes()


def _page_stream(text: str, number: int, height: float, drawing: str) -> str:
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return (
        f"BT /F1 24 Tf 72 {height - 100:g} Td ({escaped}) Tj 0 -40 Td (page {number}) Tj ET\n"
        f"72 72 {40 + 10 * number} 20 re f\n{drawing}"
    )


def _pdf_file(objects: Sequence[str]) -> bytes:
    """Number *objects* from 1; put header, cross-reference table and trailer around them (ISO 32000-1, 7.5)."""
    output = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(output))
        output += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start = len(output)
    output += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    output += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    output += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(output)


def _fax_page(text: str, number: int, size: tuple[int, int]) -> Image.Image:
    page = Image.new("1", size, 1)
    draw = ImageDraw.Draw(page)
    draw.text((200, 200), f"{text}, page {number}", fill=0, font_size=48)
    draw.rectangle((200, 400, 300 + 100 * number, 450), fill=0)
    return page


def picture_pdf(
    picture: Image.Image,
    *,
    place: tuple[float, float, float, float] = (612, 792, 0, 0),
    drawing: str = "",
    entries: str = "",
    quality: int = 90,
) -> bytes:
    """Return a letter page that shows *picture*, grey or RGB, as a JPEG.

    *place* is its width, height, left and bottom in points; ``drawing`` comes on top of it, and ``entries`` go into the
    picture's dictionary; object 7 is a mask for them.
    """
    output = BytesIO()
    picture.save(output, "JPEG", quality=quality)
    data = output.getvalue().decode("latin-1")
    width, height, left, bottom = place
    stream = f"q {width} 0 0 {height} {left} {bottom} cm /P Do Q\n{drawing}"
    space = "/DeviceGray" if picture.mode == "L" else "/DeviceRGB"
    return _pdf_file(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Count 1 /Kids [4 0 R] >>",
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R "
            "/Resources << /Font << /F1 3 0 R >> /XObject << /P 6 0 R >> >> >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
            f"<< /Type /XObject /Subtype /Image /Width {picture.width} /Height {picture.height} /ColorSpace {space} "
            f"/BitsPerComponent 8 /Filter /DCTDecode {entries} /Length {len(data)} >>\nstream\n{data}\nendstream",
            "<< /Type /XObject /Subtype /Image /Width 2 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 8 "
            "/Length 4 >>\nstream\n\xff\x00\x00\xff\nendstream",  # a mask, for entries that want one
        ]
    )
