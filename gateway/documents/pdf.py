"""PDF documents, read with PDFium."""

import contextlib
from typing import Final

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image

from gateway.document import MediaType
from gateway.documents.raster import WIDTH, Raster
from gateway.documents.refusal import refuse_document
from gateway.errors import Kind, Refusal

_POINTS_PER_INCH = 72
_WHITE: Final = 0xFFFFFFFF

# As printed, with annotations. Without path smoothing hairlines stay: smoothed, a thin grey line falls below the
# threshold and vanishes.
_FLAGS = pdfium_c.FPDF_ANNOT | pdfium_c.FPDF_PRINTING | pdfium_c.FPDF_GRAYSCALE | pdfium_c.FPDF_RENDER_NO_SMOOTHPATH


class Pdf:
    """An open PDF. ``pages`` is what PDFium counts."""

    media_type = MediaType.PDF

    def __init__(self, data: bytes, label: str) -> None:
        """Open *data*; raises Refusal(DOCUMENT_ENCRYPTED or DOCUMENT_BROKEN) that names it by *label*."""
        self.label = label
        try:
            self._document = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            raise _refusal(label, error.err_code) from None
        self.pages = len(self._document)
        self._forms_ready = False

    def close(self) -> None:
        self._document.close()

    def grey(self, index: int, raster: Raster) -> Image.Image:
        """Render page *index* (from 0) to 8-bit grey, 1728 dots wide and centred.

        Raises Refusal(DOCUMENT_BROKEN) when the page cannot be read.
        """
        self._prepare_forms()
        try:
            page = self._document[index]
        except pdfium.PdfiumError:
            what = f"page {index + 1} of {self.label}"
            raise refuse_document(Kind.DOCUMENT_BROKEN, self.label, f"{what} is damaged and cannot be read") from None
        with contextlib.closing(page):
            return self._draw(page, raster)

    def _draw(self, page: pdfium.PdfPage, raster: Raster) -> Image.Image:
        width, height = page.get_size()
        place = raster.place(width / _POINTS_PER_INCH, height / _POINTS_PER_INCH)
        bitmap = pdfium.PdfBitmap.new_native(WIDTH, place.height, pdfium_c.FPDFBitmap_Gray)
        pdfium_c.FPDFBitmap_FillRect(bitmap, 0, 0, WIDTH, place.height, _WHITE)
        area = ((WIDTH - place.width) // 2, 0, place.width, place.height, int(place.turned))
        pdfium_c.FPDF_RenderPageBitmap(bitmap, page, *area, _FLAGS)
        if self._document.formenv:
            pdfium_c.FPDF_FFLDraw(self._document.formenv, bitmap, page, *area, _FLAGS)
        image: Image.Image = bitmap.to_pil()
        return image

    def _prepare_forms(self) -> None:
        """Fields that were filled in are drawn by PDFium's form module, which must exist before the first page."""
        if not self._forms_ready:
            self._forms_ready = True
            if self._document.get_formtype() != pdfium_c.FORMTYPE_NONE:
                with contextlib.suppress(pdfium.PdfiumError):
                    self._document.init_forms()


def _refusal(label: str, code: int | None) -> Refusal:
    if code in {pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY}:
        return refuse_document(
            Kind.DOCUMENT_ENCRYPTED, label, f"{label} is protected with a password; send it without protection"
        )
    return refuse_document(
        Kind.DOCUMENT_BROKEN, label, f"{label} is damaged and cannot be opened as a PDF; make it again and send that"
    )
