"""Documents to fax pages: a TIFF, a PDF of the very same code, and a preview."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from gateway.document import MAX_PAGES, Coding, MediaType, RenderedDocument
from gateway.documents.count import pdf_pages, tiff_pages
from gateway.documents.dots import Dots
from gateway.documents.encode import coded, t6
from gateway.documents.open import check_length, check_size, opened, pages_disagree, pages_to_fax
from gateway.documents.pdf_writer import PdfWriter, t6_picture
from gateway.documents.preview import write_preview
from gateway.documents.raster import Raster
from gateway.documents.tiff_writer import TiffWriter


@dataclass(frozen=True, slots=True)
class Step:
    """How far the work is, told before each page and at the end: pages done, pages in all as far as they are known, and
    what comes next: the page (from 1; 0 is the document's opening) of the document called *label*."""

    done: int
    total: int
    label: str
    page: int


Progress = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Input:
    """A document to fax, what to call it in sentences, and what it is said to be, if anybody said."""

    label: str
    data: bytes
    claim: MediaType | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """Empty files for the result; they can seek and be read back."""

    tiff: BinaryIO
    pdf: BinaryIO
    preview: BinaryIO


def render(
    inputs: Sequence[Input], raster: Raster, files: Files, progress: Progress, coding: Coding = Coding.T6
) -> RenderedDocument:
    """Render *inputs*, joined in their order, page by page. *coding* is that of the TIFF; the PDF has T.6 code.

    Raises Refusal naming the document that cannot be faxed; also PAGES_DISAGREE when what was written does not have
    exactly the pages that two readers found in the inputs. OSError comes from the files alone.
    """
    everything = inputs[0].label if len(inputs) == 1 else "the fax"
    check_size(sum(len(item.data) for item in inputs), everything)
    total = _count(inputs, raster, progress)
    check_length(total, everything)
    tiff, pdf = TiffWriter(files.tiff, total), PdfWriter(files.pdf)
    for number, page in enumerate(_pages(inputs, raster, total, progress)):
        code = t6(page)
        line = code if coding is Coding.T6 else coded(page, coding, raster.dpi[1])
        tiff.add(line, page.width, page.height, raster.dpi, coding)
        pdf.add(t6_picture(code, page.width, page.height, raster.dpi))
        if number == 0:
            write_preview(page, raster.dpi, files.preview)
    pdf.finish()
    result = _checked(files, total, everything)
    progress(Step(total, total, everything, 0))
    return result


def _count(inputs: Sequence[Input], raster: Raster, progress: Progress) -> int:
    total = 0
    for item in inputs:
        progress(Step(0, total, item.label, 0))  # so that a document that ends the process is known by name
        total += pages_to_fax(item.data, item.label, item.claim, raster.longest)
    return total


def _pages(inputs: Sequence[Input], raster: Raster, total: int, progress: Progress) -> Iterator[Dots]:
    """Yield every page in order."""
    done = 0
    for item in inputs:
        with opened(item.data, item.label, item.claim, raster.longest) as document:
            for index in range(document.pages):
                progress(Step(done, total, item.label, index + 1))
                page = document.page(index, raster)
                yield page.padded(raster.full_lines) if raster.pad else page
                done += 1


def _checked(files: Files, total: int, label: str) -> RenderedDocument:
    tiff, pdf = read_back(files.tiff), read_back(files.pdf)
    if tiff_pages(tiff, MAX_PAGES) != total or pdf_pages(pdf) != total:
        raise pages_disagree(label)
    files.preview.flush()
    return RenderedDocument(total, len(tiff), len(pdf), files.preview.seek(0, 2))


def read_back(file: BinaryIO) -> bytes:
    """Return everything that was written to *file*."""
    file.flush()
    file.seek(0)
    return file.read()
