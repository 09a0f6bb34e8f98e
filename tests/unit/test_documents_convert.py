"""Received faxes from one type to the other."""

import struct
from io import BytesIO

import pytest
from PIL import Image, ImageChops

from gateway.document import MediaType
from gateway.documents.convert import convert
from gateway.documents.count import pdf_pages, tiff_pages
from gateway.documents.encode import t6
from gateway.documents.ink import ink
from gateway.documents.open import inspect
from gateway.documents.pdf import Pdf
from gateway.documents.raster import KEEPING
from gateway.documents.tiff_writer import TiffWriter
from gateway.errors import Kind, Refusal
from tests.samples import A4, NORMAL_PAGE, broken_pdf, encrypted_pdf, pdf, png, tiff


def converted(data: bytes, to: MediaType) -> tuple[int, bytes]:
    output = BytesIO()
    pages = convert(data, "the document", to, output, lambda *_: None)
    return pages, output.getvalue()


def tiff_page(data: bytes, index: int = 0) -> Image.Image:
    with Image.open(BytesIO(data)) as image:
        image.seek(index)
        return image.convert("L")


def pdf_page(data: bytes, index: int = 0) -> Image.Image:
    document = Pdf(data, "the result")
    try:
        return document.grey(index, KEEPING)
    finally:
        document.close()


def white_is_zero(page: Image.Image) -> bytes:
    """A fax page as machines write it (the samples have Pillow's way, black is zero)."""
    output = BytesIO()
    black = ink(page)
    TiffWriter(output, 1).add(t6(black), black.width, black.height, (204, 196))
    return output.getvalue()


@pytest.mark.parametrize("to", list(MediaType)[:2])
def test_the_same_type_is_copied(to: MediaType) -> None:
    data = pdf(2) if to is MediaType.PDF else tiff(2)
    assert converted(data, to) == (2, data)


@pytest.mark.parametrize("one_strip", [True, False])
def test_a_tiff_becomes_a_pdf_of_the_same_dots(one_strip: bool) -> None:
    original = white_is_zero(tiff_page(tiff(1))) if one_strip else tiff(3)
    pages, result = converted(original, MediaType.PDF)
    assert pdf_pages(result) == pages == (1 if one_strip else 3)
    for index in range(pages):
        assert ImageChops.difference(tiff_page(original, index), pdf_page(result, index)).getbbox() is None


def test_t6_code_in_one_strip_is_copied_as_it_is() -> None:
    page = tiff_page(tiff(1))
    assert t6(ink(page)) in converted(white_is_zero(page), MediaType.PDF)[1]


def test_code_whose_bytes_begin_with_their_lowest_bit_is_copied_too() -> None:
    page = tiff_page(tiff(1))
    code = t6(ink(page))
    # FillOrder is the only entry that says 266; 1 becomes 2, and the bits of each byte change places.
    turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in code)
    data = white_is_zero(page).replace(code, turned)
    data = data.replace(struct.pack("<HHLL", 266, 3, 1, 1), struct.pack("<HHLL", 266, 3, 1, 2))
    assert ImageChops.difference(tiff_page(data), page).getbbox() is None
    result = converted(data, MediaType.PDF)[1]
    assert code in result
    assert ImageChops.difference(pdf_page(result), page).getbbox() is None


@pytest.mark.parametrize("options", [0, 1])
def test_t4_code_becomes_t6_code_of_the_same_dots(options: int) -> None:
    page, output = tiff_page(tiff(1)).convert("1"), BytesIO()
    page.save(output, "TIFF", compression="group3", dpi=(204, 196), tiffinfo={292: options})
    shown = pdf_page(converted(output.getvalue(), MediaType.PDF)[1])
    assert ImageChops.difference(page.convert("L"), shown).getbbox() is None


def test_code_that_takes_black_for_zero_is_not_turned_into_a_negative() -> None:
    page = tiff_page(tiff(1)).convert("1")
    output = BytesIO()
    page.save(output, "TIFF", compression="group4", dpi=(204, 196), tiffinfo={278: page.height})
    shown = pdf_page(converted(output.getvalue(), MediaType.PDF)[1])
    assert ImageChops.difference(page.convert("L"), shown).getbbox() is None


def test_a_page_of_normal_resolution_keeps_its_size_on_paper() -> None:
    _, result = converted(tiff(1, size=NORMAL_PAGE), MediaType.PDF)
    assert pdf_page(result).size == (1728, 2156)


def test_colour_stays_colour() -> None:
    with Image.open(BytesIO(png((300, 200)))) as picture:
        output = BytesIO()
        picture.save(output, "TIFF", dpi=(100, 100))
    pages, result = converted(output.getvalue(), MediaType.PDF)
    assert pages == 1
    assert b"/DeviceRGB" in result
    assert b"/DCTDecode" in result
    assert pdf_page(result).size == (1728, 392)


def test_a_pdf_becomes_a_tiff_of_fax_pages() -> None:
    pages, result = converted(pdf(2, size=A4), MediaType.TIFF)
    assert pages == tiff_pages(result, 350) == 2
    assert inspect(result, "x").media_type == MediaType.TIFF
    page = tiff_page(result)
    assert page.size == (1728, 2292)
    assert page.getextrema() == (0, 255)


def test_a_fax_there_and_back_has_the_same_dots() -> None:
    original = white_is_zero(tiff_page(tiff(1)))
    there = converted(original, MediaType.PDF)[1]
    assert ImageChops.difference(tiff_page(original), tiff_page(converted(there, MediaType.TIFF)[1])).getbbox() is None


def test_a_small_page_is_not_enlarged() -> None:
    page = tiff_page(converted(pdf(1, size=(306, 396)), MediaType.TIFF)[1])
    assert page.size == (1728, 1078)
    box = ImageChops.invert(page).getbbox()
    assert box is not None
    assert box[2] - box[0] < 900


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", Kind.DOCUMENT_BROKEN),
        (b"hello", Kind.DOCUMENT_BROKEN),
        (broken_pdf(), Kind.DOCUMENT_BROKEN),
        (encrypted_pdf(), Kind.DOCUMENT_ENCRYPTED),
    ],
)
def test_what_cannot_be_opened_is_refused(data: bytes, kind: Kind) -> None:
    with pytest.raises(Refusal) as raised:
        converted(data, MediaType.TIFF)
    assert raised.value.reason.kind is kind


def test_an_inspection_tells_type_pages_and_size() -> None:
    assert inspect(pdf(3), "x") == inspect(pdf(3), "y")
    found = inspect(tiff(2), "x")
    assert (found.media_type, found.pages, found.size) == ("image/tiff", 2, len(tiff(2)))


def test_a_received_fax_may_be_longer_than_one_that_is_sent() -> None:
    assert inspect(pdf(400), "x").pages == 400


def test_a_pdf_behind_a_few_foreign_bytes_is_one() -> None:
    assert inspect(b"\r\n\r\n" + pdf(1), "x").media_type == MediaType.PDF
