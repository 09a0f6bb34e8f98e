"""The header line: what it says, in any script, on top of any page and without touching the rest of it."""

from io import BytesIO

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageSequence

from gateway.document import Header
from gateway.documents import dots, fonts, header, lettering
from gateway.documents.dots import Dots
from gateway.documents.encode import t6
from gateway.documents.ink import ink
from gateway.documents.pdf_writer import PdfWriter, t6_picture
from gateway.documents.raster import GRIDS, Raster
from gateway.documents.render import Files, Input, render
from gateway.documents.stamp import stamp
from gateway.documents.t6_join import Rows, above
from gateway.errors import Kind, Refusal
from gateway.fax import Quality
from tests import samples

LINE = Header("2026-11-25 14:05 EST", "Example Clinic", "+1 202-555-0100")
WIDTH = 64


def rendered(document: bytes, quality: Quality = Quality.HIGH) -> bytes:
    tiff = BytesIO()
    files = Files(tiff, BytesIO(), BytesIO())
    render([Input("it", document)], Raster.of(quality, "letter"), files, lambda _: None)
    return tiff.getvalue()


def pictures(tiff: bytes) -> list[Image.Image]:
    """The pages of a TIFF, 1 bit, 0 is black."""
    with Image.open(BytesIO(tiff)) as image:
        return [page.copy() for page in ImageSequence.Iterator(image)]


