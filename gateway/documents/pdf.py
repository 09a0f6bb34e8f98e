"""PDF documents, read with PDFium."""

import contextlib
import ctypes
from collections.abc import Iterator
from functools import cached_property
from io import BytesIO
from typing import Final

import pikepdf
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image

from gateway.document import MediaType
from gateway.documents.contents import Contents, Picture, box, can_be_shown, contents, jpeg, scan, snapped
from gateway.documents.dots import Dots
from gateway.documents.edges import even
from gateway.documents.gradients import gradients, may_have_gradients, white_shapes
from gateway.documents.greys import Grey, scaled
from gateway.documents.ink import ink
from gateway.documents.picture import on_line
from gateway.documents.raster import Placement, Raster
from gateway.documents.refusal import refuse_document
from gateway.documents.scan import paper_thresholds
from gateway.documents.sight import Box, drawn
from gateway.documents.skew import straightened
from gateway.errors import Kind, Refusal
from gateway.fax import Sight

_POINTS_PER_INCH = 72
_WHITE: Final = 255
#: Pictures of so few dots across or down may be missing: lines, and what counts readers of a page on the web.
_SMALL: Final = 24

#: Dots that a stroke is wide at least.
_THINNEST = 1.2

#: Where a page is drawn: left, top, width and height in dots, and quarters that it is turned.
_Area = tuple[int, int, int, int, int]

# As printed, with annotations. Without path smoothing hairlines stay: smoothed, a thin grey line falls below the
# threshold and vanishes.
_FLAGS = pdfium_c.FPDF_ANNOT | pdfium_c.FPDF_PRINTING | pdfium_c.FPDF_GRAYSCALE | pdfium_c.FPDF_RENDER_NO_SMOOTHPATH


class Pdf:
    """An open PDF. ``pages`` is what PDFium counts."""

    media_type = MediaType.PDF

    def __init__(self, data: bytes, label: str) -> None:
        """Open *data*; raises Refusal(DOCUMENT_ENCRYPTED or DOCUMENT_BROKEN) that names it by *label*."""
        self.label = label
        self._data = data
        try:
            self._document = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            raise _refusal(label, error.err_code, data) from None
        self.pages = len(self._document)
        self._forms_ready = False

    @cached_property
    def _may_have_gradients(self) -> bool:
        return may_have_gradients(self._data)

    @property
    def holds_more(self) -> bool:
        """True when it has an XFA form or attached files: then its pages may be a placeholder."""
        xfa = {pdfium_c.FORMTYPE_XFA_FULL, pdfium_c.FORMTYPE_XFA_FOREGROUND}
        return self._document.get_formtype() in xfa or pdfium_c.FPDFDoc_GetAttachmentCount(self._document) > 0

    def close(self) -> None:
        self._document.close()

    def grey(self, index: int, raster: Raster) -> Image.Image:
        """Render page *index* (from 0) to 8-bit grey, as wide as a scan line and centred.

        Raises Refusal(DOCUMENT_BROKEN) when the page cannot be read.
        """
        with self._page(index) as page:
            grey, _ = self._draw(page, raster)
        return grey.image()

    def page(self, index: int, raster: Raster) -> Dots:
        """Return page *index* (from 0) in black and white; raises as ``grey``."""
        with self._page(index) as page:
            if pdfium_c.FPDFPage_CountObjects(page) == 0 and self._is_lost(index):
                what = f"page {index + 1} of {self.label}"
                raise refuse_document(
                    Kind.DOCUMENT_BROKEN,
                    self.label,
                    f"{what} is damaged and cannot be shown; make the document again and send that",
                )
            found = contents(page, _THINNEST * page.get_height() / _place(page, raster).height)
            picture = scan(page, found) if raster.look.sight in {Sight.AUTO, Sight.SCAN} else None
            source = self._source(page, index, picture) if picture else None
            return (source and _scanned(page, source, raster)) or self._seen(page, index, found, raster)

    def _is_lost(self, index: int) -> bool:
        """Say whether what is drawn on a page cannot be unpacked; PDFium takes it for an empty page."""
        try:
            with pikepdf.open(BytesIO(self._data)) as document:
                drawn = document.pages[index].obj.get("/Contents")
                for stream in drawn if isinstance(drawn, pikepdf.Array) else (drawn,):
                    if isinstance(stream, pikepdf.Stream):
                        stream.read_bytes()
        except pikepdf.DataDecodingError:
            return True
        except (pikepdf.PdfError, IndexError, ValueError, RuntimeError, TypeError):
            return False
        return False

    def _source(self, page: pdfium.PdfPage, index: int, picture: Picture) -> Image.Image | None:
        try:
            with pikepdf.open(BytesIO(self._data)) as document:
                return jpeg(page, picture, document.pages[index])
        except (pikepdf.PdfError, IndexError, ValueError, RuntimeError, TypeError):
            return None

    def _seen(self, page: pdfium.PdfPage, index: int, found: Contents, raster: Raster) -> Dots:
        grey, area = self._draw(page, raster)
        for image in found.images:
            if _is_blank(grey, box(page, image, area, grey.size)) and not can_be_shown(image):
                what = f"a picture on page {index + 1} of {self.label}"
                raise refuse_document(
                    Kind.DOCUMENT_BROKEN,
                    self.label,
                    f"{what} is damaged and cannot be shown; make the document again and send that",
                )
        boxes = [box(page, picture, area, grey.size) for picture in found.pictures]
        boxes = [each for each in boxes if each[0] < each[2] and each[1] < each[3]]
        sheet = grey.image()
        if self._may_have_gradients:
            shapes = [box(page, shape, area, grey.size) for shape in white_shapes(page)]
            boxes = gradients(sheet, shapes, boxes) + boxes
        dots = drawn(grey, [snapped(sheet, each) for each in boxes], raster)
        return dots if found.dotted else even(dots, grey, raster.dpi[1])

    @contextlib.contextmanager
    def _page(self, index: int) -> Iterator[pdfium.PdfPage]:
        self._prepare_forms()
        try:
            page = self._loaded(index)
        except pdfium.PdfiumError:
            what = f"page {index + 1} of {self.label}"
            raise refuse_document(Kind.DOCUMENT_BROKEN, self.label, f"{what} is damaged and cannot be read") from None
        with contextlib.closing(page):
            yield page

    def _loaded(self, index: int) -> pdfium.PdfPage:
        page = self._document[index]
        if min(page.get_size()) > 0:
            return page
        # A crop that leaves nothing of its page is none, as in browsers. PDFium would draw the page upside down.
        page.set_cropbox(*page.get_mediabox())
        page.close()
        return self._document[index]

    def _draw(self, page: pdfium.PdfPage, raster: Raster) -> tuple[Grey, _Area]:
        place = _place(page, raster)
        sheet = Grey.sheet(raster.width, place.height, _WHITE)
        memory = (ctypes.c_ubyte * len(sheet.data)).from_buffer(sheet.data)
        bitmap = pdfium.PdfBitmap.new_native(*sheet.size, pdfium_c.FPDFBitmap_Gray, buffer=memory)
        area = (_left(place, raster), 0, place.width, place.height, int(place.turned))
        pdfium_c.FPDF_RenderPageBitmap(bitmap, page, *area, _FLAGS)
        if self._document.formenv:
            pdfium_c.FPDF_FFLDraw(self._document.formenv, bitmap, page, *area, _FLAGS)
        return sheet, area

    def _prepare_forms(self) -> None:
        """Fields that were filled in are drawn by PDFium's form module, which must exist before the first page."""
        if not self._forms_ready:
            self._forms_ready = True
            if self._document.get_formtype() != pdfium_c.FORMTYPE_NONE:
                with contextlib.suppress(pdfium.PdfiumError):
                    self._document.init_forms()


