"""Pictures that people send as they are: photographs of paper, screenshots, scans. Each picture is a page."""

import importlib
from io import BytesIO

from PIL import GifImagePlugin, Image, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from gateway.document import SNIFFED_BYTES, MediaType, sniff
from gateway.documents.dots import Dots
from gateway.documents.picture import BOMB, BROKEN, MOST_DOTS, fitted, on_line, resolution
from gateway.documents.raster import Raster
from gateway.documents.refusal import refuse_document
from gateway.documents.sight import pictured
from gateway.errors import Kind, Refusal


def _heic() -> bool:
    """Let Pillow read HEIC; False where there is no wheel of what reads it."""
    try:
        pi_heif = importlib.import_module("pi_heif")
    except ImportError:
        return False
    pi_heif.register_heif_opener()
    pi_heif.options.DECODE_THREADS = 1  # a confined process starts none
    return True


#: Whether HEIC can be read.
heic = _heic()

#: Pillow's name of each type. Nothing else is tried on it.
_FORMATS = {
    MediaType.PNG: PngImagePlugin.PngImageFile.format,
    MediaType.JPEG: JpegImagePlugin.JpegImageFile.format,
    MediaType.GIF: GifImagePlugin.GifImageFile.format,
    MediaType.WEBP: WebPImagePlugin.WebPImageFile.format,
    MediaType.HEIC: "HEIF",
}
#: A picture fills the page's width, but is not enlarged beyond so few dots to the inch: it would be all steps.
_LEAST_DPI = 50.0
#: What reads WebP holds four pictures of it at once, of four bytes for each dot.
_MOST_WEBP_DOTS = 55_000_000
#: Dots across the screens that people send pictures of.
_LEAST_SCREEN = 600
#: Pictures beyond any fax, in a file that can have several.
_MOST_PICTURES = 500
_UPRIGHT, _TURNED, _ORIENTATION = 1, range(5, 9), 0x0112


def extent(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a picture in dots, without decoding it; None when it is none or broken."""
    kind = sniff(data[:SNIFFED_BYTES])
    if kind not in _FORMATS or (kind is MediaType.HEIC and not heic):
        return None
    try:
        with Image.open(BytesIO(data), formats=[str(_FORMATS[kind])]) as picture:
            return picture.size
    except (*BROKEN, *BOMB):
        return None


class ImageFile:
    """An open PNG, JPEG, GIF, WebP or HEIC. Of an animation the first picture is the page."""

    def __init__(self, data: bytes, label: str, media_type: MediaType) -> None:
        """Open *data*; raises Refusal(DOCUMENT_BROKEN or DOCUMENT_TOO_LARGE) that names it by *label*."""
        self.label = label
        self.media_type = media_type
        self.pages = 1
        if media_type is MediaType.HEIC and not heic:
            raise refuse_document(
                Kind.DOCUMENT_BROKEN, label, f"{label} is in a format that this gateway cannot read (HEIC); send a JPEG"
            )
        try:
            self._image = Image.open(BytesIO(data), formats=[str(_FORMATS[media_type])])
            if media_type is MediaType.HEIC:
                self.pages = min(int(getattr(self._image, "n_frames", 1)), _MOST_PICTURES)
        except BROKEN:
            raise self._broken() from None
        except BOMB:
            raise self._too_large() from None
        self._check_size()

    def close(self) -> None:
        self._image.close()

    def grey(self, index: int, raster: Raster) -> Image.Image:
        """Return picture *index* (from 0) as 8-bit grey on a page as wide as a scan line.

        Raises Refusal(DOCUMENT_BROKEN or DOCUMENT_TOO_LARGE) when it cannot be decoded.
        """
        return on_line(self._fitted(index, raster), raster.width, 255)

    def page(self, index: int, raster: Raster) -> Dots:
        """Return picture *index* (from 0) in black and white; raises as ``grey``."""
        picture = self._fitted(index, raster)
        return pictured(picture, raster, screen_shot=min(self._image.size) >= _LEAST_SCREEN)

    def _fitted(self, index: int, raster: Raster) -> Image.Image:
        """Return the picture without what is white beside it; raises as ``grey``."""
        try:
            if index:
                self._image.seek(index)
                self._check_size()
            return self._on_page(raster)
        except BROKEN:
            raise self._broken() from None
        except BOMB:
            raise self._too_large() from None

    def _on_page(self, raster: Raster) -> Image.Image:
        image = self._image
        if isinstance(image, JpegImagePlugin.JpegImageFile):  # decoded no larger than needed
            image.draft("L" if image.mode == "L" else "RGB", (2 * raster.width, 2 * raster.full_lines))
        across, down = resolution(self._image) or (1.0, 1.0)
        orientation = image.getexif().get(_ORIENTATION, _UPRIGHT)
        # A copy of a hundred million dots would be too much for a confined process.
        upright = image if orientation == _UPRIGHT else ImageOps.exif_transpose(image)
        if orientation in _TURNED:
            across, down = down, across
        # What counts of the resolution is only whether dots are square.
        place = raster.natural(upright.width / _LEAST_DPI, upright.height * across / down / _LEAST_DPI)
        return fitted(upright, place)

    def _check_size(self) -> None:
        most = _MOST_WEBP_DOTS if self.media_type is MediaType.WEBP else MOST_DOTS
        if self._image.width * self._image.height > most:
            raise self._too_large()

    def _broken(self) -> Refusal:
        return refuse_document(
            Kind.DOCUMENT_BROKEN, self.label, f"{self.label} is a damaged picture; save it again or send it as a PDF"
        )

    def _too_large(self) -> Refusal:
        return refuse_document(
            Kind.DOCUMENT_TOO_LARGE, self.label, f"{self.label} has too many dots to be faxed; make the picture smaller"
        )
