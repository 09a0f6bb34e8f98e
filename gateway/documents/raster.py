"""The grid of dots that fax pages are made of, and where a page lies on it (ITU-T T.4, RFC 2301 profile F).

A scan line has 1728 dots, 204 to the inch, or twice as many. There are 98, 196 or 391 lines to the inch.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from gateway.fax import Quality, Sight


@dataclass(frozen=True, slots=True)
class Grid:
    """Dots of a scan line, and dots to the inch across and down."""

    width: int
    dpi: tuple[int, int]


GRIDS = {
    Quality.NORMAL: Grid(1728, (204, 98)),
    Quality.HIGH: Grid(1728, (204, 196)),
    Quality.VERY_HIGH: Grid(1728, (204, 391)),
    Quality.ULTRA_LIGHT: Grid(3456, (408, 391)),
    Quality.ULTRA_DARK: Grid(3456, (408, 391)),
}

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
class Look:
    """How a page becomes black and white: what it is taken for, the share of white, in percent, below which a dot is
    black (None leaves that to what is found on the page), and whether what is neither becomes dots."""

    sight: Sight = Sight.AUTO
    black_below: int | None = None
    dots: bool = True


@dataclass(frozen=True, slots=True)
class Raster:
    """A page's grid and look, the longest page in inches, whether small pages are enlarged to fill it, whether short
    ones get white paper at their foot, and whether scans that lay askew are set straight."""

    grid: Grid
    longest: float = LONGEST
    enlarge: bool = True
    pad: bool = False
    look: Look = field(default_factory=Look)
    deskew: bool = False

    @classmethod
    def of(
        cls, quality: Quality, paper: Paper, look: Look | None = None, *, pad: bool = False, deskew: bool = False
    ) -> "Raster":
        """Return the grid for a fax that is to be sent."""
        look = look or Look()
        if quality is Quality.ULTRA_DARK and look.sight is Sight.AUTO:
            look = replace(look, dots=False)
        return cls(GRIDS[quality], PAPER_HEIGHT[paper], pad=pad, look=look, deskew=deskew)

    @property
    def width(self) -> int:
        return self.grid.width

    @property
    def dpi(self) -> tuple[int, int]:
        return self.grid.dpi

    @property
    def most_lines(self) -> int:
        """Lines of the longest page that is taken as it is."""
        return round(LONGEST * self.dpi[1])

    @property
    def full_lines(self) -> int:
        """Lines of a whole sheet."""
        return round(self.longest * self.dpi[1])

    def natural(self, width: float, height: float) -> Placement:
        """Fit a page that is never enlarged."""
        return replace(self, enlarge=False).place(width, height)

    def place(self, width: float, height: float) -> Placement:
        """Fit a page of *width* x *height* inches: whole, in proportion, upright, not padded at its foot.

        A page that is wider than high is turned only when it is also wider than the paper: half a sheet stays as
        it is.
        """
        width, height = max(width, 1e-3), max(height, 1e-3)
        turned = width > height and width * self.dpi[0] > self.width * (1 + _SNAP)
        if turned:
            width, height = height, width
        natural = width * self.dpi[0]
        across = self.width / natural
        if abs(across - 1) <= _SNAP:
            natural, across = float(self.width), 1.0
        scale = min(across, self.longest / height)
        if not self.enlarge:
            scale = min(scale, 1.0)
        return Placement(
            _dots(natural * scale, self.width), _dots(height * scale * self.dpi[1], self.most_lines), turned
        )


#: The grid for documents that are kept: pages keep their size, up to the longest.
KEEPING = Raster(GRIDS[Quality.HIGH], enlarge=False)


def _dots(exact: float, most: int) -> int:
    return min(max(round(exact), 1), most)
