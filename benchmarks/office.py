"""What opening documents in processes of their own costs, and LibreOffice kept warm against one started each time."""

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from io import BytesIO
from pathlib import Path
from statistics import median

from benchmarks.figures import HEADER, cpu_seconds, spread
from gateway.documents.raster import Raster
from gateway.documents.render import Files, Input, render
from gateway.fax import Quality
from gateway.sandbox import Outputs, Sandbox, Source, offices
from tests.samples import pdf

ROUNDS, BATCH = 5, 10
_RTF = b"{\\rtf1\\ansi {\\b Report}\\par " + b"A line of words that says nothing. " * 300 + b"}"


@asynccontextmanager
async def _sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(0, 1, office="auto")
    await sandbox.start()
    try:
        yield sandbox
    finally:
        await sandbox.stop()


async def _rendered(sandbox: Sandbox, data: bytes, name: str) -> None:
    with ExitStack() as stack:
        source, *made = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(4))
        source.write(data)
        source.flush()
        outputs = Outputs(*(each.fileno() for each in made))
        await sandbox.render([source.fileno()], Source("document", names=(name,)), outputs)


def _at_home(data: bytes) -> None:
    files = Files(BytesIO(), BytesIO(), BytesIO())
    render([Input("the document", data)], Raster.of(Quality.HIGH, "letter"), files, lambda _: None)


async def _cost(data: bytes) -> None:
    inside, apart = [], []
    async with _sandbox() as sandbox:
        await _rendered(sandbox, data, "a.pdf")
        _at_home(data)
        for _ in range(ROUNDS):
            before = cpu_seconds(os.getpid())
            for _ in range(BATCH):
                _at_home(data)
            between = cpu_seconds(os.getpid())
            for _ in range(BATCH):
                await _rendered(sandbox, data, "a.pdf")
            inside.append((between - before) * 1000 / BATCH)
            apart.append((cpu_seconds(os.getpid()) - between) * 1000 / BATCH)
    print(spread("three pages, in the process that asks", inside, "ms of CPU"))
    print(spread("three pages, in a locked child of its own", apart, "ms of CPU"))
    print(f"the sandbox costs {median(apart) - median(inside):.1f} ms a document")


def _once(soffice: str, file: Path, kind: str = "pdf") -> float:
    """Convert with a LibreOffice of its own; return the CPU's seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    profile = f"-env:UserInstallation={(file.parent / 'profile').as_uri()}"
    command = [soffice, "--headless", profile, "--convert-to", kind, "--outdir", str(file.parent), str(file)]
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


async def _office(folder: Path) -> None:
    soffice = shutil.which("soffice")
    if soffice is None or not offices.find("auto"):
        print("(word processor files: LibreOffice is not installed)")
        return
    (folder / "a.rtf").write_bytes(_RTF)
    _once(soffice, folder / "a.rtf", "docx")  # which also makes the profile
    data = (folder / "a.docx").read_bytes()
    once, warm = [], []
    async with _sandbox() as sandbox:
        await _rendered(sandbox, data, "a.docx")
        for _ in range(ROUNDS):
            once.append(_once(soffice, folder / "a.docx") * 1000)
            before = cpu_seconds(os.getpid())
            for _ in range(BATCH):
                await _rendered(sandbox, data, "a.docx")
            warm.append((cpu_seconds(os.getpid()) - before) * 1000 / BATCH)
    print(spread("docx -> PDF, LibreOffice started for it", once, "ms of CPU"))
    print(spread("docx -> PDF -> fax pages, warm and locked", warm, "ms of CPU"))
    print(f"warm / started for it: {median(warm) / median(once):.2f} (target 0.25)")


async def run() -> None:
    """CPU of a document in the sandbox, and of a word processor file."""
    print(HEADER)
    await _cost(pdf(3))
    with tempfile.TemporaryDirectory() as folder:
        await _office(Path(folder))
