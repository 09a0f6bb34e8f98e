"""Mails and documents through real confined processes."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest
import pytest_asyncio
from PIL import Image

from gateway.document import Header, MediaType, RenderedDocument
from gateway.documents import ifd
from gateway.documents.count import pdf_pages, tiff_pages
from gateway.errors import Kind, Refusal
from gateway.fax import Sight
from gateway.sandbox import Outputs, Sandbox, Source
from tests.packed import sealed, winmail
from tests.samples import Attachment, broken_pdf, encrypted_pdf, endless_pdf, mail, pdf, png, tiff

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the processes serve all tests


class Files:
    """Temporary files that are closed together."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def new(self, data: bytes = b"") -> BinaryIO:
        file = tempfile.TemporaryFile()  # noqa: SIM115  # closed with all others
        self._stack.callback(file.close)
        file.write(data)
        file.flush()
        return file

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def files() -> Iterator[Files]:
    made = Files()
    yield made
    made.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    box = Sandbox(readers=1, renderers=2)
    await box.start()
    yield box
    await box.stop()


class Rendering:
    """Somewhere for a rendering to go."""

    def __init__(self, files: Files, held: bytes = b"") -> None:
        self.files = [files.new(held) for _ in range(3)]
        self.outputs = Outputs(*(file.fileno() for file in self.files))

    def read(self) -> list[bytes]:
        return [os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0) for file in self.files]


async def render(
    sandbox: Sandbox, files: Files, data: bytes, source: Source | None = None
) -> tuple[RenderedDocument, list[bytes]]:
    made = Rendering(files)
    result = await sandbox.render([files.new(data).fileno()], source or Source("document"), made.outputs)
    return result, made.read()


async def refused(sandbox: Sandbox, files: Files, data: bytes, source: Source | None = None) -> Refusal:
    with pytest.raises(Refusal) as raised:
        await render(sandbox, files, data, source)
    return raised.value


async def test_a_mail_is_read(sandbox: Sandbox, files: Files) -> None:
    message = mail([Attachment("Vertrag.pdf", pdf(2)), Attachment("logo.png", png(), "image/png", "inline")])
    reading = await sandbox.read_mail(files.new(message).fileno(), len(message))
    assert [(part.name, part.used, part.pages) for part in reading.parts] == [
        ("", False, 0),
        ("Vertrag.pdf", True, 2),
        ("logo.png", False, 0),
    ]
    assert (reading.header_from, reading.subject, reading.refusal) == ("alice@example.org", "A fax", None)


@pytest.mark.parametrize(
    ("attachment", "kind"),
    [
        (Attachment("a.png", png(), "image/png"), Kind.NOTHING_TO_FAX),
        (Attachment("a.pdf", encrypted_pdf()), Kind.DOCUMENT_ENCRYPTED),
        (Attachment("a.pdf", broken_pdf()), Kind.DOCUMENT_BROKEN),
    ],
)
async def test_what_is_wrong_with_a_mail_comes_back(
    sandbox: Sandbox, files: Files, attachment: Attachment, kind: Kind
) -> None:
    message = mail([attachment])
    reading = await sandbox.read_mail(files.new(message).fileno(), len(message))
    assert reading.refusal is not None
    assert reading.refusal.kind is kind


async def test_only_the_given_size_of_a_file_is_the_mail(sandbox: Sandbox, files: Files) -> None:
    message = mail()
    reading = await sandbox.read_mail(files.new(message + b"more than the mail").fileno(), len(message))
    whole = await sandbox.read_mail(files.new(message).fileno(), len(message))
    assert reading == whole


async def test_an_empty_mail_is_read(sandbox: Sandbox, files: Files) -> None:
    reading = await sandbox.read_mail(files.new().fileno(), 0)
    assert reading.refusal is not None
    assert reading.refusal.kind is Kind.NOTHING_TO_FAX


async def test_a_280_kb_header_is_refused(sandbox: Sandbox, files: Files) -> None:
    message = b"Subject: " + b"=?utf-8?q?=41?=\r\n " * 20_000 + b"\r\n\r\nx"
    before = sandbox.pids
    reading = await sandbox.read_mail(files.new(message).fileno(), len(message))
    assert reading.refusal is not None
    assert reading.refusal.kind is Kind.MESSAGE_UNREADABLE
    assert sandbox.pids == before


