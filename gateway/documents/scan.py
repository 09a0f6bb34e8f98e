"""Scanned paper: what is grey all over is paper, what is darker than its surroundings is written on it.

The paper's own tone is looked up around every place, so grey, yellowed and unevenly lit paper becomes white, and pencil
stays.
"""

from PIL import Image, ImageChops, ImageFilter

from gateway.documents.greys import Grey, scaled
from gateway.documents.halftone import screen
from gateway.documents.raster import Look
from gateway.fax import Sight

#: The paper is looked at in squares of this many dots, ...
_CELL = 8
#: ... and is the lightest of so many squares across: wider than any stroke of a pen, narrower than a shadow.
_AROUND = 9
#: Ink is darker than this share of the paper around it; nearer to it, whoever asks for it, is grain.
_INK, _MOST_INK = 0.8, 0.88
#: Darker than this share of the page's lightest paper is no paper, but a picture or a coloured area.
_NO_PAPER = 0.5
#: What tells a scan from a photograph: most of it is paper, little of it is between paper and ink.
_LEAST_PAPER, _MOST_BETWEEN = 0.6, 0.12
_DEEP = 0.5
#: For each tone of paper, the grey below which a dot is ink for certain, and that below which it is no paper.
_DEEPS, _INKS = ([round((tone // 8 * 8 + 4) * share) for tone in range(256)] for share in (_DEEP, _INK))


def paper_thresholds(grey: Image.Image, dpi: tuple[int, int], look: Look) -> Grey | None:
    """Return the thresholds of the scan *grey*; None when it is a photograph rather than paper with ink on it, and
    *look* does not say that it is paper.

    Dark areas get a screen of dots, so that what is in them is not lost, unless somebody knows better: a *look* that
    says scan takes them for paper in a shadow, and one with a share of white wants no dots.
    """
    paper = _lightest(grey.reduce(_CELL), _AROUND).filter(ImageFilter.GaussianBlur(_AROUND / 2))
    white = _percentile(paper, 0.9)
    if look.sight is not Sight.SCAN and not _is_paper(grey, paper, white):
        return None
    share = _INK if look.black_below is None else min(look.black_below / 100, _MOST_INK)
    thresholds = scaled(paper.point([round(tone * share) for tone in range(256)]), grey.size, smooth=True)
    if look != Look():
        return thresholds
    dark = paper.point([255 if tone < white * _NO_PAPER else 0 for tone in range(256)])
    if dark.getbbox():
        whole = thresholds.image().copy()
        whole.paste(screen(grey.size, dpi), mask=dark.resize(grey.size))
        return Grey.of(whole)
    return thresholds


def _is_paper(grey: Image.Image, paper: Image.Image, white: int) -> bool:
    sample = grey.resize(paper.size, Image.Resampling.NEAREST)
    ink = _darker(sample, paper.point(_DEEPS))
    between = _darker(sample, paper.point(_INKS)) - ink
    dots = sample.width * sample.height
    lit = 1 - sum(paper.histogram()[: round(white * _NO_PAPER)]) / dots
    return between / dots <= _MOST_BETWEEN and lit - (ink + between) / dots >= _LEAST_PAPER


def _darker(sample: Image.Image, than: Image.Image) -> int:
    """Return how many dots of *sample* are darker than their own thresholds."""
    return sample.width * sample.height - ImageChops.subtract(than, sample).histogram()[0]


def _lightest(image: Image.Image, across: int) -> Image.Image:
    """Return the lightest tone of a square of *across* dots around each; a border looks at the one opposite, too.

    Squares are doubled: Pillow's MaxFilter takes a hundred times as long.
    """
    reach = 1
    while reach < across:
        step = min(reach, across - reach)
        image = ImageChops.lighter(image, ImageChops.offset(image, step, 0))
        image = ImageChops.lighter(image, ImageChops.offset(image, 0, step))
        reach += step
    return ImageChops.offset(image, -(across // 2))


def _percentile(image: Image.Image, share: float) -> int:
    """Return the tone that *share* of the dots do not exceed."""
    wanted = image.width * image.height * share
    for tone, count in enumerate(image.histogram()):
        wanted -= count
        if wanted <= 0:
            return tone
    return 255
