"""What is pale: bars of charts and pictures are seen, empty paper becomes white, pencil stays."""

import random
from itertools import pairwise

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from gateway.documents.raster import Raster
from gateway.documents.sight import pictured
from gateway.fax import Quality
from tests.samples import pdf, picture_pdf
from tests.unit.test_documents_sight import at, ink_share, seen

RASTER = Raster.of(Quality.HIGH, "letter")
SHEET = (1700, 2200)


def shade(darkest: int, lightest: int, size: tuple[int, int] = SHEET) -> Image.Image:
    """From dark at the top to light at the foot."""
    tones = [darkest + (lightest - darkest) * grey // 255 for grey in range(256)]
    return Image.linear_gradient("L").resize(size).point(tones)


def grainy(image: Image.Image) -> Image.Image:
    noise = Image.frombytes("L", image.size, random.Random(1).randbytes(image.width * image.height))
    grain = noise.point([grey * 16 // 255 for grey in range(256)])
    return ImageChops.subtract(ImageChops.add(image, grain), Image.new("L", image.size, 8))


@pytest.mark.parametrize("grey", [0.85, 0.9, 0.93, 0.96])
def test_a_pale_bar_of_a_chart_has_an_outline(grey: float) -> None:
    page = seen(pdf(1, "", drawing=f"{grey} g 200 300 40 200 re f\n"))
    for side in ((198, 310, 4, 180), (238, 310, 4, 180), (205, 298, 30, 4), (205, 498, 30, 4)):
        part = page.crop(at(*side))
        across = part.width < part.height
        lines = [
            part.crop((n, 0, n + 1, part.height) if across else (0, n, part.width, n + 1)).getextrema()
            for n in range(min(part.size))
        ]
        assert (255, 255) in lines
    assert ink_share(page, at(210, 310, 20, 180)) < 0.15


def test_what_is_all_but_white_has_none() -> None:
    assert ink_share(seen(pdf(1, "", drawing="0.98 g 200 300 40 200 re f\n")), at(150, 250, 200, 300)) == 0


@pytest.mark.parametrize("grey", [0.68, 0.7, 0.75, 0.8])
def test_small_pale_words_are_whole(grey: float) -> None:
    told = "".join(
        f"BT /F1 6 Tf 40 {700 - 10 * row} Td (Terms of payment: 30 days, 2 % within 8 days) Tj ET " for row in range(8)
    )
    pale, black = (seen(pdf(1, "", drawing=f"{tone} g {told}")) for tone in (grey, 0))
    words = at(38, 625, 140, 85)
    assert ink_share(pale, words) > 0.7 * ink_share(black, words)


def test_the_outline_of_a_pale_word_across_a_page_leaves_what_is_written_there_alone() -> None:
    """The word is behind a letter, and not on it: too little of it is written on."""
    behind = "q 0.9 g BT /F1 90 Tf 0.9 0.4 -0.4 0.9 120 180 Tm (DRAFT) Tj ET Q 0.9 g 60 60 480 80 re f\n"
    letter = "0 g " + "".join(
        f"BT /F1 9 Tf 60 {360 - 14 * row} Td (Please confirm the receipt of 1,5 mg) Tj ET\n" for row in range(10)
    )
    plain, both = (seen(pdf(1, "", drawing=drawing)) for drawing in (letter, behind + letter))
    assert ink_share(both, at(280, 240, 100, 60)) > 0.01, "the outline of the F"
    words = at(58, 230, 190, 140)
    added = ImageChops.subtract(both.crop(words).convert("L"), plain.crop(words).convert("L"))
    close = ImageChops.darker(added, plain.crop(words).convert("L").filter(ImageFilter.MaxFilter(5)))
    assert added.histogram()[255] > 0
    assert close.histogram()[255] < 0.01 * plain.crop(words).histogram()[255]


@pytest.mark.parametrize(("darkest", "lightest"), [(0, 255), (120, 255), (180, 255), (200, 250)])
def test_light_and_shade_without_a_word_becomes_dots(darkest: int, lightest: int) -> None:
    """Darker at its top, whether it fills the page or a part of it."""
    for data in (
        picture_pdf(shade(darkest, lightest)),
        picture_pdf(shade(darkest, lightest, (800, 600)), place=(612, 792, 0, 0)),
    ):
        page = seen(data)
        upper, lower = ink_share(page, at(0, 594, 612, 198)), ink_share(page, at(0, 0, 612, 198))
        assert upper > max(0.05, lower + 0.05)


def test_a_picture_of_one_tone_becomes_dots() -> None:
    page = seen(picture_pdf(Image.new("L", (800, 600), 150), place=(300, 200, 100, 300)))
    assert ink_share(page, at(110, 310, 280, 180)) == pytest.approx(1 - 150 / 255, abs=0.08)


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("darkest", [150, 225])
def test_an_empty_sheet_is_white_however_it_is_lit(darkest: int, quarters: int) -> None:
    size = SHEET if quarters % 2 == 0 else SHEET[::-1]
    lit = shade(darkest, 230, size).rotate(90 * quarters, expand=True)
    assert seen(picture_pdf(grainy(lit))).getbbox() is None


@pytest.mark.parametrize("darkest", [200, 215])
def test_an_empty_sheet_without_grain_is_white_unless_its_light_and_shade_are_a_picture(darkest: int) -> None:
    assert seen(picture_pdf(shade(darkest, 235))).getbbox() is None


@pytest.mark.parametrize("tone", [110, 130, 150])
@pytest.mark.parametrize("across", [16, 30, 60])
def test_a_circle_on_a_form_that_is_filled_with_pencil_is_not_the_empty_one(across: int, tone: int) -> None:
    scan = Image.new("L", (1728, 2156), 205)
    draw = ImageDraw.Draw(scan)
    for left in range(100, 1600, 200):
        draw.ellipse((left, 500, left + across, 500 + across), outline=40, width=2)
        draw.ellipse((left, 700, left + across, 700 + across), outline=40, width=2, fill=tone)
    page = pictured(scan, RASTER).image()
    third = across // 3
    for left in range(100, 1600, 200):
        empty, filled = (
            page.crop((left + third, top + third, left + across - third, top + across - third)).convert("L")
            for top in (500, 700)
        )
        assert empty.getbbox() is None
        assert filled.histogram()[255] > 0.6 * filled.width * filled.height


def test_a_gap_between_dark_strokes_stays_open_and_pencil_beside_them_stays() -> None:
    scan = Image.new("L", (1728, 2156), 205)
    draw = ImageDraw.Draw(scan)
    for left in range(100, 1600, 200):
        draw.rectangle((left, 500, left + 3, 530), fill=40)
        draw.rectangle((left + 4, 500, left + 5, 530), fill=155)  # as light as the lens leaves it
        draw.rectangle((left + 6, 500, left + 9, 530), fill=40)
        draw.rectangle((left + 22, 500, left + 24, 530), fill=155)
    page = pictured(scan, RASTER).image()
    for left in range(100, 1600, 200):
        row = [page.getpixel((left + x, 515)) for x in range(30)]
        assert row[1]
        assert row[8]
        assert not (row[4] and row[5])
        assert row[23]
        assert not row[15]


def shaded_letter(tone: int, words: str, height: int = 60) -> Image.Image:
    """A scanned letter on paper of 235 with a shaded row across it, and black *words* on that."""
    page = Image.new("L", SHEET, 235)
    draw = ImageDraw.Draw(page)
    for line in range(12):
        draw.text((180, 900 + 70 * line), "Please confirm the receipt of this letter", fill=30, font_size=40)
    draw.rectangle((150, 500, 1500, 500 + height), fill=tone)
    draw.text((200, 500 + height // 2), words, fill=30, font_size=32, anchor="lm")
    return grainy(page.filter(ImageFilter.GaussianBlur(0.7)))


@pytest.mark.parametrize("height", [50, 60, 90])
@pytest.mark.parametrize("tone", [205, 185, 165, 140])
def test_words_on_a_shaded_row_of_a_scan_stay_readable(tone: int, height: int) -> None:
    words = "Item, Quantity, Price of each"
    page, plain = (seen(picture_pdf(shaded_letter(each, words, height))) for each in (tone, 235))
    row = (170, round((510 * 2156) / 2200), 1480, round((490 + height) * 2156 / 2200))
    assert ink_share(page, row) < 1.5 * ink_share(plain, row) + 0.01
    assert ink_share(page, row) > 0.5 * ink_share(plain, row)


def test_a_scanned_table_with_many_shaded_rows_is_no_photograph() -> None:
    sheet = Image.new("L", SHEET, 235)
    draw = ImageDraw.Draw(sheet)
    for row in range(20):
        draw.rectangle((100, 200 + 90 * row, 1600, 245 + 90 * row), fill=175)
        for line in range(2):
            draw.text((150, 205 + 90 * row + 45 * line), "Please confirm the receipt", fill=30, font_size=30)
    page = seen(picture_pdf(grainy(sheet.filter(ImageFilter.GaussianBlur(0.7)))))
    assert ink_share(page, (800, 220, 1600, 1900)) < 0.02
    assert 0.05 < ink_share(page, (150, 220, 500, 1900)) < 0.3


@pytest.mark.parametrize("tone", [165, 140])
def test_the_bar_of_a_chart_on_a_scan_is_seen_although_nothing_is_written_on_it(tone: int) -> None:
    page = seen(picture_pdf(shaded_letter(tone, "")))
    assert ink_share(page, (170, 500, 1480, 540)) > 0.9


@pytest.mark.parametrize("desk", [60, 70])
def test_a_letter_on_a_dark_desk_is_no_photograph(desk: int) -> None:
    letter = shaded_letter(165, "Item, Quantity, Price of each", 90)
    light = Image.linear_gradient("L").rotate(90).resize(SHEET).point([160 + grey * 95 // 255 for grey in range(256)])
    photo = Image.new("L", (SHEET[0] + 200, SHEET[1] + 200), desk)
    photo.paste(ImageChops.multiply(letter, light), (100, 100))
    page = pictured(photo.resize((1728, 2149)), RASTER).image().convert("L")
    across, down = 1728 / photo.width, 2149 / photo.height
    blank = (round(400 * across), round(750 * down), round(1500 * across), round(960 * down))
    assert ink_share(page, blank) == 0
    words = (round(270 * across), round(1000 * down), round(1000 * across), round(1800 * down))
    assert 0.05 < ink_share(page, words) < 0.25


def shot(desk: Image.Image, sheet: Image.Image) -> Image.Image:
    """A sheet that lies askew on a desk, in a light that falls off, through the lens of a telephone."""
    photo, place = desk.resize((1728, 2149)), (1000, 1500)
    turned = [image.rotate(4, Image.Resampling.BICUBIC, expand=True) for image in (sheet.resize(place), full(place))]
    photo.paste(turned[0], (330, 280), turned[1])
    return grainy(ImageChops.multiply(photo, shade(150, 255, photo.size))).filter(ImageFilter.GaussianBlur(0.8))


def full(size: tuple[int, int], tone: int = 255) -> Image.Image:
    return Image.new("L", size, tone)


def written(tone: int) -> Image.Image:
    sheet = full(SHEET, tone)
    for line in range(20):
        ImageDraw.Draw(sheet).text((250, 300 + 80 * line), f"{line}. The quick brown fox jumps", fill=40, font_size=60)
    return sheet


def dotted(page: Image.Image, place: tuple[int, int, int, int]) -> float:
    """Changes between black and white for each dot of a row."""
    rows = [page.crop((place[0], y, place[2], y + 1)).tobytes() for y in range(place[1], place[3], 7)]
    return sum(a != b for row in rows for a, b in pairwise(row)) / sum(map(len, rows))


@pytest.mark.parametrize("desk", [60, 120, 160])
def test_a_sheet_on_a_desk_is_read_as_paper_and_the_desk_seen_as_a_picture(desk: int) -> None:
    page = pictured(shot(full(SHEET, desk), written(245)), RASTER).image().convert("L")
    words, foot, beside = (520, 620, 1150, 1500), (560, 1650, 1250, 1750), (20, 100, 250, 260)
    assert 0.03 < ink_share(page, words) < 0.2
    assert dotted(page, words) < 0.08
    assert ink_share(page, foot) == 0
    assert ink_share(page, beside) > 0.2
    assert dotted(page, beside) > 0.1


@pytest.mark.parametrize("least", [150, 60])
def test_a_light_thing_in_a_picture_is_no_sheet(least: int) -> None:
    """It has light and shade of its own, however bright it is."""
    blurred = random.Random(4).randbytes(54 * 67)
    folds = Image.frombytes("L", (54, 67), blurred).point([least + grey * (255 - least) // 255 for grey in range(256)])
    photo = full((1728, 2149), 40)
    photo.paste(folds.resize((1400, 1750), Image.Resampling.BICUBIC), (150, 200))
    ImageDraw.Draw(photo).text((400, 900), "Out of order", fill=40, font_size=140)
    page = pictured(grainy(photo), RASTER).image().convert("L")
    assert dotted(page, (300, 1200, 1400, 1800)) > 0.05
