"""Scans that lay askew on the glass: how much, and set straight.

Lines of text that run along the rows of the grid make rows that are full and rows that are empty. The slope at which
neighbouring rows differ most is the page's.
"""

from collections.abc import Iterator
from itertools import pairwise
from math import cos, radians, sin, tan

from PIL import Image, ImageChops

from gateway.documents.dots import Dots

#: No page lies more askew, in degrees; one that lies less is straight.
_MOST, _LEAST = 5.0, 0.15
#: The first look is at every so many degrees on a page so much smaller; each further one is four times as close.
_STEP, _SMALLER, _LOOKS = 0.5, 4, 3
#: A slope must make rows differ so much more than none does, else the page has no lines to go by.
_CERTAIN = 1.15

#: a, b, c, d, e, f of Pillow's affine transforms: where a dot of the result comes from.
_Matrix = tuple[float, float, float, float, float, float]


def skew_of(page: Dots, dpi: tuple[int, int]) -> float:
    """Return by how many degrees the lines of *page* fall from left to right, 0.0 where that is not certain."""
    smaller = (_SMALLER, max(1, round(_SMALLER * dpi[1] / dpi[0])))
    small, dpi = page.image().convert("L").reduce(smaller), (dpi[0] // smaller[0], dpi[1] // smaller[1])
    best, score, step = 0.0, _score(small, 0.0, dpi), _STEP
    straight = score
    for look in range(_LOOKS):
        for angle in list(_around(best, step, round(_MOST / step) if look == 0 else 4)):
            found = _score(small, angle, dpi)
            if found > score:
                best, score = angle, found
        step /= 4
    return best if abs(best) >= _LEAST and score > straight * _CERTAIN else 0.0


def _around(middle: float, step: float, reach: int) -> Iterator[float]:
    for number in range(-reach, reach + 1):
        if number:
            yield middle + number * step


def _score(page: Image.Image, angle: float, dpi: tuple[int, int]) -> float:
    """Return how much the rows of *page*, sheared by *angle*, differ from the ones beside them."""
    slope = tan(radians(angle)) * dpi[1] / dpi[0]
    sheared = page.transform(page.size, Image.Transform.AFFINE, (1, 0, 0, slope, 1, -slope * page.width / 2))
    rows = sheared.resize((1, page.height), Image.Resampling.BOX, reducing_gap=None).tobytes()
    return sum((one - other) ** 2 for one, other in pairwise(rows)) + 1.0


def straightened(
    grey: Image.Image, thresholds: Image.Image, ink: Dots, dpi: tuple[int, int]
) -> tuple[Image.Image, Image.Image] | None:
    """Return *grey* and its *thresholds* turned so that the lines of their *ink* are level; None where they are.

    The page keeps its size. Where ink would be turned out of it, all of it is made a little smaller.
    """
    angle = skew_of(ink, dpi)
    if not angle:
        return None
    matrix = _turn(grey.size, dpi, angle, 1.0)
    if _cuts(ink, dpi, angle):
        matrix = _turn(grey.size, dpi, angle, _room(grey.size, dpi, angle))
    turned = [
        image.transform(grey.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=beside)
        for image, beside in ((grey, 255), (thresholds, 0))
    ]
    return turned[0], turned[1]


def _turn(size: tuple[int, int], dpi: tuple[int, int], angle: float, smaller: float) -> _Matrix:
    """Return the transform that turns a page about its middle, in inches rather than in dots."""
    across, down = cos(radians(angle)) / smaller, sin(radians(angle)) / smaller
    ratio, (x, y) = dpi[1] / dpi[0], (size[0] / 2, size[1] / 2)
    a, b, d, e = across, -down / ratio, down * ratio, across
    return a, b, x - a * x - b * y, d, e, y - d * x - e * y


def _cuts(ink: Dots, dpi: tuple[int, int], angle: float) -> bool:
    """Say whether ink of a page would be turned out of it."""
    size = (ink.width, ink.height)
    back = _turn(size, dpi, -angle, 1.0)
    stays = Image.new("1", size, 1).transform(size, Image.Transform.AFFINE, back, fillcolor=0)
    return ImageChops.logical_and(ink.image(), ImageChops.invert(stays)).getbbox() is not None


def _room(size: tuple[int, int], dpi: tuple[int, int], angle: float) -> float:
    """Return how much smaller a page must be to fit into its own outline when it is turned."""
    width, height, turn = size[0] / dpi[0], size[1] / dpi[1], abs(radians(angle))
    outline = (width * cos(turn) + height * sin(turn), width * sin(turn) + height * cos(turn))
    return min(width / outline[0], height / outline[1]) * 0.999
