"""Greys of a page, and the loops over all of them beside those of ``dots``.

They are compiled (``_grey.c``) where there is a compiler; elsewhere Pillow does the same to the last bit, only slower.
"""

from dataclasses import dataclass

from PIL import Image, ImageChops

from gateway.documents import dots
from gateway.documents.dots import Greys, Octets, image_of

#: Pillow's filters, by whether they smooth: one for making smaller, one for making larger.
_FILTERS = {False: Image.Resampling.HAMMING, True: Image.Resampling.BILINEAR}


@dataclass(frozen=True, slots=True)
class Grey:
    """8-bit greys, row by row. It stands for an image where their bytes are wanted again at once."""

    width: int
    height: int
    data: Octets

    @classmethod
    def of(cls, image: Image.Image) -> "Grey":
        """Take a copy of an 8-bit grey image."""
        return cls(*image.size, image.tobytes())

    @classmethod
    def sheet(cls, width: int, height: int, tone: int) -> "Grey":
        """Return a sheet of one *tone* that can be drawn on, in memory or through its ``image``."""
        return cls(width, height, bytearray([tone]) * (width * height))

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    def tobytes(self) -> Octets:
        """Return the greys as ``Image.tobytes`` does, but not a copy of them."""
        return self.data

    def image(self) -> Image.Image:
        """Return an image of the same memory. What is drawn on that of a sheet shows on the sheet; any other becomes a
        copy when it is drawn on."""
        image = Image.frombuffer("L", self.size, self.data, "raw", "L", 0, 1)
        image.readonly = int(not isinstance(self.data, bytearray))
        return image


def scaled(image: Image.Image, size: tuple[int, int], *, smooth: bool = False) -> Grey:
    """Return the 8-bit grey *image* in another *size*; *smooth* is for making it larger."""
    if dots.compiled is None:
        return scaled_by_pillow(image, size, smooth=smooth)
    return Grey(*size, dots.compiled.scale(image.tobytes(), *image.size, *size, smooth))


def scaled_by_pillow(image: Image.Image, size: tuple[int, int], *, smooth: bool = False) -> Grey:
    """Do as ``scaled`` without the compiled half."""
    # Across, then down: in one step Pillow would choose the order, which the last bit depends on.
    across = image.resize((size[0], image.height), _FILTERS[smooth])
    return Grey(*size, across.resize(size, _FILTERS[smooth]).tobytes())


def count_darker(image: Image.Image, than: Image.Image) -> int:
    """Return how many dots of *image* are darker than those of another of the same size."""
    return sum(ImageChops.subtract(than, image).histogram()[1:])


def extremes(page: Greys, side: int) -> tuple[Image.Image, Image.Image]:
    """Return the least and the most grey of each square of *side* dots; those at the edges may be smaller."""
    if dots.compiled is None:
        return extremes_by_pillow(page, side)
    size = -(-page.size[0] // side), -(-page.size[1] // side)
    least, most = dots.compiled.extremes(page.tobytes(), *page.size, side)
    return Grey(*size, least).image(), Grey(*size, most).image()


def extremes_by_pillow(page: Greys, side: int) -> tuple[Image.Image, Image.Image]:
    """Do as ``extremes`` without the compiled half: every place of a square in turn."""
    image = image_of(page)
    size = -(-image.width // side), -(-image.height // side)
    # The last dots are repeated, so that all squares are whole.
    whole = Image.new("L", (size[0] * side, size[1] * side))
    for left in range(image.width, whole.width):
        whole.paste(image.crop((image.width - 1, 0, image.width, image.height)), (left, 0))
    whole.paste(image)
    for top in range(image.height, whole.height):
        whole.paste(whole.crop((0, image.height - 1, whole.width, image.height)), (0, top))
    data, rows = whole.tobytes(), []
    for y in range(side):
        lines = [data[line * whole.width : (line + 1) * whole.width] for line in range(y, whole.height, side)]
        rows += [Grey(*size, b"".join(line[x::side] for line in lines)).image() for x in range(side)]
    least = most = rows[0]
    for each in rows[1:]:
        least, most = ImageChops.darker(least, each), ImageChops.lighter(most, each)
    return least, most
