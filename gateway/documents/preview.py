"""A small picture of the first page, for mails and lists."""

from typing import BinaryIO

from PIL import Image

from gateway.documents.raster import DPI_X

WIDTH = 400
_GREYS = 16


def write_preview(page: Image.Image, dpi_y: int, output: BinaryIO) -> None:
    """Write the 1-bit *page* (1 is black) as a PNG, 400 dots wide, its lines smoothed to 16 greys."""
    height = max(1, round(WIDTH * (page.height / dpi_y) / (page.width / DPI_X)))
    ink = page.convert("L").resize((WIDTH, height), Image.Resampling.BOX)
    paper = Image.frombytes("P", ink.size, ink.point([value // _GREYS for value in range(256)]).tobytes())
    paper.putpalette([255 - index * 17 for index in range(_GREYS) for _ in "RGB"])
    paper.save(output, "PNG", bits=4)
