"""Flat tones in drawings: table heads, tinted boxes, charts, pale headings.

One threshold for the page would make a black bar of a coloured table head, with its dark text lost in it, and would let
a yellow heading vanish. So the tones of a page are looked up, and each gets the threshold that keeps what is written in
it or on it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from PIL import Image, ImageChops, ImageFilter

from gateway.documents.greys import Grey, extremes
from gateway.documents.ink import THRESHOLD

#: Tones outside this range are ink and paper.
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
#: Squares on each side of one that an area fills too; strokes of letters are thinner.
_STROKE = 2
#: To tell the soft edges of letters from what is pale, so many dots of a tone are looked at.
_LOOKED_AT = 200
#: Darker than this is ink, whatever is around it.
_INK = 128
#: Dark writing on an area is darker than this share of its tone.
_BELOW = 0.7
#: What is written on an area differs from it by this much at least, and covers this share of it.
_CONTRAST, _WRITTEN = 36, 0.01


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
    for tone in range(_DARKEST, _LIGHTEST):
        if counts[tone] < _FEWEST:
            continue
        beside = sorted(counts[tone - 4 : tone - 1] + counts[tone + 2 : tone + 5], reverse=True)
        if counts[tone] >= _STANDS_OUT * beside[_CLOSE if counts[tone] >= plenty else 0]:
            found.append(tone)
    return _apart(sorted(found, key=lambda tone: -counts[tone]))[:_MOST_TONES]


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
    return cells if _shrunk(cells.crop(box), _STROKE).getbbox() else None


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


def _areas(grey: Image.Image, tone: int, cells: Image.Image, least: Image.Image) -> Iterator[Area]:
    # What is written leaves gaps between the squares: they are closed. Half-filled squares at the rim come back too.
    left, top, right, bottom = cells.getbbox() or (0, 0, 0, 0)
    around = (left - _GAP, top - _GAP, right + _GAP, bottom + _GAP)
    cells = cells.crop(around)
    closed = _shrunk(_grown(cells, _GAP // 2 + 1), _GAP // 2)
    across, down = cells.width * _CELL, cells.height * _CELL
    at = ((left - _GAP) * _CELL, (top - _GAP) * _CELL)
    # What is white between two bars is no writing on them.
    inner = ImageChops.darker(_shrunk(closed, 2), _within(cells)).resize((across, down), Image.Resampling.NEAREST)
    counts = grey.crop((*at, at[0] + across, at[1] + down)).histogram(inner)
    threshold = _written_on(tone, counts)
    mask = closed.resize((across, down), Image.Resampling.NEAREST)
    if threshold is not None or tone < _TINT:
        yield Area(at, mask, threshold)
    if threshold is None and tone >= THRESHOLD:
        outline = _outline(grey.crop((*at, at[0] + across, at[1] + down)), tone, mask)
        ink = least.crop(around).point([255 if each < tone - _CONTRAST else 0 for each in range(256)])
        near = _grown(ink, _CLEAR).resize((across, down), Image.Resampling.NEAREST)
        yield Area(at, ImageChops.subtract(outline, near), tone + 2)


def _within(cells: Image.Image) -> Image.Image:
    """Return the squares that lie between *cells* of their own row and between such of their own column."""
    turned = _filled(cells.transpose(Image.Transpose.TRANSPOSE))
    return ImageChops.darker(_filled(cells), turned.transpose(Image.Transpose.TRANSPOSE))


def _filled(cells: Image.Image) -> Image.Image:
    """Fill each row from its first square to its last."""
    data, width, rows = cells.tobytes(), cells.width, []
    for start in range(0, len(data), width):
        rest = data[start : start + width].lstrip(b"\0")
        between = b"\xff" * len(rest.rstrip(b"\0"))
        rows.append(bytes(width - len(rest)) + between.ljust(len(rest), b"\0"))
    return Image.frombytes("L", cells.size, b"".join(rows))


def _outline(grey: Image.Image, tone: int, mask: Image.Image) -> Image.Image:
    """Return the dots of *tone* under *mask* that lie beside lighter ones: beside letters there is no outline."""
    area = ImageChops.darker(grey.point([255 if abs(each - tone) <= 1 else 0 for each in range(256)]), mask)
    inner = grey.point([255 if each <= tone + 1 else 0 for each in range(256)])
    for _ in range(_OUTLINE):
        inner = _darkest_around(inner)
    return ImageChops.subtract(area, inner)


def _written_on(tone: int, counts: list[int]) -> int | None:
    """Return what parts *tone* from the writing on it, given the greys of its area; None when there is none."""
    darker = sum(counts[: max(0, tone - _CONTRAST)])
    lighter = sum(counts[tone + _CONTRAST :])
    if max(darker, lighter) < _WRITTEN * sum(counts):
        return None
    return min(THRESHOLD, round(tone * _BELOW)) if darker >= lighter else _between(tone, 255)


def _darkest_around(image: Image.Image) -> Image.Image:
    """Return the darkest of each place and its eight neighbours; a border looks at the one opposite, too. Pillow's
    MinFilter and BoxBlur take a multiple of the time."""
    for across, down in ((1, 0), (0, 1)):
        beside = (ImageChops.offset(image, sign * across, sign * down) for sign in (1, -1))
        for each in list(beside):
            image = ImageChops.darker(image, each)
    return image


def _grown(mask: Image.Image, reach: int) -> Image.Image:
    return mask.filter(ImageFilter.BoxBlur(reach)).point([0] + [255] * 255)


def _shrunk(mask: Image.Image, reach: int) -> Image.Image:
    return mask.filter(ImageFilter.BoxBlur(reach)).point([0] * 255 + [255])


def _between(tone: int, other: int) -> int:
    return (tone + other) // 2
