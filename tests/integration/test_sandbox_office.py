"""Word processor files, through LibreOffice kept warm, or refused by name where it is not there."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.document import OFFICE, MediaType
from gateway.documents.count import pdf_pages, tiff_pages
from gateway.errors import Kind, Refusal
from gateway.sandbox import Limits, Sandbox, Source, locks, offices
from tests.integration.test_sandbox import Files, Rendering, files
from tests.integration.test_sandbox_faults import status
from tests.samples import Attachment, mail, pdf

__all__ = ["files"]
RTF = b"{\\rtf1\\ansi {\\b Report}\\par Page one.\\page Page two.}"
_URN = "urn:oasis:names:tc:opendocument:xmlns"
FODP = f"""<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="{_URN}:office:1.0" xmlns:draw="{_URN}:drawing:1.0" xmlns:text="{_URN}:text:1.0"
 xmlns:svg="{_URN}:svg-compatible:1.0" office:version="1.2"
 office:mimetype="application/vnd.oasis.opendocument.presentation"><office:body><office:presentation>
 <draw:page draw:name="one"><draw:frame svg:x="2cm" svg:y="2cm" svg:width="10cm" svg:height="3cm"><draw:text-box>
 <text:p>A slide</text:p></draw:text-box></draw:frame></draw:page></office:presentation></office:body>
</office:document>"""
#: What each kind of file is made of, and the pages that it must have.
MADE = {
    "docx": ("rtf", 2),
    "odt": ("rtf", 2),
    "doc": ("rtf", 2),
    "xlsx": ("csv", 1),
    "xls": ("csv", 1),
    "pptx": ("fodp", 1),
}


def test_the_refusal_names_what_is_missing() -> None:
    assert offices.find("off") == ""
    assert offices.find("/nowhere") == ""


async def test_without_libreoffice_such_a_file_is_refused(files: Files) -> None:
    box = Sandbox(1, 1, office="off")
    await box.start()
    try:
        message = mail([Attachment("report.docx", b"PK\x03\x04 a docx", MediaType.DOCX)])
        reading = await box.read_mail(files.new(message).fileno(), len(message))
        assert reading.refusal is not None
        assert reading.refusal.kind is Kind.FORMAT_UNSUPPORTED
        assert reading.refusal.sentence.startswith('"report.docx" needs LibreOffice, which this gateway does not have')
        with pytest.raises(Refusal) as raised:
            await _rendered(box, files, RTF, "report.rtf")
        assert raised.value.reason.kind is Kind.FORMAT_UNSUPPORTED
        assert "report.rtf" in raised.value.reason.sentence
    finally:
        await box.stop()


async def _rendered(box: Sandbox, files: Files, data: bytes, name: str) -> int:
    made = Rendering(files)
    source = Source("document", names=(name,))
    done = await box.render([files.new(data).fileno()], source, made.outputs)
    tiff, written, _ = made.read()
    assert tiff_pages(tiff, 999) == pdf_pages(written) == done.pages
    return done.pages


# -- with LibreOffice itself -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One file of each kind, by the ending of its name, made by LibreOffice."""
    soffice = shutil.which("soffice")
    if soffice is None or not offices.find("auto"):
        pytest.skip("needs soffice (Debian: libreoffice-writer-nogui, -calc-nogui and -impress-nogui)")
    folder = tmp_path_factory.mktemp("office")
    (folder / "a.rtf").write_bytes(RTF)
    (folder / "a.csv").write_text("what,how many\npages,2\n")
    (folder / "a.fodp").write_text(FODP)
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    for ending, (source, _) in MADE.items():
        command = [
            soffice,
            "--headless",
            profile,
            "--convert-to",
            ending,
            "--outdir",
            str(folder),
            f"{folder}/a.{source}",
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=100)
    return {"rtf": RTF} | {ending: (folder / f"a.{ending}").read_bytes() for ending in MADE}


@pytest.fixture
async def office(documents: dict[str, bytes]) -> AsyncIterator[Sandbox]:
    box = Sandbox(1, 1, Limits(page_seconds=20), office="auto")
    await box.start()
    try:
        yield box
    finally:
        await box.stop()


@pytest.mark.full
async def test_every_kind_of_file_becomes_pages_of_one_libreoffice(
    office: Sandbox, files: Files, documents: dict[str, bytes]
) -> None:
    pids = set()
    for ending, data in documents.items():
        pages = MADE.get(ending, ("", 2))[1]
        assert await _rendered(office, files, data, f"report.{ending}") == pages, ending
        pids.update(office._office.pids)
    assert len(pids) == 1, "it is kept warm"
    (pid,) = pids
    assert status(pid)["Seccomp"] == "2"
    assert status(pid)["NoNewPrivs"] == "1"
    folder = _folder(pid)
    assert "profile" in os.listdir(folder)
    assert not any(name.startswith("document") for name in os.listdir(folder))
    await office.stop()
    assert os.path.basename(folder) not in os.listdir(os.path.dirname(folder))