async def test_the_longest_reading_fits(sandbox: Sandbox, files: Files) -> None:
    name = "%F0%9F%93%A0" * 120
    part = (
        f"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename*=UTF-8''{name}\r\n\r\nx\r\n"
    )
    message = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + part.encode() * 190
    reading = await sandbox.read_mail(files.new(message).fileno(), len(message))
    assert [len(part.name) for part in reading.parts] == [100] * 190
    assert reading.refusal is not None


async def test_a_document_is_rendered(sandbox: Sandbox, files: Files) -> None:
    result, (tiff_file, pdf_file, preview) = await render(sandbox, files, pdf(3))
    assert result == RenderedDocument(3, len(tiff_file), len(pdf_file), len(preview))
    assert tiff_pages(tiff_file, 350) == pdf_pages(pdf_file) == 3
    assert preview.startswith(b"\x89PNG")


def picture(form: str, mode: str, size: tuple[int, int]) -> bytes:
    """A picture of one colour that is half transparent, where *mode* allows it."""
    file = BytesIO()
    Image.new(mode, size, (200, 0, 0, 128)[: len(mode)]).save(file, form, compress_level=1, method=0)
    return file.getvalue()


@pytest.mark.full  # it takes half a gigabyte
@pytest.mark.parametrize(
    ("form", "mode", "size"),
    [("PNG", "RGB", (12000, 9000)), ("PNG", "RGBA", (12000, 9000)), ("WEBP", "RGBA", (7400, 7400))],
)
async def test_the_largest_pictures_find_room(
    sandbox: Sandbox, files: Files, form: str, mode: str, size: tuple[int, int]
) -> None:
    result, _ = await render(sandbox, files, picture(form, mode, size))
    assert result.pages == 1


async def test_a_picture_of_too_many_dots_is_called_so(sandbox: Sandbox, files: Files) -> None:
    reason = (await refused(sandbox, files, picture("WEBP", "RGB", (16000, 3500)))).reason
    assert reason.kind is Kind.DOCUMENT_TOO_LARGE
    assert "has too many dots to be faxed; make the picture smaller" in reason.sentence


async def test_the_parts_of_a_mail_are_joined_in_the_order_asked_for(sandbox: Sandbox, files: Files) -> None:
    message = mail([Attachment("a.pdf", pdf(1)), Attachment("b.tif", tiff(2), "image/tiff")])
    steps: list[tuple[int, int]] = []
    made = Rendering(files)
    result = await sandbox.render(
        [files.new(message).fileno()], Source("mail", (1, 2)), made.outputs, lambda *step: steps.append(step)
    )
    assert result.pages == 3
    assert steps == [(1, 3), (2, 3), (3, 3)]
    other, _ = await render(sandbox, files, message, Source("mail", (2, 1)))
    assert other.pages == 3
    alone, _ = await render(sandbox, files, message, Source("mail", (2,)))
    assert alone.pages == 2


async def test_the_part_that_cannot_be_rendered_is_named(sandbox: Sandbox, files: Files) -> None:
    message = mail([Attachment("good.pdf", pdf()), Attachment("bad.pdf", broken_pdf())])
    reason = (await refused(sandbox, files, message, Source("mail", (1, 2)))).reason
    assert (reason.kind, reason.subject) == (Kind.DOCUMENT_BROKEN, "bad.pdf")
    missing = (await refused(sandbox, files, message, Source("mail", (1, 9)))).reason
    assert missing.sentence == "the mail has no part 10"


async def test_what_the_outputs_held_is_overwritten(sandbox: Sandbox, files: Files) -> None:
    made = Rendering(files, held=b"old" * 100_000)
    result = await sandbox.render([files.new(pdf()).fileno()], Source("document"), made.outputs)
    assert [len(data) for data in made.read()] == [result.tiff_bytes, result.pdf_bytes, result.preview_bytes]
    assert tiff_pages(made.read()[0], 350) == 1


async def test_offsets_do_not_matter_and_do_not_move(sandbox: Sandbox, files: Files) -> None:
    message = mail()
    source, made = files.new(message), Rendering(files)
    source.seek(7)
    made.files[0].seek(5)
    reading = await sandbox.read_mail(source.fileno(), len(message))
    result = await sandbox.render([source.fileno()], Source("mail", (1,)), made.outputs)
    assert (reading.pages, result.pages) == (1, 1)
    assert (os.lseek(source.fileno(), 0, os.SEEK_CUR), os.lseek(made.files[0].fileno(), 0, os.SEEK_CUR)) == (7, 5)


