"""The sample document of the demo: two pages that show what a fax does to text, tables, lines and shades.

It is written as PDF objects (ISO 32000-1) with the standard fonts, so that it needs no files and is the same every
time. Coordinates are points from the lower left corner of a letter page. Everything is black or white, as the fax is.
"""

from collections.abc import Sequence
from typing import Self

WIDTH, HEIGHT, MARGIN = 612, 792, 60
RIGHT = WIDTH - MARGIN

REGULAR, BOLD, MONO = "F1", "F2", "F3"
_FONTS = {REGULAR: "Helvetica", BOLD: "Helvetica-Bold", MONO: "Courier"}

#: Width of every character of Courier, in parts of the font size: what makes figures end in one column.
MONO_WIDTH = 0.6

Point = tuple[float, float]


class Page:
    """A page under construction. Text must be Latin-1."""

    def __init__(self) -> None:
        self._operators: list[str] = []

    def text(
        self, x: float, y: float, words: str, *, size: float = 11, font: str = REGULAR, white: bool = False
    ) -> Self:
        """Write *words* with their baseline at *y*."""
        escaped = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        return self._draw(f"{white:d} g BT /{font} {size:g} Tf {x:g} {y:g} Td ({escaped}) Tj ET")

    def lines(self, y: float, lines: Sequence[str], *, x: float = MARGIN, size: float = 11) -> Self:
        """Write *lines* one below the other, the first at *y*."""
        for number, line in enumerate(lines):
            self.text(x, y - number * size * 1.45, line, size=size)
        return self

    def figures(self, right: float, y: float, words: str, *, size: float = 10) -> Self:
        """Write *words* in the typewriter font so that they end at *right*."""
        return self.text(right - len(words) * size * MONO_WIDTH, y, words, size=size, font=MONO)

    def box(self, x: float, y: float, width: float, height: float) -> Self:
        """Fill a rectangle."""
        return self._draw(f"0 g {x:g} {y:g} {width:g} {height:g} re f")

    def shade(self, x: float, y: float, width: float, height: float, apart: float) -> Self:
        """Fill a rectangle with hairlines that are *apart* points from each other, and draw its outline."""
        lines = int(width / apart - 0.01)
        for number in range(1, lines + 1):
            self.path((x + number * apart, y), (x + number * apart, y + height), weight=0.72)
        return self.frame(x, y, width, height, weight=0.75)

    def frame(self, x: float, y: float, width: float, height: float, *, weight: float = 1) -> Self:
        """Draw the outline of a rectangle."""
        return self._draw(f"0 G {weight:g} w {x:g} {y:g} {width:g} {height:g} re S")

    def path(self, *points: Point, weight: float = 1) -> Self:
        """Draw a line through *points*."""
        return self._draw(f"0 G {weight:g} w {_steps(points)} S")

    def shape(self, *points: Point) -> Self:
        """Fill the area within *points*."""
        return self._draw(f"0 g {_steps(points)} h f")

    def curve(self, start: Point, *bends: tuple[float, ...], weight: float = 1.5) -> Self:
        """Draw Bezier curves from *start*, each bend as x1 y1 x2 y2 x y."""
        steps = " ".join(" ".join(f"{value:g}" for value in bend) + " c" for bend in bends)
        return self._draw(f"0 G {weight:g} w {start[0]:g} {start[1]:g} m {steps} S")

    def stream(self) -> bytes:
        """Return what was drawn as a content stream."""
        return "\n".join(self._operators).encode("latin-1")

    def _draw(self, operator: str) -> Self:
        self._operators.append(operator)
        return self


def sample_pdf() -> bytes:
    """Return the sample: a PDF of two letter pages, the same bytes every time."""
    return _pdf([_welcome(), _trial()])


