"""Small documents that want to become endless ones: ended within their bounds, and refused by document and page."""

import zlib
from collections.abc import AsyncIterator, Callable
from io import BytesIO

import pikepdf
import pytest
from PIL import Image

from gateway.errors import Kind, Refusal
from gateway.sandbox import Sandbox, Source
from tests.integration.test_sandbox import Files, Rendering
from tests.samples import pdf

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(readers=1, renderers=1)
    await sandbox.start()
    try:
        yield sandbox
    finally:
        await sandbox.stop()


def packed(megabytes: int, unit: bytes) -> bytes:
    """A page of so many megabytes of *unit*, in a file of kilobytes."""
    packer, block = zlib.compressobj(9), unit * ((1 << 20) // len(unit))
    data = b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()
    output = BytesIO()
    with pikepdf.open(BytesIO(pdf(3))) as document:
        stream = document.make_stream(b"")
        stream.write(data, filter=pikepdf.Name.FlateDecode)
        document.pages[1].obj.Contents = stream
        document.save(output)
    return output.getvalue()


def forms_in_forms(deep: int) -> bytes:
    """A page with a form that shows the next one ten times, and so on."""
    output = BytesIO()
    with pikepdf.open(BytesIO(pdf(3))) as document:
        form = document.make_stream(b"0 0 m 9 9 l S")
        for level in range(deep + 1):
            form.Type, form.Subtype = pikepdf.Name.XObject, pikepdf.Name.Form
            form.BBox = pikepdf.Array([0, 0, 612, 792])
            inner = pikepdf.Dictionary(XObject=pikepdf.Dictionary(F=form))
            if level < deep:
                form = document.make_stream(b"/F Do " * 10, Resources=inner)
        document.pages[1].obj.Resources = inner
        document.pages[1].obj.Contents = document.make_stream(b"/F Do")
        document.save(output)
    return output.getvalue()


def tree(deep: int) -> bytes:
    """A PDF whose one page lies under so many nodes of its page tree."""
    output = BytesIO()
    with pikepdf.open(BytesIO(pdf(1))) as document:
        node = document.Root.Pages
        for _ in range(deep):
            node = document.make_indirect(
                pikepdf.Dictionary(Type=pikepdf.Name.Pages, Count=1, Kids=pikepdf.Array([node]))
            )
            node.Kids[0].Parent = node
        document.Root.Pages = node
        document.save(output)
    return output.getvalue()


def dots(side: int) -> bytes:
    """A TIFF of one colour, *side* dots square."""
    output = BytesIO()
    Image.new("1", (side, side), 1).save(output, "TIFF", compression="group4")
    return output.getvalue()


@pytest.mark.parametrize(
    ("made", "kinds", "page"),
    [
        pytest.param(lambda: packed(800, b" "), {Kind.RENDERING_STOPPED}, 2, id="bytes"),
        pytest.param(lambda: packed(60, b"0 0 m 9 9 l S\n"), {Kind.RENDERING_STOPPED}, 2, id="strokes"),
        pytest.param(lambda: forms_in_forms(9), {Kind.RENDERING_STOPPED}, 2, id="forms"),
        pytest.param(lambda: dots(12_000), {Kind.DOCUMENT_TOO_LARGE}, 1, id="dots"),
        pytest.param(lambda: tree(5_000), {Kind.PAGES_DISAGREE, Kind.DOCUMENT_BROKEN}, 0, id="page tree"),
        pytest.param(
            lambda: pdf(1).replace(b"/Type /Catalog", b"/Type /Catalog /X " + b"[" * 100_000 + b"]" * 100_000),
            {Kind.PAGES_DISAGREE, Kind.DOCUMENT_BROKEN},
            0,
            id="lists",
        ),
    ],
)
async def test_a_bomb_is_refused_by_document_and_page(
    sandbox: Sandbox, made: Callable[[], bytes], kinds: set[Kind], page: int
) -> None:
    document = made()
    assert len(document) < 1 << 20
    files = Files()
    try:
        outputs = Rendering(files).outputs
        with pytest.raises(Refusal) as raised:
            await sandbox.render([files.new(document).fileno()], Source("document", names=("x.pdf",)), outputs)
        reason = raised.value.reason
        assert reason.kind in kinds
        assert (f'page {page} of "x.pdf"' if page else '"x.pdf"') in reason.sentence
        again = await sandbox.render([files.new(pdf(1)).fileno()], Source("document", names=("y",)), outputs)
        assert again.pages == 1
    finally:
        files.close()
