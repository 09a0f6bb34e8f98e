"""What a page is taken for can be forced, and how much of it becomes black."""

from itertools import pairwise

import pytest
from PIL import Image, ImageDraw

from gateway.documents.open import opened
from gateway.documents.raster import Look, Raster
from gateway.fax import Quality, Sight
from tests.samples import pdf, picture_pdf


def seen(data: bytes, look: Look, quality: Quality = Quality.HIGH) -> Image.Image:
    """The page in 8-bit grey; black is 0."""
    raster = Raster.of(quality, "letter", look)
    with opened(data, "x") as document:
        return document.page(0, raster).image().convert("L").point([255, *[0] * 255])


def share(page: Image.Image) -> float:
    """How much of it is ink."""
    return page.histogram()[0] / (page.width * page.height)


def edges(page: Image.Image) -> int:
    """Changes between black and white along some lines: many where there are dots."""
    rows = [page.crop((0, y, page.width, y + 1)).tobytes() for y in range(0, page.height, 97)]
    return sum(a != b for row in rows for a, b in pairwise(row))


def half_grey() -> bytes:
    """A picture all over the page: white to the left, grey of 100 to the right."""
    picture = Image.new("L", (850, 1100), 255)
    picture.paste(100, (425, 0, 850, 1100))
    return picture_pdf(picture)


def letter(paper: int) -> bytes:
    picture = Image.new("L", (1700, 2200), paper)
    ImageDraw.Draw(picture).text((300, 300), "Please confirm", fill=paper // 4, font_size=80)
    return picture_pdf(picture)


def test_a_photograph_has_no_dots_where_it_is_taken_for_text() -> None:
    dotted, plain = (seen(half_grey(), Look(sight)) for sight in (Sight.PHOTO, Sight.TEXT))
    assert 0.25 < share(dotted) < 0.45
    assert share(plain) == pytest.approx(0.5, abs=0.01)
    assert edges(dotted) > 20 * edges(plain)


def test_the_fine_grid_comes_with_dots_and_without() -> None:
    dotted, plain = (seen(half_grey(), Look(), quality) for quality in (Quality.ULTRA_LIGHT, Quality.ULTRA_DARK))
    assert dotted.size == plain.size == (3456, 4301)
    assert 0.25 < share(dotted) < 0.45
    assert share(plain) == pytest.approx(0.5, abs=0.01)


def test_a_scan_is_white_paper_also_where_no_dots_are_wanted() -> None:
    lit = Image.linear_gradient("L").resize((1700, 2200)).point([150 + grey * 60 // 255 for grey in range(256)])
    ImageDraw.Draw(lit).text((300, 300), "Please confirm", fill=40, font_size=80)
    assert 0.001 < share(seen(picture_pdf(lit), Look(), Quality.ULTRA_DARK)) < 0.02


@pytest.mark.parametrize("grey", [0.5, 0.7, 0.78, 0.85, 0.95])
def test_a_bar_of_a_chart_is_seen_also_where_no_dots_are_wanted(grey: float) -> None:
    without, page = (
        seen(pdf(1, drawing=drawing), Look(), Quality.ULTRA_DARK) for drawing in ("", f"{grey} g 200 300 40 200 re f")
    )
    assert share(page) > share(without) + 0.0002


@pytest.mark.parametrize(("percent", "black"), [(30, 0), (50, 1)])
def test_a_share_of_white_parts_black_from_white(percent: int, black: int) -> None:
    page = seen(pdf(1, "", drawing="0.4 g 0 0 612 792 re f"), Look(black_below=percent))
    assert share(page) == pytest.approx(black, abs=0.01)  # but for the sample's own bar


@pytest.mark.parametrize("percent", [40, 75, 95])
@pytest.mark.parametrize("paper", [120, 200])
def test_the_white_of_a_scan_is_its_paper(percent: int, paper: int) -> None:
    page = seen(letter(paper), Look(black_below=percent))
    assert 0.001 < share(page) < 0.05


def test_a_dark_sheet_is_paper_where_it_is_taken_for_a_scan() -> None:
    shadow = Image.linear_gradient("L").resize((1700, 2200)).point([20 + grey * 235 // 255 for grey in range(256)])
    dots, paper = (seen(picture_pdf(shadow), Look(sight)) for sight in (Sight.AUTO, Sight.SCAN))
    assert share(dots) > 0.3
    assert share(paper) < 0.1


def test_text_is_the_same_whatever_is_thought_of_pictures() -> None:
    assert seen(pdf(1), Look(Sight.TEXT)) == seen(pdf(1), Look())


def test_a_short_page_gets_white_paper_only_when_that_is_asked_for() -> None:
    raster = Raster.of(Quality.HIGH, "letter", pad=True)
    with opened(pdf(1, size=(612, 300)), "x") as document:
        page = document.page(0, raster)
    padded = page.padded(raster.full_lines)
    assert (page.height, padded.height) == (817, 2156)
    assert padded.image().crop((0, 0, 1728, 817)).tobytes() == page.image().tobytes()
    assert padded.image().crop((0, 817, 1728, 2156)).getbbox() is None
    assert padded.padded(10) == padded
