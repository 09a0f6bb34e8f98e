"""Shaded rows and boxes on scanned paper: a tone between paper and ink, with something written on it.

They are lower than the squares in which the paper's tone is looked for, so they would be ink all over, and the writing
lost. What is as wide and as high as a word and has no paper in it is such an area; pencil and the strokes of a pen are
narrower. One on which nothing is written stays ink: it may be the bar of a chart.
"""

import re
from functools import cache

from PIL import Image, ImageChops

from gateway.documents.greys import extremes

#: Squares that a shaded area has along and across, whichever way it lies.
_LONG, _SHORT = 15, 3
#: Shares of the paper between which its tone lies.
_LIGHTEST, _DARKEST = 0.88, 0.4
#: Writing is darker than this share of the tone.
_WRITING = 0.6

#: What makes of anything but 0 the whole.
_ANY = [0] + [255] * 255

#: Squares across and down.
_Size = tuple[int, int]


def shaded(mean: Image.Image, paper: Image.Image) -> Image.Image:
    """Return *paper*, the tone of the paper in each square, with that of the shaded areas on which something is written
    in its place. *mean* has four dots for each square."""
    least, most = extremes(mean, 2)
    shade = is_darker(most, share(paper, _LIGHTEST))
    if not _may_hold_areas(shade):
        return paper
    shade = ImageChops.darker(shade, _is_lighter(most, share(paper, _DARKEST)))
    areas = ImageChops.lighter(_opened(shade, (_LONG, _SHORT)), _opened(shade, (_SHORT, _LONG)))
    if not areas.getbbox():
        return paper
    written = _with(is_darker(least, share(most, _WRITING)), areas)
    tones = Image.composite(most, Image.new("L", most.size, 255), written)
    return ImageChops.darker(paper, _darkest(tones, (3, 3)))


def share(image: Image.Image, part: float) -> Image.Image:
    """Return *part* of each tone."""
    return image.point(_shares(part))


@cache
def _shares(part: float) -> list[int]:
    return [min(255, round(tone * part)) for tone in range(256)]


def lightest(image: Image.Image, size: _Size) -> Image.Image:
    """Return the lightest tone of so many dots across and down around each.

    Squares are doubled: Pillow's MaxFilter takes a hundred times as long.
    """
    back = size[0] // 2, size[1] // 2
    grown = image.crop((0, 0, image.width + back[0], image.height + back[1]))  # what is beyond an edge is black
    for axis, most in enumerate(size):
        reach = 1
        while reach < most:
            step = min(reach, most - reach)
            left, top = (step, 0) if axis == 0 else (0, step)
            grown = ImageChops.lighter(grown, grown.crop((-left, -top, grown.width - left, grown.height - top)))
            reach += step
    return grown.crop((*back, *grown.size))


def is_darker(image: Image.Image, than: Image.Image) -> Image.Image:
    """Return where *image* is darker than another of the same size."""
    return ImageChops.subtract(than, image).point(_ANY)


def _darkest(image: Image.Image, size: _Size) -> Image.Image:
    return ImageChops.invert(lightest(ImageChops.invert(image), size))


def _may_hold_areas(mask: Image.Image) -> bool:
    """Say whether a row or column of *mask* is long enough: of most pages none is, which is soon found out."""
    row = b"\xff" * _LONG
    return row in mask.tobytes() or row in mask.transpose(Image.Transpose.TRANSPOSE).tobytes()


def _opened(mask: Image.Image, size: _Size) -> Image.Image:
    """Return the parts of *mask* that a box of *size* fits into."""
    return lightest(_darkest(mask, size), size)


def _is_lighter(image: Image.Image, than: Image.Image) -> Image.Image:
    """Say where there is something lighter close by: strokes are no darker areas."""
    return is_darker(than, lightest(image, (3, 3)))


def _with(ink: Image.Image, areas: Image.Image) -> Image.Image:
    """Return those of *areas* that have some *ink* in them: row by row, down and up again."""
    width, marks, told = areas.width, ink.tobytes(), areas.tobytes()
    kept = bytearray(len(told))
    for rows in (range(0, len(told), width), range(len(told) - width, -1, -width)):
        beside = bytes(width)
        for row in rows:
            for found in re.finditer(b"\xff+", told[row : row + width]):
                start, end = row + found.start(), row + found.end()
                if b"\xff" in marks[start:end] or b"\xff" in beside[found.start() : found.end()]:
                    kept[start:end] = told[start:end]
            beside = bytes(kept[row : row + width])
    return Image.frombytes("L", areas.size, bytes(kept))
