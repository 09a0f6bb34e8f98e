"""Photographs as dots: a screen of thresholds whose dots grow in clusters.

Clusters survive the line and the printer, and T.6 codes their runs well; single scattered dots (error diffusion) do
neither.
"""

from functools import cache, lru_cache
from math import cos, pi

from PIL import Image

#: Dots across one period of the screen, and on a grid twice as fine. Its clusters lie on the diagonals, 51 to the inch
#: across (68 on the fine grid).
_PERIOD, _FINE_PERIOD, _FINE_DPI = 8, 12, 400
#: Clusters are so much higher than wide: an edge below its like is one bit of T.6 code, and the beginning of a cluster
#: many. The eye misses little, and a photograph takes three quarters of the time on the line.
_STRETCH = 2
#: Darker than this is black, lighter than that is paper: shadows and highlights get no stray dots.
_DARKEST, _LIGHTEST = 16, 236


@lru_cache(maxsize=4)
def screen(size: tuple[int, int], dpi: tuple[int, int]) -> Image.Image:
    """Return thresholds for a photograph of *size* dots on a grid of *dpi* across and down.

    It is shared: whoever changes it changes it for all.
    """
    width, height = size
    tile = _tile(dpi)
    row = Image.new("L", (width, tile.height))
    for left in range(0, width, tile.width):
        row.paste(tile, (left, 0))
    result = Image.new("L", size)
    for top in range(0, height, tile.height):
        result.paste(row, (0, top))
    return result


@cache
def _tile(dpi: tuple[int, int]) -> Image.Image:
    """One period: ranks of a spot function, spread over the greys. Ties are broken by place, always alike."""
    period = _FINE_PERIOD if dpi[0] >= _FINE_DPI else _PERIOD
    lines = 2 * round(_STRETCH * period * dpi[1] / dpi[0] / 2)
    places = [(x, y) for y in range(lines) for x in range(period)]
    order = sorted(places, key=lambda place: (round(_spot(place[0], place[1], period, lines), 6), place))
    tile = Image.new("L", (period, lines))
    for rank, place in enumerate(order):
        tile.putpixel(place, round(_DARKEST + (_LIGHTEST - _DARKEST) * (rank + 0.5) / len(order)))
    return tile


def _spot(x: int, y: int, period: int, lines: int) -> float:
    """How early a dot turns white as the picture lightens: high in the middle of a cluster of ink."""
    return cos(2 * pi * (x + 0.5) / period) * cos(2 * pi * (y + 0.5) / lines)
