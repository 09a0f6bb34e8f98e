"""Odd and damaged documents: shown right, or refused with the name of the document and the page."""

import struct
from io import BytesIO

import pikepdf
import pytest
from PIL import Image, features

from gateway.documents import ifd
from gateway.documents.encode import t6
from gateway.documents.open import opened, pages_to_fax
from gateway.documents.raster import Raster
from gateway.documents.render import Files, Input, render
from gateway.errors import Kind, Reason, Refusal
from gateway.fax import Quality
from tests.samples import encrypted_pdf, pdf, picture_pdf, tiff

HIGH = Raster.of(Quality.HIGH, "letter")


def pages(data: bytes) -> list[Image.Image]:
    """All pages as a fax shows them; 1 is ink."""
    with opened(data, '"x"') as document:
        return [document.page(index, HIGH).image() for index in range(document.pages)]


def refused(data: bytes) -> Reason:
    with pytest.raises(Refusal) as raised:
        render([Input('"x"', data)], HIGH, Files(BytesIO(), BytesIO(), BytesIO()), lambda _: None)
    return raised.value.reason


def outcome(data: bytes) -> str:
    """What becomes of it: its pages, or the sentence that refuses it."""
    try:
        counted = pages_to_fax(data, '"x"')
        return f"{counted} pages" if len(pages(data)) == counted else "pages are lost"
    except Refusal as refusal:
        return refusal.reason.sentence


def changed(data: bytes, **entries: pikepdf.Object) -> bytes:
    """The PDF with more *entries* in its catalogue."""
    output = BytesIO()
    with pikepdf.open(BytesIO(data)) as document:
        for name, value in entries.items():
            document.Root[f"/{name}"] = value
        document.save(output)
    return output.getvalue()


def test_one_bad_page_of_a_tiff_is_named() -> None:
    data = bytearray(tiff(3))
    second = list(ifd.directories(bytes(data)))[1]
    struct.pack_into("<L", data, data.index(struct.pack("<L", second.number(ifd.STRIP_OFFSETS)), 8), len(data) - 3)
    reason = refused(bytes(data))
    assert reason.kind is Kind.DOCUMENT_BROKEN
    assert reason.sentence.startswith('page 2 of "x" cannot be read')


def test_one_bad_page_of_a_pdf_is_named() -> None:
    output = BytesIO()
    with pikepdf.open(BytesIO(pdf(3))) as document:
        document.pages[1].obj.Type = pikepdf.Name.Font
        document.save(output)
    reason = refused(output.getvalue())
    assert reason.kind is Kind.DOCUMENT_BROKEN
    assert reason.sentence == 'page 2 of "x" is damaged and cannot be read'


@pytest.mark.parametrize("size", [(14400, 14400), (14400, 100), (100, 14400), (0.5, 0.5)])
def test_a_page_of_any_size_is_brought_to_one_of_paper(size: tuple[float, float]) -> None:
    (page,) = pages(pdf(1, size=size, drawing=f"{size[0] / 3} {size[1] / 3} {size[0] / 3} {size[1] / 3} re f"))
    assert page.width == 1728
    assert 1 <= page.height <= 2156
    assert page.getbbox() is not None


@pytest.mark.parametrize("crop", [(1000, 1000, 1200, 1200), (612, 0, 800, 792), (-50, -50, -10, -10)])
def test_a_crop_that_leaves_nothing_is_none(crop: tuple[int, ...]) -> None:
    output = BytesIO()
    with pikepdf.open(BytesIO(pdf(1))) as document:
        document.pages[0].CropBox = list(crop)
        document.save(output)
    (page,), (plain,) = pages(output.getvalue()), pages(pdf(1))
    assert page.size == plain.size
    assert page.tobytes() == plain.tobytes()


def test_a_document_without_pages_is_refused() -> None:
    refused(encrypted_pdf())  # what PDFium says of one is not taken for what it says of the next
    empty = pdf(1).replace(b"/Count 1 /Kids [4 0 R]", b"/Count 0 /Kids [     ]")
    reason = refused(empty)
    assert reason.kind is Kind.DOCUMENT_BROKEN
    assert reason.sentence.startswith('"x" ')


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_document_that_was_cut_is_whole_or_refused(share: float) -> None:
    told = outcome(pdf(3)[: int(len(pdf(3)) * share)])
    assert told == "3 pages" or '"x"' in told


def test_programs_in_a_document_do_not_run() -> None:
    script = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="this.pageNum = 5; app.alert('no'); while (1);")
    data = changed(pdf(2), OpenAction=script)
    assert [page.tobytes() for page in pages(data)] == [page.tobytes() for page in pages(pdf(2))]


