"""Fax code of TIFFs that cannot be read: refused by page, but for what a reader makes sense of."""

import random
from io import BytesIO

import pytest

from gateway.document import Coding, MediaType
from gateway.documents import dots, ifd
from gateway.documents.convert import convert
from gateway.documents.damage import REVERSED, is_damaged
from gateway.documents.dots import Dots, t4_code, t6_code
from gateway.documents.open import opened
from gateway.documents.raster import Raster
from gateway.documents.tiff_writer import TiffWriter
from gateway.documents.walk import Form, Walk, walk, walk_by_bits
from gateway.errors import Kind, Refusal
from gateway.fax import Quality
from tests.samples import pdf

FINE = Raster.of(Quality.HIGH, "letter")
ROWS = 600
FORMS = {Coding.T6: Form.T6, Coding.T4: Form.T4, Coding.T4_2D: Form.T4_2D}


def page() -> Dots:
    """The part of a page that has text on it."""
    words = "(Please confirm the receipt of 1,5 mg)"
    lines = "".join(f"BT /F1 11 Tf 60 {760 - 14 * row} Td {words} Tj ET\n" for row in range(14))
    with opened(pdf(1, "", drawing=lines), "x") as document:
        made = document.page(0, FINE)
    return Dots(made.width, ROWS, made.rows[: made.width // 8 * ROWS])


PAGE = page()
CODES = {Coding.T6: t6_code(PAGE), Coding.T4: t4_code(PAGE, 0), Coding.T4_2D: t4_code(PAGE, 4)}


def tiff(*codes: bytes, coding: Coding = Coding.T6, rows: int = ROWS) -> bytes:
    file = BytesIO()
    writer = TiffWriter(file, len(codes))
    for code in codes:
        writer.add(code, PAGE.width, rows, FINE.dpi, coding)
    return file.getvalue()


def damaged(code: bytes, at: float, put: bytes) -> bytes:
    place = round(len(code) * at)
    return (code[:place] + put + code[place + len(put) :])[: len(code)]


def refused(data: bytes, index: int) -> str:
    with pytest.raises(Refusal) as raised, opened(data, '"x.tif"') as document:
        document.page(index, FINE)
    assert (raised.value.reason.kind, raised.value.reason.subject) == (Kind.DOCUMENT_BROKEN, "x.tif")
    return raised.value.reason.sentence


def shown(data: bytes) -> Dots:
    with opened(data, "x") as document:
        return document.page(0, FINE)


@pytest.mark.parametrize("at", [0.05, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("put", [bytes(200), b"\xff" * 200, random.Random(1).randbytes(64)], ids=["0", "1", "noise"])
def test_a_page_of_t6_that_was_damaged_is_refused_by_its_number(at: float, put: bytes) -> None:
    whole = CODES[Coding.T6]
    data = tiff(whole, damaged(whole, at, put))
    assert refused(data, 1).startswith('page 2 of "x.tif" cannot be read: it is damaged')
    with opened(data, "x") as document:
        assert document.page(0, FINE) == PAGE


@pytest.mark.parametrize("coding", list(Coding))
def test_a_page_that_was_cut_is_refused_and_a_whole_one_is_not(coding: Coding) -> None:
    code = CODES[coding]
    assert shown(tiff(code, coding=coding)) == PAGE
    assert "page 1" in refused(tiff(code[: len(code) // 2], coding=coding), 0)


@pytest.mark.parametrize("coding", [Coding.T4, Coding.T4_2D])
def test_some_bad_rows_of_a_received_page_do_no_harm(coding: Coding) -> None:
    code = bytearray(CODES[coding])
    for place in (0.2, 0.5, 0.8):
        code[round(len(code) * place)] ^= 0x5A
    assert shown(tiff(bytes(code), coding=coding)).height == ROWS


def test_many_bad_rows_do() -> None:
    code, draw = bytearray(CODES[Coding.T4]), random.Random(2)
    for _ in range(150):
        code[draw.randrange(len(code))] = draw.randrange(256)
    assert "page 1" in refused(tiff(bytes(code), coding=Coding.T4), 0)


def test_a_page_may_lack_its_end_or_few_rows_or_say_that_it_is_shorter() -> None:
    code = CODES[Coding.T6]
    assert shown(tiff(code[:-3])) == PAGE
    assert shown(tiff(code[:-3], rows=ROWS + 5)).height == ROWS + 5
    assert shown(tiff(code, rows=ROWS + 300)).height == ROWS + 300
    assert "page 1" in refused(tiff(code[:-3], rows=ROWS + 300), 0)


@pytest.mark.parametrize("end", [1, 2, 6])
def test_a_page_of_t4_may_end_with_any_number_of_ends_of_lines(end: int) -> None:
    bits = f"{int.from_bytes(CODES[Coding.T4]):0{8 * len(CODES[Coding.T4])}b}" + "000000000001" * end
    code = int(bits + "0" * (-len(bits) % 8), 2).to_bytes((len(bits) + 7) // 8)
    assert shown(tiff(code, coding=Coding.T4)) == PAGE


def test_code_with_the_last_bit_first_is_read() -> None:
    data = tiff(CODES[Coding.T6].translate(REVERSED))
    tags = next(ifd.directories(data)).tags
    assert not is_damaged(data, ifd.Directory({**tags, ifd.FILL_ORDER: (2,)}))
    assert is_damaged(data, ifd.Directory(tags))


def test_a_damaged_fax_that_came_in_is_passed_on() -> None:
    file = BytesIO()
    data = tiff(CODES[Coding.T6], damaged(CODES[Coding.T6], 0.5, bytes(300)))
    assert convert(data, "x", MediaType.PDF, file, lambda _: None) == 2


@pytest.mark.parametrize("coding", list(Coding))
def test_both_walks_find_the_same(coding: Coding) -> None:
    if dots.compiled is None:
        pytest.skip("there is no compiled half")
    code, form, draw = CODES[coding], FORMS[coding], random.Random(3)
    assert walk(code, form, PAGE.width, ROWS) == Walk(ROWS, 0, 0, ended=coding is Coding.T6, left=0)
    for number in range(12):
        place, put = draw.random(), draw.randbytes(draw.choice([1, 8, 60])) if number % 3 else bytes(60)
        bad = damaged(code, place, put)
        for kind in (form, Form.BYTES, Form.WORDS):
            assert walk(bad, kind, PAGE.width, ROWS) == walk_by_bits(bad, kind, PAGE.width, ROWS)


def test_rows_without_an_end_of_line_are_read() -> None:
    white = bytes([0b00110101, 0b00000000])  # no code of a whole row
    row = int("010011011" + "00110101", 2) << 7  # 1728 white dots: 64 * 27, and none
    code = row.to_bytes(3) * 4
    for walking in (walk, walk_by_bits):
        assert walking(code, Form.BYTES, 1728, 4).rows == 4
    assert walk(white, Form.BYTES, 1728, 1).rows == 0
