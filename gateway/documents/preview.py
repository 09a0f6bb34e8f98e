"""Small pictures of pages, for mails and lists, and one of any page in any width."""

from typing import BinaryIO

from PIL import Image, ImageChops

from gateway.documents.open import opened
from gateway.documents.raster import KEEPING
from gateway.errors import Kind, refuse

WIDTH = 400
#: No picture of a page is wider: the finest fax has so many dots.
MOST_WIDTH = 3456
_GREYS = 16


def write_preview(page: Image.Image, dpi: tuple[int, int], output: BinaryIO, width: int = WIDTH) -> None:
    """Write *page*, in black and white (1 is black) or ink as 8-bit grey (255 is black), as a PNG.

    It is *width* dots wide, its lines smoothed to 16 greys.
    """
    height = max(1, round(width * (page.height / dpi[1]) / (page.width / dpi[0])))
    # Boxes of one dot here and two there would show as stripes in photographs.
    how = Image.Resampling.BOX if page.width > 3 * width else Image.Resampling.HAMMING
    ink = page.convert("L").resize((width, height), how, reducing_gap=None if page.width <= 3 * width else 1.0)
    paper = Image.frombytes("P", ink.size, ink.point([value // _GREYS for value in range(256)]).tobytes())
    paper.putpalette([255 - index * 17 for index in range(_GREYS) for _ in "RGB"])
    paper.save(output, "PNG", bits=4)


def write_picture(data: bytes, label: str, page: int, width: int, output: BinaryIO) -> None:
    """Write page *page* (from 1) of a fax, or of any document, as a PNG of *width* dots.

    Raises Refusal: as ``open.opened``, and INVALID for a page that there is not or a width that is none.
    """
    if not 1 <= width <= MOST_WIDTH:
        raise refuse(Kind.INVALID, f"a picture of a page may be 1 to {MOST_WIDTH} dots wide", "width")
    with opened(data, label) as document:
        if not 1 <= page <= document.pages:
            raise refuse(Kind.INVALID, f"{label} has no page {page}; it has {document.pages}", "page")
        grey = document.grey(page - 1, KEEPING)
        write_preview(ImageChops.invert(grey), KEEPING.dpi, output, width)
