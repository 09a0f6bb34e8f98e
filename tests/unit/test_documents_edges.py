"""Straight edges: what is taken away, and what stays."""

import random
from io import BytesIO

import pikepdf
import pytest
from PIL import Image, ImageChops

from gateway.documents import dots
from gateway.documents.dots import Dots
from gateway.documents.edges import even, even_by_numbers
from gateway.documents.encode import t6
from gateway.documents.open import opened
from gateway.documents.raster import Raster
from gateway.fax import Quality
from tests.samples import pdf, picture_pdf

HIGH = Raster.of(Quality.HIGH, "letter")


def page(*rows: str) -> Dots:
    """Dots by rows of text; # is black."""
    image = Image.new("1", (len(rows[0]), len(rows)), 0)
    for y, row in enumerate(rows):
        for x, dot in enumerate(row):
            image.putpixel((x, y), int(dot == "#"))
    return Dots.of(image)


def turned(dots: Dots, quarters: int) -> Dots:
    return Dots.of(dots.image().rotate(90 * quarters, expand=True))


BUMP = page(".....", "..#..", "#####", "#####", ".....")
PLAIN = page(".....", ".....", "#####", "#####", ".....")


@pytest.mark.parametrize("quarters", range(4))
def test_an_edge_becomes_straight_on_every_side(quarters: int) -> None:
    for doing in (even, even_by_numbers):
        assert doing(turned(BUMP, quarters)) == turned(PLAIN, quarters)


@pytest.mark.parametrize(
    "kept",
    [
        page(".....", "..#..", "....."),
        page("#...#", ".#.#.", "..#..", ".#.#.", "#...#"),
        page("#####", ".....", "#####"),
        page(".....", "..#..", "..#..", "#####"),
        page("####....", "....####"),
        page("#.#.#.#.", ".#.#.#.#"),
        page(".....", "##.##", "#####", "#####", "....."),
        page("###.....", "###.....", "........"),
    ],
)
def test_lines_corners_gaps_and_lone_dots_stay(kept: Dots) -> None:
    for doing in (even, even_by_numbers):
        assert doing(kept) == kept


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (8, 8), (9, 3), (63, 5), (1728, 40), (1729, 3)])
@pytest.mark.parametrize("black", [0.1, 0.5, 0.8])
def test_both_ways_are_one(size: tuple[int, int], black: float) -> None:
    draw = random.Random(size[0])
    image = Image.new("1", size, 0)
    image.putdata([int(draw.random() < black) for _ in range(size[0] * size[1])])
    assert even(Dots.of(image)) == even_by_numbers(Dots.of(image))


def test_rows_that_do_not_fill_the_page_are_refused() -> None:
    if dots.compiled is None:
        pytest.skip("there is no compiled half")
    with pytest.raises(ValueError, match="bytes"):
        dots.compiled.even(b"\0" * 9, 16, 5)


def test_a_text_takes_less_time_and_stays_where_it_is() -> None:
    with opened(pdf(1, "Please confirm the receipt"), "x") as document:
        plain = document.grey(0, HIGH).point([255 if grey < 192 else 0 for grey in range(256)], "1")
        shown = document.page(0, HIGH)
    assert len(t6(shown)) < len(t6(plain))
    changed = ImageChops.logical_xor(shown.image(), plain)
    assert changed.histogram()[255] < 0.03 * plain.histogram()[255]
    assert shown.image().getbbox() == pytest.approx(plain.getbbox(), abs=1)


def test_a_page_of_a_fax_in_a_pdf_keeps_its_dots() -> None:
    size, output = (1728, 2156), BytesIO()
    dotted = Image.frombytes("1", size, random.Random(4).randbytes(1728 * 2156 // 8))
    with pikepdf.open(BytesIO(picture_pdf(Image.new("L", size)))) as document:
        picture = document.pages[0].Resources.XObject.P
        picture.BitsPerComponent = 1
        picture.write(ImageChops.invert(dotted).tobytes())
        document.save(output)
    with opened(output.getvalue(), "x") as document:
        assert document.page(0, HIGH).rows == dotted.tobytes()
