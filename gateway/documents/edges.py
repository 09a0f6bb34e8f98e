"""Straight edges of black and white pages.

Thresholds leave single dots that stick out of a straight edge of a letter: grains of the paper, and places where a stem
lies between two columns of the grid. The eye sees dirt, and T.6 spends twenty bits on each. Dots that are missing in an
edge stay missing: often they are all that parts two letters, and filled they make an m of rn.
"""

from gateway.documents import dots
from gateway.documents.dots import Dots


def even(page: Dots) -> Dots:
    """Return *page* without single dots that stick out of a straight edge.

    An edge is straight where three dots in a row are black and the three beyond it are white. Lines of any width,
    corners, gaps, and dots that stand alone stay.
    """
    if dots.compiled is None:
        return even_by_numbers(page)
    return Dots(page.width, page.height, dots.compiled.even(page.rows, page.width, page.height))


def even_by_numbers(page: Dots) -> Dots:
    """Do as ``even`` without the compiled half: the page is one number, and all dots are looked at together."""
    stride = (page.width + 7) // 8
    size = stride * page.height
    bits, every = 8 * stride, (1 << 8 * size) - 1
    # No dot has a neighbour in another row: not the first one to its left, nor the last one to its right.
    not_first = int.from_bytes((b"\x7f" + b"\xff" * (stride - 1)) * page.height)
    not_last = int.from_bytes((b"\xff" * (stride - 1) + b"\xfe") * page.height)

    def beside(row: int) -> tuple[int, int, int]:
        return row >> 1 & not_first, row, row << 1 & not_last

    here = int.from_bytes(page.rows)
    (al, a, ar), (hl, h, hr), (bl, b, br) = (beside(row) for row in (here >> bits, here, here << bits & every))
    flat = (al & a & ar & ~(bl | b | br)) | (bl & b & br & ~(al | a | ar))
    steep = (al & hl & bl & ~(ar | hr | br)) | (ar & hr & br & ~(al | hl | bl))
    bump = h & ((flat & ~(hl | hr)) | (steep & ~(a | b)))
    return Dots(page.width, page.height, (h & ~bump).to_bytes(size))
