"""A received fax from PDF to TIFF or from TIFF to PDF."""

from io import BytesIO
from typing import BinaryIO

from PIL import Image

from gateway.document import MediaType
from gateway.documents import ifd
from gateway.documents.count import pdf_pages, tiff_pages
from gateway.documents.damage import REVERSED
from gateway.documents.encode import t6
from gateway.documents.ink import ink
from gateway.documents.open import Document, opened, pages_disagree
from gateway.documents.pdf_writer import PdfWriter, Picture, jpeg_picture, t6_picture
from gateway.documents.picture import on_white, resolution, to_grey
from gateway.documents.raster import KEEPING
from gateway.documents.render import Progress, Step, read_back
from gateway.documents.tiff import Tiff
from gateway.documents.tiff_writer import TiffWriter

_JPEG_QUALITY = 85
#: A picture that does not say its resolution is shown as a fax page would be.
_DEFAULT_DPI = (204.0, 196.0)
_COLOURED = {"P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr"}


def convert(data: bytes, label: str, to: MediaType, output: BinaryIO, progress: Progress) -> int:
    """Write *data* to the empty file *output* as type *to* and return its pages.

    The same type is copied. A PDF, or a picture, becomes T.6 pages at 204x196. Of a TIFF the dots are kept, T.6 code
    in one strip is copied as it is, and pages in grey or colour become JPEG. Raises Refusal as ``open.opened``, and
    PAGES_DISAGREE when the result has not every page.
    """
    with opened(data, label) as document:
        if document.media_type is to:
            output.write(data)
        elif isinstance(document, Tiff) and to is MediaType.PDF:
            _to_pdf(data, document, output, progress)
        else:
            _to_pages(document, to, output, progress)
        written = read_back(output)
        counted = pdf_pages(written) if to is MediaType.PDF else tiff_pages(written, document.pages)
        if document.media_type is not to and counted != document.pages:
            raise pages_disagree(label)
        return document.pages


def _to_pages(document: Document, to: MediaType, output: BinaryIO, progress: Progress) -> None:
    tiff, pdf = (TiffWriter(output, document.pages), None) if to is MediaType.TIFF else (None, PdfWriter(output))
    for index in range(document.pages):
        progress(Step(index, document.pages, document.label, index + 1))
        page = document.page(index, KEEPING)
        code = t6(page)
        if tiff:
            tiff.add(code, page.width, page.height, KEEPING.dpi)
        if pdf:
            pdf.add(t6_picture(code, page.width, page.height, KEEPING.dpi))
    if pdf:
        pdf.finish()


def _to_pdf(data: bytes, document: Tiff, output: BinaryIO, progress: Progress) -> None:
    writer = PdfWriter(output)
    # Two readers may see chains of different length; the count of the result tells.
    chain = list(ifd.directories(data))
    for index, place in enumerate(ifd.pages(chain)):
        progress(Step(index, document.pages, document.label, index + 1))
        writer.add(_copied(data, chain[place]) or _coded(document.picture(index)))
    writer.finish()


def _copied(data: bytes, page: ifd.Directory) -> Picture | None:
    """Return the page's own code where it is upright T.6 in one strip, whichever bit of a byte comes first."""
    start, size = page.number(ifd.STRIP_OFFSETS), page.number(ifd.STRIP_BYTES)
    fits = (
        page.number(ifd.COMPRESSION) == 4
        and len(page.tags.get(ifd.STRIP_OFFSETS, ())) == 1
        and page.number(ifd.FILL_ORDER, 1) in {1, 2}
        and page.number(ifd.ORIENTATION, 1) == 1
        and page.number(ifd.BITS, 1) == page.number(ifd.SAMPLES, 1) == 1
        and page.number(ifd.T6_OPTIONS) == 0
        and page.number(ifd.PHOTOMETRIC, 2) in {0, 1}
        and 0 < size <= len(data) - start
    )
    if not fits:
        return None
    code = data[start : start + size]
    return t6_picture(
        code.translate(REVERSED) if page.number(ifd.FILL_ORDER, 1) == 2 else code,
        page.number(ifd.WIDTH),
        page.number(ifd.LENGTH),
        page.resolution or _DEFAULT_DPI,
        black_is_1=page.number(ifd.PHOTOMETRIC) == 1,
    )


def _coded(page: Image.Image) -> Picture:
    dpi = resolution(page) or _DEFAULT_DPI
    if page.mode == "1":
        black = ink(page.convert("L"))
        return t6_picture(t6(black), black.width, black.height, dpi)
    grey = page.mode not in _COLOURED
    shown = to_grey(page) if grey else on_white(page).convert("RGB")
    output = BytesIO()
    shown.save(output, "JPEG", quality=_JPEG_QUALITY)
    return jpeg_picture(output.getvalue(), shown.width, shown.height, dpi, grey=grey)
