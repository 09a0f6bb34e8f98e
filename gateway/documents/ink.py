"""From grey to black and white: every dot is compared with a threshold of its own.

What a part of the page is decides its thresholds: one number for text and drawings, a screen of dots for photographs,
what the paper is like around a dot for scans.
"""

from gateway.documents.dots import Dots, Greys, darker

#: Grey below this is black. Lower, hairlines in light grey vanish; higher, a scan's paper turns to dirt.
THRESHOLD = 192
#: The same in percent of white.
BLACK_BELOW = 75


def ink(page: Greys, thresholds: Greys | int | None = None) -> Dots:
    """Return the dots of the 8-bit grey *page* that are ink.

    *thresholds* are greys of the same size, or one grey: a dot is black where the page is darker. Without it,
    ``THRESHOLD`` holds everywhere.
    """
    return darker(page, THRESHOLD if thresholds is None else thresholds)
