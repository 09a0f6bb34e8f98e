"""A walk through the code of a page: which of its rows can be read.

libtiff, which decodes the pages of TIFF files, does not say so: it leaves rows that it could not read, or that were not
there, as far as it came. What is compiled (``_walk.c``) walks the same way.
"""

from dataclasses import dataclass
from enum import IntEnum

from gateway.documents import dots
from gateway.documents.code_words import HORIZONTAL, MODE_BITS, MODES, PASS, RUN_BITS, RUNS

_EOL, _EOL_BITS, _EOL_ZEROS = 1, 12, 11
#: What no code can be read from any more.
_END_PADDING = bytes(4)


class Form(IntEnum):
    """Kinds of code: T.6; T.4 in one dimension and in two; rows of T.4 without an end of line (TIFF's compressions 2
    and 32771), each from a whole byte or from a whole word of two."""

    T6 = 0
    T4 = 1
    T4_2D = 2
    BYTES = 3
    WORDS = 4


@dataclass(frozen=True, slots=True)
class Walk:
    """What was found: *rows*, of which so many were *bad*, so many of those at most one below the other.

    Only T.4 goes on behind a bad row, at the next end of line, or the next row that is coded of itself; other code ends
    with its last good one. *ended* says that the code itself said where its end is, and *left* is how many bytes of it
    follow behind that or the last row, but for zeros.
    """

    rows: int
    bad: int
    together: int
    ended: bool
    left: int


def walk(code: bytes, form: Form, width: int, rows: int) -> Walk:
    """Look for so many *rows* of *width* dots in *code*, whose first bit is the highest of its first byte."""
    if dots.compiled is None:
        return walk_by_bits(code, form, width, rows)
    return Walk(*dots.compiled.walk(code, form, width, rows))


def walk_by_bits(code: bytes, form: Form, width: int, rows: int) -> Walk:
    """Do as ``walk`` without the compiled half."""
    bits = _Bits(code, width)
    if form in {Form.T4, Form.T4_2D}:
        return _lines(bits, rows, tagged=form is Form.T4_2D)
    found, ended, above = 0, False, bits.white
    while found < rows and not (form is Form.T6 and bits.passes_end()):
        row = bits.row_after(above) if form is Form.T6 else bits.row_alone()
        if row is None:
            return Walk(found, 0, 0, ended, bits.left())
        above = row
        if form is not Form.T6:
            bits.align(8 if form is Form.BYTES else 16)
        found += 1
    if form is Form.T6:
        ended = found < rows or bits.passes_end()
        bits.passes_end()
    return Walk(found, 0, 0, ended, bits.left())


def _lines(bits: "_Bits", rows: int, *, tagged: bool) -> Walk:
    """Walk through code whose rows follow an end of line each, and perhaps a tag that says how they are coded."""
    found = bad = together = longest = 0
    above: list[int] | None = None
    while found < rows and bits.finds_end():
        alone = not tagged or bits.take_tag()
        if bits.passes_end(tagged=tagged):
            while bits.passes_end(tagged=tagged):
                pass
            return Walk(found, bad, longest, True, bits.left())
        if bits.at >= bits.size:
            break
        above = bits.row_alone() if alone else above and bits.row_after(above)
        found += 1
        together = 0 if above else together + 1
        longest, bad = max(longest, together), bad + (above is None)
    return Walk(found, bad, longest, False, bits.left())


class _Bits:
    """Code and the place in it, and rows as the places where they change their colour, white first."""

    def __init__(self, code: bytes, width: int) -> None:
        self.size, self.at, self._width = 8 * len(code), 0, width
        self._code = code + _END_PADDING
        self.white = [width] * 4
        #: Runs of no dots are allowed, but not many.
        self._most_places = width + 2

    def _next(self, count: int) -> int:
        byte = self.at >> 3
        return int.from_bytes(self._code[byte : byte + 4], "big") >> 32 - count - (self.at & 7) & (1 << count) - 1

    def passes_end(self, *, tagged: bool = False) -> bool:
        """Step over an end of line, and the tag behind it, that lies here; say whether there was one."""
        found = self.at < self.size and self._next(_EOL_BITS) == _EOL
        if found:
            self.at += _EOL_BITS + tagged
        return found

    def finds_end(self) -> bool:
        """Go on to what follows the next end of line, which may have more zeros; False when there is none."""
        zeros = 0
        while self.at < self.size:
            if self._next(1):
                self.at += 1
                if zeros >= _EOL_ZEROS:
                    return True
                zeros = 0
            else:
                self.at += 1
                zeros += 1
        return False

    def take_tag(self) -> bool:
        self.at += 1
        return bool(self._code[self.at - 1 >> 3] >> (7 - (self.at - 1 & 7)) & 1) if self.at <= self.size else False

    def align(self, bits: int) -> None:
        self.at += -self.at % bits

    def left(self) -> int:
        return len(self._code[(self.at + 7) // 8 :].rstrip(b"\0"))

    def _run(self, black: int) -> int | None:
        length = 0
        while length <= self._width:
            word = RUNS[black][self._next(RUN_BITS)] if self.at < self.size else None
            if word is None:
                return None
            self.at += word[0]
            length += word[1]
            if word[1] < 64:
                return length
        return None

    def row_alone(self) -> list[int] | None:
        """Read a row that is coded of itself; None when it is none of the page's width."""
        row: list[int] = []
        place = black = 0
        while place < self._width:
            run = self._run(black)
            if run is None or place + run > self._width or len(row) == self._most_places:
                return None
            place += run
            row.append(place)
            black ^= 1
        return row + self.white

    def row_after(self, above: list[int]) -> list[int] | None:
        """Read a row that is coded after the one above it; None when it is none of the page's width."""
        row: list[int] = []
        a0, b = -1, 0
        while a0 < self._width:
            while above[b] <= a0:
                b += 2
            mode = MODES[self._next(MODE_BITS)] if self.at < self.size else None
            if mode is None or len(row) + 2 > self._most_places:
                return None
            self.at += mode[0]
            places = self._places(mode[1], max(a0, 0), above[b : b + 2], b & 1)
            if places is None or places[-1] > self._width:
                return None
            a0 = places[-1]
            row += places[mode[1] == PASS :]
            if mode[1] < PASS:
                b += -1 if b else 1
        return row + self.white

    def _places(self, mode: int, a0: int, below: list[int], black: int) -> list[int] | None:
        """Return where the row changes next, or the place that a pass leads to, given b1 and b2."""
        if mode == PASS:
            return [below[1]] if below[0] < self._width else None
        if mode == HORIZONTAL:
            first = self._run(black)
            second = None if first is None else self._run(1 - black)
            return None if first is None or second is None else [a0 + first, a0 + first + second]
        place = below[0] + mode
        return [place] if place >= a0 else None
