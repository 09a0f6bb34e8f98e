"""Flat tones in drawings: table heads, tinted boxes, charts, pale headings.

One threshold for the page would make a black bar of a coloured table head, with its dark text lost in it, and would let
a yellow heading vanish. So the tones of a page are looked up, and each gets the threshold that keeps what is written in
it or on it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

from PIL import Image, ImageChops, ImageOps

from gateway.documents.greys import Grey, extremes
from gateway.documents.ink import THRESHOLD
from gateway.documents.squares import darkest_around, grown, pieces, shrunk, within

#: Tones outside this range are ink and paper. On ink there may be writing that is too dark for the page's threshold.
_DARKEST, _LIGHTEST = 10, 246
#: Areas lighter than this get no dots; writing lighter than this was not meant to be read.
_TINT = 232
#: Of small writing that is lighter than this the page's threshold leaves shreds: its strokes are paler still.
_PALE = 160
#: Areas of which the threshold shows nothing, and dots little, get an outline of so many dots: a bar of a chart is
#: there to be seen, whatever its tone. It ends so many squares from ink, which a line would make hard to read.
_OUTLINE, _CLEAR = 2, 1
#: Of each square one dot is looked at to find tones, and a tone has so many of them.
_FEWEST = 40
#: A tone stands out from its neighbours, which the soft edges of letters fill evenly, by this factor: from all six of
#: them, or from the less common three where it has so many dots, and so many times those of the page's middling tone,
#: that it is none of an edge. A palette of one program has tones that lie so close.
_STANDS_OUT, _CLOSE, _PLENTY, _NO_EDGE = 4, 3, 160, 12
_MOST_TONES = 24
#: Areas are made of squares of this many dots, at least so many, and gaps of so many squares in them are writing.
_CELL, _LEAST_CELLS, _GAP = 4, 24, 7
#: So many squares around those of an area its dots belong to it, too.
_RIM = 5
#: Squares on each side of one that an area fills too; strokes of letters are thinner.
_STROKE = 2
#: To tell the soft edges of letters from what is pale, so many dots of a tone are looked at.
_LOOKED_AT = 200
#: Darker than this is ink, whatever is around it.
_INK = 128
#: Dark writing on an area is darker than this share of its tone.
_BELOW = 0.7
#: What is written on an area differs from it by this much at least, less on dark ones, and covers this share of it.
_CONTRAST, _WRITTEN = 36, 0.01
#: Of the dots of letters this share has their own tone at least, and one tone of several that stand out this share.
_CORE, _ONE_OF_SEVERAL = 0.2, 0.05


@dataclass(frozen=True, slots=True)
class Area:
    """``threshold`` holds where ``mask``, laid with its left top corner ``at`` this place, is set.

    None stands for a screen of dots: nothing is written there. An outline is an area, too.
    """

    at: tuple[int, int]
    mask: Image.Image
    threshold: int | None


@dataclass(frozen=True, slots=True)
class Tones:
    """The threshold of the page, and the areas that have their own."""

    threshold: int
    areas: tuple[Area, ...] = ()


def tones_of(grey: Grey) -> Tones:
    """Look up the tones of a drawn page."""
    threshold, image = THRESHOLD, grey.image()
    areas: list[Area] = []
    sparse = image.resize((max(1, grey.width // _CELL), max(1, grey.height // _CELL)), Image.Resampling.NEAREST)
    standing = _standing_out(sparse)
    if not standing:
        return Tones(threshold)
    least, most = extremes(grey, _CELL)
    for tone in standing:
        cells = _cells(least, most, tone)
        if cells is not None:
            areas += _areas(image, tone, cells, least)
        elif _PALE <= tone < _TINT and not _is_edge(grey, sparse, tone):
            threshold = max(threshold, _between(tone, 255))
    return Tones(threshold, tuple(areas))


def _standing_out(sparse: Image.Image) -> list[int]:
    counts = sparse.histogram()
    found = []
    plenty = max(_PLENTY, _NO_EDGE * int(median(counts[_DARKEST:_LIGHTEST])))
    for tone in range(_LIGHTEST):
        if counts[tone] >= _FEWEST and stands_out(counts, tone, _CLOSE if counts[tone] >= plenty else 0):
            found.append(tone)
    if not any(_CONTRAST < tone < THRESHOLD for tone in found):
        found = [tone for tone in found if tone >= _DARKEST]  # nothing is written on ink
    return _apart(sorted(found, key=lambda tone: -counts[tone]))[:_MOST_TONES]


def stands_out(counts: Sequence[int], tone: int, but: int = 0) -> bool:
    """Say whether *tone* is far more common than those beside it, *but* for so many of them."""
    beside = sorted([*counts[max(0, tone - 4) : max(0, tone - 1)], *counts[tone + 2 : tone + 5]], reverse=True)
    return counts[tone] >= _STANDS_OUT * max(beside[but:], default=0)


def _apart(tones: Iterable[int]) -> list[int]:
    """Return *tones* without those next to one before them, whose areas are taken for its own (``_cells``)."""
    kept: list[int] = []
    for tone in tones:
        if not {tone - 1, tone + 1} & set(kept):
            kept.append(tone)
    return kept


def _cells(least: Image.Image, most: Image.Image, tone: int) -> Image.Image | None:
    """Return the squares that *tone* fills whole; None when it has no areas, but letters and lines at most."""
    cells = ImageChops.darker(
        least.point([255 if each >= tone - 1 else 0 for each in range(256)]),
        most.point([255 if each <= tone + 1 else 0 for each in range(256)]),
    )
    box = cells.getbbox()
    if box is None or cells.histogram()[255] < _LEAST_CELLS:
        return None
    return cells if shrunk(cells.crop(box), _STROKE).getbbox() else None


def _is_edge(grey: Grey, sparse: Image.Image, tone: int) -> bool:
    """Say whether most of the tone lies beside ink: the soft edge of something, rather than something pale."""
    alike = sparse.tobytes().translate(bytes(255 if abs(each - tone) <= 1 else 0 for each in range(256)))
    places = list(_some(alike))
    return 2 * sum(_beside_ink(grey, place % sparse.width, place // sparse.width) for place in places) > len(places)


def _some(alike: bytes) -> Iterator[int]:
    """Give where *alike* is set: every place where there are few, else some from all over it."""
    step = max(1, len(alike) // _LOOKED_AT) if alike.count(255) > _LOOKED_AT else 1
    place = alike.find(255)
    while place >= 0:
        yield place
        place = alike.find(255, place + step)


def _beside_ink(grey: Grey, across: int, down: int) -> bool:
    """Say whether there is ink in a square or in one of the eight around it."""
    left, right = max(0, (across - 1) * _CELL), min(grey.width, (across + 2) * _CELL)
    top, bottom = max(0, (down - 1) * _CELL), min(grey.height, (down + 2) * _CELL)
    rows = range(top * grey.width, bottom * grey.width, grey.width)
    return any(min(grey.data[row + left : row + right]) < _INK for row in rows)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Squares that a tone fills, and those closed that are gaps in them, at their ``place`` among all squares."""

    place: tuple[int, int]
    cells: Image.Image
    closed: Image.Image

    @property
    def at(self) -> tuple[int, int]:
        return self.place[0] * _CELL, self.place[1] * _CELL

    def dots(self, mask: Image.Image) -> Image.Image:
        """Return a mask of squares as one of dots."""
        return mask.resize((mask.width * _CELL, mask.height * _CELL), Image.Resampling.NEAREST)

    def of(self, grey: Image.Image) -> Image.Image:
        """Return what of the page lies here."""
        (left, top), (across, down) = self.at, self.cells.size
        return grey.crop((left, top, left + across * _CELL, top + down * _CELL))

    def greys(self, grey: Image.Image) -> list[int]:
        """Return how often each grey is here. What is white between two bars is no writing on them."""
        inner = ImageChops.darker(shrunk(self.closed, 2), within(self.cells))
        return self.of(grey).histogram(self.dots(inner))


