"""Straight edges: what is taken away, and what stays."""

import random
from io import BytesIO

import pikepdf
import pytest
from PIL import Image, ImageChops

from gateway.documents import dots
from gateway.documents.dots import Dots
from gateway.documents.edges import straight, straight_by_numbers
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


def none(page: Dots) -> Image.Image:
    """As many greys, all white."""
    return Image.new("L", (page.width, page.height), 255)


WAYS = (straight, straight_by_numbers)
BUMP = page("......", "..#...", "######", "######", "......")
PAIR = page("......", "..##..", "######", "######", "......")
PLAIN = page("......", "......", "######", "######", "......")


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("bump", [BUMP, PAIR])
def test_an_edge_becomes_straight_on_every_side(bump: Dots, quarters: int) -> None:
    for doing in WAYS:
        assert doing(turned(bump, quarters), none(turned(bump, quarters))) == turned(PLAIN, quarters)


def hinted(page: Dots) -> Image.Image:
    """As many greys, none of them white."""
    return Image.new("L", (page.width, page.height), 200)


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("missing", ["###.####", "###..###"])
def test_what_is_missing_in_an_edge_comes_back_where_there_was_a_hint_of_ink(missing: str, quarters: int) -> None:
    notch, whole = (
        turned(page("........", "........", row, "########", "########", "........"), quarters)
        for row in (missing, "########")
    )
    for doing in WAYS:
        assert doing(notch, hinted(notch)) == whole
        assert doing(notch, none(notch)) == notch


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize(
    "kept",
    [
        page("........", "........", "###.####", "########", "........"),
        page("########", "........", "###.####", "########", "########"),
        page("........", "........", "###.####", "###.####", "########", "########"),
        page("........", "........", "##...###", "########", "########"),
        page("........", "........", "...#....", "########", "########"),
    ],
    ids=["between two feet", "a gap", "deep", "wide", "a step"],
)
def test_what_parts_two_letters_is_not_filled(kept: Dots, quarters: int) -> None:
    for doing in WAYS:
        made = doing(turned(kept, quarters), Image.new("L", turned(kept, quarters).image().size, 100))
        assert made == turned(kept, quarters)


@pytest.mark.parametrize("quarters", range(4))
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
        page(".......", "..###..", "#######", "#######"),
        page("......", "..##..", "..##..", "######"),
        page("......", "..##..", "..####", "..####"),
        page("......", "..##..", "###.##", "######"),
        page(".....", "..#..", ".###.", "..#..", "....."),
        page("......", "..##..", ".####.", ".####.", "..##..", "......"),
    ],
)
def test_lines_corners_gaps_and_all_of_a_point_stay(kept: Dots, quarters: int) -> None:
    for doing in WAYS:
        assert doing(turned(kept, quarters), none(turned(kept, quarters))) == turned(kept, quarters)


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize(("bump", "sure"), [(BUMP, "..#..."), (PAIR, "..##.."), (PAIR, "..#..."), (PAIR, "...#..")])
def test_what_is_surely_ink_stays(bump: Dots, sure: str, quarters: int) -> None:
    certain = page("......", sure, "......", "......", "......")
    for doing in WAYS:
        assert doing(
            turned(bump, quarters), ImageChops.invert(turned(certain, quarters).image().convert("L"))
        ) == turned(bump, quarters)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (8, 8), (9, 3), (63, 5), (1728, 40), (1729, 3)])
@pytest.mark.parametrize("black", [0.1, 0.5, 0.8])
def test_both_ways_are_one(size: tuple[int, int], black: float) -> None:
    draw = random.Random(size[0])
    greys = [draw.random() for _ in range(size[0] * size[1])]
    image, grey = Image.new("1", size, 0), Image.new("L", size, 0)
    image.putdata([int(grey < black) for grey in greys])
    grey.putdata([round(255 * tone) for tone in greys])
    made, by_numbers = (doing(Dots.of(image), grey) for doing in WAYS)
    assert made == by_numbers


def test_rows_that_do_not_fill_the_page_are_refused() -> None:
    if dots.compiled is None:
        pytest.skip("there is no compiled half")
    with pytest.raises(ValueError, match="bytes"):
        dots.compiled.straight(b"\0" * 9, bytes(80), 128, 224, 16, 5)
    with pytest.raises(ValueError, match="bytes"):
        dots.compiled.straight(b"\0" * 10, bytes(79), 128, 224, 16, 5)


def test_a_text_takes_less_time_and_stays_where_it_is() -> None:
    with opened(pdf(1, "Please confirm the receipt"), "x") as document:
        plain = document.grey(0, HIGH).point([255 if grey < 192 else 0 for grey in range(256)], "1")
        shown = document.page(0, HIGH)
    assert len(t6(shown)) < len(t6(plain))
    changed = ImageChops.logical_xor(shown.image(), plain)
    assert changed.histogram()[255] < 0.04 * plain.histogram()[255]
    assert shown.image().getbbox() == pytest.approx(plain.getbbox(), abs=1)


WORDS = r"(0,5 mg 1.25 ml 12:30; i j: 4+4 \261 2 7 t f \251)"
SMALL = "".join(
    f"BT /F1 {size} Tf {60.3 + 0.37 * size} {700 - 13.7 * number} Td {WORDS} Tj ET\n"
    for number, size in enumerate((5, 5.5, 6, 6.5, 7, 8, 9, 10) * 4)
)


def test_no_dot_of_small_print_goes_that_ink_covers_by_half() -> None:
    with opened(pdf(1, "", drawing=SMALL), "x") as document:
        grey, shown = document.grey(0, HIGH), document.page(0, HIGH)
    plain = grey.point([255 if tone < 192 else 0 for tone in range(256)], "1")
    lost = ImageChops.logical_and(plain, ImageChops.invert(shown.image()))
    assert shown.image().histogram(lost)[255] == 0
    assert 0 < sum(grey.histogram(lost)) < 0.04 * plain.histogram()[255]
    assert sum(grey.histogram(lost)[:128]) == 0


def test_a_row_of_a_coarse_grid_may_be_a_stroke_and_stays() -> None:
    normal = Raster.of(Quality.NORMAL, "letter")
    with opened(pdf(1, "", drawing=SMALL), "x") as document:
        plain = document.grey(0, normal).point([255 if grey < 192 else 0 for grey in range(256)], "1")
        assert document.page(0, normal) == Dots.of(plain)


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
