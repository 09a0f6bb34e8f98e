"""What PDFium says is on a page: its pictures, and whether it is one scan and nothing else."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from math import sqrt
from typing import Any, cast

import pikepdf
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image

from gateway.documents.sight import Box

#: Forms within forms are looked into this deep, and no more objects of a page than this.
_DEEPEST, _MOST_OBJECTS = 4, 50_000
#: A scan fills its page but for this share at each edge.
_MARGIN = 0.01
_PLAIN_COLOURS = {
    pdfium_c.FPDF_COLORSPACE_DEVICEGRAY,
    pdfium_c.FPDF_COLORSPACE_DEVICERGB,
    pdfium_c.FPDF_COLORSPACE_CALGRAY,
    pdfium_c.FPDF_COLORSPACE_CALRGB,
    pdfium_c.FPDF_COLORSPACE_ICCBASED,
}
#: What the dictionary of a picture may say without changing how its JPEG looks.
_PLAIN_ENTRIES = {
    *("/Type", "/Subtype", "/Width", "/Height", "/ColorSpace", "/BitsPerComponent", "/Filter", "/Length", "/Name"),
    *("/Interpolate", "/Metadata"),
}
_MOST_DOTS = 120_000_000
_WHITE = 255
#: What has fewer dots across or down is a line or a speck, and its edges are all of it.
_EDGED = 4
#: Which way the left, top, right and bottom edge of a box move when it shrinks.
_INWARDS = (1, 1, -1, -1)

#: a, b, c, d, e, f of ISO 32000-1, 8.3.3.
Matrix = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture or a shading, with the unit square's (or its own) corners in the page's space."""

    corners: tuple[tuple[float, float], ...]
    handle: Any  # FPDF_PAGEOBJECT, valid as long as the page
    upright: bool
    image: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """The pictures of a page in grey or colour. ``alone`` says that nothing else can be seen on it; ``images`` are all
    that have pixels, and ``dotted`` says that one of them is in black and white already."""

    pictures: tuple[Picture, ...]
    alone: bool
    dotted: bool
    images: tuple[Picture, ...] = ()


def contents(page: pdfium.PdfPage, thinnest: float) -> Contents:
    """Look through the objects of *page*, and make strokes that are thinner than *thinnest* points so thick.

    PDFium draws no dot of a stroke that falls between the centres of two.
    """
    pictures: list[Picture] = []
    images: list[Picture] = []
    others = dotted = False
    for handle, matrix in objects(page):
        kind = pdfium_c.FPDFPageObj_GetType(handle)
        if kind == pdfium_c.FPDF_PAGEOBJ_IMAGE:
            images.append(_image(handle, matrix))
        if kind == pdfium_c.FPDF_PAGEOBJ_IMAGE and _bits(page, handle) > 1:
            pictures.append(images[-1])
        elif kind == pdfium_c.FPDF_PAGEOBJ_SHADING:
            pictures.append(bounded(handle, matrix))
        elif kind != pdfium_c.FPDF_PAGEOBJ_TEXT or not _invisible(handle):
            others = True
            dotted = dotted or kind == pdfium_c.FPDF_PAGEOBJ_IMAGE
            if kind == pdfium_c.FPDF_PAGEOBJ_PATH:
                _thicken(handle, matrix, thinnest)
    others = others or pdfium_c.FPDFPage_GetAnnotCount(page) > 0
    alone = len(pictures) == 1 and pictures[0].image and not others
    return Contents(tuple(pictures), alone, dotted, tuple(images))


def can_be_shown(image: Picture) -> bool:
    """Decode *image* and say whether that is possible: PDFium leaves out what it cannot decode, without a word."""
    bitmap = pdfium_c.FPDFImageObj_GetBitmap(image.handle)
    if not bitmap:
        return False
    pdfium_c.FPDFBitmap_Destroy(bitmap)
    return True


def scan(page: pdfium.PdfPage, found: Contents) -> Picture | None:
    """Return the picture that the page is, upright and filling it; None when the page is anything else."""
    if not found.alone or not found.pictures[0].upright or page.get_rotation():
        return None
    left, bottom, right, top = page.get_bbox()
    (x0, y0), _, (x1, y1), _ = found.pictures[0].corners
    across, up = (right - left) * _MARGIN, (top - bottom) * _MARGIN
    inside = x0 > left - across and y0 > bottom - up and x1 < right + across and y1 < top + up
    fills = x0 < left + across and y0 < bottom + up and x1 > right - across and y1 > top - up
    return found.pictures[0] if inside and fills else None


