"""Which characters a font file has: its ``cmap`` table, searched where it lies (OpenType 1.9, "cmap")."""

import os
import struct
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_COLLECTION = b"ttcf"
_OUTLINES = ({b"\0\1\0\0", b"true", b"OTTO"}, {b"glyf", b"CFF ", b"CFF2"})
_MOST_TABLES = 200
_MOST_BYTES = 8 << 20
#: Subtables that are read, the best first: (platform, encoding) -> all of Unicode, or its first plane.
_WANTED = ((3, 10), (0, 6), (0, 4), (3, 1), (0, 3))


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters of one font, as ranges: the last code of each in order, and the first that belongs to it."""

    ends: tuple[int, ...]
    starts: tuple[int, ...]

    def __contains__(self, char: str) -> bool:
        code = ord(char)
        place = bisect_left(self.ends, code)
        return place < len(self.ends) and self.starts[place] <= code


def glyphs_of(path: Path) -> Glyphs | None:
    """Return the characters of the font in *path* (the first of a collection); None where it is no font with outlines
    that can be read."""
    try:
        with path.open("rb", buffering=0) as file:
            table = _character_map(file)
            return None if table is None else _ranges(table)
    except (OSError, struct.error, ValueError, IndexError):
        return None


def _character_map(file: BinaryIO) -> bytes | None:
    """Return the ``cmap`` table of a font that has outlines."""
    tables = _tables(file)
    if not _OUTLINES[1] & tables.keys() or b"cmap" not in tables:
        return None
    start, size = tables[b"cmap"]
    return os.pread(file.fileno(), min(size, _MOST_BYTES), start)


def _tables(file: BinaryIO) -> dict[bytes, tuple[int, int]]:
    """Return offset and length of the tables of a font by their names."""
    start = 0
    if os.pread(file.fileno(), 4, 0) == _COLLECTION:
        (start,) = struct.unpack(">L", os.pread(file.fileno(), 4, 12))
    version, count = struct.unpack(">4sH", os.pread(file.fileno(), 6, start))
    if version not in _OUTLINES[0] or count > _MOST_TABLES:
        return {}
    directory = os.pread(file.fileno(), 16 * count, start + 12)
    return {name: (offset, size) for name, _, offset, size in struct.iter_unpack(">4sLLL", directory)}


def _ranges(table: bytes) -> Glyphs | None:
    (count,) = struct.unpack_from(">H", table, 2)
    found = {}
    for entry in range(count):
        platform, encoding, offset = struct.unpack_from(">HHL", table, 4 + 8 * entry)
        found[platform, encoding] = offset
    for wanted in _WANTED:
        if wanted in found:
            return _subtable(table, found[wanted])
    return None


def _subtable(table: bytes, at: int) -> Glyphs | None:
    (form,) = struct.unpack_from(">H", table, at)
    if form == 4:
        (twice,) = struct.unpack_from(">H", table, at + 6)
        ends = struct.unpack_from(f">{twice // 2}H", table, at + 14)
        starts = struct.unpack_from(f">{twice // 2}H", table, at + 16 + twice)
        return Glyphs(ends, starts)
    if form == 12:
        (groups,) = struct.unpack_from(">L", table, at + 12)
        codes = struct.unpack_from(f">{3 * min(groups, len(table) // 12)}L", table, at + 16)
        return Glyphs(codes[1::3], codes[0::3])
    return None
