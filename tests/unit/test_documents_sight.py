"""How pages are seen: hairlines and coloured words stay, paper becomes white, photographs become dots."""

from io import BytesIO

import pikepdf
import pytest
from PIL import Image, ImageChops, ImageDraw

from gateway.documents import pdf as pdfs
from gateway.documents.ink import ink as inked
from gateway.documents.open import opened
from gateway.documents.raster import Raster
from gateway.fax import Quality
from tests.samples import pdf, picture_pdf

FINE = Raster.of(Quality.HIGH, "letter")
Box = tuple[int, int, int, int]


def ink(grey: Image.Image) -> Image.Image:
    """The dots that are ink, as an image in which 1 is black."""
    return inked(grey).image()


def seen(data: bytes, raster: Raster = FINE) -> Image.Image:
    """Page one as 8-bit grey in which ink is 255."""
    with opened(data, "the document") as document:
        return document.page(0, raster).image().convert("L")


def at(left: float, bottom: float, width: float, height: float) -> Box:
    """A box in points as a box in dots."""
    across, down = 1728 / 612, 2156 / 792
    return (
        round(left * across),
        round((792 - bottom - height) * down),
        round((left + width) * across),
        round((792 - bottom) * down),
    )


def ink_share(page: Image.Image, box: Box) -> float:
    part = page.crop(box)
    return part.histogram()[255] / (part.width * part.height)


def alike(one: Image.Image, other: Image.Image) -> float:
    """The share of dots in which two pages agree."""
    return ImageChops.difference(one, other).histogram()[0] / (one.width * one.height)


def letter(tone: int = 20, paper: int = 255, size: tuple[int, int] = (1700, 2200)) -> Image.Image:
    """A typed letter as a scanner sees it."""
    page = Image.new("L", size, paper)
    draw = ImageDraw.Draw(page)
    for line in range(20):
        draw.text((180, 200 + 90 * line), "Please confirm the receipt of this letter", fill=tone, font_size=44)
    return page


def photograph(size: tuple[int, int] = (800, 600)) -> Image.Image:
    return Image.radial_gradient("L").resize(size)


def test_thirty_lines_of_thirty_stay() -> None:
    lines = [(grey, width) for grey in (0, 0.15, 0.3, 0.45, 0.6, 0.75) for width in (0.1, 0.25, 0.5, 0.75, 1)]
    drawing = "".join(f"{g} G {w} w 72 {700 - 20 * n} m 540 {700 - 20 * n} l S\n" for n, (g, w) in enumerate(lines))
    page = seen(pdf(1, "", drawing=drawing))
    for number in range(30):
        band = page.crop(at(80, 700 - 20 * number - 4, 450, 8))
        rows = [band.crop((0, y, band.width, y + 1)).getextrema() for y in range(band.height)]
        assert (255, 255) in rows, lines[number]


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        ("0 0.2 0.6", "1 1 1"),
        ("0.95 0.55 0.1", "0 0 0"),
        ("0.95 0.55 0.1", "1 1 1"),
        ("0.75 0.75 0.75", "1 1 1"),
        ("0.75 0.75 0.75", "0 0 0"),
        ("0.3 0.3 0.3", "0 0 0"),
        ("0.85 0.9 1", "0.1 0.1 0.5"),
    ],
)
def test_words_on_a_coloured_bar_stay_readable(fill: str, words: str) -> None:
    told = f"{words} rg BT /F1 14 Tf 80 609 Td (Item, Quantity, Price) Tj ET\n"
    page = seen(pdf(1, "", drawing=f"{fill} rg 72 600 460 28 re f {told}"))
    plain = seen(pdf(1, "", drawing="0 g BT /F1 14 Tf 80 609 Td (Item, Quantity, Price) Tj ET\n"))
    inside = at(76, 603, 440, 22)
    shown, wanted = page.crop(inside), plain.crop(inside)
    assert max(alike(shown, wanted), alike(ImageChops.invert(shown), wanted)) > 0.97


@pytest.mark.parametrize(
    "palette",
    [
        ("9DC3E6", "A9D08E", "F4B084", "C9C9C9"),  # the blue, green, orange and grey that tables in Excel get
        ("90CAF9", "FFCC80", "B0BEC5"),
        ("A0A0A0", "A4A4A4", "A8A8A8", "ACACAC"),
        ("BBBBBB", "BCBCBC", "BDBDBD"),
    ],
)
def test_words_on_bars_whose_tones_are_all_but_one_stay_readable(palette: tuple[str, ...]) -> None:
    drawing, words = "", "0 g"
    for row, colour in enumerate(palette):
        tone = " ".join(f"{value / 255:.4f}" for value in bytes.fromhex(colour))
        drawing += f"{tone} rg 72 {500 - 40 * row} {460 - 60 * row} 28 re f\n"
        words += f" BT /F1 14 Tf 80 {509 - 40 * row} Td (Item, Quantity) Tj ET\n"
    page, plain = (seen(pdf(1, "", drawing=each)) for each in (drawing + words, words))
    for row in range(len(palette)):
        inside = at(76, 503 - 40 * row, 240, 22)
        assert alike(page.crop(inside), plain.crop(inside)) > 0.97


