"""The sandbox of tests whose documents do no harm: what it does is done in the test's own process."""

import asyncio
from collections.abc import Callable, Sequence
from typing import BinaryIO

from gateway.document import (
    Header,
    Inspection,
    MediaType,
    Offers,
    Reading,
    RenderedDocument,
    Report,
    StampedDocument,
    claimed,
)
from gateway.documents import convert, render, stamp
from gateway.documents import open as documents
from gateway.documents.raster import Raster
from gateway.mail import evidence, parse
from gateway.mail.report import report
from gateway.sandbox import Outputs, Sandbox, Source
from gateway.sandbox import jobs as child
from gateway.sandbox.reader import DOCUMENTS, THE_DOCUMENT, beginning, note, whole


class OpenSandbox(Sandbox):
    """The sandbox's work, done in this process: the documents of these tests do no harm, and no process must start.

    ``renderings`` counts what was rendered; ``failing`` is raised instead of converting and stamping.
    """

    def __init__(self) -> None:
        super().__init__(1, 1)
        self.renderings = 0
        self.failing: Exception | None = None

    async def read_mail(self, message_fd: int, size: int, body: str = "ignore") -> Reading:
        return parse.read(beginning(message_fd, size), DOCUMENTS, body)

    async def offers(self, message_fd: int, size: int, authserv: str = "") -> Offers:
        return evidence.offers(beginning(message_fd, size), authserv)

    async def verify(self, message_fd: int, size: int, records: dict[str, str], which: list[int]) -> dict[int, str]:
        return evidence.verify(beginning(message_fd, size), records, which)

    async def report(self, message_fd: int, size: int) -> Report:
        return report(beginning(message_fd, size))

    async def read_note(self, message_fd: int) -> str:
        return note(whole(message_fd))

    async def inspect(self, document_fd: int, name: str = "", media_type: str = "") -> Inspection:
        return documents.inspect(whole(document_fd), THE_DOCUMENT, claimed(media_type, name))

    async def render(
        self,
        source_fds: Sequence[int],
        source: Source,
        outputs: Outputs,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> RenderedDocument:
        self.renderings += 1
        await asyncio.sleep(0)  # as long as others need to come in between
        if source.kind == "mail":
            inputs = [render.Input(*parse.extract(whole(source_fds[0]), index)) for index in source.parts]
        else:
            inputs = child._documents(source, list(source_fds))
        files = render.Files(_file(outputs.tiff_fd), _file(outputs.pdf_fd), _file(outputs.preview_fd))
        result = render.render(inputs, Raster.of(source.quality, source.paper), files, lambda _: None)
        for file in (files.tiff, files.pdf, files.preview):
            file.flush()
        return result

    async def stamp(
        self, rendered_fds: Sequence[int], header: Header | None, pdf_fd: int, preview_fd: int
    ) -> StampedDocument:
        if self.failing is not None:
            raise self.failing
        pdf, preview = _file(pdf_fd), _file(preview_fd)
        result = stamp.stamp([whole(rendered) for rendered in rendered_fds], header, pdf, preview, lambda _: None)
        for file in (pdf, preview):
            file.flush()
        return result

    async def convert(self, document_fd: int, to: MediaType, output_fd: int) -> int:
        if self.failing is not None:
            raise self.failing
        output = _file(output_fd)
        pages = convert.convert(whole(document_fd), THE_DOCUMENT, to, output, lambda _: None)
        output.flush()
        return pages


def _file(descriptor: int) -> BinaryIO:
    return open(descriptor, "w+b", closefd=False)
