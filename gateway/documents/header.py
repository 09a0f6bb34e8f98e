"""The line at the top of every page: when it was sent, by whom, from which number, and which page it is.

In the United States a fax must say this (47 CFR 68.318(d)): the date and time, who sends, and the telephone number of
the machine or of the sender.
"""

from functools import lru_cache

from PIL import Image

from gateway.document import Header
from gateway.documents.dots import Dots
from gateway.documents.ink import ink
from gateway.documents.lettering import fitted, width_of, write

#: In inches: the strip's height, the letters' size, their base line, and what printers may cut off at the sides.
_HEIGHT, _LETTERS, _BASE_LINE, _MARGIN, _GAP = 0.18, 0.125, 0.135, 0.3, 0.25


def strip(header: Header, page: int, pages: int, width: int, dpi: tuple[int, int]) -> Dots:
    """Return the header line of *page* (from 1) of *pages*: *width* dots at *dpi* (across, down). Its last row is
    white, whatever letters are in it: the code of a page can follow (``t6_join``)."""
    across, down = dpi
    size = round(_LETTERS * across)
    number = f"Page {page} of {pages}"
    image = _left(header, width, dpi, round(width_of(number, size))).copy()
    write(image, (width - _MARGIN * across - width_of(number, size), _BASE_LINE * across), number, size)
    line = ink(image.resize((width, round(_HEIGHT * down)), Image.Resampling.BOX))
    return Dots(width, line.height + 1, line.rows + bytes((width + 7) // 8))


@lru_cache(maxsize=8)
def _left(header: Header, width: int, dpi: tuple[int, int], reserved: int) -> Image.Image:
    """Return what is the same on all pages, in dots that are as high as they are wide."""
    across = dpi[0]
    size, margin, gap = round(_LETTERS * across), _MARGIN * across, _GAP * across
    image = Image.new("L", (width, round(_HEIGHT * across)), 255)
    base = _BASE_LINE * across
    write(image, (margin, base), header.when, size)
    start = margin + width_of(header.when, size) + gap
    room = width - margin - reserved - gap - start
    for_name = room - width_of(header.number, size) - gap
    name = fitted(header.name, size, for_name)
    write(image, (start, base), name, size)
    start += width_of(name, size) + (gap if name else 0)
    write(image, (start, base), fitted(header.number, size, width - margin - reserved - start), size)
    return image
