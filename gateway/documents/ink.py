"""From grey to black and white."""

from PIL import Image

#: Grey below this is black. Lower, hairlines in light grey vanish; higher, a scan's paper turns to dirt.
THRESHOLD = 184

_TABLE = [255 if grey < THRESHOLD else 0 for grey in range(256)]


def ink(page: Image.Image) -> Image.Image:
    """Return a 1-bit image of the 8-bit grey *page* in which 1 is black, as T.6 and TIFF-F code it."""
    return page.point(_TABLE, "1")
