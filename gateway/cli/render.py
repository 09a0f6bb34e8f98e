"""faxgate render: what would be faxed, without faxing it. It needs no settings and no database."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from gateway import logs
from gateway.cli import show
from gateway.cli.group import single
from gateway.cli.options import Json
from gateway.document import MAX_BYTES, Coding, RenderedDocument
from gateway.errors import Kind, refuse
from gateway.fax import Quality
from gateway.sandbox import Outputs, Sandbox, Source

app = single()
#: Bits in a second on a good line (ITU-T V.17).
LINE_RATE = 14_400
_TIFF, _PDF, _PNG = {".tif", ".tiff"}, {".pdf"}, {".png"}


class Paper(StrEnum):
    LETTER = "letter"
    A4 = "a4"
    LEGAL = "legal"


Told = Callable[[int, int], None]


@app.command("render")
def render(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", allow_dash=True, show_default=False, help="Documents, joined in this order; - is stdin."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.tif|OUT.pdf|OUT.png", show_default=False, help="Where to.")
    ],
    quality: Annotated[Quality, typer.Option(help="The resolution.")] = Quality.HIGH,
    paper: Annotated[Paper, typer.Option(help="What pages are laid out on.")] = Paper.LETTER,
    monochrome: Annotated[bool, typer.Option("--monochrome", help="No dots for photographs: black or white.")] = False,
    coding: Annotated[Coding, typer.Option(help="The code in a TIFF.")] = Coding.T6,
    page: Annotated[int, typer.Option(min=1, help="The page that a PNG shows.")] = 1,
    width: Annotated[int, typer.Option(min=1, max=3456, help="How many dots a PNG is wide.")] = 1000,
    deskew: Annotated[bool, typer.Option("--deskew", help="Set scans that lay askew straight.")] = False,
    as_json: Json = False,
) -> None:
    """Show what would be faxed, without sending it: write the pages to a file, and say how long the line needs."""
    logs.configure("console", "error")
    _check(files, output)
    names = tuple(show.harmless(file.name) for file in files)
    wish = Source(
        "document",
        quality=quality,
        paper=paper.value,
        names=names,
        monochrome=monochrome,
        deskew=deskew,
        coding=coding,
    )
    with ExitStack() as stack:
        sources = [stack.enter_context(_opened(file)) for file in files]
        told = stack.enter_context(_bar(quiet=as_json))
        done = asyncio.run(_render(sources, wish, output, told, (page, width)))
    size, seconds = output.stat().st_size, round(done.tiff_bytes * 8 / LINE_RATE, 1)
    if as_json:
        facts = {"file": str(output), "pages": done.pages, "bytes": size, "seconds": seconds}
        show.as_json(facts | {"quality": quality, "paper": paper})
        return
    pages = f"{done.pages} page{'s' if done.pages != 1 else ''}"
    show.say(f"{output}: {pages}, {size:,} bytes, {seconds:,} s on the line at {LINE_RATE:,} bit/s")


def _check(files: list[Path], output: Path) -> None:
    if output.suffix.lower() not in _TIFF | _PDF | _PNG:
        raise typer.BadParameter("name a file that ends in .tif, .pdf or .png", param_hint="--output")
    if any(file.exists() and output.exists() and file.samefile(output) for file in files):
        raise typer.BadParameter(f"{output} is one of the documents themselves", param_hint="--output")


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """Open a document as a regular file, which the sandbox's processes need."""
    try:
        if file != Path("-"):
            with file.open("rb") as opened:
                os.pread(opened.fileno(), 1, 0)
                yield opened
            return
        with tempfile.TemporaryFile() as copied:
            copied.write(typer.get_binary_stream("stdin").read(MAX_BYTES + 1))
            copied.flush()
            yield copied
    except OSError as error:
        raise refuse(Kind.INVALID, f"{file} cannot be read: {error.strerror}", str(file)) from None


async def _render(
    sources: list[BinaryIO], wish: Source, output: Path, told: Told, seen: tuple[int, int]
) -> RenderedDocument:
    sandbox = Sandbox(readers=0, renderers=1, office="auto")
    try:
        with ExitStack() as stack:
            made = stack.enter_context(_written(output))
            spare = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            tiff, pdf, preview = (
                made if output.suffix.lower() in endings else next(spare) for endings in (_TIFF, _PDF, set[str]())
            )
            await sandbox.start()
            outputs = Outputs(tiff.fileno(), pdf.fileno(), preview.fileno())
            done = await sandbox.render([source.fileno() for source in sources], wish, outputs, told)
            if output.suffix.lower() in _PNG:
                await sandbox.picture(tiff.fileno(), *seen, made.fileno())
            return done
    finally:
        await sandbox.stop()


@contextmanager
def _written(output: Path) -> Iterator[BinaryIO]:
    """Write beside *output* and put it there when it is whole: what was there stays until then."""
    try:
        descriptor, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file
            os.replace(name, output)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise refuse(Kind.INVALID, f"{output} cannot be written: {error.strerror}", str(output)) from None


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Told]:
    """Show a bar on standard error, if somebody is there to see it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("pages", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
