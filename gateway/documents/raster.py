"""The grid of dots that fax pages are made of, and where a page lies on it (ITU-T T.4, RFC 2301 profile F).

A scan line has 1728 dots, 204 to the inch. There are 98 lines to the inch (normal) or 196 (high).
"""

from dataclasses import dataclass
from typing import Literal

from gateway.fax import Quality

WIDTH = 1728
DPI_X = 204
LINES_PER_INCH = {Quality.NORMAL: 98, Quality.HIGH: 196}

Paper = Literal["letter", "a4", "legal"]
PAPER_HEIGHT = {"letter": 11.0, "a4": 297 / 25.4, "legal": 14.0}

#: No page is longer than this many inches, whatever its file says.
LONGEST = 22.4

#: Widths this close to the scan line's fill it: letter paper has 1734 dots, 215 mm have 1727.
_SNAP = 0.01


@dataclass(frozen=True, slots=True)
class Placement:
    """Dots that a page covers, and whether it is turned by 90 degrees clockwise to lie upright."""

    width: int
    height: int
    turned: bool


@dataclass(frozen=True, slots=True)
class Raster:
    """A page's grid: lines per inch, the longest page in inches, and whether small pages are enlarged to fill it."""

    dpi_y: int
    longest: float = LONGEST
    enlarge: bool = True

    @classmethod
    def of(cls, quality: Quality, paper: Paper) -> "Raster":
        """Return the grid for a fax that is to be sent."""
        return cls(LINES_PER_INCH[quality], PAPER_HEIGHT[paper])

    @property
    def most_lines(self) -> int:
        """Lines of the longest page that is taken as it is."""
        return round(LONGEST * self.dpi_y)

    def place(self, width: float, height: float) -> Placement:
        """Fit a page of *width* x *height* inches: whole, in proportion, upright, not padded at its foot.

        A page that is wider than high is turned only when it is also wider than the paper: half a sheet stays as
        it is.
        """
        width, height = max(width, 1e-3), max(height, 1e-3)
        turned = width > height and width * DPI_X > WIDTH * (1 + _SNAP)
        if turned:
            width, height = height, width
        natural = width * DPI_X
        across = WIDTH / natural
        if abs(across - 1) <= _SNAP:
            natural, across = float(WIDTH), 1.0
        scale = min(across, self.longest / height)
        if not self.enlarge:
            scale = min(scale, 1.0)
        return Placement(_dots(natural * scale, WIDTH), _dots(height * scale * self.dpi_y, self.most_lines), turned)


#: The grid for documents that are kept: pages keep their size, up to the longest.
KEEPING = Raster(LINES_PER_INCH[Quality.HIGH], enlarge=False)


def _dots(exact: float, most: int) -> int:
    return min(max(round(exact), 1), most)