def _welcome() -> Page:
    page = _sheet("It works: this page has been a fax", 1)
    page.lines(
        638,
        [
            "This document left as the attachment of a mail. The gateway turned it into pages of black and white",
            "dots, 204 to the inch, and handed them to the carrier, who called the number and sent them. What you",
            "see is what the fax machine at the other end has printed.",
        ],
        size=10.5,
    )
    _journey(page, 508)
    page.text(MARGIN, 462, "What you can send", size=13, font=BOLD)
    _table(
        page,
        448,
        ("Document", "What becomes of it", "Pages"),
        [
            ("letter.pdf", "every page, in black and white", "2"),
            ("scan.tif", "every page, fitted to the paper", "5"),
            ("logo.png, within the text", "left out, and the receipt says so", "0"),
            ("the text of the mail", "left out, and the receipt says so", "0"),
        ],
    )
    page.text(MARGIN, 298, "What to try next", size=13, font=BOLD)
    page.lines(
        276,
        [
            "1.   Mail a PDF of your own to 12025550199@fax.demo.example, as the demo has printed it.",
            "2.   Send one to a number that ends in 0001: that line is always busy. Read the mail that comes back.",
            "3.   Send one to a number that ends in 0005: busy once, then delivered, without your doing anything.",
            "4.   Read the receipt. It names each part of your mail that was faxed, and each that was not, and why.",
        ],
        size=10.5,
    )
    page.frame(MARGIN, 128, RIGHT - MARGIN, 62, weight=1.5)
    page.text(MARGIN + 14, 166, "Nothing left this machine", size=11, font=BOLD)
    page.lines(
        148,
        ["In the demo the carrier, the fax machine and the mail server are all part of the program."],
        x=MARGIN + 14,
        size=10.5,
    )
    return page


def _trial() -> Page:
    page = _sheet("Test page", 2)
    page.text(MARGIN, 640, "Letters", size=13, font=BOLD)
    y = 618.0
    for size in (6, 7, 8, 9, 10, 12, 14):
        page.text(MARGIN, y, f"{size} point", size=8)
        page.text(MARGIN + 58, y, "Sphinx of black quartz, judge my vow. 0123456789  l1I O0 S5 B8", size=size)
        y -= size * 0.6 + 11
    page.text(MARGIN, 486, "Lines", size=13, font=BOLD)
    for number, weight in enumerate((0.5, 0.75, 1, 1.5, 2, 3, 4)):
        top = 468 - number * 13
        page.text(MARGIN, top - 3, f"{weight:g} pt", size=8).path(
            (MARGIN + 40, top), (MARGIN + 210, top), weight=weight
        )
    for number in range(10):
        angle = number * 20
        page.path((330, 384), (330 + 220 - angle, 384 + angle / 2.2), weight=0.6)
    _shades(page, 300)
    _chart(page, 120)
    _signature(page, 370, 130)
    return page


def _sheet(title: str, number: int) -> Page:
    """A page with what both have in common."""
    page = Page().text(MARGIN, HEIGHT - 70, "Faxgate", size=28, font=BOLD)
    page.text(RIGHT - 121, HEIGHT - 70, "Email to fax, fax to email", size=11)
    # The top is left white: it is where a fax has the line that says who sent it.
    page.box(MARGIN, HEIGHT - 86, RIGHT - MARGIN, 5)
    page.text(MARGIN, HEIGHT - 120, title, size=20, font=BOLD)
    page.path((MARGIN, 58), (RIGHT, 58), weight=0.75)
    page.text(MARGIN, 43, "A sample document: it belongs to nobody and may be sent to anybody.", size=9)
    return page.text(RIGHT - 48, 43, f"Page {number} of 2", size=9)


def _journey(page: Page, y: float) -> None:
    """Draw the way of a fax through its four stations."""
    width, height, gap = 93.0, 58.0, 40.0
    stations = [("Mail", "brings a PDF"), ("Gateway", "makes the pages"), ("Carrier", "makes the call")]
    for number, (name, task) in enumerate([*stations, ("Fax machine", "prints")]):
        x = MARGIN + number * (width + gap)
        page.frame(x, y, width, height, weight=1.5)
        page.text(x + 9, y + 34, name, size=12, font=BOLD).text(x + 9, y + 16, task, size=9.5)
        if number < len(stations):
            start, tip, middle = x + width + 6, x + width + gap - 6, y + height / 2
            page.path((start, middle), (tip - 8, middle), weight=2)
            page.shape((tip, middle), (tip - 10, middle + 6), (tip - 10, middle - 6))