@pytest.mark.parametrize("gap", [3, 12])
@pytest.mark.parametrize(("tone", "ink"), [(0.85, 0), (0.75, 0), (0.6, 0), (0.6, 1), (0.3, 1)])
def test_words_on_every_other_row_of_a_table_stay_readable(tone: float, ink: int, gap: int) -> None:
    """What is white between the rows is no writing on them."""
    rows = [550 - (14 + gap) * row for row in range(12)]
    bars = "".join(f"{tone} g 72 {row} 460 14 re f\n" for row in rows)
    told, plainly = (
        "".join(f"{g} g BT /F1 9 Tf 80 {row + 4} Td (Item 12, two packets, 14.50) Tj ET\n" for row in rows)
        for g in (ink, 0)
    )
    page, plain = (seen(pdf(1, "", drawing=each)) for each in (bars + told, plainly))
    for row in rows:
        inside = at(76, row + 2, 200, 10)
        shown, wanted = page.crop(inside), plain.crop(inside)
        assert max(alike(shown, wanted), alike(ImageChops.invert(shown), wanted)) > 0.95


@pytest.mark.parametrize("colour", ["1 0.8 0", "0.82 0.82 0.82", "0.6 0.9 0.6"])
def test_a_pale_heading_stays(colour: str) -> None:
    told = "BT /F1 24 Tf 80 609 Td (A pale heading) Tj ET\n"
    page, plain = (seen(pdf(1, "", drawing=f"{each} rg {told}")) for each in (colour, "0 0 0"))
    assert alike(page.crop(at(72, 600, 300, 30)), plain.crop(at(72, 600, 300, 30))) > 0.95


def test_the_bars_of_a_chart_differ() -> None:
    bars = [0.2, 0.4, 0.6, 0.8]
    page = seen(pdf(1, "", drawing="".join(f"{g} g {90 + 90 * n} 300 60 90 re f\n" for n, g in enumerate(bars))))
    shares = [ink_share(page, at(95 + 90 * n, 305, 50, 80)) for n in range(4)]
    assert shares == pytest.approx([1 - grey for grey in bars], abs=0.15)
    assert shares == sorted(shares, reverse=True)


def test_a_photograph_becomes_dots_in_its_own_box_only() -> None:
    told = "BT /F1 14 Tf 80 609 Td (A letter with a photograph) Tj ET\n"
    place = (200.0, 150.0, 200.0, 300.0)
    page = seen(picture_pdf(photograph(), place=place, drawing=told))
    dots = page.crop(at(200, 300, 200, 150))
    for x in range(0, dots.width - 40, 40):  # everywhere as dark as the photograph
        box = (x, 0, x + 40, dots.height)
        grey = photograph(dots.size).crop(box).resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
        assert isinstance(grey, int)
        assert ink_share(dots, box) == pytest.approx(1 - grey / 255, abs=0.12)
    plain = seen(pdf(1, "", drawing="0 g " + told))
    assert alike(page.crop(at(72, 600, 400, 30)), plain.crop(at(72, 600, 400, 30))) == 1


@pytest.mark.parametrize("paper", [255, 200, 140])
@pytest.mark.parametrize("colour", ["L", "RGB"])
def test_a_scans_paper_is_white_and_its_writing_stays(paper: int, colour: str) -> None:
    page = seen(picture_pdf(letter(20, paper).convert(colour)))
    assert page.size == (1728, 2156)
    assert ink_share(page, at(0, 0, 612, 60)) == 0
    wanted = ink(letter().resize(page.size)).convert("L")
    assert alike(page, wanted) > 0.98


