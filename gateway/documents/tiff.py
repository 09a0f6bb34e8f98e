"""TIFF documents, read with Pillow: fax pages as they are, anything else brought into their shape."""

from io import BytesIO

from PIL import Image, TiffImagePlugin

from gateway.document import MediaType
from gateway.documents import ifd
from gateway.documents.damage import is_damaged
from gateway.documents.dots import Dots
from gateway.documents.ink import ink
from gateway.documents.picture import BOMB, BROKEN, MOST_DOTS, fitted, on_line, regridded, resolution
from gateway.documents.raster import GRIDS, Grid, Raster
from gateway.documents.refusal import refuse_document
from gateway.documents.sight import pictured
from gateway.errors import Kind, Refusal
from gateway.fax import Quality

#: Of a page that says no resolution: lines from which a fax page must be a fine one.
_FINE_LINES = 1600
#: What a page that says no resolution is taken to have.
_NO_DPI = (204.0, 204.0)

_NORMAL, _HIGH = GRIDS[Quality.NORMAL], GRIDS[Quality.HIGH]


class Tiff:
    """An open TIFF. ``pages`` is what Pillow counts, but for small copies."""

    media_type = MediaType.TIFF

    def __init__(self, data: bytes, label: str) -> None:
        """Open *data*; raises Refusal(DOCUMENT_BROKEN or DOCUMENT_TOO_LARGE) that names it by *label*."""
        self.label = label
        self._data = data
        self._directories: list[ifd.Directory] = []
        self._check_sizes(data)
        try:
            self._image = TiffImagePlugin.TiffImageFile(BytesIO(data))
            frames = self._image.n_frames
        except BROKEN:
            raise self._broken() from None
        except BOMB:
            raise self._too_large(1) from None
        # Where the two do not see the same chain, the count of the pages tells.
        alike = frames == len(self._directories)
        self._frames = ifd.pages(self._directories) if alike else list(range(frames))
        self.pages = len(self._frames)

    def close(self) -> None:
        self._image.close()

    def grey(self, index: int, raster: Raster) -> Image.Image:
        """Return page *index* (from 0) as 8-bit grey, as wide as a scan line and centred.

        The dots of a page that was made for faxing stay as they are; on another grid they are
        doubled or joined. Raises Refusal(DOCUMENT_BROKEN) when the page cannot be decoded.
        """
        return on_line(self._fitted(index, raster), raster.width, 255)

    def page(self, index: int, raster: Raster) -> Dots:
        """Return page *index* (from 0) in black and white; raises as ``grey``.

        Fax code that cannot be read (``damage``) is refused, too: what libtiff makes of it is white or garbled. That is
        for what is sent; a fax that came in is passed on as it is.
        """
        frame = self._frames[index]
        if frame < len(self._directories) and is_damaged(self._data, self._directories[frame]):
            raise self._broken(index + 1)
        fitted = self._fitted(index, raster)
        return ink(on_line(fitted, raster.width, 255)) if self._image.mode == "1" else pictured(fitted, raster)

    def picture(self, index: int) -> Image.Image:
        """Return page *index* (from 0) decoded, upright, in its own size; raises as ``grey``. Valid until the next."""
        try:
            self._image.seek(self._frames[index])
            self._image.load()
        except BROKEN:
            raise self._broken(index + 1) from None
        except BOMB:
            raise self._too_large(index + 1) from None
        return self._image

    def _fitted(self, index: int, raster: Raster) -> Image.Image:
        """Return the page without what is white beside it; raises as ``grey``."""
        page = self.picture(index)
        try:
            return self._on_grid(page, raster)
        except BROKEN:
            raise self._broken(index + 1) from None

    def _on_grid(self, page: Image.Image, raster: Raster) -> Image.Image:
        grid = fax_grid(page)
        kept = regridded(page, grid, raster) if grid else None
        if kept:
            return kept
        across, down = resolution(page) or _NO_DPI
        return fitted(page, raster.place(page.width / across, page.height / down))

    def _check_sizes(self, data: bytes) -> None:
        """Look at every page's size before Pillow decodes any."""
        try:
            for number, page in enumerate(ifd.directories(data), start=1):
                if page.dots > MOST_DOTS:
                    raise self._too_large(number)
                if number > ifd.MOST_DIRECTORIES:
                    raise self._broken()
                self._directories.append(page)
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


def fax_grid(image: Image.Image) -> Grid | None:
    """Return the grid of a page that was made for faxing; None when it was not.

    Machines write 204x98, 200x100, 80.3x38.5 dots per cm and their like.
    """
    if image.mode != "1":
        return None
    dpi = resolution(image)
    if dpi is None:
        if image.width != _NORMAL.width:
            return None
        return _HIGH if image.height > _FINE_LINES else _NORMAL
    for grid in GRIDS.values():
        near = all(abs(said - meant) <= 5 * meant / 200 for said, meant in zip(dpi, grid.dpi, strict=True))
        if near and image.width == grid.width:
            return grid
    return None
