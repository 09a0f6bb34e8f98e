"""TIFF-F files, page by page (RFC 2301 profile F, TIFF 6.0)."""

import struct
from typing import BinaryIO

from gateway.document import Coding

_SHORT, _LONG, _RATIONAL = 3, 4, 5


class TiffWriter:
    """Writes pages one after the other, so that memory never holds more than one. Little-endian."""

    def __init__(self, output: BinaryIO, pages: int) -> None:
        """*output* is an empty file that can seek; *pages* will be said to be its length (PageNumber)."""
        self._output = output
        self._pages = pages
        self._written = 0
        self._link_at = 4
        output.write(struct.pack("<2sHL", b"II", 42, 0))

    def add(self, code: bytes, width: int, height: int, dpi: tuple[int, int], coding: Coding = Coding.T6) -> None:
        """Append a page of *width* x *height* dots, *dpi* across and down, whose code, black as 1, is *code*."""
        strip = self._output.tell()
        self._output.write(code + b"\0" * (len(code) % 2))
        fractions = self._output.tell()
        self._output.write(struct.pack("<4L", dpi[0], 1, dpi[1], 1))
        self._link(self._output.tell())
        self._output.write(
            _directory(
                (254, _LONG, 2),  # NewSubfileType: one page of several
                (256, _LONG, width),
                (257, _LONG, height),
                (258, _SHORT, 1),  # BitsPerSample
                (259, _SHORT, 4 if coding is Coding.T6 else 3),  # Compression
                (262, _SHORT, 0),  # PhotometricInterpretation: WhiteIsZero
                (266, _SHORT, 1),  # FillOrder: most significant bit first
                (273, _LONG, strip),
                (277, _SHORT, 1),  # SamplesPerPixel
                (278, _LONG, height),  # RowsPerStrip: the page is one strip
                (279, _LONG, len(code)),
                (282, _RATIONAL, fractions),
                (283, _RATIONAL, fractions + 8),
                (293 if coding is Coding.T6 else 292, _LONG, int(coding is Coding.T4_2D)),  # T6Options or T4Options
                (296, _SHORT, 2),  # ResolutionUnit: inch
                (297, _SHORT, self._written | self._pages << 16),  # PageNumber: two values in one entry
            )
        )
        self._written += 1

    def _link(self, directory: int) -> None:
        """Let the chain of directories go on at *directory*, where the file is written on."""
        self._output.seek(self._link_at)
        self._output.write(struct.pack("<L", directory))
        self._output.seek(directory)
        self._link_at = directory + 2 + 12 * _ENTRIES


_ENTRIES = 16


def _directory(*entries: tuple[int, int, int]) -> bytes:
    packed = b"".join(struct.pack("<HHLL", tag, kind, 2 if tag == 297 else 1, value) for tag, kind, value in entries)
    return struct.pack("<H", len(entries)) + packed + struct.pack("<L", 0)
