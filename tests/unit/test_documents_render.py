"""Fax pages: whole, in order, legible, and the same in TIFF and PDF."""

from io import BytesIO

import pytest
from PIL import Image, ImageChops
from PIL.TiffImagePlugin import TiffImageFile

from gateway.document import MAX_PAGES, Coding, RenderedDocument
from gateway.documents import render as rendering
from gateway.documents.count import pdf_pages, tiff_pages
from gateway.documents.ink import ink as inked
from gateway.documents.pdf import Pdf
from gateway.documents.raster import Paper, Raster
from gateway.documents.render import Files, Input, Progress, Step, read_back, render
from gateway.errors import Kind, Refusal
from gateway.fax import Quality
from tests.samples import A4, FINE_PAGE, LETTER, NORMAL_PAGE, broken_pdf, encrypted_pdf, pdf, tiff


def ink(grey: Image.Image) -> Image.Image:
    """The dots that are ink, as an image in which 1 is black."""
    return inked(grey).image()


class Fax:
    """What a rendering wrote."""

    def __init__(self, result: RenderedDocument, files: dict[str, BytesIO]) -> None:
        self.result = result
        self.tiff, self.pdf, self.preview = (files[name].getvalue() for name in ("tiff", "pdf", "preview"))

    def page(self, index: int) -> Image.Image:
        """The page as the TIFF shows it; black is 0."""
        with Image.open(BytesIO(self.tiff)) as image:
            image.seek(index)
            return image.convert("L")

    def page_of_pdf(self, index: int, raster: Raster) -> Image.Image:
        """The page as PDFium shows the PDF on the same grid; black is 0."""
        document = Pdf(self.pdf, "the result")
        try:
            return ImageChops.invert(ink(document.grey(index, raster)).convert("L"))
        finally:
            document.close()


def fax(
    *documents: bytes,
    quality: Quality = Quality.HIGH,
    paper: Paper = "letter",
    progress: Progress = lambda step: None,
) -> Fax:
    inputs = [Input(f'"{number}.pdf"', data) for number, data in enumerate(documents)]
    files = {name: BytesIO() for name in ("tiff", "pdf", "preview")}

    return Fax(render(inputs, Raster.of(quality, paper), Files(**files), progress), files)


def refused(*documents: bytes) -> Refusal:
    with pytest.raises(Refusal) as raised:
        fax(*documents)
    return raised.value


