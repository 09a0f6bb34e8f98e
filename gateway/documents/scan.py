"""Scanned paper: what is grey all over is paper, what is darker than its surroundings is written on it.

The paper's own tone is looked up around every place, so grey, yellowed and unevenly lit paper becomes white, and pencil
stays. Where ink lies close, what is lighter than the mean of a few dots around is the gap between two strokes.
"""

from PIL import Image, ImageChops, ImageFilter

from gateway.documents.greys import Grey, count_darker, extremes, scaled
from gateway.documents.halftone import screen
from gateway.documents.raster import Look
from gateway.documents.shades import is_darker, lightest, shaded, share
from gateway.documents.sheet import written_sheet
from gateway.fax import Sight

#: What is ink is looked at in squares of this many dots, half the height of a small letter's x, ...
_MEAN = 4
#: ... the paper in squares of so many, ...
_CELL = 8
#: ... and is the lightest of so many squares across: wider than any stroke of a pen, narrower than a shadow.
_AROUND = 9
#: Ink is darker than this share of the paper around it; nearer to it, whoever asks for it, is grain.
_INK, _MOST_INK = 0.8, 0.88
#: Where strokes lie close ink is no lighter than their mean by such a factor, or is darker than this share of the
#: paper: a gap that is filled makes one letter of two. What is filled with pencil all over is its own mean, and stays.
_ABOVE_MEAN, _LEAST_INK = 1.1, 0.65
#: Darker than this share of the page's lightest paper is no paper, but a picture or a coloured area.
_NO_PAPER = 0.5
#: What tells a scan from a photograph: most of it is paper, little of it is between paper and ink.
_LEAST_PAPER, _MOST_BETWEEN = 0.6, 0.12
#: Shaded rows have this share of so many tones.
_FEW_TONES, _OF_FEW_TONES = 12, 0.6
_DEEP = 0.5
#: Where less than this is darker than the paper around it, nothing is written. The empty page of a scanner has grain,
#: and is lit about evenly. In a picture the darkest parts are darker than this share of the lightest, or than the other
#: where there is no grain: where the greys of most squares differ by no more than so much.
_BLANK, _UNEVEN, _SHADED, _GRAIN = 0.0005, 0.6, 0.82, 2
#: For each tone of paper, the grey below which a dot is ink for certain, and that below which it is no paper.
_DEEPS, _INKS = ([round((tone // 8 * 8 + 4) * share) for tone in range(256)] for share in (_DEEP, _INK))


def paper_thresholds(grey: Image.Image, dpi: tuple[int, int], look: Look) -> Grey | None:
    """Return the thresholds of the scan *grey*; None when it is a photograph rather than paper with ink on it, and
    *look* does not say that it is paper.

    Dark areas get a screen of dots, so that what is in them is not lost, unless somebody knows better: a *look* that
    says scan takes them for paper in a shadow, and one with a share of white wants no dots.
    """
    mean = grey.reduce(_MEAN)
    cells = mean.reduce(_CELL // _MEAN)
    paper = lightest(cells, (_AROUND, _AROUND)).filter(ImageFilter.GaussianBlur(_AROUND / 2))
    other = None
    if look.sight is not Sight.SCAN:
        other = _no_paper(grey, mean, cells, paper)
        if other is None:
            return None
    thresholds = scaled(_inks(mean, shaded(mean, paper), look), grey.size, smooth=True)
    if look != Look() or other is None or not other.getbbox():
        return thresholds
    whole = thresholds.image().copy()
    whole.paste(screen(grey.size, dpi), mask=other.resize(grey.size))
    return Grey.of(whole)


def _inks(mean: Image.Image, paper: Image.Image, look: Look) -> Image.Image:
    """Return the tone below which a dot is ink, for squares of ``_MEAN`` or ``_CELL`` dots."""
    if look.black_below is not None:
        return share(paper, min(look.black_below / 100, _MOST_INK))
    around = paper.resize(mean.size, Image.Resampling.BILINEAR)
    close = ImageChops.lighter(share(mean, _ABOVE_MEAN), share(around, _LEAST_INK))
    return ImageChops.darker(close, share(around, _INK))


def _no_paper(grey: Image.Image, mean: Image.Image, cells: Image.Image, paper: Image.Image) -> Image.Image | None:
    """Return the squares that are no paper; None when it is a photograph, and no sheet lies in it."""
    white = _percentile(paper, 0.9)
    if _is_paper(grey, mean, cells, paper, white):
        return paper.point([255 if tone < white * _NO_PAPER else 0 for tone in range(256)])
    sheet = written_sheet(_sampled(grey, paper), paper, paper.point(_INKS))
    return ImageChops.invert(sheet) if sheet else None


def _is_paper(grey: Image.Image, mean: Image.Image, cells: Image.Image, paper: Image.Image, white: int) -> bool:
    sample = _sampled(grey, paper)
    dots, dark = sample.width * sample.height, count_darker(sample, paper.point(_INKS))
    if dark < _BLANK * dots and _is_shaded(grey, cells):
        return False
    # The desk around a sheet is no paper; where it begins, much seems to be between that and ink.
    lit = paper.point([255 if tone >= round(white * _NO_PAPER) else 0 for tone in range(256)])
    if lit.histogram()[255] - dark < _LEAST_PAPER * dots:
        return False
    most = _MOST_BETWEEN * dots
    return _between(sample, paper, lit) <= most or _is_printed(shaded(mean, paper), paper, sample, lit)


def _is_printed(own: Image.Image, paper: Image.Image, sample: Image.Image, lit: Image.Image) -> bool:
    """Say whether what is between paper and ink are shaded rows: of a few tones, which a photograph's are not."""
    counts = sorted(own.histogram(is_darker(own, paper)), reverse=True)
    few = sum(counts[:_FEW_TONES]) >= _OF_FEW_TONES * sum(counts)
    return few and _between(sample, own, lit) <= _MOST_BETWEEN * sample.width * sample.height


def _between(sample: Image.Image, paper: Image.Image, lit: Image.Image) -> int:
    """Return how many dots of *sample* are between *paper* and ink where it is *lit*."""
    no_paper, ink = (count_darker(sample, ImageChops.darker(paper.point(table), lit)) for table in (_INKS, _DEEPS))
    return no_paper - ink


def _sampled(grey: Image.Image, paper: Image.Image) -> Image.Image:
    """Return one dot of each square of *paper*."""
    return grey.resize(paper.size, Image.Resampling.NEAREST)


def _is_shaded(grey: Image.Image, cells: Image.Image) -> bool:
    """Say whether something on which nothing is written has light and shade of its own."""
    least, most = extremes(grey, _CELL)
    smooth = _percentile(ImageChops.subtract(most, least), 0.5) <= _GRAIN
    return _percentile(cells, 0.02) < _percentile(cells, 0.98) * (_SHADED if smooth else _UNEVEN)


def _percentile(image: Image.Image, share: float) -> int:
    """Return the tone that *share* of the dots do not exceed."""
    wanted = image.width * image.height * share
    for tone, count in enumerate(image.histogram()):
        wanted -= count
        if wanted <= 0:
            return tone
    return 255
