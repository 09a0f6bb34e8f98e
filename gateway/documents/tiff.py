"""TIFF documents, read with Pillow: fax pages as they are, anything else brought into their shape."""

from io import BytesIO

from PIL import Image, TiffImagePlugin

from gateway.document import MediaType
from gateway.documents import ifd
from gateway.documents.dots import Dots
from gateway.documents.ink import ink
from gateway.documents.raster import DPI_X, WIDTH, Raster
from gateway.documents.refusal import refuse_document
from gateway.documents.sight import pictured
from gateway.errors import Kind, Refusal

#: The largest page that is opened: A3 at 600 dpi has 70 million dots.
MOST_DOTS = 120_000_000
Image.MAX_IMAGE_PIXELS = MOST_DOTS

#: Pages beyond any fax: a file with more is an attack on whoever walks through it.
MOST_DIRECTORIES = 5000

#: Of a page that says no resolution: lines from which a fax page must be a fine one.
_FINE_LINES = 1600

#: What Pillow raises for broken files, by experience with many of them.
_BROKEN = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, EOFError, OverflowError, ArithmeticError)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


class Tiff:
    """An open TIFF. ``pages`` is what Pillow counts."""

    media_type = MediaType.TIFF

    def __init__(self, data: bytes, label: str) -> None:
        """Open *data*; raises Refusal(DOCUMENT_BROKEN or DOCUMENT_TOO_LARGE) that names it by *label*."""
        self.label = label
        self._check_sizes(data)
        try:
            self._image = TiffImagePlugin.TiffImageFile(BytesIO(data))
            self.pages = self._image.n_frames
        except _BROKEN:
            raise self._broken() from None
        except _BOMB:
            raise self._too_large(1) from None

    def close(self) -> None:
        self._image.close()

    def grey(self, index: int, raster: Raster) -> Image.Image:
        """Return page *index* (from 0) as 8-bit grey, 1728 dots wide and centred.

        The dots of a page that was made for faxing stay as they are; between normal and fine only its lines are
        doubled or joined. Raises Refusal(DOCUMENT_BROKEN) when the page cannot be decoded.
        """
        page = self.picture(index)
        try:
            return _fax_lines(page, raster) or _fitted(page, raster)
        except _BROKEN:
            raise self._broken(index + 1) from None

    def page(self, index: int, raster: Raster) -> Dots:
        """Return page *index* (from 0) in black and white; raises as ``grey``."""
        grey = self.grey(index, raster)
        return ink(grey) if self._image.mode == "1" else pictured(grey, raster.dpi_y)

    def picture(self, index: int) -> Image.Image:
        """Return page *index* (from 0) decoded, upright, in its own size; raises as ``grey``. Valid until the next."""
        try:
            self._image.seek(index)
            self._image.load()
        except _BROKEN:
            raise self._broken(index + 1) from None
        except _BOMB:
            raise self._too_large(index + 1) from None
        return self._image

    def _check_sizes(self, data: bytes) -> None:
        """Look at every page's size before Pillow decodes any."""
        try:
            for number, page in enumerate(ifd.directories(data), start=1):
                if page.number(ifd.WIDTH) * page.number(ifd.LENGTH) > MOST_DOTS:
                    raise self._too_large(number)
                if number > MOST_DIRECTORIES:
                    raise self._broken()
        except ifd.Malformed:
            raise self._broken() from None

    def _broken(self, page: int = 0) -> Refusal:
        what = f"page {page} of {self.label}" if page else self.label
        return refuse_document(
            Kind.DOCUMENT_BROKEN,
            self.label,
            f"{what} cannot be read: it is damaged, or no common kind of TIFF; send it as a PDF",
        )

    def _too_large(self, page: int) -> Refusal:
        return refuse_document(
            Kind.DOCUMENT_TOO_LARGE,
            self.label,
            f"page {page} of {self.label} has too many dots to be faxed; scan it at 300 dpi",
        )


def resolution(page: Image.Image) -> tuple[float, float] | None:
    """Return dots per inch across and down; None when the file does not say, or nothing that makes sense."""
    across, down = (float(value) for value in page.info.get("dpi", (0, 0)))
    return (across, down) if ifd.sensible(across, down) else None


def fax_dpi(image: Image.Image) -> int:
    """Return the lines per inch, 98 or 196, of a page that was made for faxing; 0 when it was not.

    Machines write 204x98, 200x100, 80.3x38.5 dots per cm and their like.
    """
    if image.mode != "1" or image.width != WIDTH:
        return 0
    dpi = resolution(image)
    if dpi is None:
        return 196 if image.height > _FINE_LINES else 98
    if abs(dpi[0] - DPI_X) > 5:
        return 0
    return next((lines for lines in (98, 196) if abs(dpi[1] - lines) <= 5), 0)


def _fax_lines(image: Image.Image, raster: Raster) -> Image.Image | None:
    dpi = fax_dpi(image)
    lines = round(image.height * raster.dpi_y / dpi) if dpi else 0
    if not lines or lines > raster.most_lines:
        return None
    grey = image.convert("L")
    if lines == image.height:
        return grey
    return grey.resize((WIDTH, lines), Image.Resampling.NEAREST if lines > image.height else Image.Resampling.BOX)


def _fitted(image: Image.Image, raster: Raster) -> Image.Image:
    across, down = resolution(image) or (DPI_X, DPI_X)
    place = raster.place(image.width / across, image.height / down)
    grey = to_grey(image)
    if place.turned:
        grey = grey.transpose(Image.Transpose.ROTATE_270)
    grey = grey.resize((place.width, place.height), Image.Resampling.HAMMING)
    page = Image.new("L", (WIDTH, place.height), 255)
    page.paste(grey, ((WIDTH - place.width) // 2, 0))
    return page


def to_grey(image: Image.Image) -> Image.Image:
    """Return any of Pillow's modes as 8-bit grey on white paper."""
    if image.mode.startswith(("I", "F")):
        return _stretched(image)
    if image.mode == "LAB":
        return image.getchannel(0)
    return on_white(image).convert("L")


def _stretched(image: Image.Image) -> Image.Image:
    """Bring whole numbers or fractions of any range to 0..255; 16-bit grey keeps its own black and white."""
    values = image.convert("F")
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else values.getextrema()
    if not isinstance(low, float) or not isinstance(high, float) or not high > low:
        return Image.new("L", image.size, 255)
    scale = 255 / (high - low)
    return values.point(lambda value: value * scale + -low * scale).convert("L")


def on_white(image: Image.Image) -> Image.Image:
    """Return a picture whose transparent places show white paper."""
    if not image.has_transparency_data:
        return image
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image.convert("RGBA"))
