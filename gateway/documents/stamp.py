"""The document of one attempt: the rendered pages with their header line, as a PDF.

The code of the pages is kept bit by bit; only the strip at the top is coded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from PIL import Image, ImageChops

from gateway.document import Header, StampedDocument
from gateway.documents import ifd
from gateway.documents.count import pdf_pages
from gateway.documents.dots import Dots
from gateway.documents.encode import t6
from gateway.documents.header import strip
from gateway.documents.open import pages_disagree
from gateway.documents.pdf_writer import PdfWriter, t6_picture
from gateway.documents.preview import write_preview
from gateway.documents.render import Progress, Step, read_back
from gateway.documents.t6_join import Rows, above
from gateway.documents.tiff_writer import TiffWriter

#: What it is called in sentences; its own name is not known any more.
_FAX = "the fax"


@dataclass(frozen=True, slots=True)
class _Page:
    code: bytes
    width: int
    height: int
    dpi: tuple[int, int]


def stamp(
    rendered: Sequence[bytes], header: Header | None, pdf: BinaryIO, preview: BinaryIO, progress: Progress
) -> StampedDocument:
    """Join *rendered* TIFFs (``render``'s own), put *header* on every page, and write a PDF and a preview of the first.

    Raises Refusal(PAGES_DISAGREE) when what was written has not exactly the pages of what was given, or when that is
    no file of ours.
    """
    try:
        pages = [page for data in rendered for page in _pages(data)]
    except (ifd.Malformed, ValueError):
        raise pages_disagree(_FAX) from None
    writer = PdfWriter(pdf)
    for number, page in enumerate(pages, start=1):
        progress(Step(number - 1, len(pages), _FAX, number))
        made = page if header is None else _headed(page, header, number, len(pages))
        writer.add(t6_picture(made.code, made.width, made.height, made.dpi))
        if number == 1:
            write_preview(_dots(made), made.dpi, preview)
    writer.finish()
    content = read_back(pdf)
    if not pages or pdf_pages(content) != len(pages):
        raise pages_disagree(_FAX)
    preview.flush()
    return StampedDocument(len(pages), len(content))


def _pages(data: bytes) -> Iterator[_Page]:
    for directory in ifd.directories(data):
        start, size = directory.number(ifd.STRIP_OFFSETS), directory.number(ifd.STRIP_BYTES)
        ours = directory.number(ifd.COMPRESSION) == 4 and len(directory.tags.get(ifd.STRIP_OFFSETS, ())) == 1
        if not ours or directory.resolution is None or not 0 < size <= len(data) - start:
            raise ValueError("no page of ours")
        across, down = directory.resolution
        code = data[start : start + size]
        yield _Page(code, directory.number(ifd.WIDTH), directory.number(ifd.LENGTH), (round(across), round(down)))


def _headed(page: _Page, header: Header, number: int, pages: int) -> _Page:
    line = strip(header, number, pages, page.width, page.dpi)
    head = Rows.of(t6(line), line.height)
    joined = above(head, Rows.of(page.code, page.height))
    return _Page(joined.code(), page.width, joined.rows, page.dpi)


def _dots(page: _Page) -> Dots:
    """Decode a page."""
    file = BytesIO()
    TiffWriter(file, 1).add(page.code, page.width, page.height, page.dpi)
    with Image.open(file) as image:
        return Dots.of(ImageChops.invert(image))
