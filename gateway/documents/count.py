"""The second opinion on a document: how many pages it has, and whether they are all there is to it.

A renderer that loses a page does not say so.
"""

from dataclasses import dataclass
from io import BytesIO
from itertools import islice

import pikepdf

from gateway.documents import ifd


@dataclass(frozen=True, slots=True)
class PdfFacts:
    """What qpdf finds in a PDF: its pages. A *dynamic_form* (XFA) and a *portfolio* show a placeholder as a page."""

    pages: int
    dynamic_form: bool = False
    portfolio: bool = False


def pdf_facts(data: bytes) -> PdfFacts | None:
    """Return what qpdf finds in a PDF, None when it cannot read it."""
    try:
        with pikepdf.open(BytesIO(data)) as document:
            root = document.Root
            # ISO 32000-1, 7.7.2: NeedsRendering is set where an XFA form has no pages of its own.
            dynamic = root.get("/NeedsRendering", False) is True and "/XFA" in root.get("/AcroForm", {})
            return PdfFacts(len(document.pages), dynamic, "/Collection" in root)
    except (pikepdf.PdfError, pikepdf.PasswordError, ValueError, RuntimeError, TypeError):
        return None


def pdf_pages(data: bytes) -> int | None:
    """Return the pages that qpdf finds in a PDF, None when it cannot read it."""
    facts = pdf_facts(data)
    return facts.pages if facts else None


def tiff_pages(data: bytes, most: int) -> int | None:
    """Return the pages of a TIFF, counting no further than *most* + 1; None when the chain is broken."""
    try:
        return min(most + 1, len(ifd.pages(list(islice(ifd.directories(data), ifd.MOST_DIRECTORIES)))))
    except ifd.Malformed:
        return None