def test_a_font_that_is_missing_is_replaced() -> None:
    plain = pdf(1, "Please confirm")
    (page,) = pages(plain.replace(b"/BaseFont /Helvetica", b"/BaseFont /NoSuchFnt"))
    box = page.crop((0, 0, 1728, 900)).getbbox()
    wanted = pages(plain)[0].crop((0, 0, 1728, 900)).getbbox()
    assert box is not None
    assert wanted is not None
    assert box[:2] == pytest.approx(wanted[:2], abs=12)
    assert 0.5 < (box[2] - box[0]) / (wanted[2] - wanted[0]) < 2


def test_a_picture_in_jpeg_2000_is_shown() -> None:
    if not features.check("jpg_2000"):
        pytest.skip("this Pillow cannot write JPEG 2000: the page cannot be made here")
    page = Image.new("L", (850, 1100), 255)
    page.paste(0, (85, 110, 283, 220))
    output, made = BytesIO(), BytesIO()
    page.save(output, "JPEG2000")
    with pikepdf.open(BytesIO(picture_pdf(page))) as document:
        picture = document.pages[0].Resources.XObject.P
        picture.write(output.getvalue(), filter=pikepdf.Name.JPXDecode)
        document.save(made)
    assert pages(made.getvalue())[0].getbbox() == pytest.approx((173, 216, 576, 432), abs=6)


def jbig2(page: Image.Image) -> bytes:
    """A 1-bit picture, 1 is black, as JBIG2 (ITU-T T.88) the way PDFs hold it: one region whose code is T.6."""
    size = struct.pack(">2L", *page.size)
    region = size + bytes(8) + b"\0" + b"\1" + t6(page)  # at the left top, combined by OR; MMR
    segments = [(48, size + bytes(8) + b"\0" + bytes(2)), (38, region)]
    return b"".join(
        struct.pack(">LBBBL", number, kind, 0, 1, len(data)) + data for number, (kind, data) in enumerate(segments)
    )


def test_a_picture_in_jbig2_is_shown() -> None:
    page, output = Image.new("1", (850, 1100), 0), BytesIO()
    page.paste(1, (85, 110, 283, 220))
    with pikepdf.open(BytesIO(picture_pdf(page.convert("L")))) as document:
        picture = document.pages[0].Resources.XObject.P
        picture.BitsPerComponent = 1
        picture.write(jbig2(page), filter=pikepdf.Name.JBIG2Decode)
        document.save(output)
    assert pages(output.getvalue())[0].getbbox() == pytest.approx((173, 216, 576, 432), abs=6)


@pytest.mark.parametrize(("kind", "bits"), [("DCTDecode", 8), ("JPXDecode", 8), ("JBIG2Decode", 1)])
def test_a_damaged_picture_does_not_become_white_paper(kind: str, bits: int) -> None:
    output = BytesIO()
    with pikepdf.open(BytesIO(picture_pdf(Image.new("L", (850, 1100), 40), place=(300, 400, 100, 100)))) as document:
        picture = document.pages[0].Resources.XObject.P
        picture.BitsPerComponent = bits
        picture.write(bytes(50), filter=pikepdf.Name(f"/{kind}"))
        document.save(output)
    reason = refused(output.getvalue())
    assert reason.kind is Kind.DOCUMENT_BROKEN
    assert reason.sentence.startswith('a picture on page 1 of "x" is damaged and cannot be shown')


def test_what_cannot_be_unpacked_does_not_become_white_paper() -> None:
    output = BytesIO()
    with pikepdf.open(BytesIO(pdf(2, "Please confirm"))) as document:
        document.save(output, compress_streams=True)
    data = bytearray(output.getvalue())
    place = data.rindex(b"stream", 0, data.rindex(b"endstream")) + len("stream") + 1
    data[place : place + 20] = b"\xff" * 20
    with opened(bytes(data), '"x.pdf"') as document, pytest.raises(Refusal) as raised:
        [document.page(index, HIGH) for index in range(2)]
    assert raised.value.reason.sentence.startswith('page 2 of "x.pdf" is damaged')


def test_an_empty_page_is_a_page() -> None:
    output = BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page(page_size=(612, 792))
        document.save(output)
    with opened(output.getvalue(), "x") as shown:
        assert not any(shown.page(0, HIGH).rows)


def test_a_white_picture_is_white_paper_and_a_small_damaged_one_an_ornament() -> None:
    assert pages(picture_pdf(Image.new("L", (850, 1100), 255)))[0].getbbox() is None
    output = BytesIO()
    with pikepdf.open(BytesIO(picture_pdf(Image.new("L", (8, 8), 40), place=(6, 6, 100, 100)))) as document:
        document.pages[0].Resources.XObject.P.write(bytes(50), filter=pikepdf.Name.DCTDecode)
        document.save(output)
    assert len(pages(output.getvalue())) == 1


def test_a_picture_of_endless_size_in_a_document_is_refused() -> None:
    huge = picture_pdf(Image.new("L", (8, 8))).replace(b"/Width 8 /Height 8", b"/Width 99999 /Height 99999")
    assert refused(huge).sentence.startswith('a picture on page 1 of "x"')
