"""How a page is seen: which threshold holds where on it."""

from collections.abc import Sequence

from PIL import Image

from gateway.documents.dots import Dots
from gateway.documents.halftone import screen
from gateway.documents.ink import THRESHOLD, ink
from gateway.documents.scan import paper_thresholds
from gateway.documents.tones import tones_of

#: Left, top, right and bottom in dots.
Box = tuple[int, int, int, int]

#: Pictures smaller than this across or down are signs and bullets, seen like text.
_SMALL = 24
#: Greys that are neither ink nor paper, and the share of them from which a picture is more than a drawing.
_MIDDLE, _DRAWING = range(48, 216), 0.06
_SPARSE = 4


def drawn(grey: Image.Image, pictures: Sequence[Box], dpi_y: int) -> Dots:
    """Return the black and white of a page of text and drawings with *pictures* in it."""
    art = grey
    if pictures:
        art = grey.copy()
        for box in pictures:
            art.paste(255, box)
    tones = tones_of(art)
    shown = [(box, thresholds) for box in pictures if (thresholds := _picture(grey.crop(box), dpi_y))]
    if not shown and not tones.areas and tones.threshold == THRESHOLD:
        return ink(grey)
    page = Image.new("L", grey.size, tones.threshold)
    for area in tones.areas:
        place = (*area.at, area.at[0] + area.mask.width, area.at[1] + area.mask.height)
        if area.threshold is None:
            page.paste(screen(grey.size, dpi_y).crop(place), place, area.mask)
        else:
            page.paste(area.threshold, place, area.mask)
    for box, thresholds in shown:
        page.paste(thresholds, box[:2])
    return ink(grey, page)


def pictured(grey: Image.Image, dpi_y: int) -> Dots:
    """Return the black and white of a page that is one picture: scanned paper, a photograph or a drawing."""
    return ink(grey, _picture(grey, dpi_y))


def _picture(grey: Image.Image, dpi_y: int) -> Image.Image | None:
    """Return the thresholds of a picture; None for the page's own."""
    if min(grey.size) < _SMALL:
        return None
    sparse = grey.resize((max(1, grey.width // _SPARSE), max(1, grey.height // _SPARSE)), Image.Resampling.NEAREST)
    counts = sparse.histogram()
    if sum(counts[tone] for tone in _MIDDLE) < _DRAWING * sparse.width * sparse.height and counts[255]:
        return None
    dots = screen(grey.size, dpi_y)
    return paper_thresholds(grey, dots) or dots