def _folder(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").rsplit(b"\0", 1)[1].decode()


@pytest.mark.full
async def test_a_mail_with_such_a_file_is_faxed_whole(
    office: Sandbox, files: Files, documents: dict[str, bytes]
) -> None:
    attached = [
        Attachment("a.pdf", pdf(1)),
        Attachment("b.docx", documents["docx"], MediaType.DOCX),
        Attachment("c.xlsx", documents["xlsx"], "application/octet-stream"),
    ]
    message = mail(attached)
    reading = await office.read_mail(files.new(message).fileno(), len(message))
    assert reading.refusal is None
    used = tuple(part.index for part in reading.parts if part.used)
    assert len(used) == 3
    made = Rendering(files)
    done = await office.render([files.new(message).fileno()], Source("mail", parts=used), made.outputs)
    assert done.pages == 1 + 2 + 1


@pytest.mark.full
async def test_a_damaged_file_is_refused_by_name_and_the_next_is_opened(
    office: Sandbox, files: Files, documents: dict[str, bytes]
) -> None:
    with pytest.raises(Refusal) as raised:
        await _rendered(office, files, b"PK\x03\x04" + os.urandom(3000), "broken.docx")
    assert raised.value.reason.kind in {Kind.DOCUMENT_BROKEN, Kind.RENDERING_STOPPED}
    assert "broken.docx" in raised.value.reason.sentence
    assert await _rendered(office, files, documents["odt"], "good.odt") == 2


@pytest.mark.full
async def test_a_libreoffice_that_hangs_is_ended_and_started_again(files: Files, documents: dict[str, bytes]) -> None:
    box = Sandbox(1, 1, Limits(page_seconds=5), office="auto")
    await box.start()
    try:
        await _rendered(box, files, RTF, "first.rtf")
        (hanging,) = box._office.pids
        os.kill(hanging, signal.SIGSTOP)
        with pytest.raises(Refusal) as raised:
            await _rendered(box, files, RTF, "hanging.rtf")
        assert raised.value.reason.kind is Kind.RENDERING_STOPPED
        assert "hanging.rtf" in raised.value.reason.sentence
        assert hanging not in box._office.pids
        assert await _rendered(box, files, RTF, "next.rtf") == 2
        assert box._office.pids not in ([], [hanging])
    finally:
        await box.stop()


@pytest.mark.full
async def test_two_files_wait_for_each_other(office: Sandbox, files: Files, documents: dict[str, bytes]) -> None:
    jobs = [_rendered(office, files, documents[ending], f"a.{ending}") for ending in ("doc", "pptx", "xls")]
    assert await asyncio.gather(*jobs) == [2, 1, 1]


def test_every_kind_has_a_file() -> None:
    assert set(MADE) | {"rtf"} <= set(OFFICE.values())


# -- its locks, with another program in its place ----------------------------------------------------------------------

_TAKEN_OVER = """
import os, pathlib, socket, sys
from gateway.sandbox import locks
folder, outside = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
locks.prepare()
held = locks.office(pathlib.Path("/usr/lib/nothing"), folder)
assert not held.missing
attempts = {
    "tcp": lambda: socket.socket(socket.AF_INET), "unix": lambda: socket.socket(socket.AF_UNIX),
    "pair": socket.socketpair, "read": outside.read_bytes, "passwd": pathlib.Path("/etc/passwd").read_bytes,
    "write": lambda: outside.write_text("mine"), "remove": outside.unlink, "fork": os.fork,
    "exec": lambda: os.execv("/bin/true", ["true"]), "kill": lambda: os.kill(os.getppid(), 9),
    "own": lambda: (folder / "document").write_text("here"),
}
for name, attempt in attempts.items():
    try:
        attempt()
        print(name, "done")
    except OSError as error:
        print(name, "refused")
"""


@pytest.mark.skipif(bool(locks.available().missing), reason="needs a kernel with Landlock and seccomp")
def test_a_document_that_takes_it_over_has_its_folder_and_nothing_else(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.write_text("secret")
    command = [sys.executable, "-c", _TAKEN_OVER, str(folder), str(outside)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    came = dict(line.split() for line in done.stdout.splitlines())
    assert came.pop("own") == "done"
    assert set(came.values()) == {"refused"}, came
    assert len(came) == 10
    assert outside.read_text() == "secret"
