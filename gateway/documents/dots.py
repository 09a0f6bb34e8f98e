"""A page in black and white, eight dots in a byte, and the loops over all of its dots.

They are compiled (``_dots.c``, ``_code.c`` and ``_ink.c``; ``_grey.c`` and ``_edges.c`` for those of ``greys`` and
``edges``) where the package was installed with a C compiler at hand. Elsewhere Pillow does the same to the last bit,
only slower.
"""

import importlib
from dataclasses import dataclass
from io import BytesIO
from typing import Protocol, cast

from PIL import Image, ImageChops

from gateway.documents import ifd

#: Memory in one piece.
Octets = bytes | bytearray


class _Compiled(Protocol):
    def pack(self, grey: Octets, thresholds: Octets | None, level: int, width: int, height: int) -> bytes: ...

    def t6(self, rows: bytes, width: int, height: int) -> bytes: ...

    def t4(self, rows: bytes, width: int, height: int, every: int) -> bytes: ...

    def reduced(self, rows: bytes, width: int, height: int, across: int, down: int, /) -> bytes: ...

    def scale(self, grey: Octets, width: int, height: int, wide: int, high: int, smooth: bool, /) -> bytes: ...

    def straight(self, rows: bytes, grey: Octets, sure: int, hint: int, width: int, height: int, /) -> bytes: ...

    def extremes(self, grey: Octets, width: int, height: int, side: int) -> tuple[bytes, bytes]: ...

    def walk(self, code: bytes, form: int, width: int, rows: int, /) -> tuple[int, int, int, bool, int]: ...


class Greys(Protocol):
    """8-bit greys: an image, or what stands for one."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""

    def tobytes(self) -> Octets:
        """Return them row by row."""


_NAMES = ("pack", "t6", "t4", "reduced", "scale", "extremes", "straight", "walk")


def _load() -> _Compiled | None:
    try:
        found = importlib.import_module("gateway.documents._dots")
    except ImportError:
        return None
    # One that an older source was compiled into, in a working tree, is none.
    return cast(_Compiled, found) if all(hasattr(found, name) for name in _NAMES) else None


#: The compiled half; None where there is none.
compiled = _load()


@dataclass(frozen=True, slots=True)
class Dots:
    """A page of *width* x *height* dots. 1 is black; each row begins with a new byte, in its highest bit."""

    width: int
    height: int
    rows: bytes

    @classmethod
    def of(cls, page: Image.Image) -> "Dots":
        """Take the dots of a 1-bit image in which 1 is black."""
        return cls(page.width, page.height, page.tobytes())

    def padded(self, height: int) -> "Dots":
        """Return the page with white paper at its foot, up to *height* lines; a longer one stays as it is."""
        missing = max(0, height - self.height)
        return Dots(self.width, self.height + missing, self.rows + bytes(missing * ((self.width + 7) // 8)))

    def image(self) -> Image.Image:
        """Return the page as a 1-bit image in which 1 is black."""
        return Image.frombytes("1", (self.width, self.height), self.rows)


def darker(page: Greys, than: Greys | int) -> Dots:
    """Return the dots of the 8-bit grey *page* that are darker *than* a grey, or than each one's own."""
    if compiled is None:
        return darker_by_pillow(page, than)
    thresholds = None if isinstance(than, int) else than.tobytes()
    level = than if isinstance(than, int) else 0
    return Dots(*page.size, compiled.pack(page.tobytes(), thresholds, level, *page.size))


def darker_by_pillow(page: Greys, than: Greys | int) -> Dots:
    """Do as ``darker`` without the compiled half."""
    if isinstance(than, int):
        return Dots.of(image_of(page).point([255 if grey < than else 0 for grey in range(256)], "1"))
    return Dots.of(ImageChops.subtract(image_of(than), image_of(page)).point([0] + [255] * 255, "1"))


def image_of(greys: Greys) -> Image.Image:
    """Return *greys* as an image."""
    return greys if isinstance(greys, Image.Image) else Image.frombytes("L", greys.size, greys.tobytes())


def reduced(page: Dots, across: int, down: int) -> Image.Image:
    """Return the share of ink (255 is all) in each box of *across* x *down* dots; those at the edges may be smaller."""
    if compiled is None or page.width % 8 or across not in {4, 8}:
        return reduced_by_pillow(page, across, down)
    size = page.width // across, -(-page.height // down)
    return Image.frombytes("L", size, compiled.reduced(page.rows, page.width, page.height, across, down))


def reduced_by_pillow(page: Dots, across: int, down: int) -> Image.Image:
    """Do as ``reduced`` without the compiled half."""
    return page.image().convert("L").reduce((across, down))


def t6_code(page: Dots) -> bytes:
    """Return the T.6 code of *page* with its end of block."""
    if compiled is None:
        return t6_code_by_pillow(page)
    return compiled.t6(page.rows, page.width, page.height)


def t6_code_by_pillow(page: Dots) -> bytes:
    """Do as ``t6_code`` without the compiled half."""
    return _code(page, "group4", {})


def t4_code(page: Dots, every: int) -> bytes:
    """Return the T.4 code of *page*: an end of line before each, none at the end, as TIFF-F wants it.

    Of *every* so many lines one is coded of itself and the others after the one above them (two-dimensional code); 2
    and 4 are what T.4 allows on normal and finer grids. With 0 each is coded of itself.
    """
    if compiled is None:
        return t4_code_by_pillow(page, every)
    return compiled.t4(page.rows, page.width, page.height, every)


def t4_code_by_pillow(page: Dots, every: int) -> bytes:
    """Do as ``t4_code`` without the compiled half."""
    # libtiff makes it 4 where there are more than 150 lines to the inch.
    return _code(page, "group3", {ifd.T4_OPTIONS: int(every > 0)}, dpi=(204, 196 if every == 4 else 98))


def _code(page: Dots, compression: str, tags: dict[int, int], **options: object) -> bytes:
    """Return the page's code as libtiff makes it."""
    output = BytesIO()
    tags = {ifd.ROWS_PER_STRIP: page.height, **tags}
    page.image().save(output, "TIFF", compression=compression, tiffinfo=tags, **options)
    data = output.getvalue()
    directory = next(ifd.directories(data))
    start = directory.number(ifd.STRIP_OFFSETS)
    return data[start : start + directory.number(ifd.STRIP_BYTES)]
