"""Text laid out on pages: paragraphs are broken into lines, and lines into pages.

Lengths are in dots of a square grid of 408 to the inch, twice as fine as a fax; pages break alike at every resolution.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from gateway.documents import fonts
from gateway.documents.lettering import from_right, width_of

DPI, WIDTH = 408, 3456

#: In inches: white at the sides, above and below.
SIDE, ABOVE, BELOW = 0.5, 0.5, 0.4
#: From one base line to the next, in heights of letters.
_LEADING = 1.25
#: Eighty letters of equal width fill a line: (3456 - 2 x 204) / 80 = 38.1 dots each, six tenths of their height.
MONO, PLAIN = 63, 66
COLUMNS = 80
_TAB = 8

#: Scripts without spaces may be broken between any two characters.
_WIDE = "\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uff60\U00020000-\U0003ffff"
_PIECE = re.compile(f"[{_WIDE}]|[^\\s{_WIDE}]+|\\s+")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph: what is written in it, the height of its letters, and how it stands on the page.

    ``indent`` is in inches, ``before`` in lines. ``mark`` hangs to the left of its first line. A *rule* is a line
    across the page, and a *fresh* block begins a page.
    """

    text: str
    size: int = PLAIN
    mono: bool = False
    indent: float = 0.0
    before: float = 0.0
    mark: str = ""
    rule: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line at its place: ``x`` and ``y`` are the left end of its base line."""

    x: float
    y: float
    text: str
    size: int
    mono: bool = False


@dataclass(slots=True)
class Page:
    """Lines, rules (their heights), and the height down to where something is written."""

    lines: list[Line] = field(default_factory=list)
    rules: list[float] = field(default_factory=list)
    height: float = ABOVE * DPI


def pages(blocks: Iterable[Block], inches: float, most: int) -> list[Page]:
    """Lay *blocks* out on pages of so many *inches* of height; the work ends after *most* pages."""
    done = [Page()]
    room = (inches - BELOW) * DPI
    for block in blocks:
        if block.fresh and done[-1].height > ABOVE * DPI:
            done.append(Page())
        _add(done, block, room, most)
        if len(done) > most:
            break
    return done[:most] if done[-1].lines or done[-1].rules or len(done) == 1 else done[: min(most, len(done) - 1)]


def _add(done: list[Page], block: Block, room: float, most: int) -> None:
    leading = block.size * _LEADING
    if done[-1].height > ABOVE * DPI:
        done[-1].height += block.before * leading
    if block.rule:
        done[-1].rules.append(done[-1].height + leading / 2)
        done[-1].height += leading
        return
    left = (SIDE + block.indent) * DPI
    mark = block.mark
    for text in _lines(block):
        if done[-1].height + leading > room:
            if len(done) >= most + 1:
                return
            done.append(Page())
        page = done[-1]
        page.height += leading
        y = page.height - block.size * (_LEADING - 1)
        if mark:
            page.lines.append(Line(left - width_of(mark + " ", block.size), y, mark, block.size))
            mark = ""
        if text:
            x = WIDTH - SIDE * DPI - _width(text, block.size, mono=block.mono) if from_right(text) else left
            page.lines.append(Line(x, y, text, block.size, block.mono))


def _lines(block: Block) -> Iterator[str]:
    room = WIDTH - (2 * SIDE + block.indent) * DPI
    for line in block.text.split("\n"):
        plain = line.expandtabs(_TAB).rstrip()
        if block.mono and plain.isascii():
            yield from _columns(plain, int(room / width_of("0", block.size, fonts.mono())))
        else:
            yield from _broken(plain, room, block)


def _columns(line: str, most: int) -> Iterator[str]:
    """Break a line of letters of equal width, at a space if there is one in its last third."""
    while len(line) > most:
        cut = line.rfind(" ", most * 2 // 3, most + 1)
        cut = cut if cut > 0 else most
        yield line[:cut].rstrip()
        line = line[cut:].lstrip()
    yield line


def _broken(line: str, room: float, block: Block) -> Iterator[str]:
    """Break a line between words, and a word that is longer than a line wherever it must be."""
    current, used = "", 0.0
    for found in _PIECE.findall(line):
        piece = found
        wide = _width(piece, block.size, mono=block.mono)
        if used + wide > room and current.strip() and not piece.isspace():
            yield current.rstrip()
            current, used = "", 0.0
        while wide > room and len(piece) > 1:
            cut = _fitting(piece, room, block)
            yield piece[:cut]
            piece = piece[cut:]
            wide = _width(piece, block.size, mono=block.mono)
        if current or not piece.isspace() or not used:
            current, used = current + piece, used + wide
    yield current.rstrip()


def _fitting(piece: str, room: float, block: Block) -> int:
    """Return how many characters of *piece* fit, one at least."""
    low, high = 1, len(piece)
    while low < high:
        middle = (low + high + 1) // 2
        if _width(piece[:middle], block.size, mono=block.mono) <= room:
            low = middle
        else:
            high = middle - 1
    return low


@lru_cache(maxsize=8192)
def _width(text: str, size: int, *, mono: bool) -> float:
    return width_of(text, size, fonts.mono() if mono else None)
