"""Lines of text as dots: measured, cut to a width, and drawn."""

import unicodedata
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from gateway.documents.fonts import Face, runs

_ELLIPSIS = "…"
_FROM_RIGHT = {"R", "AL"}


def width_of(text: str, size: int, first: Face | None = None) -> float:
    """Return how many dots wide *text* is in letters of *size* dots, of the font *first* where it has them."""
    right = from_right(text)
    return sum(_length(face.font(size), piece, right=right) for face, piece in runs(text, first))


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


def write(page: Image.Image, place: tuple[float, float], text: str, size: int, first: Face | None = None) -> None:
    """Write *text* in black on the grey *page*, in *first* as ``width_of``; *place* is the left end of its base line.

    Each piece is set as its script asks, and the pieces in the direction of the text's first letter.
    """
    x, y = place
    pieces, right = runs(text, first), from_right(text)
    draw = ImageDraw.Draw(page)
    for face, piece in reversed(pieces) if right else pieces:
        font = face.font(size)
        draw.text((x, y), piece, fill=0, font=font, anchor="ls", **_manner(font, right=right))
        x += _length(font, piece, right=right)


def _length(font: ImageFont.FreeTypeFont, piece: str, *, right: bool) -> float:
    return font.getlength(piece, **_manner(font, right=right))


def _manner(font: ImageFont.FreeTypeFont, *, right: bool) -> dict[str, Any]:
    """Return the direction of the line for the engine that knows of such; without it letters stand side by side. No
    two letters share one form that they need not: in a column each has its own place."""
    if font.layout_engine is not ImageFont.Layout.RAQM:
        return {}
    return {"direction": "rtl" if right else "ltr", "features": ["-liga"]}


def from_right(text: str) -> bool:
    """Say whether the first letter with a direction is written from right to left (Unicode, UAX 9, P2 and P3)."""
    kinds = (unicodedata.bidirectional(char) for char in text)
    return next((kind in _FROM_RIGHT for kind in kinds if kind in _FROM_RIGHT or kind == "L"), False)
