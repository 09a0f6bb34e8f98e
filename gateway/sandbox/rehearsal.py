"""What the zygote does before it serves: the job of a mail of its own.

So no child imports, builds or looks up again what is the same for all.
A child that is the first to need something pays for it alone, each child anew: PDFium's list of the machine's fonts
takes longer than a page of text, and memory that a child writes to is copied first.
"""

import base64
import os
from io import BytesIO

import pikepdf
from PIL import Image

from gateway.document import Header as HeaderLine
from gateway.documents import fonts
from gateway.documents.stamp import stamp
from gateway.sandbox import jobs
from gateway.sandbox.reader import whole
from gateway.sandbox.requests import Source
from gateway.sandbox.wire import Channel, decode, pair

#: The interpreter adapts code that ran so often to what it works on: in memory that all children share, if it is done
#: before the first of them.
_TIMES = 8
_DRAWING = (
    "0.8 g 72 600 300 40 re f 0 g BT /F1 12 Tf 80 610 Td (A word on grey) Tj ET 0.5 w 72 560 m 400 560 l S\n"
    "q 200 0 0 150 72 300 cm /P Do Q"
)
_SCAN = "q 612 0 0 792 0 0 cm /P Do Q"


def rehearse() -> None:
    """Render a mail several times as a child does; raises RuntimeError when no pages come of it."""
    mail = _mail()
    for _ in range(_TIMES):
        made = _render(mail)
    fonts.faces()
    stamp([made], HeaderLine("0:00", "rehearsal", "0"), BytesIO(), BytesIO(), lambda _: None)


def _render(mail: bytes) -> bytes:
    """Return the TIFF that a job makes of *mail*."""
    ours, theirs = pair()
    files = [os.memfd_create("rehearsal") for _ in range(4)]
    try:
        os.write(files[3], mail)
        header = {"do": "render", "source": Source("mail", (1,)).as_header(), "converted": []}
        with ours, theirs:
            jobs.work(header, Channel(theirs), files)
            theirs.close()
            said = [decode(datagram) for datagram in iter(lambda: ours.recv(1 << 16), b"")]
        if "rendered" not in said[-1]:
            raise RuntimeError(f"the sandbox cannot render a mail of its own: {said[-1]}")
        return whole(files[0])
    finally:
        for file in files:
            os.close(file)


def _mail() -> bytes:
    kind = "Content-Type: {}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    parts = [
        "Content-Type: text/plain\r\n\r\nA letter.",
        kind.format("application/pdf; name=letter.pdf") + base64.encodebytes(_letter()).decode(),
    ]
    body = "".join(f"--=_\r\n{part}\r\n" for part in parts)
    return f"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary==_\r\n\r\n{body}--=_--\r\n".encode()


def _letter() -> bytes:
    """A page of text in a font that the PDF does not bring along, a tint and a photograph; and a scan."""
    output = BytesIO()
    with pikepdf.new() as made:
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.TrueType, BaseFont=pikepdf.Name("/Arial,Bold")
        )
        for drawing, picture in ((_DRAWING, _photograph()), (_SCAN, _paper())):
            made.add_blank_page(page_size=(612, 792))
            page = made.pages[-1]
            page.Contents = made.make_stream(drawing.encode())
            page.Resources = pikepdf.Dictionary(
                Font=pikepdf.Dictionary(F1=font), XObject=pikepdf.Dictionary(P=_jpeg(made, picture))
            )
        made.save(output)
    return output.getvalue()


def _photograph() -> Image.Image:
    return Image.linear_gradient("L").resize((400, 300))


def _paper() -> Image.Image:
    """Light paper with three lines of ink."""
    paper = Image.new("L", (850, 1100), 215)
    for line in range(3):
        paper.paste(40, (100, 100 + 40 * line, 700, 112 + 40 * line))
    return paper


def _jpeg(made: pikepdf.Pdf, image: Image.Image) -> pikepdf.Object:
    data = BytesIO()
    image.save(data, "JPEG")
    return made.make_stream(
        data.getvalue(),
        Type=pikepdf.Name.XObject,
        Subtype=pikepdf.Name.Image,
        Width=image.width,
        Height=image.height,
        ColorSpace=pikepdf.Name.DeviceGray,
        BitsPerComponent=8,
        Filter=pikepdf.Name.DCTDecode,
    )
