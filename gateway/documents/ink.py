"""From grey to black and white: every dot is compared with a threshold of its own.

What a part of the page is decides its thresholds: one number for text and drawings, a screen of dots for photographs,
what the paper is like around a dot for scans.
"""

from PIL import Image, ImageChops

#: Grey below this is black. Lower, hairlines in light grey vanish; higher, a scan's paper turns to dirt.
THRESHOLD = 192

_BELOW = [255 if grey < THRESHOLD else 0 for grey in range(256)]
_ANY = [0] + [255] * 255


def ink(page: Image.Image, thresholds: Image.Image | None = None) -> Image.Image:
    """Return a 1-bit image of the 8-bit grey *page* in which 1 is black, as T.6 and TIFF-F code it.

    *thresholds* is an 8-bit image of the same size: a dot is black where the page is darker. Without it,
    ``THRESHOLD`` holds everywhere.
    """
    if thresholds is None:
        return page.point(_BELOW, "1")
    return ImageChops.subtract(thresholds, page).point(_ANY, "1")
