"""A thousand broken documents: each is shown right or refused by name, and the daemon does not notice."""

import asyncio
import os
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from gateway.document import claimed
from gateway.documents.count import tiff_pages
from gateway.errors import Kind, Refusal
from gateway.sandbox import Sandbox, Source
from tests.integration.test_sandbox import Files, Rendering
from tests.samples import encrypted_pdf, pdf, picture_pdf, tiff

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

_FILES = 1000
_WARM_UP = 100
GROWTH = 10 * 1024 * 1024
#: What a document itself can be blamed for.
BLAME = {
    *(Kind.DOCUMENT_BROKEN, Kind.DOCUMENT_ENCRYPTED, Kind.DOCUMENT_TOO_LARGE),
    *(Kind.TOO_MANY_PAGES, Kind.PAGES_DISAGREE, Kind.RENDERING_STOPPED),
}


def saved(kind: str) -> bytes:
    output = BytesIO()
    Image.radial_gradient("L").convert("RGB").save(output, kind)
    return output.getvalue()


def seeds() -> dict[str, bytes]:
    """Whole documents of every kind, by a name that says which."""
    heic = (Path(__file__).parents[1] / "unit" / "data" / "bar.heic").read_bytes()
    return {
        "a.pdf": pdf(2),
        "b.pdf": picture_pdf(Image.radial_gradient("L")),
        "c.pdf": encrypted_pdf(1, user=""),
        "d.tif": tiff(2),
        **{f"e.{kind.lower()}": saved(kind) for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF")},
        "f.heic": heic,
        "g.txt": "Please confirm, прошу, παρακαλώ\n".encode() * 40,
        "h.html": b"<table><tr><td><p>Please<ul><li>confirm</table>" * 20,
    }


def broken(data: bytes, random: Random) -> bytes:
    """*data* with some of it changed, cut out, doubled or cut off, as lines, disks and people do it."""
    spoiled = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 5, 20])):
        at, size = random.randrange(len(spoiled)), random.choice([1, 1, 2, 4, 16, 200])
        what = random.randrange(6)
        if what == 0:
            spoiled[at : at + size] = random.randbytes(size)
        elif what == 1:
            spoiled[at : at + size] = b"\xff" * size
        elif what == 2:
            spoiled[at : at + size] = b""
        elif what == 3:
            spoiled[at:at] = spoiled[at : at + size]
        elif what == 4:
            spoiled[at] ^= 1 << random.randrange(8)
        elif random.random() < 0.3:
            del spoiled[at:]
        if not spoiled:
            return b""
    return bytes(spoiled)


def resident() -> int:
    """Bytes of memory that this process, which stands for the daemon, has in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def outcome(sandbox: Sandbox, name: str, data: bytes) -> str:
    """Render, and say what became of it; fails where it is neither whole nor refused by name."""
    files = Files()
    made = Rendering(files)
    try:
        source = Source("document", names=(name,), types=(str(claimed("", name) or ""),))
        result = await sandbox.render([files.new(data).fileno()], source, made.outputs)
    except Refusal as refusal:
        reason = refusal.reason
        named = reason.kind in BLAME and name in reason.sentence
        return reason.kind.value if named else f"{name}: {reason}"
    else:
        whole = result.pages == tiff_pages(made.read()[0], 1000)
        return "shown" if whole else f"{name} is not whole"
    finally:
        files.close()


async def test_broken_documents_are_shown_or_refused_and_leave_the_daemon_as_it_was() -> None:
    random, whole = Random(20), seeds()
    names = sorted(whole)
    sandbox = Sandbox(readers=1, renderers=2)
    await sandbox.start()
    before = 0
    counts: dict[str, int] = {}
    try:
        for number in range(0, _WARM_UP + _FILES, 2):
            if number == _WARM_UP:
                before = resident()
            pair = [names[(number + each) % len(names)] for each in range(2)]
            made = await asyncio.gather(*(outcome(sandbox, name, broken(whole[name], random)) for name in pair))
            for each in made:
                counts[each] = counts.get(each, 0) + 1
        grown = resident() - before
    finally:
        await sandbox.stop()
    assert grown < GROWTH, f"{grown / 1024 / 1024:.1f} MB"
    assert sum(counts.values()) == _WARM_UP + _FILES
    assert counts.keys() <= {"shown", *(kind.value for kind in BLAME)}, counts
    assert min(counts["shown"], counts[Kind.DOCUMENT_BROKEN]) > 100, counts
    print(f"{counts}, {grown / 1024:.0f} KB grown")
