"""The code of one page on the line: T.6 (ITU-T T.6, "Group 4"), or T.4 for machines that know no other ("Group 3")."""

from PIL import Image

from gateway.document import Coding
from gateway.documents.dots import Dots, t4_code, t6_code

#: From so many lines to the inch on, every fourth line of two-dimensional code is coded of itself, else every second.
_FINE = 150


def t6(page: Dots | Image.Image) -> bytes:
    """Return the T.6 code of a page or of a 1-bit image in which 1 is black: one strip, highest bit first."""
    return t6_code(page if isinstance(page, Dots) else Dots.of(page))


def coded(page: Dots, coding: Coding, dpi_y: int) -> bytes:
    """Return the code of a page with *dpi_y* lines to the inch: one strip, highest bit first."""
    if coding is Coding.T6:
        return t6_code(page)
    every = 4 if dpi_y > _FINE else 2
    return t4_code(page, 0 if coding is Coding.T4 else every)
