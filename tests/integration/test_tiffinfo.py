"""What libtiff's own programs say of our fax pages."""

import re
import subprocess
from io import BytesIO
from pathlib import Path

import pytest

from gateway.document import Coding
from gateway.documents.raster import Raster
from gateway.documents.render import Files, Input, read_back, render
from gateway.fax import Quality
from tests.samples import A4, LETTER, pdf

pytestmark = pytest.mark.full

_GRIDS = {
    Quality.NORMAL: (1728, 98),
    Quality.HIGH: (1728, 196),
    Quality.VERY_HIGH: (1728, 391),
    Quality.ULTRA_LIGHT: (3456, 391),
    Quality.ULTRA_DARK: (3456, 391),
}
_CODES = {Coding.T6: "CCITT Group 4", Coding.T4: "CCITT Group 3", Coding.T4_2D: "CCITT Group 3"}


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stderr == ""  # libtiff warns of everything that is not as the standard says
    return done.stdout


def fax(folder: Path, quality: Quality, coding: Coding) -> Path:
    inputs = [Input("x", pdf(1, size=size)) for size in (LETTER, A4, (LETTER[1], LETTER[0]), (612, 300), (2000, 2000))]
    files = Files(BytesIO(), BytesIO(), BytesIO())
    render(inputs, Raster.of(quality, "a4"), files, lambda _: None, coding)
    path = folder / "fax.tif"
    path.write_bytes(read_back(files.tiff))
    return path


@pytest.mark.parametrize("coding", list(Coding))
@pytest.mark.parametrize("quality", list(Quality))
def test_libtiff_takes_every_page_for_what_it_is(tmp_path: Path, quality: Quality, coding: Coding) -> None:
    width, lines = _GRIDS[quality]
    path = fax(tmp_path, quality, coding)
    pages = run("tiffinfo", "-d", str(path)).split("=== TIFF directory")[1:]
    assert len(pages) == 5
    for number, page in enumerate(pages):
        assert f"Image Width: {width} " in page
        assert f"Resolution: {204 * width // 1728}, {lines} pixels/inch" in page
        assert f"Compression Scheme: {_CODES[coding]}" in page
        assert "min-is-white" in page
        assert "Subfile Type: multi-page document (2 = 0x2)" in page
        assert f"Page Number: {number}-5" in page
        assert ("2-d encoding" in page) == (coding is Coding.T4_2D)
    heights = [int(found) for found in re.findall(r"Image Length: (\d+)", "".join(pages))]
    inches = [height / lines for height in heights]
    # Letter, A4, letter turned, a third of a page (not padded), a square that was scaled to the width.
    assert inches == pytest.approx([11, 11.69, 11, 4.17, 8.47], abs=0.06)