@pytest.mark.parametrize(("data", "media_type"), [(pdf(2), MediaType.PDF), (tiff(2), MediaType.TIFF)])
async def test_a_document_is_inspected(sandbox: Sandbox, files: Files, data: bytes, media_type: MediaType) -> None:
    found = await sandbox.inspect(files.new(data).fileno())
    assert (found.media_type, found.pages, found.size) == (media_type, 2, len(data))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", Kind.DOCUMENT_BROKEN),
        (b"<html>", Kind.DOCUMENT_BROKEN),
        (broken_pdf(), Kind.DOCUMENT_BROKEN),
        (encrypted_pdf(), Kind.DOCUMENT_ENCRYPTED),
    ],
)
async def test_what_is_no_document_is_refused(sandbox: Sandbox, files: Files, data: bytes, kind: Kind) -> None:
    with pytest.raises(Refusal) as raised:
        await sandbox.inspect(files.new(data).fileno())
    assert raised.value.reason.kind is kind
    with pytest.raises(Refusal) as raised:
        await sandbox.convert(files.new(data).fileno(), MediaType.TIFF, files.new().fileno())
    assert raised.value.reason.kind is kind
    assert (await refused(sandbox, files, data)).reason.kind is kind


@pytest.mark.parametrize("to", [MediaType.PDF, MediaType.TIFF])
@pytest.mark.parametrize("data", [pdf(2), tiff(2)], ids=["pdf", "tiff"])
async def test_a_document_is_converted(sandbox: Sandbox, files: Files, data: bytes, to: MediaType) -> None:
    output = files.new(b"old" * 50_000)
    assert await sandbox.convert(files.new(data).fileno(), to, output.fileno()) == 2
    found = await sandbox.inspect(output.fileno())
    assert (found.media_type, found.pages) == (to, 2)


async def test_many_at_once_do_not_mix(sandbox: Sandbox, files: Files) -> None:
    documents = [pdf(pages) for pages in (1, 2, 3, 4, 5, 6)]
    renderings = [render(sandbox, files, document) for document in documents]
    inspections = [sandbox.inspect(files.new(document).fileno()) for document in documents]
    rendered = await asyncio.gather(*renderings)
    inspected = await asyncio.gather(*inspections)
    assert [result.pages for result, _ in rendered] == [found.pages for found in inspected] == [1, 2, 3, 4, 5, 6]


async def test_descriptors_do_not_leak(sandbox: Sandbox, files: Files) -> None:
    message, broken = files.new(mail()), files.new(broken_pdf())
    made = Rendering(files)

    async def round_trip() -> None:
        await sandbox.read_mail(message.fileno(), len(mail()))
        await sandbox.render([message.fileno()], Source("mail", (1,)), made.outputs)
        for refusing in (
            sandbox.inspect(broken.fileno()),
            sandbox.render([broken.fileno()], Source("document"), made.outputs),
        ):
            with pytest.raises(Refusal):
                await refusing

    await round_trip()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await round_trip()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_rendered_pages_get_their_header_line(sandbox: Sandbox, files: Files) -> None:
    result, (tiff_bytes, pdf_bytes, _) = await render(sandbox, files, pdf(3))
    made, preview = files.new(b"old"), files.new()
    line = Header("2026-11-25 14:05 EST", "Klinik Müller", "+1 202-555-0100")
    done = await sandbox.stamp([files.new(tiff_bytes).fileno()], line, made.fileno(), preview.fileno())
    content = os.pread(made.fileno(), 1 << 20, 0)
    assert (done.pages, done.pdf_bytes) == (result.pages, len(content))
    assert pdf_pages(content) == 3
    assert len(content) > len(pdf_bytes)
    assert os.pread(preview.fileno(), 8, 0).startswith(b"\x89PNG")


async def test_pages_that_are_not_ours_get_none(sandbox: Sandbox, files: Files) -> None:
    with pytest.raises(Refusal) as raised:
        await sandbox.stamp([files.new(broken_pdf()).fileno()], None, files.new().fileno(), files.new().fileno())
    assert raised.value.reason.kind is Kind.PAGES_DISAGREE


