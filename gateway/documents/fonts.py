"""Fonts for what the gateway itself writes on a page, in any script that this machine has a font for.

Noto Sans comes with the package (Latin, Greek, Cyrillic, Devanagari), so that a page looks alike everywhere; for other
characters the machine's own fonts are looked through. A character that no font has becomes a question mark.
"""

import importlib.resources
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path

from PIL import ImageFont

from gateway.documents.glyphs import Glyphs, glyphs_of

#: Where the fonts of a machine lie (Filesystem Hierarchy Standard, fontconfig's default).
FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
_ENDINGS = {".ttf", ".otf", ".ttc", ".otc"}
_MOST_FONTS = 3000
#: Parts of file names that speak for or against a font, where several have a character.
_LIKED = ("sans", "regular", "cjk", "dejavu", "noto")
_DISLIKED = ("bold", "italic", "oblique", "mono", "condensed", "light", "black", "thin", "serif", "emoji")
#: Characters that follow the one before them into its font, whether or not that has them.
_CLINGING = {"Mn", "Me", "Cf"}
_CONTROLS = {"Cc", "Cs", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class Face:
    """A font file and its characters."""

    path: Path
    glyphs: Glyphs

    def font(self, size: int) -> ImageFont.FreeTypeFont:
        """Return the font in dots; the file is not held open."""
        return _sized(self.path, size)


@lru_cache(maxsize=16)
def _sized(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(BytesIO(_content(path)), size)


@lru_cache(maxsize=4)
def _content(path: Path) -> bytes:
    return path.read_bytes()


@cache
def own() -> Face:
    """Return the font that comes with the package."""
    return _packaged("fontpkg_noto_sans", "NotoSans[wdth,wght].ttf")


@cache
def mono() -> Face:
    """Return the font whose letters are all as wide as each other; it comes with the package as well."""
    return _packaged("fontpkg_ibm_plex_mono", "IBMPlexMono-Medium.ttf")


def _packaged(package: str, file: str) -> Face:
    path = Path(str(importlib.resources.files(package) / "files" / file))
    glyphs = glyphs_of(path)
    if glyphs is None:
        raise FileNotFoundError(f"{path} is no font: install the package {package.replace('_', '-')} again")
    return Face(path, glyphs)


@cache
def faces() -> tuple[Face, ...]:
    """Return our own font and those of the machine, the best first. They are looked for once in a process."""
    paths = sorted((path for folder in FOLDERS for path in _files(folder)), key=_rank)[:_MOST_FONTS]
    known = ((path, glyphs_of(path)) for path in paths)
    return own(), *(Face(path, glyphs) for path, glyphs in known if glyphs is not None)


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS]
    except OSError:
        return []


def _rank(path: Path) -> tuple[int, str]:
    name = path.name.lower()
    liked = sum(word in name for word in _LIKED) - 2 * sum(word in name for word in _DISLIKED)
    return -liked, str(path)


def face_of(char: str) -> Face | None:
    """Return the best font that has *char*, None when there is none."""
    return own() if char in own().glyphs else next((face for face in faces() if char in face.glyphs), None)


def missing(text: str) -> str:
    """Return the letters and digits in *text* that no font has, each once."""
    return "".join(char for char in sorted(set(text)) if char.isalnum() and face_of(char) is None)


def runs(text: str, first: Face | None = None) -> list[tuple[Face, str]]:
    """Cut *text* into pieces that one font can write each: letters in *first* (our own, if none is given) where it has
    them. What no font has becomes a question mark, and control characters spaces."""
    first = first or own()
    pieces: list[tuple[Face, str]] = []
    for char in text:
        face, shown = _choose(char, pieces[-1][0] if pieces else first, first)
        if pieces and pieces[-1][0] is face:
            pieces[-1] = (face, pieces[-1][1] + shown)
        else:
            pieces.append((face, shown))
    return pieces


def _choose(char: str, last: Face, first: Face) -> tuple[Face, str]:
    if unicodedata.category(char) in _CONTROLS:
        return last, " "
    if unicodedata.category(char) in _CLINGING or (char in last.glyphs and not char.isalpha()):
        return last, char
    for face in (first, last):
        if char in face.glyphs:
            return face, char
    found = face_of(char)
    return (own(), "?") if found is None else (found, char)
