"""The demo's sample document."""

import hashlib
from io import BytesIO

import pikepdf
import pypdfium2

from gateway.demo.sample import RIGHT, sample_pdf


def test_the_sample_is_a_sound_pdf_of_two_pages_for_two_readers() -> None:
    with pikepdf.open(BytesIO(sample_pdf())) as document:
        assert len(document.pages) == 2
        assert document.check_pdf_syntax() == []
    rendered = pypdfium2.PdfDocument(sample_pdf())
    assert len(rendered) == 2
    rendered.close()


def test_the_sample_has_text_that_can_be_read_and_stays_on_the_page() -> None:
    document = pypdfium2.PdfDocument(sample_pdf())
    for number, title in enumerate(("this page has been a fax", "Test page")):
        page = document[number]
        text = page.get_textpage()
        assert title in text.get_text_bounded()
        boxes = [text.get_charbox(index) for index in range(text.count_chars())]
        assert max(right for _, _, right, _ in boxes) <= RIGHT + 1
        text.close()
        page.close()
    document.close()


def test_the_sample_is_the_same_every_time() -> None:
    assert hashlib.sha256(sample_pdf()).digest() == hashlib.sha256(sample_pdf()).digest()
    assert len(sample_pdf()) < 20_000