def jpeg(page: pdfium.PdfPage, picture: Picture, dictionary: pikepdf.Page) -> Image.Image | None:
    """Return the JPEG of *picture*, not yet decoded; None where its data are not the whole truth.

    *dictionary* is the page as qpdf sees it: PDFium does not tell of everything that changes a picture.
    """
    details = _details(page, picture.handle)
    plain = details.colorspace in _PLAIN_COLOURS and details.bits_per_pixel in {8, 24}
    if not plain or _is_changed(picture.handle) or not _is_plain(dictionary, details.width, details.height):
        return None
    size = pdfium_c.FPDFImageObj_GetImageDataRaw(picture.handle, None, 0)
    data = ctypes.create_string_buffer(size)
    pdfium_c.FPDFImageObj_GetImageDataRaw(picture.handle, data, size)
    try:
        image = Image.open(BytesIO(data.raw), formats=["JPEG"])
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    fits = image.mode in {"L", "RGB"} and image.size == (details.width, details.height)
    return image if fits and image.width * image.height <= _MOST_DOTS else None


def _is_changed(handle: Any) -> bool:
    """Say whether the page clips the picture, lets something shine through or has it in a layer, which may be off."""
    clip = pdfium_c.FPDFPageObj_GetClipPath(handle)
    clipped = bool(clip) and pdfium_c.FPDFClipPath_CountPaths(clip) > 0
    see_through = pdfium_c.FPDFPageObj_HasTransparency(handle)
    return bool(clipped or see_through or _in_layer(handle) or _filters(handle) != [b"DCTDecode"])


def _is_plain(page: pikepdf.Page, width: int, height: int) -> bool:
    """Say whether the page has one picture of this size, and nothing there masks it or changes its tones."""
    try:
        (one,) = page.resources["/XObject"].values()
        if any(_has_transfer(state) for state in page.resources.get("/ExtGState", {}).values()):
            return False
        return set(one.keys()) <= _PLAIN_ENTRIES and (int(one.Width), int(one.Height)) == (width, height)
    except (pikepdf.PdfError, ValueError, TypeError, AttributeError, KeyError):
        return False


def _has_transfer(state: pikepdf.Object) -> bool:
    """Say whether a graphics state has a transfer function (ISO 32000-1, 10.5); a name means that there is none."""
    return any(not isinstance(state.get(key, pikepdf.Name.Default), pikepdf.Name) for key in ("/TR", "/TR2"))


def objects(page: pdfium.PdfPage) -> Iterator[tuple[Any, Matrix]]:
    """Yield the objects of the page and of the forms in it, with what turns their space into the page's."""
    left = _MOST_OBJECTS
    levels: list[tuple[Iterator[Any], Matrix]] = [(_of_page(page), (1, 0, 0, 1, 0, 0))]
    while levels and left:
        handles, matrix = levels[-1]
        handle = next(handles, None)
        left -= 1
        if handle is None:
            levels.pop()
        elif pdfium_c.FPDFPageObj_GetType(handle) == pdfium_c.FPDF_PAGEOBJ_FORM and len(levels) < _DEEPEST:
            levels.append((_of_form(handle), _times(_matrix(handle), matrix)))
        else:
            yield handle, matrix


def _of_page(page: pdfium.PdfPage) -> Iterator[Any]:
    for index in range(pdfium_c.FPDFPage_CountObjects(page)):
        yield pdfium_c.FPDFPage_GetObject(page, index)


def _of_form(form: Any) -> Iterator[Any]:
    for index in range(pdfium_c.FPDFFormObj_CountObjects(form)):
        yield pdfium_c.FPDFFormObj_GetObject(form, index)


def _thicken(path: Any, outer: Matrix, thinnest: float) -> None:
    width = ctypes.c_float()
    if pdfium_c.FPDFPageObj_GetStrokeWidth(path, width) and width.value < thinnest:
        a, b, c, d, _, _ = _times(_matrix(path), outer)
        scale = sqrt(abs(a * d - b * c))
        if scale > 0 and width.value * scale < thinnest:
            pdfium_c.FPDFPageObj_SetStrokeWidth(path, thinnest / scale)


def _image(handle: Any, outer: Matrix) -> Picture:
    a, b, c, d, e, f = matrix = _times(_matrix(handle), outer)
    corners = ((e, f), (a + e, b + f), (a + c + e, b + d + f), (c + e, d + f))
    upright = a > 0 and d > 0 and abs(b) + abs(c) < 1e-3 * (a + d)
    return Picture(corners, handle, upright and matrix[3] > 0, image=True)