def shown(pdf: bytes) -> list[Image.Image]:
    """The pages of a PDF of ours, dot by dot, as PDFium decodes them."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        images = [next(page.get_objects()).get_bitmap().to_pil().convert("1") for page in document]
    finally:
        document.close()
    return images


def stamped(tiff: bytes, line: Header | None = LINE) -> list[Image.Image]:
    pdf = BytesIO()
    made = stamp([tiff], line, pdf, BytesIO(), lambda _: None)
    pages = shown(pdf.getvalue())
    assert made.pages == len(pages)
    return pages


def black(image: Image.Image) -> int:
    return image.histogram()[0]


def decoded(rows: Rows) -> bytes:
    file = BytesIO()
    writer = PdfWriter(file)
    writer.add(t6_picture(rows.code(), WIDTH, rows.rows, (204, 196)))
    writer.finish()
    (page,) = shown(file.getvalue())
    assert page.size == (WIDTH, rows.rows)
    return ImageChops.invert(page).tobytes()


some_rows = st.lists(st.one_of(st.just(bytes(8)), st.binary(min_size=8, max_size=8)), min_size=1, max_size=12)


@settings(deadline=None)
@given(head=some_rows, white=st.integers(0, 9), page=some_rows)
def test_code_is_put_above_code_bit_by_bit(head: list[bytes], white: int, page: list[bytes]) -> None:
    head, page = [*head, bytes(8)], [bytes(8)] * white + page
    coded = [Rows.of(t6(Dots(WIDTH, len(rows), b"".join(rows))), len(rows)) for rows in (head, page)]
    leading = next((at for at, row in enumerate(page) if any(row)), len(page))
    assert coded[1].white_at_head == leading
    kept = page[min(len(head), leading) :]
    assert decoded(above(*coded)) == b"".join(head + kept)


def test_code_without_its_end_is_refused() -> None:
    with pytest.raises(ValueError, match="no end"):
        Rows.of(b"\xff\xff\xff\xff", 32)


@pytest.mark.parametrize("quality", list(Quality))
def test_the_line_stands_in_the_margin_and_the_rest_is_as_it_was(quality: Quality) -> None:
    tiff = rendered(samples.pdf(3), quality)
    before, after = pictures(tiff), stamped(tiff)
    grid = GRIDS[quality]
    for plain, headed in zip(before, after, strict=True):
        assert headed.size == plain.size
        strip = round(0.18 * grid.dpi[1]) + 1
        box = (0, 0, grid.width, strip)
        assert black(plain.crop(box)) == 0
        assert black(headed.crop(box)) > 500 * grid.dpi[1] / 196
        rest = (0, strip, grid.width, plain.height)
        assert headed.crop(rest).tobytes() == plain.crop(rest).tobytes()


def test_a_page_that_begins_at_its_edge_gets_longer_and_loses_nothing() -> None:
    page = Image.new("1", (1728, 400), 1)
    ImageDraw.Draw(page).rectangle((0, 0, 1727, 20), fill=0)
    file = BytesIO()
    page.save(file, "TIFF", compression="group4", dpi=(204, 196))
    tiff = rendered(file.getvalue())
    (plain,), (headed,) = pictures(tiff), stamped(tiff)
    grown = headed.height - plain.height
    assert 30 < grown < 40
    assert headed.crop((0, grown, 1728, headed.height)).tobytes() == plain.tobytes()


def test_without_a_line_the_pages_are_the_rendered_ones() -> None:
    tiff = rendered(samples.pdf(2))
    assert [page.tobytes() for page in stamped(tiff, None)] == [page.tobytes() for page in pictures(tiff)]


def test_several_documents_are_counted_as_one() -> None:
    pdf, one, two = BytesIO(), rendered(samples.pdf(1)), rendered(samples.pdf(2))
    assert stamp([one, two], LINE, pdf, BytesIO(), lambda _: None).pages == 3
    line = header.strip(LINE, 3, 3, 1728, (204, 196))
    last = shown(pdf.getvalue())[2].crop((0, 0, 1728, line.height))
    assert ImageChops.invert(last).tobytes() == line.rows


def test_the_preview_is_of_the_page_with_its_line() -> None:
    tiff, preview = rendered(samples.pdf(1)), BytesIO()
    stamp([tiff], LINE, BytesIO(), preview, lambda _: None)
    with Image.open(preview) as image:
        assert image.width == 400
        top = image.convert("L").crop((0, 0, 400, 9))
    assert sum(top.histogram()[:200]) > 10


@pytest.mark.parametrize("data", [b"", b"no TIFF", samples.tiff(1)])
def test_what_is_no_rendering_of_ours_is_not_sent(data: bytes) -> None:
    with pytest.raises(Refusal) as raised:
        stamp([data], LINE, BytesIO(), BytesIO(), lambda _: None)
    assert raised.value.reason.kind is Kind.PAGES_DISAGREE


def test_each_page_says_its_number_and_the_number_of_all() -> None:
    lines = {header.strip(LINE, page, pages, 1728, (204, 196)).rows for page, pages in [(1, 1), (1, 2), (2, 2)]}
    assert len(lines) == 3


def test_a_long_name_never_hides_the_number_or_the_page() -> None:
    line = header.strip(Header(LINE.when, "x" * 500, LINE.number), 1, 2, 1728, (204, 196)).image()
    end = 1728 - 61 - lettering.width_of("Page 1 of 2", 26) - 51
    start = end - lettering.width_of(LINE.number, 26)
    assert line.crop((round(end) + 5, 0, round(end) + 40, line.height)).getbbox() is None
    number = Image.new("L", (round(end - start), 40), 255)
    lettering.write(number, (0, 28), LINE.number, 26)
    written = line.crop((round(start), 0, round(end), line.height))
    assert written.histogram()[-1] == pytest.approx(ink(number).image().histogram()[-1], rel=0.15)


@pytest.mark.parametrize("name", ["Müller & Söhne", "Клиника «Заря»", "Ιατρείο", "अस्पताल"])
def test_our_own_font_writes(name: str) -> None:
    assert {face for face, _ in fonts.runs(name)} == {fonts.own()}
    assert "?" not in "".join(piece for _, piece in fonts.runs(name))


def test_what_no_font_has_becomes_a_question_mark() -> None:
    unassigned = "\U000e0fff"
    assert fonts.face_of(unassigned) is None
    assert "".join(piece for _, piece in fonts.runs(f"a{unassigned}b")) == "a?b"


@settings(deadline=None, max_examples=40)  # fonts are looked for at the first
@given(st.text(max_size=120))
def test_any_text_can_be_a_name(name: str) -> None:
    line = header.strip(Header("now", name, "1"), 1, 1, 1728, (204, 98))
    assert line.rows.endswith(bytes(216)), "the last row is white: a page's code follows"


def test_a_text_is_cut_to_its_room() -> None:
    assert lettering.fitted("abc", 26, 1000) == "abc"
    cut = lettering.fitted("a very long name of a clinic", 26, 120)
    assert cut.endswith("…")
    assert lettering.width_of(cut, 26) <= 120
    assert lettering.fitted("abc", 26, 1) == ""


def test_both_ways_of_coding_give_the_same_document(monkeypatch: pytest.MonkeyPatch) -> None:
    tiff = rendered(samples.pdf(1))
    (page,) = stamped(tiff)
    monkeypatch.setattr(dots, "compiled", None)
    assert stamped(tiff)[0].tobytes() == page.tobytes()
