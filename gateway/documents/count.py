"""The second opinion on how many pages a document has. A renderer that loses a page does not say so."""

from collections.abc import Iterable
from io import BytesIO
from itertools import islice

import pikepdf

from gateway.documents import ifd


def pdf_pages(data: bytes) -> int | None:
    """Return the pages that qpdf finds in a PDF, None when it cannot read it."""
    try:
        with pikepdf.open(BytesIO(data)) as document:
            return len(document.pages)
    except (pikepdf.PdfError, pikepdf.PasswordError, ValueError, RuntimeError):
        return None


def tiff_pages(data: bytes, most: int) -> int | None:
    """Return the directories of a TIFF, counting no further than *most* + 1; None when the chain is broken."""
    try:
        return _length(islice(ifd.directories(data), most + 1))
    except ifd.Malformed:
        return None


def _length(items: Iterable[object]) -> int:
    return sum(1 for _ in items)
