"""Text as pages: files of plain text, and HTML by what it says."""

import codecs
import re
from collections.abc import Iterator
from itertools import islice

from PIL import Image, ImageDraw

from gateway.alphabets import read_as
from gateway.document import MAX_PAGES, MediaType
from gateway.documents import fonts
from gateway.documents.dots import Dots
from gateway.documents.edges import even
from gateway.documents.html import html_blocks
from gateway.documents.ink import ink
from gateway.documents.layout import BELOW, DPI, MONO, SIDE, WIDTH, Block, pages
from gateway.documents.lettering import write
from gateway.documents.raster import Raster
from gateway.documents.refusal import refuse_document, refuse_empty
from gateway.errors import Kind, Refusal

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
#: Control characters that texts have.
_ALLOWED = set("\t\n\r\f\v\x1a\x1b\b")
_META = re.compile(rb"<meta\b[^>]{0,200}?\bcharset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_META_WITHIN = 4096
_SHOWN_MISSING = 5
_RULE = 4
#: A block has a line at least: so many fill more pages than a fax may have, of any paper.
_MOST_BLOCKS = (MAX_PAGES + 1) * 80


class TextFile:
    """A text on pages of *height* inches. ``pages`` is one more than a fax may have when there are more."""

    def __init__(self, data: bytes, label: str, media_type: MediaType, height: float) -> None:
        """Lay *data* out; raises Refusal(DOCUMENT_BROKEN) when it is no text, empty, or no font has its letters."""
        self.label = label
        self.media_type = media_type
        text = decoded(data, _declared(data) if media_type is MediaType.HTML else "")
        if text is None:
            raise self._refused("is not the text that it claims to be; send it as a PDF")
        told = html_blocks(text) if media_type is MediaType.HTML else text_blocks(text)
        blocks = list(islice(told, _MOST_BLOCKS))
        if not any(block.text.strip() for block in blocks):
            raise refuse_empty(label)
        missing = fonts.missing("".join(block.text for block in blocks))
        if missing:
            shown = " ".join(missing[:_SHOWN_MISSING])
            raise self._refused(f"has letters that no font of this gateway can show ({shown}); send it as a PDF")
        self._pages = pages(blocks, height, MAX_PAGES + 1)
        self.pages = len(self._pages)

    def close(self) -> None:
        self._pages = []

    def grey(self, index: int, raster: Raster) -> Image.Image:
        """Return page *index* (from 0) as 8-bit grey, as wide as a scan line; the last one ends with its text."""
        page = self._pages[index]
        last = index == len(self._pages) - 1
        inches = min(page.height / DPI + BELOW, raster.longest) if last else raster.longest
        image = Image.new("L", (WIDTH, round(inches * DPI)), 255)
        for line in page.lines:
            write(image, (line.x, line.y), line.text, line.size, fonts.mono() if line.mono else None)
        draw = ImageDraw.Draw(image)
        for y in page.rules:
            draw.line((SIDE * DPI, y, WIDTH - SIDE * DPI, y), fill=0, width=_RULE)
        return image.resize((raster.width, round(inches * raster.dpi[1])), Image.Resampling.BOX)

    def page(self, index: int, raster: Raster) -> Dots:
        """Return page *index* (from 0) in black and white."""
        grey = self.grey(index, raster)
        return even(ink(grey), grey, raster.dpi[1])

    def _refused(self, what: str) -> Refusal:
        return refuse_document(Kind.DOCUMENT_BROKEN, self.label, f"{self.label} {what}")


def decoded(data: bytes, declared: str = "") -> str | None:
    """Return the text that *data* is by its byte order mark, in UTF-8 or, failing that, in the charset *declared* or in
    Windows' Western alphabet; None when it is no text."""
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return _clean(data[len(mark) :].decode(encoding, "replace"))
    try:
        return _clean(data.decode("utf-8"))
    except UnicodeDecodeError:
        read = read_as(data, declared)
        return _clean(data.decode("cp1252", "replace") if read is None else read)


def _declared(html: bytes) -> str:
    """Return the charset that an HTML page says it is in, "" when it does not (HTML, 4.2.5.4: near its beginning)."""
    match = _META.search(html, 0, _META_WITHIN)
    return match[1].decode("ascii") if match else ""


def _clean(text: str) -> str | None:
    controls = {char for char in set(text) if ord(char) < 32 or 127 <= ord(char) < 160}
    if "\0" in controls or len(controls - _ALLOWED) > 1:
        return None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\v", "\n")
    return lines.translate({ord(char): None for char in controls - set("\t\n\r\f\v")})


def text_blocks(text: str) -> Iterator[Block]:
    """Return the lines of a plain text; a form feed begins a page."""
    for number, sheet in enumerate(text.split("\f")):
        for place, line in enumerate(sheet.strip("\n").split("\n") if number else sheet.rstrip("\n").split("\n")):
            yield Block(line, MONO, mono=True, fresh=number > 0 and place == 0)
