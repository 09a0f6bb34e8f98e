"""Opening a document: what it is, how many pages it has, and whether it can be faxed."""

import contextlib
from collections.abc import Iterator
from typing import Protocol

from PIL import Image

from gateway.document import (
    FAXABLE_NAMES,
    MAX_BYTES,
    MAX_PAGES,
    OFFICE,
    SNIFFED_BYTES,
    TEXTS,
    Inspection,
    MediaType,
    recognised,
)
from gateway.documents.count import pdf_facts, tiff_pages
from gateway.documents.dots import Dots
from gateway.documents.image_file import ImageFile
from gateway.documents.pdf import Pdf
from gateway.documents.raster import PAPER_HEIGHT, Raster
from gateway.documents.refusal import needs_office, refuse_document, refuse_empty
from gateway.documents.text_file import TextFile
from gateway.documents.tiff import Tiff
from gateway.errors import Kind, Refusal


class Document(Protocol):
    """An open document. ``label`` names it in sentences."""

    label: str
    pages: int

    @property
    def media_type(self) -> MediaType:
        """What it is."""

    def grey(self, index: int, raster: Raster) -> Image.Image:
        """Return page *index* (from 0) as 8-bit grey, as wide as a scan line; raises Refusal naming the page."""

    def page(self, index: int, raster: Raster) -> Dots:
        """Return page *index* in black and white, as a fax shows it. Raises as ``grey``."""

    def close(self) -> None:
        """Give back its memory."""


@contextlib.contextmanager
def opened(
    data: bytes, label: str, claim: MediaType | None = None, height: float = PAPER_HEIGHT["letter"]
) -> Iterator[Document]:
    """Open *data*. Raises Refusal (DOCUMENT_BROKEN, DOCUMENT_ENCRYPTED, DOCUMENT_TOO_LARGE) naming *label*.

    *claim* is what the document is said to be, and counts where its bytes do not say: for text and HTML, which are laid
    out on pages of *height* inches.
    """
    with contextlib.closing(_open(data, label, claim, height)) as document:
        if not document.pages:
            raise refuse_document(Kind.DOCUMENT_BROKEN, label, f"{label} has no pages")
        yield document


def _open(data: bytes, label: str, claim: MediaType | None, height: float) -> Document:
    if not data:
        raise refuse_empty(label)
    kind = recognised(data[:SNIFFED_BYTES], claim)
    if kind is None:
        raise refuse_document(Kind.DOCUMENT_BROKEN, label, f"{label} cannot be faxed: it is no {FAXABLE_NAMES}")
    if kind is MediaType.PDF:
        return Pdf(data, label)
    if kind in OFFICE:
        raise needs_office(label)
    if kind in TEXTS:
        return TextFile(data, label, kind, height)
    return Tiff(data, label) if kind is MediaType.TIFF else ImageFile(data, label, kind)


def inspect(data: bytes, label: str, claim: MediaType | None = None) -> Inspection:
    """Say what *data* is. It is not judged: a fax that came in is passed on whatever its length."""
    with opened(data, label, claim) as document:
        return Inspection(document.media_type.value, document.pages, len(data))


def pages_to_fax(
    data: bytes, label: str, claim: MediaType | None = None, height: float = PAPER_HEIGHT["letter"]
) -> int:
    """Return the pages of a document that is to be faxed; *claim* and *height* as for ``opened``.

    Raises Refusal: as ``opened``, DOCUMENT_TOO_LARGE and TOO_MANY_PAGES beyond the carrier's limits, PAGES_DISAGREE
    when a second, independent reader finds another number of pages: then one of the two loses some. A PDF whose page
    only says that something else is to be opened is DOCUMENT_BROKEN: nobody wants that faxed.
    """
    check_size(len(data), label)
    with opened(data, label, claim, height) as document:
        check_length(document.pages, label)
        if _counted_again(document, data) != document.pages:
            raise pages_disagree(label)
        return document.pages


def pages_of_mail(data: bytes, label: str, claim: MediaType | None = None) -> int:
    """Return the pages of a document in a mail that is being taken in, while its sender waits.

    As ``pages_to_fax``, but a PDF is opened once only: its second count follows when its pages are made, and nothing
    is sent unless it agrees. One that may be a form or a portfolio in disguise is looked at twice at once.
    """
    check_size(len(data), label)
    with opened(data, label, claim) as document:
        check_length(document.pages, label)
        plain = isinstance(document, Pdf) and not document.holds_more
        if not plain and _counted_again(document, data) != document.pages:
            raise pages_disagree(label)
        return document.pages


def _counted_again(document: Document, data: bytes) -> int | None:
    """Return what a second reader counts; a picture is a page of itself, and a text has none before us."""
    if document.media_type is MediaType.PDF:
        return _pdf_pages(data, document.label)
    return tiff_pages(data, MAX_PAGES) if document.media_type is MediaType.TIFF else document.pages


def _pdf_pages(data: bytes, label: str) -> int | None:
    facts = pdf_facts(data)
    if facts and facts.dynamic_form:
        raise refuse_document(
            Kind.DOCUMENT_BROKEN,
            label,
            f"{label} is a form that only Adobe's reader can show (XFA); print it into a new PDF and send that",
        )
    if facts and facts.portfolio:
        raise refuse_document(
            Kind.DOCUMENT_BROKEN,
            label,
            f"{label} is a portfolio, a PDF that holds other files; send its files themselves",
        )
    return facts.pages if facts else None


def check_size(size: int, label: str) -> None:
    """Raise Refusal(DOCUMENT_TOO_LARGE) when *size* bytes are more than one fax may have."""
    if size > MAX_BYTES:
        may = MAX_BYTES // (1024 * 1024)
        has = max(round(size / (1024 * 1024)), may + 1)  # "has 50 MB, may have 50 MB" helps nobody
        raise refuse_document(Kind.DOCUMENT_TOO_LARGE, label, f"{label} has {has} MB; one fax may have {may} MB")


def check_length(pages: int, label: str) -> None:
    """Raise Refusal(TOO_MANY_PAGES) when *pages* are more than one fax may have."""
    if pages > MAX_PAGES:
        raise refuse_document(
            Kind.TOO_MANY_PAGES, label, f"{label} has {pages} pages; one fax may have {MAX_PAGES}, so send it in parts"
        )


def pages_disagree(label: str) -> Refusal:
    """Return the refusal of a document whose pages cannot be counted with certainty."""
    return refuse_document(
        Kind.PAGES_DISAGREE,
        label,
        f"the pages of {label} cannot be counted with certainty, so one could get lost; "
        "print it into a new PDF and send that",
    )