def bounded(handle: Any, outer: Matrix) -> Picture:
    """Return an object that is no picture as one: its bounds, with what turns their space into the page's."""
    edges = [ctypes.c_float() for _ in range(4)]
    pdfium_c.FPDFPageObj_GetBounds(handle, *edges)
    left, bottom, right, top = (edge.value for edge in edges)
    corners = ((left, bottom), (right, bottom), (right, top), (left, top))
    return Picture(tuple(_apply(outer, *corner) for corner in corners), handle, upright=False, image=False)


def box(page: pdfium.PdfPage, picture: Picture, area: tuple[int, int, int, int, int], size: tuple[int, int]) -> Box:
    """Return the dots that *picture* covers when *page* is drawn into *area* of a bitmap of *size*; may be empty."""
    x, y = ctypes.c_int(), ctypes.c_int()
    across, down = [], []
    for corner in picture.corners:
        pdfium_c.FPDF_PageToDevice(page, *area, *corner, x, y)
        across.append(min(max(x.value, 0), size[0]))
        down.append(min(max(y.value, 0), size[1]))
    return min(across), min(down), min(max(across) + 1, size[0]), min(max(down) + 1, size[1])


def snapped(drawn: Image.Image, place: Box) -> Box:
    """Return *place* with the edges that PDFium has *drawn*, which may lie a dot further in or out: a white line at the
    edge of a picture would be its paper, and one of its own beside it a black line."""
    if min(place[2] - place[0], place[3] - place[1]) < _EDGED:
        return place
    edges = list(place)
    for side, inwards in enumerate(_INWARDS):
        if _extrema(drawn, edges, side)[0] == _WHITE:
            edges[side] += inwards
    for side, inwards in enumerate(_INWARDS):
        wider = [edge - inwards if at == side else edge for at, edge in enumerate(edges)]
        if 0 <= wider[side] <= drawn.size[side % 2] and _extrema(drawn, wider, side)[1] < _WHITE:
            edges = wider
    return edges[0], edges[1], edges[2], edges[3]


def _extrema(drawn: Image.Image, edges: list[int], side: int) -> tuple[int, int]:
    """Return the darkest and the lightest dot of the outermost line at a side."""
    line = list(edges)
    opposite = (side + 2) % 4
    line[opposite] = edges[side] + _INWARDS[side]
    darkest, lightest = drawn.crop((line[0], line[1], line[2], line[3])).getextrema()
    return int(cast(float, darkest)), int(cast(float, lightest))


def _matrix(handle: Any) -> Matrix:
    found = pdfium_c.FS_MATRIX()
    pdfium_c.FPDFPageObj_GetMatrix(handle, found)
    return found.a, found.b, found.c, found.d, found.e, found.f


def _times(inner: Matrix, outer: Matrix) -> Matrix:
    a, b, c, d, e, f = inner
    return (
        *(a * outer[0] + b * outer[2], a * outer[1] + b * outer[3]),
        *(c * outer[0] + d * outer[2], c * outer[1] + d * outer[3]),
        *_apply(outer, e, f),
    )


def _apply(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _details(page: pdfium.PdfPage, handle: Any) -> Any:
    details = pdfium_c.FPDF_IMAGEOBJ_METADATA()
    pdfium_c.FPDFImageObj_GetImageMetadata(handle, page, details)
    return details


def _bits(page: pdfium.PdfPage, handle: Any) -> int:
    return int(_details(page, handle).bits_per_pixel)


def _filters(handle: Any) -> list[bytes]:
    names = []
    for index in range(pdfium_c.FPDFImageObj_GetImageFilterCount(handle)):
        name = ctypes.create_string_buffer(32)
        pdfium_c.FPDFImageObj_GetImageFilter(handle, index, name, len(name))
        names.append(name.value)
    return names


def _in_layer(handle: Any) -> bool:
    """Say whether an object is in optional content (ISO 32000-1, 8.11.3.2): marked content called OC."""
    name, length = (ctypes.c_ushort * 3)(), ctypes.c_ulong()
    for index in range(pdfium_c.FPDFPageObj_CountMarks(handle)):
        mark = pdfium_c.FPDFPageObj_GetMark(handle, index)
        pdfium_c.FPDFPageObjMark_GetName(mark, name, ctypes.sizeof(name), length)
        if bytes(name) == "OC\0".encode("utf-16-le"):
            return True
    return False


def _invisible(handle: Any) -> bool:
    """Say whether a text is there for searching only, as programs put it over scans that they have read."""
    return bool(pdfium_c.FPDFTextObj_GetTextRenderMode(handle) == pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE)
