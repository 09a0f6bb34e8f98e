"""Shapes that are filled with a gradient (a shading pattern, ISO 32000-1, 8.7.4.5).

PDFium draws them, but says that their colour is white. So they are found by what it has drawn: where a white shape
should be, there is no white, and no tone that prevails either. They are seen as photographs are, but where light words
stand on them: on black those are easier to read than among dots.
"""

import ctypes
from collections.abc import Iterable, Iterator

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image, ImageFilter

from gateway.documents.contents import Picture, bounded, objects
from gateway.documents.greys import count_darker
from gateway.documents.shades import share
from gateway.documents.sight import Box

#: So many shapes of a page are looked at, and only those of so many dots across and down.
_MOST, _LEAST = 200, 24
#: Lighter than this is white; at least such a share of a gradient is darker, of which no tone has more than such a one.
_WHITE, _LEAST_TONES, _MOST_OF_ONE = 250, 0.3, 0.3
#: One dot is looked at of a square of so many, and the tone around it is that of so many squares to each side.
_SPARSE, _AROUND = 4, 6
#: Writing is darker or lighter than the tone around it by these factors.
_DARK, _LIGHT = 0.6, 1.5


def may_have_gradients(data: bytes) -> bool:
    """Say whether a PDF names a pattern; one whose dictionaries are packed does not tell."""
    return b"/PatternType" in data


def white_shapes(page: pdfium.PdfPage) -> Iterator[Picture]:
    """Yield the shapes of *page* that PDFium says are white."""
    left = _MOST
    for handle, matrix in objects(page):
        if left and pdfium_c.FPDFPageObj_GetType(handle) == pdfium_c.FPDF_PAGEOBJ_PATH and _is_white(handle):
            left -= 1
            yield bounded(handle, matrix)


def gradients(drawn: Image.Image, shapes: Iterable[Box], pictures: Iterable[Box]) -> list[Box]:
    """Return those of the white *shapes* that are gradients on the page as *drawn*; *pictures* lie on them."""
    art = None
    found = []
    for shape in shapes:
        if min(shape[2] - shape[0], shape[3] - shape[1]) >= _LEAST:
            art = art or _without(drawn, pictures)
            if _is_graded(art.crop(shape)):
                found.append(shape)
    return found


def _without(drawn: Image.Image, pictures: Iterable[Box]) -> Image.Image:
    art = drawn.copy()
    for place in pictures:
        art.paste(255, place)
    return art


def _is_graded(area: Image.Image) -> bool:
    sparse = area.resize((area.width // _SPARSE, area.height // _SPARSE), Image.Resampling.NEAREST)
    counts = sparse.histogram()[:_WHITE]
    darker = sum(counts)
    if darker < _LEAST_TONES * sparse.width * sparse.height or max(counts) > _MOST_OF_ONE * darker:
        return False
    around = sparse.filter(ImageFilter.BoxBlur(_AROUND))
    return count_darker(share(around, _LIGHT), sparse) <= count_darker(sparse, share(around, _DARK))


def _is_white(path: ctypes.c_void_p) -> bool:
    fill, stroked = ctypes.c_int(), ctypes.c_int()
    if not pdfium_c.FPDFPath_GetDrawMode(path, fill, stroked) or fill.value == pdfium_c.FPDF_FILLMODE_NONE:
        return False
    colour = [ctypes.c_uint() for _ in range(4)]
    return bool(pdfium_c.FPDFPageObj_GetFillColor(path, *colour)) and all(part.value == 255 for part in colour)