async def test_a_header_line_does_not_wait_for_long_renderings(files: Files) -> None:
    box = Sandbox(1, 1)
    await box.start()
    try:
        _, (tiff_bytes, _, _) = await render(box, files, pdf(1))
        long = asyncio.ensure_future(render(box, files, endless_pdf()))
        await asyncio.sleep(0)  # it has the only place now
        done = await box.stamp([files.new(tiff_bytes).fileno()], None, files.new().fileno(), files.new().fileno())
        assert done.pages == 1
        assert not long.done()
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long
    finally:
        await box.stop()


async def test_pictures_and_texts_are_joined_with_documents(sandbox: Sandbox, files: Files) -> None:
    made = Rendering(files)
    heic = (Path(__file__).parents[1] / "unit" / "data" / "bar.heic").read_bytes()
    given = [png(), heic, "Ein Text auf עברית\n".encode(), b"<p>HTML</p>", pdf(2)]
    source = Source(
        "document",
        names=("a.png", "b.heic", "c.txt", "", "e"),
        types=("", "", "", "text/html", "application/octet-stream"),
        pad=True,
    )
    result = await sandbox.render([files.new(data).fileno() for data in given], source, made.outputs)
    assert result.pages == tiff_pages(made.read()[0], 10) == 6
    assert {page.number(ifd.LENGTH) for page in ifd.directories(made.read()[0])} == {2156}


async def test_a_text_part_of_a_mail_is_rendered_in_its_alphabet(sandbox: Sandbox, files: Files) -> None:
    message = mail([Attachment("a.txt", "Größe ж".encode("utf-16"), "text/plain")])
    result, (tiff_file, *_) = await render(sandbox, files, message, Source("mail", (1,)))
    assert result.pages == 1
    assert next(ifd.directories(tiff_file)).number(ifd.LENGTH) < 500


async def test_what_a_page_is_taken_for_is_told_with_it(sandbox: Sandbox, files: Files) -> None:
    grey = pdf(1, drawing="0.5 g 0 0 612 792 re f")
    sizes = []
    for source in (
        Source("document", sight=Sight.PHOTO),
        Source("document", monochrome=True),
        Source("document", monochrome=True, black_threshold=30),
    ):
        _, (tiff_file, *_) = await render(sandbox, files, grey, source)
        with Image.open(BytesIO(tiff_file)) as image:
            sizes.append(image.convert("L").histogram()[0] / (image.width * image.height))
    assert 0.3 < sizes[0] < 0.7
    assert sizes[1:] == [pytest.approx(1, abs=0.01), pytest.approx(0, abs=0.01)]


async def test_a_text_is_told_by_its_name_or_its_type(sandbox: Sandbox, files: Files) -> None:
    text = files.new(b"hello").fileno()
    assert (await sandbox.inspect(text, "a.txt")).media_type == MediaType.TEXT
    assert (await sandbox.inspect(text, "", "text/html")).media_type == MediaType.HTML
    with pytest.raises(Refusal) as raised:
        await sandbox.inspect(text, "a.pdf")
    assert raised.value.reason.kind is Kind.DOCUMENT_BROKEN


async def test_files_in_files_are_read_and_rendered_by_confined_processes(sandbox: Sandbox, files: Files) -> None:
    """What opens winmail.dat and signed files needs nothing that is locked away."""
    packed = winmail(("a.pdf", pdf(2)), long_name="Long name.pdf")
    entity = mail([Attachment("b.pdf", pdf(3))])
    message = mail(
        [
            Attachment("winmail.dat", packed, "application/ms-tnef"),
            Attachment("smime.p7m", sealed(entity), "application/pkcs7-mime"),
            Attachment("c.png", png((900, 1200)), "image/png"),
        ]
    )
    reading = await sandbox.read_mail(files.new(message).fileno(), len(message))
    documents = [(part.name, part.pages) for part in reading.parts if part.used]
    assert documents == [("Long name.pdf", 2), ("b.pdf", 3), ("c.png", 1)]
    used = tuple(part.index for part in reading.parts if part.used)
    result, _ = await render(sandbox, files, message, Source("mail", used))
    assert result.pages == 6