def test_pencil_on_unevenly_lit_paper_stays() -> None:
    shadow = Image.linear_gradient("L").resize((1700, 2200)).point([120 + grey // 2 for grey in range(256)])
    scan = ImageChops.multiply(letter(150, 255), shadow)
    page = seen(picture_pdf(scan))
    assert alike(page, ink(letter(0).resize(page.size)).convert("L")) > 0.96


def test_the_shortcut_for_scans_shows_what_drawing_the_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    data = picture_pdf(letter(20, 200))
    short = seen(data)
    monkeypatch.setattr(pdfs, "scan", lambda *_: None)
    drawn = seen(data)
    assert alike(short, drawn) > 0.98


@pytest.mark.parametrize(
    ("drawing", "entries"),
    [
        ("0 g 300 20 200 30 re f", ""),
        ("", "/Decode [1 0]"),
        ("", "/SMask 7 0 R"),
        ("", "/Mask [0 40]"),
    ],
    ids=["overlay", "negative", "mask", "key"],
)
def test_the_shortcut_is_not_taken_where_it_would_show_less(
    drawing: str, entries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = letter(20, 200)
    data = picture_pdf(ImageChops.invert(scan) if "Decode" in entries else scan, drawing=drawing, entries=entries)
    page = seen(data)
    monkeypatch.setattr(pdfs, "scan", lambda *_: None)
    assert alike(page, seen(data)) == 1


@pytest.mark.parametrize("shown", [True, False])
def test_a_scan_in_a_layer_is_shown_where_the_layer_is(shown: bool) -> None:
    with pikepdf.open(BytesIO(picture_pdf(letter(20, 200)))) as document:
        layer = document.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.OCG, Name="Scan"))
        default = pikepdf.Dictionary(ON=[layer], OFF=[]) if shown else pikepdf.Dictionary(ON=[], OFF=[layer])
        document.Root.OCProperties = pikepdf.Dictionary(OCGs=[layer], D=default)
        page = document.pages[0]
        page.Resources.Properties = pikepdf.Dictionary(L=layer)
        page.Contents = pikepdf.Stream(document, b"/OC /L BDC " + page.Contents.read_bytes() + b" EMC")
        output = BytesIO()
        document.save(output)
    assert (seen(output.getvalue()).getbbox() is not None) is shown


@pytest.mark.parametrize(("transfer", "black"), [("negative", True), ("none", False)])
def test_a_scan_whose_page_inverts_it_is_shown_as_it_looks(transfer: str, black: bool) -> None:
    negative = pikepdf.Dictionary(FunctionType=2, Domain=[0, 1], C0=[1], C1=[0], N=1)
    function = negative if transfer == "negative" else pikepdf.Name.Identity
    output = BytesIO()
    with pikepdf.open(BytesIO(picture_pdf(letter(20, 250)))) as document:
        page = document.pages[0]
        page.Resources.ExtGState = pikepdf.Dictionary(G=pikepdf.Dictionary(TR=function))
        page.Contents = pikepdf.Stream(document, b"/G gs " + page.Contents.read_bytes())
        document.save(output)
    assert (ink_share(seen(output.getvalue()), at(300, 20, 200, 30)) > 0.9) is black


def test_a_cropped_scan_shows_what_was_left_of_it() -> None:
    cropped = picture_pdf(letter(20, 200)).replace(b"/MediaBox [0 0 612 792]", b"/MediaBox [0 396 612 792]")
    whole = seen(picture_pdf(letter(20, 200)))
    upper = seen(cropped)
    assert upper.size == (1728, 1078)
    assert alike(upper, whole.crop((0, 0, 1728, 1078))) > 0.97


@pytest.mark.parametrize("rotate", [90, 180, 270])
def test_a_turned_scan_is_shown_as_it_is_read(rotate: int) -> None:
    turned = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
    stored = letter(20, 200).transpose(turned[rotate])
    data = picture_pdf(stored, place=(*((792, 612) if rotate % 180 else (612, 792)), 0, 0))
    with pikepdf.open(BytesIO(data)) as document:
        document.pages[0].MediaBox = [0, 0, *((792, 612) if rotate % 180 else (612, 792))]
        document.pages[0].Rotate = rotate
        output = BytesIO()
        document.save(output)
    assert alike(seen(output.getvalue()), seen(picture_pdf(letter(20, 200)))) > 0.97


def test_a_scan_that_a_program_has_read_is_still_a_scan() -> None:
    hidden = "BT 3 Tr /F1 14 Tf 80 609 Td (Please confirm) Tj ET\n"
    data, plain = picture_pdf(letter(20, 200), drawing=hidden), picture_pdf(letter(20, 200))
    assert alike(seen(data), seen(plain)) == 1


def test_a_page_that_is_a_photograph_becomes_dots() -> None:
    page = seen(picture_pdf(photograph((1700, 2200))))
    assert ink_share(page, at(300, 390, 20, 20)) > 0.9
    assert 0.2 < ink_share(page, at(100, 200, 412, 392)) < 0.8


def test_a_dark_part_of_a_scan_keeps_what_is_in_it() -> None:
    scan = letter(20, 200)
    draw = ImageDraw.Draw(scan)
    draw.rectangle((200, 1500, 1500, 2000), fill=60)
    draw.text((400, 1650), "White", fill=200, font_size=160)
    part = seen(picture_pdf(scan)).crop((450, 1600, 900, 1800))
    assert 0.3 < part.histogram()[255] / (part.width * part.height) < 0.95


def test_the_same_page_comes_out_the_same() -> None:
    data = picture_pdf(photograph(), place=(200, 150, 200, 300))
    assert seen(data).tobytes() == seen(data).tobytes()


def test_a_grey_tiff_is_seen_as_a_scan() -> None:
    output = BytesIO()
    letter(20, 190).save(output, "TIFF", dpi=(200, 200))
    page = seen(output.getvalue())
    assert ink_share(page, at(0, 0, 612, 60)) == 0
    assert alike(page, ink(letter().resize(page.size)).convert("L")) > 0.97