def bar_width(page: Image.Image) -> int:
    """Dots across the black bar that the samples draw; it grows with the page's number."""
    box = ImageChops.invert(page.crop((0, page.height * 3 // 4, page.width, page.height))).getbbox()
    assert box is not None
    return box[2] - box[0]


@pytest.mark.parametrize(
    ("quality", "size", "dpi"),
    [
        (Quality.NORMAL, NORMAL_PAGE, (204, 98)),
        (Quality.HIGH, FINE_PAGE, (204, 196)),
        (Quality.VERY_HIGH, (1728, 4301), (204, 391)),
        (Quality.ULTRA_LIGHT, (3456, 4301), (408, 391)),
        (Quality.ULTRA_DARK, (3456, 4301), (408, 391)),
    ],
)
def test_the_tiff_is_a_fax(quality: Quality, size: tuple[int, int], dpi: tuple[int, int]) -> None:
    made = fax(pdf(2), quality=quality)
    with Image.open(BytesIO(made.tiff)) as image:
        assert isinstance(image, TiffImageFile)
        for index in range(2):
            image.seek(index)
            tags = image.tag_v2
            assert image.size == size
            assert image.info["dpi"] == dpi
            # T.6, white is zero, one strip, page n of 2
            assert (tags[259], tags[262], len(tags[273]), tags[297]) == (4, 0, 1, (index, 2))
    assert made.result.pages == 2
    assert (made.result.tiff_bytes, made.result.pdf_bytes) == (len(made.tiff), len(made.pdf))


@pytest.mark.parametrize("quality", [Quality.NORMAL, Quality.HIGH])
def test_a_line_that_knows_no_t6_gets_t4(quality: Quality) -> None:
    raster = Raster.of(quality, "letter")
    shown, sizes = set(), []
    for coding in Coding:
        files = Files(BytesIO(), BytesIO(), BytesIO())
        result = render([Input("x", pdf(2))], raster, files, lambda _: None, coding)
        written = read_back(files.tiff)
        sizes.append(len(written))
        assert result.pages == pdf_pages(read_back(files.pdf)) == 2
        with Image.open(BytesIO(written)) as image:
            assert isinstance(image, TiffImageFile)
            assert image.tag_v2[259] == (4 if coding is Coding.T6 else 3)
            shown.add(image.convert("L").tobytes())
    assert len(shown) == 1
    assert sizes[0] < sizes[2] < sizes[1]


@pytest.mark.parametrize("quality", list(Quality))
def test_the_pdf_shows_exactly_the_pages_of_the_tiff(quality: Quality) -> None:
    raster = Raster.of(quality, "letter")
    made = fax(pdf(2), pdf(1, size=A4), tiff(1), pdf(1, size=(LETTER[1], LETTER[0])), quality=quality)
    assert pdf_pages(made.pdf) == made.result.pages == 5
    for index in range(5):
        from_tiff, from_pdf = made.page(index), made.page_of_pdf(index, raster)
        assert from_tiff.size == from_pdf.size
        assert from_tiff.getextrema() == (0, 255)
        assert ImageChops.difference(from_tiff, from_pdf).getbbox() is None


def test_documents_are_joined_in_their_order() -> None:
    made = fax(pdf(2), tiff(1), pdf(3))
    assert made.result.pages == tiff_pages(made.tiff, MAX_PAGES) == 6
    widths = [bar_width(made.page(index)) for index in (0, 1, 3, 4, 5)]
    assert widths == [widths[0], widths[1], *widths[:2], widths[4]]
    assert widths[0] < widths[1] < widths[4]


def test_a_page_is_black_on_white_and_upright() -> None:
    page = fax(pdf(1, "")).page(0)
    assert page.getpixel((5, 5)) == 255
    # The sample's only drawing besides its text is a bar 72 points above the foot, 72 from the left.
    assert page.getpixel((round(100 / 612 * 1728), round((792 - 80) / 792 * page.height))) == 0
    assert page.getpixel((round(100 / 612 * 1728), round(80 / 792 * page.height))) == 255


def test_text_stays_legible() -> None:
    """The letters' dots are about those of the same text drawn at once as black and white."""
    page = fax(pdf(1, "Hello")).page(0)
    box = ImageChops.invert(page.crop((0, 0, 1728, 900))).getbbox()
    assert box is not None
    share = page.crop(box).histogram()[0] / ((box[2] - box[0]) * (box[3] - box[1]))
    assert 0.1 < share < 0.6


@pytest.mark.parametrize("grey", [0, 0.25, 0.5, 0.7])
@pytest.mark.parametrize("width", [0.1, 0.25, 0.5, 1])
def test_grey_hairlines_stay(grey: float, width: float) -> None:
    made = fax(pdf(1, "", drawing=f"{grey} G {width} w 100 400 m 500 400 l S 300 300 m 300 500 l S"))
    page = made.page(0)
    across = page.crop((290, 900, 700, 1240)).convert("1")
    assert any(across.crop((0, y, across.width, y + 1)).getbbox() is None for y in range(across.height))


@pytest.mark.parametrize(
    ("size", "paper", "pixels"),
    [
        (LETTER, "letter", (1728, 2156)),
        (A4, "a4", (1687, 2292)),
        (A4, "letter", (1587, 2156)),
        ((612, 1008), "letter", (1357, 2156)),
        ((612, 1008), "legal", (1728, 2744)),
        ((612, 396), "letter", (1728, 1078)),
        ((306, 396), "letter", (1728, 2149)),
        ((792, 612), "letter", (1728, 2156)),
        ((14400, 14400), "letter", (1728, 1660)),
        ((3, 14400), "letter", (1, 2156)),
    ],
)
def test_a_page_fits_its_paper_whole_and_in_proportion(
    size: tuple[float, float], paper: Paper, pixels: tuple[int, int]
) -> None:
    place = Raster.of(Quality.HIGH, paper).place(size[0] / 72, size[1] / 72)
    assert (place.width, place.height) == pytest.approx(pixels, abs=2)
    assert fax(pdf(1, size=size), paper=paper).page(0).size == (1728, place.height)


def test_a_landscape_page_is_turned_clockwise() -> None:
    page = fax(pdf(1, "", size=(792, 612))).page(0)
    # The bar above the left end of the foot comes to stand at the top left.
    assert page.size == FINE_PAGE
    assert page.getpixel((round(80 / 612 * 1728), round(95 / 792 * 2156))) == 0


def test_the_pages_own_rotation_is_obeyed() -> None:
    turned = fax(pdf(1, "", rotate=180)).page(0)
    plain = fax(pdf(1, "")).page(0)
    assert bar_width(plain) > 0
    assert ImageChops.invert(turned.crop((0, 0, 1728, 400))).getbbox() is not None


def test_progress_is_told_before_each_page_and_at_the_end() -> None:
    steps: list[Step] = []
    fax(pdf(2), pdf(1), progress=steps.append)
    assert steps == [
        Step(0, 0, '"0.pdf"', 0),
        Step(0, 2, '"1.pdf"', 0),
        Step(0, 3, '"0.pdf"', 1),
        Step(1, 3, '"0.pdf"', 2),
        Step(2, 3, '"1.pdf"', 1),
        Step(3, 3, "the fax", 0),
    ]


def test_the_preview_is_a_small_picture_of_page_one() -> None:
    made = fax(pdf(2))
    with Image.open(BytesIO(made.preview)) as preview:
        assert preview.format == "PNG"
        assert preview.size == (400, 519)
        assert len(preview.convert("L").getcolors() or []) > 2  # smoothed, not black and white
        assert preview.convert("L").getpixel((2, 2)) == 255
    assert made.result.preview_bytes == len(made.preview) < 20_000


@pytest.mark.parametrize(
    ("document", "kind"),
    [(broken_pdf(), Kind.DOCUMENT_BROKEN), (encrypted_pdf(), Kind.DOCUMENT_ENCRYPTED), (b"", Kind.DOCUMENT_BROKEN)],
)
def test_the_document_that_cannot_be_faxed_is_named(document: bytes, kind: Kind) -> None:
    reason = refused(pdf(), document).reason
    assert (reason.kind, reason.subject) == (kind, "1.pdf")
    assert reason.sentence.startswith('"1.pdf" ')


def test_pages_are_limited_for_all_documents_together() -> None:
    assert refused(pdf(300), pdf(51)).reason.kind is Kind.TOO_MANY_PAGES


def test_a_page_that_cannot_be_loaded_refuses_the_document() -> None:
    damaged = (
        pdf(3).replace(b"/Type /Page /Parent", b"/Type /Pxxx /Parent", 2).replace(b"/Type /Pxxx", b"/Type /Page", 1)
    )
    reason = refused(damaged).reason
    assert reason.kind in {Kind.DOCUMENT_BROKEN, Kind.PAGES_DISAGREE}


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (
            b"/NeedsRendering true /AcroForm << /XFA [] >>",
            '"0.pdf" is a form that only Adobe\'s reader can show (XFA); print it into a new PDF and send that',
        ),
        (b"/Collection << >>", '"0.pdf" is a portfolio, a PDF that holds other files; send its files themselves'),
    ],
)
def test_a_placeholder_for_something_else_is_not_faxed(entry: bytes, sentence: str) -> None:
    reason = refused(pdf(1).replace(b"/Type /Catalog", b"/Type /Catalog " + entry)).reason
    assert (reason.kind, reason.sentence) == (Kind.DOCUMENT_BROKEN, sentence)


def test_a_form_with_pages_of_its_own_is_faxed() -> None:
    form = pdf(1).replace(b"/Type /Catalog", b"/Type /Catalog /AcroForm << /XFA [] /Fields [] >>")
    assert fax(form).result.pages == 1


def test_two_readers_must_agree_on_the_number_of_pages() -> None:
    wrong = pdf(3).replace(b"/Count 3", b"/Count 2")
    assert refused(wrong).reason.kind is Kind.PAGES_DISAGREE


def test_a_page_lost_on_the_way_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rendering._pages
    monkeypatch.setattr(rendering, "_pages", lambda *given: list(whole(*given))[:-1])
    assert refused(pdf(3)).reason.kind is Kind.PAGES_DISAGREE