def _is_blank(grey: Grey, place: Box) -> bool:
    """Say whether a picture left nothing at this *place*; False for one that is as small as an ornament."""
    across, down = place[2] - place[0], place[3] - place[1]
    if min(across, down) < _SMALL:
        return False
    image = grey.image()
    sparse = image.resize((across // 8, down // 8), Image.Resampling.NEAREST, place)
    blank = (_WHITE, _WHITE)
    return sparse.getextrema() == blank and image.crop(place).getextrema() == blank


def _scanned(page: pdfium.PdfPage, source: Image.Image, raster: Raster) -> Dots | None:
    """Return the page that the JPEG *source* is; None where it cannot be decoded or is no paper."""
    place = _place(page, raster)
    if place.turned:
        return None
    source.draft("L", (place.width, place.height))
    try:
        plain = source if source.mode == "L" else source.convert("L")
        grey = scaled(plain, (place.width, place.height))
    except (OSError, ValueError, SyntaxError):
        return None
    thresholds = paper_thresholds(grey.image(), raster.dpi, raster.look)
    if thresholds is None:
        return None
    if raster.deskew and (level := straightened(grey.image(), thresholds.image(), ink(grey, thresholds), raster.dpi)):
        grey, thresholds = (Grey.of(image) for image in level)
    if place.width != raster.width:
        grey = Grey.of(on_line(grey.image(), raster.width, 255))
        thresholds = Grey.of(on_line(thresholds.image(), raster.width, 0))
    return even(ink(grey, thresholds), grey, raster.dpi[1])


def _place(page: pdfium.PdfPage, raster: Raster) -> Placement:
    width, height = page.get_size()
    return raster.place(width / _POINTS_PER_INCH, height / _POINTS_PER_INCH)


def _left(place: Placement, raster: Raster) -> int:
    return (raster.width - place.width) // 2


def _refusal(label: str, code: int | None, data: bytes) -> Refusal:
    # Of some damage PDFium says nothing, and the code is then the one of the document before.
    if code in {pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY} and b"/Encrypt" in data:
        return refuse_document(
            Kind.DOCUMENT_ENCRYPTED, label, f"{label} is protected with a password; send it without protection"
        )
    return refuse_document(
        Kind.DOCUMENT_BROKEN, label, f"{label} is damaged and cannot be opened as a PDF; make it again and send that"
    )
