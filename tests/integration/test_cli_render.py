"""``faxgate render``: what would be faxed, without settings and without sending it."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile
from typer.testing import CliRunner, Result

from gateway.cli.app import app
from gateway.documents.count import pdf_pages, tiff_pages
from tests import samples


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without settings, and nothing that would tell where any are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAXGATE_CONFIG", str(tmp_path / "there is none"))
    (tmp_path / "two.pdf").write_bytes(samples.pdf(2))
    return tmp_path


def faxgate(*words: str, code: int = 0, typed: bytes | None = None) -> Result:
    result = CliRunner().invoke(app, ["render", *words], input=typed, prog_name="faxgate")
    assert result.exit_code == code, f"{words} exited {result.exit_code}:\n{result.output}\n{result.exception!r}"
    return result


def test_documents_become_one_tiff(folder: Path) -> None:
    (folder / "one.tif").write_bytes(samples.tiff(1))
    said = faxgate("two.pdf", "one.tif", "two.pdf", "-o", "out.tif").stdout
    content = (folder / "out.tif").read_bytes()
    assert tiff_pages(content, 100) == 5
    assert (
        said
        == f"out.tif: 5 pages, {len(content):,} bytes, {len(content) * 8 / 14400:,.1f} s on the line at 14,400 bit/s\n"
    )


def test_json_says_the_same(folder: Path) -> None:
    done = faxgate("two.pdf", "--output", "out.pdf", "--json", "--quality", "normal", "--paper", "legal")
    told = json.loads(done.stdout)
    content = (folder / "out.pdf").read_bytes()
    assert pdf_pages(content) == told["pages"] == 2
    assert told["bytes"] == len(content)
    assert 0 < told["seconds"] < 10
    assert (told["file"], told["quality"], told["paper"]) == ("out.pdf", "normal", "legal")
    assert done.stderr == ""


def test_each_quality_has_its_dots(folder: Path) -> None:
    for quality, size in (("normal", (1728, 1078)), ("high", (1728, 2156)), ("ultra_dark", (3456, 4301))):
        faxgate("two.pdf", "-o", "out.tif", "--quality", quality)
        with Image.open(folder / "out.tif") as image:
            assert image.size == size


def test_a_document_may_come_by_standard_input(folder: Path) -> None:
    faxgate("-", "-o", "out.tif", typed=samples.pdf(3))
    assert tiff_pages((folder / "out.tif").read_bytes(), 100) == 3


def test_what_cannot_be_faxed_is_named_and_leaves_what_was_there(folder: Path) -> None:
    (folder / "out.tif").write_bytes(b"as it was")
    (folder / "secret.pdf").write_bytes(samples.encrypted_pdf())
    refused = faxgate("two.pdf", "secret.pdf", "-o", "out.tif", code=1)
    assert '"secret.pdf"' in refused.stderr
    assert refused.stdout == ""
    assert (folder / "out.tif").read_bytes() == b"as it was"
    assert sorted(os.listdir(folder)) == ["out.tif", "secret.pdf", "two.pdf"]


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("none.pdf", "-o", "out.tif"), 1, "none.pdf cannot be read"),
        ((".", "-o", "out.tif"), 1, "cannot be read"),
        (("two.pdf", "-o", "nowhere/out.tif"), 1, "cannot be written"),
        (("two.pdf", "-o", "two.pdf"), 2, "one of the documents"),
        (("two.pdf", "-o", "out.doc"), 2, "ends in .tif, .pdf or .png"),
        (("two.pdf",), 2, "--output"),
    ],
)
def test_what_is_wrong_is_told(folder: Path, words: tuple[str, ...], code: int, why: str) -> None:
    assert why in faxgate(*words, code=code).stderr
    assert (folder / "two.pdf").read_bytes() == samples.pdf(2)


def test_a_picture_shows_any_page_in_any_width(folder: Path) -> None:
    for page, width in ((1, 1000), (2, 300)):
        said = faxgate("two.pdf", "-o", "out.png", "--page", str(page), "--width", str(width)).stdout
        assert said.startswith("out.png: 2 pages, ")
        with Image.open(folder / "out.png") as image:
            assert image.size == (width, round(width * 11 / (1728 / 204)))
            shown = image.convert("L").point([255 if grey < 128 else 0 for grey in range(256)])
            bar = shown.crop((0, image.height * 3 // 4, *image.size)).getbbox()
            assert bar is not None
            assert bar[2] - bar[0] == pytest.approx(width * (40 + 10 * page) / 612, rel=0.05)


def test_a_page_that_there_is_not_has_no_picture(folder: Path) -> None:
    assert "has no page 3; it has 2" in faxgate("two.pdf", "-o", "out.png", "--page", "3", code=1).stderr
    assert not (folder / "out.png").exists()


def test_a_tiff_has_the_code_that_is_asked_for(folder: Path) -> None:
    for coding, options in (("t4", 0), ("t4_2d", 1)):
        faxgate("two.pdf", "-o", "out.tif", "--coding", coding)
        with Image.open(folder / "out.tif") as image:
            assert isinstance(image, TiffImageFile)
            assert (image.tag_v2[259], image.tag_v2[292]) == (3, options)


def _errors_at_a_terminal(*words: str) -> str:
    """Run ``faxgate render`` with a terminal as its standard error; return what came there."""
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "render", *words],
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            while piece := terminal.read(4096):
                said += piece
        assert process.wait() == 0
    return said.decode()


@pytest.mark.full
def test_a_bar_grows_at_a_terminal_and_nowhere_else(folder: Path) -> None:
    (folder / "long.pdf").write_bytes(samples.pdf(40))
    said = _errors_at_a_terminal("long.pdf", "-o", "out.tif")
    assert "40/40" in said
    assert re.search(r"\x1b\[2K", said), "it is cleared away at the end"
    assert _errors_at_a_terminal("long.pdf", "-o", "out.tif", "--json") == ""
    assert faxgate("long.pdf", "-o", "out.tif").stderr == ""
