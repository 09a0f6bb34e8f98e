"""Straight edges of black and white pages.

Thresholds leave dots that stick out of a straight edge of a letter, or are missing in one, one or two side by side:
grains of the paper, and places where a stem lies between two columns of the grid. The eye sees dirt, and T.6 spends
twenty bits on each. What is missing is filled in only where there is more ink behind it and more white before it than
where two letters touch: there it is often all that parts them, and an m would be made of rn.
"""

from collections.abc import Callable
from functools import partial

from gateway.documents import dots
from gateway.documents.dots import Dots, Greys, darker

#: With fewer lines to the inch a row of dots may be a stroke: the tooth of an Arabic letter, the foot of a 4.
_FEWEST_LINES = 196
#: What is darker than this is no grain: ink covers half of the dot.
_SURE = 128
#: What is lighter than this is no part of an edge: ink covers less than an eighth of the dot.
_HINT = 224

#: The neighbours of all dots of a page, in one direction and in the other.
_Step = Callable[[int], int]
_Steps = tuple[_Step, _Step]


def even(page: Dots, grey: Greys, lines: int) -> Dots:
    """Return *page*, made from *grey* with *lines* to the inch, with straight edges."""
    return straight(page, grey) if lines >= _FEWEST_LINES else page


def straight(page: Dots, grey: Greys) -> Dots:
    """Return *page* without single dots that stick out of a straight edge, and then without such pairs; after that,
    with such that are missing in one.

    An edge is straight where the dots below them and one to each side, and another at one end, are black in a row; and
    as many beyond, but for that other, are white. Lines of any width, corners, gaps, dots that stand alone or on
    something short (a point is three dots wide), and what is dark in *grey*, stay. For what is missing black and white
    change their parts, and both must be two dots deep; what is light in *grey* stays.
    """
    if dots.compiled is None:
        return straight_by_numbers(page, grey)
    rows = dots.compiled.straight(page.rows, grey.tobytes(), _SURE, _HINT, page.width, page.height)
    return Dots(page.width, page.height, rows)


def straight_by_numbers(page: Dots, grey: Greys) -> Dots:
    """Do as ``straight`` without the compiled half: the page is one number, all dots are looked at at once."""
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
    hinted = int.from_bytes(darker(grey, _HINT).rows)
    for count in (1, 2):
        here |= _notches(here, hinted, count, *steps) | _notches(here, hinted, count, *steps[::-1])
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
        for place in _places(count, along):
            run &= place(ink(here)) & ~place(white(here))
        run &= _times(before, ink(here), 2) | _times(after, ink(here), count + 1)
        found |= _run_of(run, count, before)
    return found


def _notches(here: int, hinted: int, count: int, across: _Steps, along: _Steps) -> int:
    """Return the rows of *count* dots, all *hinted* at, that are missing *across* an edge that runs *along*."""
    before, after = along
    found = 0
    for ink, white in (across, across[::-1]):
        run = before(here) & _times(after, here, count)
        for step in range(count):
            run &= _times(after, hinted & ~here, step)
        for place in _places(count, along):
            for deep in (1, 2):
                run &= place(_times(ink, here, deep)) & ~place(_times(white, here, deep))
        run &= ~(_times(before, white(here), 2) & _times(after, white(here), count + 1))
        found |= _run_of(run, count, before)
    return found


def _places(count: int, along: _Steps) -> list[_Step]:
    """Return what gives every dot its neighbours from the one before it to the one after *count* from it on."""
    before, after = along
    return [before] + [partial(_times, after, count=step) for step in range(count + 1)]


def _run_of(run: int, count: int, before: _Step) -> int:
    """Return rows of *count* dots, given the first of each."""
    found = 0
    for step in range(count):
        found |= _times(before, run, step)
    return found


def _times(step: _Step, dots: int, count: int) -> int:
    for _ in range(count):
        dots = step(dots)
    return dots
