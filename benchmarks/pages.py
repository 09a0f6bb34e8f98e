"""Fax pages of PDFs: CPU, bytes on the line and words that can be read, in turn with Ghostscript."""

import asyncio
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from statistics import median

from PIL import Image, ImageFilter

from benchmarks import page_inputs
from benchmarks.figures import HEADER, spread
from gateway.documents import dots, ifd
from gateway.documents.raster import Raster
from gateway.documents.render import Files, Input, render
from gateway.fax import Quality

PAGES, ROUNDS = 3, 5
#: Bits a second of an ordinary fax call (ITU-T V.17).
LINE_RATE = 14_400
#: What Kazoo tells Ghostscript of the grid, and the grid of a fax in fine resolution.
KAZOO = ("-r200x200", "-g1728x2200")
SAME_GRID = ("-r204x196", "-g1728x2156")


@dataclass
class Way:
    """One way from a PDF to a TIFF, and what it took: ms of CPU a page by round, and the pages."""

    name: str
    convert: Callable[[bytes], bytes]
    cpu: list[float] = field(default_factory=list)
    tiff: bytes = b""

    def take(self, document: bytes) -> None:
        """Convert once more."""
        began = _cpu()
        self.tiff = self.convert(document)
        self.cpu.append((_cpu() - began) * 1000 / PAGES)

    @property
    def bytes_a_page(self) -> float:
        """Bytes of T.6 code."""
        sizes = [sum(page.tags.get(ifd.STRIP_BYTES, ())) for page in ifd.directories(self.tiff)]
        return sum(sizes) / len(sizes)


def _cpu() -> float:
    """Seconds of CPU of this process and of those that it has started and waited for."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _ours(document: bytes) -> bytes:
    """Pages, their PDF and the first one's preview, as the sandbox's warm child makes them."""
    files = Files(BytesIO(), BytesIO(), BytesIO())
    render([Input("x", document)], Raster.of(Quality.HIGH, "letter"), files, lambda _: None)
    assert isinstance(files.tiff, BytesIO)
    return files.tiff.getvalue()


def _ghostscript(*grid: str) -> Callable[[bytes], bytes]:
    def convert(document: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            source, result = Path(folder, "in.pdf"), Path(folder, "out.tiff")
            source.write_bytes(document)
            options = ("-q", *grid, "-dPDFFitPage", "-dNOPAUSE", "-dBATCH", "-dSAFER", "-sDEVICE=tiffg4")
            subprocess.run(["gs", *options, f"-sOutputFile={result}", "--", source], check=True, capture_output=True)
            return result.read_bytes()

    return convert


def _ways() -> list[Way]:
    ways = [Way("faxgate", _ours)]
    if shutil.which("gs"):
        ways += [
            Way("Ghostscript as Kazoo", _ghostscript(*KAZOO)),
            Way("Ghostscript 204x196", _ghostscript(*SAME_GRID)),
        ]
    return ways


def _measure(name: str, document: bytes, told: list[str] | None) -> None:
    ways = _ways()
    for way in ways:  # once for nothing: what is read and built only once does not count
        way.take(document)
        way.cpu.clear()
    for _ in range(ROUNDS):
        for way in ways:
            way.take(document)
    for way in ways:
        print(spread(f"{name}: {way.name}", way.cpu, "ms CPU a page"))
    for way in ways:
        size = way.bytes_a_page
        ratio = "".join(
            f", {median(a / b for a, b in zip(ways[0].cpu, other.cpu, strict=True)):.2f} of the CPU of {other.name}"
            for other in ways[1:]
            if way is ways[0]
        )
        print(f"  {way.name:<24} {size / 1000:7.1f} KB a page, {size * 8 / LINE_RATE:5.1f} s of line time{ratio}")
        if told and way in ways[:2] and shutil.which("tesseract"):
            plain, blurred = (_recall(way.tiff, told, blur) for blur in (0.0, 1.6))
            print(f"  {'':<24} OCR reads {plain:.1%} of the words, after a blur of 1.6 dots {blurred:.1%}")


def _recall(tiff: bytes, told: list[str], blur: float) -> float:
    """The share of page one's words that tesseract reads."""
    with tempfile.TemporaryDirectory() as folder, Image.open(BytesIO(tiff)) as image:
        page = image.convert("L")
        if blur:
            page = page.filter(ImageFilter.GaussianBlur(blur))
        file = Path(folder, "page.png")
        page.save(file, dpi=(204, 196))
        command = ["tesseract", str(file), "-", "--psm", "6"]
        alone = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        try:
            done = subprocess.run(command, capture_output=True, check=True, timeout=30, env=alone)
        except subprocess.TimeoutExpired:
            return 0.0  # dots over dots: nothing was read in half a minute
    wanted = told[: len(told) // PAGES]
    read = done.stdout.decode().split()
    return sum(min(wanted.count(word), read.count(word)) for word in set(wanted)) / len(wanted)


def _hairlines(way: Way) -> int:
    """How many of the thirty lines can be seen, whole, on the page."""
    with Image.open(BytesIO(way.convert(page_inputs.hairlines()))) as image:
        page = image.convert("L")
    kept = 0
    for number in range(30):
        middle = (page_inputs.HEIGHT - 740 + 22 * number) / page_inputs.HEIGHT * page.height
        band = page.crop((round(page.width * 0.15), round(middle) - 5, round(page.width * 0.85), round(middle) + 6))
        rows = [band.crop((0, y, band.width, y + 1)).getextrema() for y in range(band.height)]
        kept += (0, 0) in rows
    return kept


def _all() -> None:
    for program, package in (("gs", "ghostscript"), ("tesseract", "tesseract-ocr")):
        if not shutil.which(program):
            print(f"{program} is missing (Debian package {package}): measured without it")
    if dots.compiled is None:
        print("the compiled half of gateway.documents is missing: Pillow does its work")
    print(HEADER)
    began = time.monotonic()
    text, paper, scan = page_inputs.text(PAGES), page_inputs.paper(PAGES), page_inputs.scan(PAGES)
    _measure("text", *text)
    _measure("two-column paper", paper[0], None)
    _measure("scan, 300 dpi", *scan)
    _measure("scan of the paper", *page_inputs.scan(PAGES, page_inputs.paper))
    _measure("photographs and a chart", page_inputs.mixed(PAGES), None)
    for way in _ways():
        print(f"hairlines: {way.name:<24} {_hairlines(way)} of 30 kept whole")
    print(f"({ROUNDS} rounds in turn, {PAGES} pages each, {time.monotonic() - began:.0f} s)")


async def run() -> None:
    """Fax pages of PDFs: CPU, bytes on the line and words that can be read, in turn with Ghostscript."""
    await asyncio.to_thread(_all)
