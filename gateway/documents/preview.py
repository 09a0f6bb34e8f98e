"""Small pictures of pages, for mails and lists, and one of any page in any width."""

from typing import BinaryIO

from PIL import Image, ImageChops

from gateway.documents.dots import Dots, reduced
from gateway.documents.open import opened
from gateway.documents.raster import KEEPING
from gateway.errors import Kind, refuse

WIDTH = 400
#: No picture of a page is wider: the finest fax has so many dots.
MOST_WIDTH = 3456
_GREYS = 16
#: zlib's Z_RLE.
_RUNS = 3
#: From so many dots of the page for one of the picture on, they are taken in boxes.
_BOXES = 3


def write_preview(page: Dots, dpi: tuple[int, int], output: BinaryIO) -> None:
    """Write *page* as a PNG, ``WIDTH`` dots wide, its lines smoothed to 16 greys."""
    height = _height(page.width, page.height, dpi, WIDTH)
    across, down = page.width // WIDTH, page.height // height
    if page.width <= _BOXES * WIDTH:
        return _write(page.image().convert("L").resize((WIDTH, height), Image.Resampling.HAMMING), output)
    # Whole boxes first, and boxes of those: near enough to one step, and much quicker.
    small, whole = reduced(page, across, max(1, down)), (0, 0, page.width / across, page.height / max(1, down))
    return _write(small.resize((WIDTH, height), Image.Resampling.BOX, whole), output)


def _height(wide: int, high: int, dpi: tuple[int, int], width: int) -> int:
    """Return the height of a picture of a page of *wide* x *high* dots that is *width* wide."""
    return max(1, round(width * (high / dpi[1]) / (wide / dpi[0])))


def _write(ink: Image.Image, output: BinaryIO) -> None:
    """Write *ink* (255 is all) as a PNG of 16 greys."""
    paper = Image.frombytes("P", ink.size, ink.point([value // _GREYS for value in range(256)]).tobytes())
    paper.putpalette([255 - index * 17 for index in range(_GREYS) for _ in "RGB"])
    # Runs alone, as a page has them, take half the time of looking for more and give files as small.
    paper.save(output, "PNG", bits=4, compress_type=_RUNS)


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
        size = width, _height(*grey.size, KEEPING.dpi, width)
        # Boxes of one dot here and two there would show as stripes in photographs.
        wide = grey.width > _BOXES * width
        how, gap = (Image.Resampling.BOX, 1.0) if wide else (Image.Resampling.HAMMING, None)
        _write(ImageChops.invert(grey).resize(size, how, reducing_gap=gap), output)
