"""The T.6 code of one page (ITU-T T.6, "Group 4")."""

from PIL import Image

from gateway.documents.dots import Dots, t6_code


def t6(page: Dots | Image.Image) -> bytes:
    """Return the T.6 code of a page or of a 1-bit image in which 1 is black: one strip, highest bit first."""
    return t6_code(page if isinstance(page, Dots) else Dots.of(page))