def _table(page: Page, top: float, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Draw a table of two columns of words and one of figures."""
    columns, height = (MARGIN + 10, MARGIN + 180, RIGHT - 12), 24.0
    page.box(MARGIN, top - height, RIGHT - MARGIN, height)
    for number, words in enumerate(head):
        x = columns[number] if number < 2 else columns[number] - len(words) * 5.6
        page.text(x, top - height + 8, words, size=10, font=BOLD, white=True)
    for number, row in enumerate(rows, start=1):
        y = top - (number + 1) * height
        page.path((MARGIN, y), (RIGHT, y), weight=0.5)
        page.text(columns[0], y + 8, row[0], size=10).text(columns[1], y + 8, row[1], size=10)
        page.figures(columns[2], y + 8, row[2])
    page.frame(MARGIN, y, RIGHT - MARGIN, top - y, weight=0.75)


def _shades(page: Page, y: float) -> None:
    """Draw patterns of lines, from wide apart to touching."""
    page.text(MARGIN, y + 52, "Shades", size=13, font=BOLD)
    steps = (12, 8, 6, 4, 3, 2, 1.5)
    width = (RIGHT - MARGIN) / len(steps)
    for number, apart in enumerate(steps):
        x = MARGIN + number * width
        page.shade(x, y + 12, width, 28, apart).text(x + 3, y, f"{72 / apart:g} to the inch", size=8)


def _chart(page: Page, y: float) -> None:
    """Draw how many dots a letter page has: 1728 x 1078, 1728 x 2156, and 5100 x 6600 on an office printer."""
    page.text(MARGIN, y + 142, "Dots on a page, in millions", size=13, font=BOLD)
    bars = [("Fax, normal", 1.9, 2), ("Fax, high", 3.7, 2), ("Printer, 600 dpi", 33.7, 4)]
    for number, (name, millions, apart) in enumerate(bars):
        x, height = MARGIN + 14 + number * 80, millions * 3
        page.shade(x, y, 46, height, apart)
        page.text(x, y - 14, name, size=9).text(x + 15, y + height + 5, f"{millions:g}", size=9)
    page.path((MARGIN, y + 118), (MARGIN, y), (MARGIN + 256, y), weight=1)


def _signature(page: Page, x: float, y: float) -> None:
    """Draw something by hand."""
    page.curve(
        (x + 4, y + 18),
        (x + 20, y + 92, x + 44, y + 104, x + 34, y + 48),
        (x + 28, y + 14, x + 14, y + 8, x + 22, y + 34),
        (x + 34, y + 62, x + 58, y + 60, x + 54, y + 36),
        (x + 52, y + 18, x + 76, y + 22, x + 78, y + 44),
        (x + 80, y + 24, x + 92, y + 16, x + 100, y + 40),
        (x + 106, y + 62, x + 118, y + 60, x + 112, y + 34),
        (x + 110, y + 18, x + 140, y + 26, x + 168, y + 50),
    )
    page.path((x, y + 2), (RIGHT, y + 2), weight=0.75).text(x, y - 10, "Signed by nobody", size=9)


def _steps(points: Sequence[Point]) -> str:
    return " ".join(f"{x:g} {y:g} {'l' if number else 'm'}" for number, (x, y) in enumerate(points))


def _pdf(pages: Sequence[Page]) -> bytes:
    """Put objects, cross-reference table and trailer together (ISO 32000-1, 7.5)."""
    fonts = " ".join(f"/{key} << /Type /Font /Subtype /Type1 /BaseFont /{name} >>" for key, name in _FONTS.items())
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] /MediaBox [0 0 {WIDTH} {HEIGHT}] "
        f"/Resources << /Font << {fonts} >> >> >>".encode(),
        b"<< /Title (Faxgate sample document) /Producer (Faxgate) >>",
    ]
    for number, page in enumerate(pages):
        stream = page.stream()
        objects.append(f"<< /Type /Page /Parent 2 0 R /Contents {5 + 2 * number} 0 R >>".encode())
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream))
    file, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(file))
        file += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size, start = len(objects) + 1, len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, entries)
    file += b"trailer\n<< /Size %d /Root 1 0 R /Info 3 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(file)
