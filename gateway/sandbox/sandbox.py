"""The sandbox, as the daemon knows it: read a mail, inspect, render or convert a document.

Nothing that a stranger sent is opened in the daemon. Descriptors are handed over by number and stay the caller's; their
offsets do not matter and are not moved.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace

from gateway import logs
from gateway.document import Header as HeaderLine
from gateway.document import Inspection, MediaType, Offers, Reading, RenderedDocument, Report, StampedDocument
from gateway.errors import ConfigurationError, Kind, Reason, refuse
from gateway.sandbox import offices
from gateway.sandbox.answers import (
    converted_from,
    foreign_from,
    inspection_from,
    note_from,
    offers_from,
    pictured_from,
    reading_from,
    rendered_from,
    report_from,
    stamped_from,
    verified_from,
)
from gateway.sandbox.link import Gone, reopened
from gateway.sandbox.readers import Deadly, Readers
from gateway.sandbox.renderers import Renderers
from gateway.sandbox.requests import Limits, Outputs, Source
from gateway.sandbox.wire import Garbled, Header, reason_from

log = logs.logger(__name__)

_UNREADABLE = Reason(
    Kind.MESSAGE_UNREADABLE, "the mail cannot be read: something in it stops the program that looks for its documents"
)


class Sandbox:
    """Readers and renderers. ``start`` before use, ``stop`` at the end; all methods are for one event loop."""

    def __init__(
        self,
        readers: int = 2,
        renderers: int = 2,
        limits: Limits | None = None,
        *,
        office: str = "off",
        service: str = "",
    ) -> None:
        """*readers* processes read mails, at most *renderers* documents are worked on at once; *office* says where
        LibreOffice is (``offices.find``), *service* where the service listens that starts them, "" for none."""
        limits = replace(limits or Limits(), office=offices.find(office), service=service)
        self._office = offices.Office(limits)
        self._readers = Readers(readers, limits)
        self._renderers = Renderers(renderers, limits)

    async def start(self) -> None:
        """Start the processes; raises ConfigurationError when they do not start."""
        try:
            await self._readers.start()
            await self._renderers.start()
        except (Gone, OSError) as error:
            await self.stop()
            raise ConfigurationError(
                f"the processes that open documents do not start ({error}); see the lines above, and check memory"
            ) from error
        missing = sorted({*self._readers.missing, *self._renderers.missing})
        if missing:
            log.warning(
                "documents are opened with fewer locks than there could be", missing=missing, see="faxgate check"
            )

    async def stop(self) -> None:
        """End all processes. What is under way raises Refusal(SHUTTING_DOWN). May be called twice."""
        await self._readers.stop()
        await self._renderers.stop()
        await self._office.stop()

    @property
    def pids(self) -> list[int]:
        """The process ids of the readers and of the zygote, while they run."""
        return [*self._readers.pids, *self._renderers.pids]

    async def read_mail(self, message_fd: int, size: int, body: str = "ignore") -> Reading:
        """Read the mail in the first *size* bytes of *message_fd*.

        *body* is what becomes of its text (``Faxbox.body``).
        Whatever is wrong with the mail is in ``Reading.refusal``; Refusal is raised for passing troubles of ours only.
        """
        try:
            with _for_reading(message_fd) as file:
                answer = await self._readers.ask({"do": "read_mail", "size": size, "body": body}, file)
            _check(answer)
            return reading_from(answer.get("reading"))
        except (Deadly, Garbled):
            return Reading((), refusal=_UNREADABLE)

    async def offers(self, message_fd: int, size: int, authserv: str = "") -> Offers:
        """Return what a mail offers as evidence of its sender, and what the relay *authserv* says of it.

        Raises Refusal(MESSAGE_UNREADABLE) for a mail that cannot be read.
        """
        answer = await self._evidence(message_fd, {"do": "offers", "size": size, "authserv": authserv})
        return offers_from(answer.get("offers"))

    async def verify(self, message_fd: int, size: int, records: dict[str, str], which: list[int]) -> dict[int, str]:
        """Verify the DKIM signatures numbered *which* against the keys in *records* (by their DNS names).

        Returns what is wrong with each, "" for a valid one; raises Refusal(MESSAGE_UNREADABLE).
        """
        request = {"do": "verify", "size": size, "records": records, "which": which}
        return verified_from((await self._evidence(message_fd, request)).get("verified"))

    async def report(self, message_fd: int, size: int) -> Report:
        """Read a delivery report (``Report.message_id`` is "" for what is none); raises Refusal(MESSAGE_UNREADABLE)."""
        return report_from((await self._evidence(message_fd, {"do": "report", "size": size})).get("report"))

    async def _evidence(self, message_fd: int, request: Header) -> Header:
        try:
            with _for_reading(message_fd) as file:
                answer = await self._readers.ask(request, file)
            _check(answer)
        except (Deadly, Garbled):
            raise refuse(_UNREADABLE.kind, _UNREADABLE.sentence) from None
        return answer

    async def read_note(self, message_fd: int) -> str:
        """Return the text that the sender of a mail wrote himself; "" when there is none, or it cannot be read."""
        try:
            with _for_reading(message_fd) as file:
                answer = await self._readers.ask({"do": "read_note", "size": os.fstat(file).st_size}, file)
            _check(answer)
            return note_from(answer.get("note"))
        except (Deadly, Garbled):
            return ""

    async def inspect(self, document_fd: int, name: str = "", media_type: str = "") -> Inspection:
        """Say what a document is, by its first bytes, and how many pages it has.

        Its *name* and declared *media_type* count where its bytes say nothing, which is for text.
        Raises Refusal: DOCUMENT_BROKEN when it is nothing that can be faxed or cannot be opened, DOCUMENT_ENCRYPTED,
        DOCUMENT_TOO_LARGE.
        """
        try:
            with _for_reading(document_fd) as file:
                answer = await self._readers.ask({"do": "inspect", "name": name, "media_type": media_type}, file)
            _check(answer)
            return inspection_from(answer.get("inspection"))
        except (Deadly, Garbled):
            raise _broken() from None

    async def render(
        self,
        source_fds: Sequence[int],
        source: Source,
        outputs: Outputs,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> RenderedDocument:
        """Render what *source* says of *source_fds* (one mail, or up to MOST_DOCUMENTS documents) to fax pages;
        *on_progress* gets pages done and pages in all.

        Raises Refusal with a reason that names the part which cannot be faxed; what the outputs hold then is void.
        """
        header: Header = {"do": "render", "source": source.as_header(), "converted": []}
        with contextlib.ExitStack() as files:
            written = (outputs.tiff_fd, outputs.pdf_fd, outputs.preview_fd)
            descriptors = [files.enter_context(_for_writing(output)) for output in written]
            descriptors += [files.enter_context(_for_reading(descriptor)) for descriptor in source_fds]
            answer = await self._renderers.run(header, descriptors, on_progress)
            try:
                _check(answer)
                if "foreign" in answer:
                    pdfs = await self._converted(source, source_fds, foreign_from(answer["foreign"]), files)
                    header["converted"] = list(pdfs)
                    answer = await self._renderers.run(header, [*descriptors, *pdfs.values()], on_progress)
                    _check(answer)
                return rendered_from(answer.get("rendered"))
            except Garbled:
                raise _broken() from None

    async def _converted(
        self,
        source: Source,
        source_fds: Sequence[int],
        foreign: list[tuple[int, str, str]],
        files: contextlib.ExitStack,
    ) -> dict[int, int]:
        """Have LibreOffice make PDFs of the documents in these places; return descriptors by place."""
        pdfs = {}
        for at, ending, label in foreign:
            with tempfile.TemporaryFile() as document, tempfile.TemporaryFile() as pdf:
                await self._extract(source, source_fds, at, document.fileno())
                with _for_reading(document.fileno()) as there, _for_writing(pdf.fileno()) as here:
                    _check(await self._office.convert(there, ending, label, here))
                pdfs[at] = files.enter_context(_for_reading(pdf.fileno()))
        return pdfs

    async def _extract(self, source: Source, source_fds: Sequence[int], at: int, output_fd: int) -> None:
        with contextlib.ExitStack() as files:
            descriptors = [files.enter_context(_for_writing(output_fd))]
            descriptors += [files.enter_context(_for_reading(descriptor)) for descriptor in source_fds]
            header = {"do": "extract", "source": source.as_header(), "at": at}
            _check(await self._renderers.run(header, descriptors, None, brief=True))

    async def stamp(
        self, rendered_fds: Sequence[int], header: HeaderLine | None, pdf_fd: int, preview_fd: int
    ) -> StampedDocument:
        """Join TIFFs that ``render`` wrote, put *header* at the top of every page, and write the result as a PDF.

        The preview is of its first page. Raises Refusal as ``render``.
        """
        with contextlib.ExitStack() as files:
            descriptors = [files.enter_context(_for_writing(output)) for output in (pdf_fd, preview_fd)]
            descriptors += [files.enter_context(_for_reading(rendered)) for rendered in rendered_fds]
            told = None if header is None else asdict(header)
            answer = await self._renderers.run({"do": "stamp", "header": told}, descriptors, None, brief=True)
        try:
            _check(answer)
            return stamped_from(answer.get("stamped"))
        except Garbled:
            raise _broken() from None

    async def picture(self, document_fd: int, page: int, width: int, png_fd: int) -> int:
        """Write page *page* (from 1) of a document as a PNG of *width* dots into *png_fd*, and return its bytes.

        Raises Refusal as ``inspect``, and INVALID where there is no such page or width.
        """
        request = {"do": "picture", "page": page, "width": width}
        with _for_reading(document_fd) as source, _for_writing(png_fd) as output:
            answer = await self._renderers.run(request, [source, output], None, brief=True)
        try:
            _check(answer)
            return pictured_from(answer.get("pictured"))
        except Garbled:
            raise _broken() from None

    async def convert(self, document_fd: int, to: MediaType, output_fd: int) -> int:
        """Write a received fax as type *to* into *output_fd* and return its pages; the same type is copied.

        Raises Refusal as ``inspect``, and PAGES_DISAGREE when a page would get lost.
        """
        with _for_reading(document_fd) as source, _for_writing(output_fd) as output:
            answer = await self._renderers.run({"do": "convert", "to": to.value}, [source, output], None)
        try:
            _check(answer)
            return converted_from(answer.get("converted"))
        except Garbled:
            raise _broken() from None


@contextlib.contextmanager
def _for_reading(descriptor: int) -> Iterator[int]:
    file = reopened(descriptor, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)


@contextlib.contextmanager
def _for_writing(descriptor: int) -> Iterator[int]:
    file = reopened(descriptor, os.O_RDWR)
    try:
        yield file
    finally:
        os.close(file)


def _check(answer: Header) -> None:
    """Raise what an answer refuses."""
    if "refusal" in answer:
        reason = reason_from(answer["refusal"])
        raise refuse(reason.kind, reason.sentence, reason.subject)
    if "failed" in answer:
        log.error("a document or mail brought our own program to a halt", place=str(answer["failed"])[:300])
        raise Garbled("failed")


def _broken() -> Exception:
    return refuse(Kind.DOCUMENT_BROKEN, "the document cannot be opened; make it again and send that", "the document")
