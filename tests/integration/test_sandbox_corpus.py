"""Real, odd and broken documents of other projects, where there is a folder of them: shown whole or refused by name."""

import os
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from gateway.document import MediaType, sniff
from gateway.documents.count import pdf_pages, tiff_pages
from gateway.errors import Refusal
from gateway.sandbox import Sandbox, Source
from tests.integration.test_sandbox import Files, Rendering
from tests.integration.test_sandbox_broken import BLAME, GROWTH, resident

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

#: Where the documents are: beside the project, or wherever somebody says.
FOLDER = Path(os.environ.get("FAXGATE_TEST_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
_MOST = 5000


def counted(data: bytes) -> int | None:
    """The pages of a document, by the reader that draws none."""
    return pdf_pages(data) if sniff(data[:1024]) is MediaType.PDF else tiff_pages(data, _MOST)


async def faxed(sandbox: Sandbox, name: str, data: bytes) -> str:
    """Render a document as one that is to be sent; what is wrong with the outcome, else "shown" or "refused"."""
    files = Files()
    made = Rendering(files)
    try:
        result = await sandbox.render([files.new(data).fileno()], Source("document", names=(name,)), made.outputs)
    except Refusal as refusal:
        named = refusal.reason.kind in BLAME and f'"{name}"' in refusal.reason.sentence
        return "refused" if named else f"{name}: {refusal.reason}"
    else:
        tiff, pdf, _ = made.read()
        pages = {counted(data), result.pages, tiff_pages(tiff, _MOST), pdf_pages(pdf)}
        return "shown" if len(pages) == 1 else f"{name} has {pages} pages"
    finally:
        files.close()


async def kept(sandbox: Sandbox, name: str, data: bytes) -> str:
    """Convert a document as one that was received; what is wrong with the outcome, else "shown" or "refused"."""
    files = Files()
    try:
        to = MediaType.TIFF if sniff(data[:1024]) is MediaType.PDF else MediaType.PDF
        output = files.new(b"")
        pages = await sandbox.convert(files.new(data).fileno(), to, output.fileno())
        output.seek(0)
        written = output.read()
    except Refusal as refusal:
        return "refused" if refusal.reason.kind in BLAME else f"{name}: {refusal.reason}"
    else:
        seen = pdf_pages(written) if to is MediaType.PDF else tiff_pages(written, _MOST)
        return "shown" if seen == pages else f"{name} has {pages} pages, as {to} {seen}"
    finally:
        files.close()


def documents() -> list[Path]:
    return sorted([*FOLDER.glob("pdf/*"), *FOLDER.glob("tif/*")])


async def _documents_of_other_projects() -> None:
    blank = BytesIO()
    Image.new("1", (1728, 200), 1).save(blank, "TIFF", compression="group4")
    sandbox = Sandbox(readers=1, renderers=1)
    await sandbox.start()
    told = Counter[str]()
    try:
        await faxed(sandbox, "warm.tif", blank.getvalue())
        before = resident()
        for document in documents():
            data = document.read_bytes()
            told[await faxed(sandbox, document.name, data)] += 1
            told[await kept(sandbox, document.name, data)] += 1
        grown = resident() - before
    finally:
        await sandbox.stop()
    assert told.keys() <= {"shown", "refused"}, told
    assert told["shown"] > told["refused"]
    assert grown < GROWTH, f"{grown / 1024 / 1024:.1f} MB"


if FOLDER.is_dir():  # elsewhere it is no test that was left out: what it has found has tests of its own
    test_documents_of_other_projects_are_shown_whole_or_refused_by_name = _documents_of_other_projects
