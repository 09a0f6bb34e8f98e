"""Pictures brought into the shape of a fax page, whatever file they come from."""

from PIL import Image, ImageChops, TiffImagePlugin

from gateway.documents import ifd
from gateway.documents.raster import Grid, Placement, Raster

#: The largest page that is opened: A3 at 600 dpi has 70 million dots.
MOST_DOTS = 120_000_000
Image.MAX_IMAGE_PIXELS = MOST_DOTS

#: What is called 16-bit grey may be the 12 bits or fewer of a scanner or a camera.
_LEAST_WHITE = 1 << 14

#: Modes with a channel that says how much of the paper is seen.
_TRANSPARENT = frozenset({"LA", "RGBA"})

#: What Pillow raises for broken files, by experience with many of them.
BROKEN = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, EOFError, OverflowError, ArithmeticError)
BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def resolution(page: Image.Image) -> tuple[float, float] | None:
    """Return dots per inch across and down; None when the file does not say, or nothing that makes sense."""
    try:
        across, down = (float(value) for value in page.info.get("dpi", (0, 0)))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if ifd.sensible(across, down) else None


def fitted(image: Image.Image, place: Placement) -> Image.Image:
    """Return *image* as 8-bit grey in the dots of its *place*."""
    grey = to_grey(image)
    if place.turned:
        grey = grey.transpose(Image.Transpose.ROTATE_270)
    return grey.resize((place.width, place.height), Image.Resampling.HAMMING)


def on_line(image: Image.Image, width: int, beside: int) -> Image.Image:
    """Return *image* in the middle of a scan line of *width* dots, with *beside* to its left and right."""
    if image.width == width:
        return image
    whole = Image.new("L", (width, image.height), beside)
    whole.paste(image, ((width - image.width) // 2, 0))
    return whole


def regridded(image: Image.Image, grid: Grid, raster: Raster) -> Image.Image | None:
    """Return a 1-bit fax page on *grid* as 8-bit grey on that of *raster*; None where it is too long for it.

    Dots stay, are doubled or joined: none is lost.
    """
    lines = round(image.height * raster.dpi[1] / grid.dpi[1])
    if not 0 < lines <= raster.most_lines:
        return None
    grey = image.convert("L")
    for size in ((raster.width, grey.height), (raster.width, lines)):
        if size != grey.size:
            grows = size > grey.size
            grey = grey.resize(size, Image.Resampling.NEAREST if grows else Image.Resampling.BOX)
            grey = grey if grows else grey.point([0] * 255 + [255])
    return grey


def to_grey(image: Image.Image) -> Image.Image:
    """Return any of Pillow's modes as 8-bit grey on white paper."""
    if image.mode.startswith(("I", "F")):
        return _stretched(image)
    if image.mode == "LAB":
        return image.getchannel(0)
    if image.has_transparency_data:
        # By its grey: the colours of all on white would take four times the memory.
        seen = image if image.mode in _TRANSPARENT else image.convert("RGBA")
        grey = seen.convert("L")
        grey.paste(255, mask=ImageChops.invert(seen.getchannel("A")))
        return grey
    return image.convert("L")


def _stretched(image: Image.Image) -> Image.Image:
    """Bring whole numbers or fractions of any range to 0..255.

    16-bit grey keeps its own black and white; where it has no light tone at all, its 16 bits hold fewer.
    """
    values = image.convert("F")
    low, high = values.getextrema()
    if image.mode.startswith("I;16") and isinstance(high, float) and high >= _LEAST_WHITE:
        low, high = 0.0, 65535.0
    if not isinstance(low, float) or not isinstance(high, float) or not high > low:
        return Image.new("L", image.size, 255)
    scale = 255 / (high - low)
    grey = values.point(lambda value: value * scale + -low * scale).convert("L")
    return ImageChops.invert(grey) if _is_negative(image) else grey


def _is_negative(image: Image.Image) -> bool:
    """Say whether 0 is white; Pillow sees to that itself where a dot has no more than 8 bits."""
    return isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(ifd.PHOTOMETRIC) == 0


def on_white(image: Image.Image) -> Image.Image:
    """Return a picture whose transparent places show white paper."""
    if not image.has_transparency_data:
        return image
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image.convert("RGBA"))
