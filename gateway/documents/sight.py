"""How a page is seen: which threshold holds where on it."""

from collections.abc import Sequence
from typing import cast

from PIL import Image

from gateway.documents.dots import Dots
from gateway.documents.edges import even
from gateway.documents.greys import Grey
from gateway.documents.halftone import screen
from gateway.documents.ink import THRESHOLD, ink
from gateway.documents.picture import on_line
from gateway.documents.raster import Raster
from gateway.documents.scan import paper_thresholds
from gateway.documents.skew import straightened
from gateway.documents.tones import Area, stands_out, tones_of
from gateway.fax import Sight

#: Left, top, right and bottom in dots.
Box = tuple[int, int, int, int]

#: Pictures smaller than this across or down are signs and bullets, seen like text.
_SMALL = 24
#: Greys that are neither ink nor paper, and the share of them from which a picture is more than a drawing.
_MIDDLE, _DRAWING = range(48, 216), 0.06
_SPARSE = 4
#: Flat tones make up so much of a picture that was drawn, as the screen of a telephone is, and of what is not its most
#: common tone. That is so much of it, or else its ground is darker than paper can be.
_FLAT_TONES, _OTHER_TONES, _OTHERS = 0.8, 0.5, 0.1
#: A picture of less than this share of a sheet, whose greys differ by no more than so much, is a tone, no empty paper;
#: nor is one paper of which half is darker than such a tone.
_PART, _FLAT, _DARK = 0.5, 8, 100


def drawn(grey: Grey, pictures: Sequence[Box], raster: Raster) -> Dots:
    """Return the black and white of a page of text and drawings with *pictures* in it."""
    look = raster.look
    if look.sight is Sight.SCAN:
        return ink(grey, paper_thresholds(grey.image(), raster.dpi, look))
    if look.black_below is not None:
        return ink(grey, share(look.black_below))
    if look.sight is Sight.PHOTO:
        return ink(grey, screen(grey.size, raster.dpi))
    return _drawn(grey, () if look.sight is Sight.TEXT else pictures, raster)


def pictured(picture: Image.Image, raster: Raster, *, screen_shot: bool = False) -> Dots:
    """Return the black and white of a page that is one picture: scanned paper, a photograph or a drawing. *picture* is
    as wide as what it covers of a line: beside the white of the page its own paper would be ink. *screen_shot*: by its
    kind and size it may show the screen of a telephone or a computer."""
    if raster.deskew and raster.look.sight in {Sight.AUTO, Sight.SCAN}:
        paper = paper_thresholds(picture, raster.dpi, raster.look)
        level = paper and straightened(picture, paper.image(), ink(picture, paper), raster.dpi)
        if level:
            return _on_line(*level, raster)
    thresholds = _seen(picture, raster, screen_shot=screen_shot)
    if thresholds:
        return _on_line(picture, thresholds, raster)
    grey = Grey.of(on_line(picture, raster.width, 255))
    return even(drawn(grey, (), raster), grey, raster.dpi[1])


def _seen(picture: Image.Image, raster: Raster, *, screen_shot: bool) -> Image.Image | None:
    """Return the thresholds of a picture that is a page; None where it is seen like any page."""
    if raster.look.sight is Sight.AUTO:
        return _picture(picture, raster, screen_shot=screen_shot)
    paper = paper_thresholds(picture, raster.dpi, raster.look) if raster.look.sight is Sight.SCAN else None
    return paper.image() if paper else None


def _on_line(picture: Image.Image, thresholds: Image.Image, raster: Raster) -> Dots:
    grey = Grey.of(on_line(picture, raster.width, 255))
    return even(ink(grey, on_line(thresholds, raster.width, 0)), grey, raster.dpi[1])


def share(percent: int) -> int:
    """Return the grey below which a dot is black when that is *percent* of white."""
    return round(percent / 100 * 255)


def _drawn(grey: Grey, pictures: Sequence[Box], raster: Raster) -> Dots:
    image, art = grey.image(), grey
    if pictures:
        art = Grey(*grey.size, bytearray(grey.data))
        for box in pictures:
            art.image().paste(255, box)
    tones = tones_of(art)
    dotted = raster.look.sight is not Sight.TEXT and raster.look.dots
    areas = [area for area in tones.areas if dotted or area.threshold is not None]
    shown = [(box, thresholds) for box in pictures if (thresholds := _picture(image.crop(box), raster))]
    if not shown and not areas and tones.threshold == THRESHOLD:
        return ink(grey)
    sheet = Grey.sheet(*grey.size, tones.threshold)
    page = sheet.image()
    for area in areas:
        _lay(page, area, raster)
    for box, thresholds in shown:
        page.paste(thresholds, box[:2])
    return ink(grey, sheet)


def _lay(page: Image.Image, area: Area, raster: Raster) -> None:
    place = (*area.at, area.at[0] + area.mask.width, area.at[1] + area.mask.height)
    if area.threshold is None:
        page.paste(screen(page.size, raster.dpi).crop(place), place, area.mask)
    else:
        page.paste(area.threshold, place, area.mask)


def _picture(grey: Image.Image, raster: Raster, *, screen_shot: bool = False) -> Image.Image | None:
    """Return the thresholds of a picture; None for the page's own."""
    if min(grey.size) < _SMALL:
        return None
    sparse = grey.resize((max(1, grey.width // _SPARSE), max(1, grey.height // _SPARSE)), Image.Resampling.NEAREST)
    counts = sparse.histogram()
    if screen_shot and _is_drawn(counts):
        return None
    if sum(counts[tone] for tone in _MIDDLE) < _DRAWING * sum(counts) and counts[255]:
        return None
    paper = paper_thresholds(grey, raster.dpi, raster.look)
    if raster.look.black_below is not None or (paper and not _is_tone(grey, counts, raster)):
        return paper.image() if paper else None
    return screen(grey.size, raster.dpi) if raster.look.dots else None


def _is_drawn(counts: Sequence[int]) -> bool:
    """Say whether flat tones make up a picture: paper has grain, and a photograph has all tones."""
    alone = {tone for tone in range(256) if stands_out(counts, tone)}
    flat = {near for tone in alone for near in (tone - 1, tone, tone + 1) if 0 <= near < 256}
    most = max(range(256), key=counts.__getitem__)
    everything, others = sum(counts), sum(counts) - sum(counts[max(0, most - 1) : most + 2])
    if most >= _DARK and others < _OTHERS * everything:
        return False
    other_flat = sum(counts[tone] for tone in flat if abs(tone - most) > 1)
    return sum(counts[tone] for tone in flat) >= _FLAT_TONES * everything and other_flat >= _OTHER_TONES * others > 0


def _is_tone(grey: Image.Image, counts: Sequence[int], raster: Raster) -> bool:
    if grey.width * grey.height >= _PART * raster.width * raster.full_lines:
        return False
    least, most = cast(tuple[int, int], grey.getextrema())
    return most - least <= _FLAT or 2 * sum(counts[:_DARK]) > sum(counts)
