"""The skeleton of a TIFF file: its image file directories (TIFF 6.0 section 2, and BigTIFF).

This is the second reader of TIFF files, next to Pillow: small, bounded, and blind to pixels.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

SUBFILE, WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
FILL_ORDER, STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 266, 273, 274, 277, 278, 279
X_RESOLUTION, Y_RESOLUTION, T4_OPTIONS, T6_OPTIONS, RESOLUTION_UNIT = 282, 283, 292, 293, 296

#: Pages beyond any fax: a file with more is an attack on whoever walks through it.
MOST_DIRECTORIES = 5000
#: Field types that are read: code -> struct format of one value.
_TYPES = {1: "B", 3: "H", 4: "L", 5: "LL", 13: "L", 16: "Q"}
#: Of the kinds of subfile: a smaller copy of another, and a page of several.
_REDUCED, _PAGE = 1, 2
_MOST_VALUES = 4096
_MOST_ENTRIES = 4096


class Malformed(Exception):
    """The file is no TIFF, or its chain of directories is broken."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One page's tags that hold whole numbers or fractions; a fraction is a pair of values."""

    tags: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first value of *tag*."""
        values = self.tags.get(tag, ())
        return values[0] if values else default

    @property
    def dots(self) -> int:
        return self.number(WIDTH) * self.number(LENGTH)

    def fraction(self, tag: int) -> float:
        """Return *tag* as a fraction, 0.0 when it is missing or has no denominator."""
        values = self.tags.get(tag, ())
        if len(values) < 2 or not values[1]:
            return float(values[0]) if len(values) == 1 else 0.0
        return values[0] / values[1]

    @property
    def resolution(self) -> tuple[float, float] | None:
        """Dots per inch across and down; None when the file does not say, or nothing that makes sense."""
        unit = {2: 1.0, 3: 2.54}.get(self.number(RESOLUTION_UNIT, 2), 0.0)
        across, down = (self.fraction(tag) * unit for tag in (X_RESOLUTION, Y_RESOLUTION))
        return (across, down) if sensible(across, down) else None


def sensible(across: float, down: float) -> bool:
    """Say whether a resolution in dots per inch can be true."""
    return all(30 <= dpi <= 2400 for dpi in (across, down))


def directories(data: bytes) -> Iterator[Directory]:
    """Yield the directories of *data* in the order of their chain; a chain that bites its tail ends there.

    Raises Malformed when the file is no TIFF or a directory lies outside it.
    """
    try:
        yield from _chain(data)
    except struct.error:
        raise Malformed("the file ends inside its directories") from None


def pages(chain: Sequence[Directory]) -> list[int]:
    """Return the places of those in *chain* that are pages. A small copy of one, which programs put into a file so that
    it can be shown in a list of files, is none."""
    copies = [each.number(SUBFILE) & (_REDUCED | _PAGE) == _REDUCED for each in chain]
    most = max((each.dots for each, copy in zip(chain, copies, strict=True) if not copy), default=0)
    return [place for place, copy in enumerate(copies) if not copy or chain[place].dots >= most]


@dataclass(frozen=True, slots=True)
class _Layout:
    """What differs between TIFF and BigTIFF."""

    order: str
    count: str  # entries of a directory
    offset: str

    def read(self, data: bytes, form: str, at: int) -> tuple[int, ...]:
        values: tuple[int, ...] = struct.unpack_from(self.order + form, data, at)
        return values

    @property
    def inline(self) -> int:
        """Bytes of a value that fit into its entry."""
        return struct.calcsize("=" + self.offset)


def _chain(data: bytes) -> Iterator[Directory]:
    layout, position = _header(data)
    seen: set[int] = set()
    while position and position not in seen:
        seen.add(position)
        directory, position = _directory(data, layout, position)
        yield directory


def _header(data: bytes) -> tuple[_Layout, int]:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise Malformed("no TIFF header")
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version == 42:
        layout, at = _Layout(order, "H", "L"), 4
    elif version == 43:
        layout, at = _Layout(order, "Q", "Q"), 8
    else:
        raise Malformed("no TIFF header")
    return layout, layout.read(data, layout.offset, at)[0]


def _directory(data: bytes, layout: _Layout, position: int) -> tuple[Directory, int]:
    (count,) = layout.read(data, layout.count, position)
    if count > _MOST_ENTRIES:
        raise Malformed("a directory has too many entries")
    at = position + struct.calcsize("=" + layout.count)
    size = struct.calcsize("=HH" + layout.offset * 2)
    tags: dict[int, tuple[int, ...]] = {}
    for entry in range(at, at + count * size, size):
        tag, kind, number = layout.read(data, "HH" + layout.offset, entry)
        form = _TYPES.get(kind)
        if form is not None and number <= _MOST_VALUES:
            tags[tag] = _values(data, layout, entry + size - layout.inline, form * number)
    # Many writers leave the last pointer out; the file then simply ends.
    after = at + count * size
    following = layout.read(data, layout.offset, after)[0] if after + layout.inline <= len(data) else 0
    return Directory(tags), following


def _values(data: bytes, layout: _Layout, field_at: int, form: str) -> tuple[int, ...]:
    """Read values that stand in the entry itself when they fit, else where it points. Outside the file: none."""
    if struct.calcsize("=" + form) > layout.inline:
        (field_at,) = layout.read(data, layout.offset, field_at)
    if field_at + struct.calcsize("=" + form) > len(data):
        return ()
    return layout.read(data, form, field_at)
