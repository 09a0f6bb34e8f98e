"""PDF files that are nothing but pictures, page by page (ISO 32000-1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

_POINTS_PER_INCH = 72


@dataclass(frozen=True, slots=True)
class Picture:
    """A page's picture as its PDF filter wants it: ``data`` is stored as it is."""

    data: bytes
    width: int
    height: int
    dpi: tuple[float, float]
    entries: Mapping[str, str]  # of the image's dictionary: /Filter, /ColorSpace ...

    @property
    def points(self) -> tuple[float, float]:
        """Width and height on paper, in points."""
        return self.width / self.dpi[0] * _POINTS_PER_INCH, self.height / self.dpi[1] * _POINTS_PER_INCH


def t6_picture(code: bytes, width: int, height: int, dpi: tuple[float, float], *, black_is_1: bool = False) -> Picture:
    """Return a 1-bit picture of T.6 code (ISO 32000-1, 7.4.6).

    PDF takes black runs of the code as 0, which is black in DeviceGray; *black_is_1* turns that round, for code that
    was made from a picture whose 1 is white.
    """
    parameters = f"<< /K -1 /Columns {width} /Rows {height} /BlackIs1 {str(black_is_1).lower()} >>"
    entries = {
        "ColorSpace": "/DeviceGray",
        "BitsPerComponent": "1",
        "Filter": "/CCITTFaxDecode",
        "DecodeParms": parameters,
    }
    return Picture(code, width, height, dpi, entries)


def jpeg_picture(data: bytes, width: int, height: int, dpi: tuple[float, float], *, grey: bool) -> Picture:
    """Return a picture of JPEG data, grey or RGB."""
    space = "/DeviceGray" if grey else "/DeviceRGB"
    return Picture(data, width, height, dpi, {"ColorSpace": space, "BitsPerComponent": "8", "Filter": "/DCTDecode"})


class PdfWriter:
    """Writes pages one after the other, so that memory never holds more than one. ``finish`` must follow the last."""

    def __init__(self, output: BinaryIO) -> None:
        """*output* is an empty file."""
        self._output = output
        self._offsets: dict[int, int] = {}
        self._kids: list[int] = []
        output.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")

    def add(self, picture: Picture) -> None:
        """Append a page that *picture* fills."""
        page = 3 + 3 * len(self._kids)
        self._kids.append(page)
        width, height = (f"{value:.3f}" for value in picture.points)
        drawing = f"q {width} 0 0 {height} 0 0 cm /P Do Q".encode()
        self._object(
            page,
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] "
            f"/Resources << /XObject << /P {page + 2} 0 R >> >> /Contents {page + 1} 0 R >>",
        )
        self._object(page + 1, f"<< /Length {len(drawing)} >>", drawing)
        entries = " ".join(f"/{name} {value}" for name, value in picture.entries.items())
        self._object(
            page + 2,
            f"<< /Type /XObject /Subtype /Image /Width {picture.width} /Height {picture.height} {entries} "
            f"/Length {len(picture.data)} >>",
            picture.data,
        )

    def finish(self) -> None:
        """Write the page tree, the cross-reference table and the trailer."""
        self._object(1, "<< /Type /Catalog /Pages 2 0 R >>")
        kids = " ".join(f"{number} 0 R" for number in self._kids)
        self._object(2, f"<< /Type /Pages /Count {len(self._kids)} /Kids [{kids}] >>")
        start = self._output.tell()
        size = len(self._offsets) + 1
        table = "".join(f"{self._offsets[number]:010d} 00000 n \n" for number in range(1, size))
        self._output.write(
            f"xref\n0 {size}\n0000000000 65535 f \n{table}"
            f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
        )

    def _object(self, number: int, dictionary: str, stream: bytes | None = None) -> None:
        self._offsets[number] = self._output.tell()
        self._output.write(f"{number} 0 obj\n{dictionary}\n".encode())
        if stream is not None:
            self._output.write(b"stream\n" + stream + b"\nendstream\n")
        self._output.write(b"endobj\n")
