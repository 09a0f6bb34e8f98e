"""Lines of text as dots: measured, cut to a width, and drawn."""

import unicodedata

from PIL import Image, ImageDraw, ImageFont

from gateway.documents.fonts import runs

_ELLIPSIS = "…"
_FROM_RIGHT = {"R", "AL"}


def width_of(text: str, size: int) -> float:
    """Return how many dots wide *text* is in letters of *size* dots."""
    right = _from_right(text)
    return sum(_length(face.font(size), piece, right=right) for face, piece in runs(text))


def fitted(text: str, size: int, most: float) -> str:
    """Return *text*, or as much of its beginning as fits into *most* dots, with an ellipsis."""
    if width_of(text, size) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(text[:middle].rstrip() + _ELLIPSIS, size) <= most:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + _ELLIPSIS if low else ""


def write(page: Image.Image, place: tuple[float, float], text: str, size: int) -> None:
    """Write *text* in black on the grey *page*; *place* is the left end of its base line.

    Each piece is set as its script asks, and the pieces in the direction of the text's first letter.
    """
    x, y = place
    pieces, right = runs(text), _from_right(text)
    draw = ImageDraw.Draw(page)
    for face, piece in reversed(pieces) if right else pieces:
        font = face.font(size)
        draw.text((x, y), piece, fill=0, font=font, anchor="ls", direction=_direction(font, right=right))
        x += _length(font, piece, right=right)


def _length(font: ImageFont.FreeTypeFont, piece: str, *, right: bool) -> float:
    return font.getlength(piece, direction=_direction(font, right=right))


def _direction(font: ImageFont.FreeTypeFont, *, right: bool) -> str | None:
    """Return the direction of the line for the engine that knows of such; without it letters stand side by side."""
    if font.layout_engine is not ImageFont.Layout.RAQM:
        return None
    return "rtl" if right else "ltr"


def _from_right(text: str) -> bool:
    """Say whether the first letter with a direction is written from right to left (Unicode, UAX 9, P2 and P3)."""
    kinds = (unicodedata.bidirectional(char) for char in text)
    return next((kind in _FROM_RIGHT for kind in kinds if kind in _FROM_RIGHT or kind == "L"), False)
