"""Scans that lay askew: found by their lines, set straight, and nothing lost."""

from io import BytesIO

import pytest
from PIL import Image, ImageDraw

from benchmarks import page_inputs
from gateway.documents.dots import Dots
from gateway.documents.ink import ink
from gateway.documents.open import opened
from gateway.documents.raster import Raster
from gateway.documents.skew import skew_of, straightened
from gateway.fax import Quality
from tests.samples import picture_pdf

QUALITIES = [Quality.NORMAL, Quality.HIGH, Quality.VERY_HIGH]


def sheet(edge: int = 0) -> Image.Image:
    """Letter paper at 200 dpi with lines of words, and with *edge* a frame so near to its edge."""
    page = Image.new("L", (1700, 2200), 235)
    draw = ImageDraw.Draw(page)
    for y in range(200, 1500, 50):
        draw.text((200, y), "please confirm the receipt of this order by telephone today", fill=30, font_size=34)
    if edge:
        draw.rectangle((edge, edge, 1699 - edge, 2199 - edge), outline=30, width=8)
    return page


def askew(page: Image.Image, degrees: float) -> Image.Image:
    """The page as it lies on the glass; positive: its lines fall to the right."""
    return page.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=235)


def shown(page: Image.Image, quality: Quality, *, deskew: bool) -> Dots:
    with opened(picture_pdf(page), "x") as document:
        return document.page(0, Raster.of(quality, "letter", deskew=deskew))


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("degrees", [-4.0, -0.7, 2.0])
def test_a_scan_that_lay_askew_is_set_straight(quality: Quality, degrees: float) -> None:
    dpi = Raster.of(quality, "letter").dpi
    page = askew(sheet(), degrees)
    before, after = (shown(page, quality, deskew=deskew) for deskew in (False, True))
    assert skew_of(before, dpi) == pytest.approx(degrees, abs=0.15)
    assert skew_of(after, dpi) == 0.0
    assert (after.width, after.height) == (before.width, before.height)
    corners = after.image().crop((0, 0, after.width, after.height // 20))
    assert corners.getbbox() is None  # what comes in from beyond the paper is white


def test_nobody_is_set_straight_who_does_not_ask_or_is_straight() -> None:
    level = sheet()
    assert shown(level, Quality.HIGH, deskew=True) == shown(level, Quality.HIGH, deskew=False)
    dpi = Raster.of(Quality.HIGH, "letter").dpi
    for document in (page_inputs.hairlines(), page_inputs.colours(), page_inputs.mixed(1)):
        with opened(document, "x") as opened_one:
            assert skew_of(opened_one.page(0, Raster.of(Quality.HIGH, "letter")), dpi) == 0.0


def test_what_stands_at_the_edge_is_not_turned_off_the_page() -> None:
    dpi, page = (200, 200), askew(sheet(), 3.0)
    ImageDraw.Draw(page).rectangle((0, 0, 30, 30), fill=30)  # in the corner that a turn would push out
    thresholds = Image.new("L", page.size, 128)
    level = straightened(page, thresholds, ink(page, thresholds), dpi)
    assert level is not None
    corner = ink(*level).image().crop((0, 0, 250, 150)).histogram()[255]
    assert corner > 0.8 * 31 * 31
    assert skew_of(ink(*level), dpi) == 0.0


def test_a_picture_sent_as_it_is_is_set_straight_too() -> None:
    output = BytesIO()
    askew(sheet(), 2.0).save(output, "JPEG", quality=90, dpi=(200, 200))
    raster = Raster.of(Quality.HIGH, "letter", deskew=True)
    with opened(output.getvalue(), "x") as document:
        assert skew_of(document.page(0, raster), raster.dpi) == 0.0