def _areas(grey: Image.Image, tone: int, cells: Image.Image, least: Image.Image) -> Iterator[Area]:
    """Give what *tone* asks for where it fills *cells*: what is written there may be dark here and light there."""
    is_ink = tone < _DARKEST  # of which letters are made as well
    found = list(_pieces(cells, small=not is_ink))
    greys = [piece.greys(grey) for piece in found]
    usual = None if is_ink else _written_on(tone, [sum(counts) for counts in zip(*greys, strict=True)])
    for piece, counts in zip(found, greys, strict=True):
        # A pale word behind others is no ground of theirs, and what is dark on it is seen anyway.
        threshold = None if usual is None and tone >= THRESHOLD else _written_on(tone, counts)
        yield from _area(grey, tone, piece, usual if threshold is None else threshold, least)


def _pieces(cells: Image.Image, *, small: bool) -> Iterator[_Piece]:
    # What is written leaves gaps between the squares: they are closed. Half-filled squares at the rim come back too.
    left, top, right, bottom = cells.getbbox() or (0, 0, 0, 0)
    cells = cells.crop((left - _GAP, top - _GAP, right + _GAP, bottom + _GAP))
    closed = shrunk(grown(cells, _GAP // 2 + 1), _GAP // 2)
    core, rest = shrunk(cells, _STROKE), closed.copy()
    for box in pieces(closed):
        if core.crop(box).getbbox():
            rest.paste(0, box)
            around = (ImageOps.expand(mask.crop(box), _GAP) for mask in (cells, closed))
            yield _Piece((left + box[0] - 2 * _GAP, top + box[1] - 2 * _GAP), *around)
    if small and rest.getbbox():  # as small as letters: all of them together
        yield _Piece((left - _GAP, top - _GAP), ImageChops.darker(cells, rest), rest)


def _area(grey: Image.Image, tone: int, piece: _Piece, threshold: int | None, least: Image.Image) -> Iterator[Area]:
    part = piece.of(grey)
    mask = ImageChops.lighter(piece.dots(piece.closed), _rim(part, tone, piece))
    if tone < _DARKEST:
        if threshold is not None and threshold < _between(tone, THRESHOLD):
            yield Area(piece.at, mask, threshold)
    elif threshold is not None or tone < _TINT:
        yield Area(piece.at, mask, threshold)
    if threshold is None and tone >= THRESHOLD:
        (left, top), (across, down) = piece.place, piece.cells.size
        ink = least.crop((left, top, left + across, top + down))
        near = piece.dots(grown(ink.point([255 if each < tone - _CONTRAST else 0 for each in range(256)]), _CLEAR))
        yield Area(piece.at, ImageChops.subtract(_outline(part, tone, mask), near), tone + 2)


def _rim(part: Image.Image, tone: int, piece: _Piece) -> Image.Image:
    """Return the dots of *tone* close to a piece: where writing touches the rim, there are no squares between them."""
    own = part.point([255 if abs(each - tone) <= 1 else 0 for each in range(256)])
    return ImageChops.darker(own, piece.dots(grown(piece.cells, _RIM)))


def _outline(grey: Image.Image, tone: int, mask: Image.Image) -> Image.Image:
    """Return the dots of *tone* under *mask* that lie beside lighter ones: beside letters there is no outline."""
    area = ImageChops.darker(grey.point([255 if abs(each - tone) <= 1 else 0 for each in range(256)]), mask)
    inner = grey.point([255 if each <= tone + 1 else 0 for each in range(256)])
    for _ in range(_OUTLINE):
        inner = darkest_around(inner)
    return ImageChops.subtract(area, inner)


def _written_on(tone: int, counts: list[int]) -> int | None:
    """Return what parts *tone* from the writing on it, given the greys of its area; None when there is none."""
    darker, lighter = counts[: tone - min(_CONTRAST, round(tone * _BELOW))], counts[tone + _CONTRAST :]
    if max(sum(darker), sum(lighter)) <= _WRITTEN * sum(counts):
        return None
    if sum(darker) >= sum(lighter):
        return max(min(THRESHOLD, round(tone * _BELOW)), _between(_nearest(darker), tone))
    return _between(tone, 255 - _nearest(lighter[::-1], certain=tone < _DARKEST))


def _nearest(counts: list[int], *, certain: bool = False) -> int:
    """Return the tone of what is written in the greys of letters and their soft edges, from the farthest from the area
    to the nearest: of several the nearest one. *certain*: only one that stands out, for ink has soft edges itself."""
    letters = sum(counts)
    core = 0 if certain else next(tone for tone, passed in enumerate(accumulate(counts)) if passed >= _CORE * letters)
    own = (tone for tone in range(len(counts) - 1, core, -1) if counts[tone] >= _ONE_OF_SEVERAL * letters)
    return next((tone for tone in own if stands_out(counts, tone)), core)


def _between(tone: int, other: int) -> int:
    return (tone + other) // 2
