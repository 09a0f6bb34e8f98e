"""Straight edges of black and white pages.

Thresholds leave dots that stick out of a straight edge of a letter, one or two beside each other: grains of the paper,
and places where a stem lies between two columns of the grid. The eye sees dirt, and T.6 spends twenty bits on each.
Dots that are missing in an edge stay missing: often they are all that parts two letters, and filled they make an m of
rn.
"""

from collections.abc import Callable

from gateway.documents import dots
from gateway.documents.dots import Dots, Greys, darker

#: With fewer lines to the inch a row of dots may be a stroke: the tooth of an Arabic letter, the foot of a 4.
_FEWEST_LINES = 196
#: What is darker than this is no grain: ink covers half of the dot.
_SURE = 128

#: The neighbours of all dots of a page, in one direction and in the other.
_Steps = tuple[Callable[[int], int], Callable[[int], int]]


def even(page: Dots, grey: Greys, lines: int) -> Dots:
    """Return *page*, made from *grey* with *lines* to the inch, without pale dots that stick out of a straight edge."""
    return without_bumps(page, grey) if lines >= _FEWEST_LINES else page


def without_bumps(page: Dots, grey: Greys) -> Dots:
    """Return *page* without single dots that stick out of a straight edge, and then without such pairs.

    An edge is straight where the dots below them and one to each side, and another at one end, are black in a row; and
    as many beyond, but for that other, are white. Lines of any width, corners, gaps, dots that stand alone or on
    something short (a point is three dots wide), and what is dark in *grey*, stay.
    """
    if dots.compiled is None:
        return without_bumps_by_numbers(page, grey)
    rows = dots.compiled.even(page.rows, grey.tobytes(), _SURE, page.width, page.height)
    return Dots(page.width, page.height, rows)


def without_bumps_by_numbers(page: Dots, grey: Greys) -> Dots:
    """Do as ``without_bumps`` without the compiled half: the page is one number, all dots are looked at at once."""
    stride = (page.width + 7) // 8
    size = stride * page.height
    bits, every = 8 * stride, (1 << 8 * size) - 1
    # No dot has a neighbour in another row: not the first one to its left, nor the last one to its right.
    not_first = int.from_bytes((b"\x7f" + b"\xff" * (stride - 1)) * page.height)
    not_last = int.from_bytes((b"\xff" * (stride - 1) + b"\xfe") * page.height)
    steps: tuple[_Steps, _Steps] = (
        (lambda dots: dots >> 1 & not_first, lambda dots: dots << 1 & not_last),
        (lambda dots: dots >> bits, lambda dots: dots << bits & every),
    )
    here, pale = int.from_bytes(page.rows), every & ~int.from_bytes(darker(grey, _SURE).rows)
    for count in (1, 2):
        here &= ~_bumps(here, pale, count, *steps) & ~_bumps(here, pale, count, *steps[::-1])
    return Dots(page.width, page.height, here.to_bytes(size))


def _bumps(here: int, pale: int, count: int, across: _Steps, along: _Steps) -> int:
    """Return the rows of *count* dots, all *pale*, that stick out *across* an edge that runs *along*.

    Each step gives every dot its neighbour: the one before it, and the one after it.
    """
    before, after = along
    found = 0
    for ink, white in (across, across[::-1]):
        run = ~before(here) & ~_times(after, here, count)
        for step in range(count):
            run &= _times(after, here & pale, step)
        for step in range(-1, count + 1):
            place = before if step < 0 else after
            run &= _times(place, ink(here), abs(step)) & ~_times(place, white(here), abs(step))
        run &= _times(before, ink(here), 2) | _times(after, ink(here), count + 1)
        for step in range(count):
            found |= _times(before, run, step)
    return found


def _times(step: Callable[[int], int], dots: int, count: int) -> int:
    for _ in range(count):
        dots = step(dots)
    return dots
