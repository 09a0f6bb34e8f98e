"""Small pictures of pages, for mails and lists."""

from typing import BinaryIO

from PIL import Image

WIDTH = 400
_GREYS = 16


def write_preview(page: Image.Image, dpi: tuple[int, int], output: BinaryIO, width: int = WIDTH) -> None:
    """Write the 1-bit *page* (1 is black) as a PNG, *width* dots wide, its lines smoothed to 16 greys."""
    height = max(1, round(width * (page.height / dpi[1]) / (page.width / dpi[0])))
    ink = page.convert("L").resize((width, height), Image.Resampling.BOX, reducing_gap=1.0)
    paper = Image.frombytes("P", ink.size, ink.point([value // _GREYS for value in range(256)]).tobytes())
    paper.putpalette([255 - index * 17 for index in range(_GREYS) for _ in "RGB"])
    paper.save(output, "PNG", bits=4)
