"""LibreOffice's process, seen from the daemon: started at the first document, kept warm, ended when it hangs.

It works on one document at a time. After some documents, and when there have been none for a while, it ends: it is
large, and what one document has done to it shall not last.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from gateway import logs, metrics
from gateway.documents.refusal import needs_office
from gateway.errors import Kind, Refusal, refuse, shutting_down
from gateway.sandbox.libreoffice import LIBRARIES
from gateway.sandbox.link import Gone
from gateway.sandbox.requests import Limits
from gateway.sandbox.wire import Garbled, Header
from gateway.sandbox.worker import Worker

log = logs.logger(__name__)
_PLACES = ("/usr/lib/libreoffice/program", "/usr/lib64/libreoffice/program", "/usr/local/lib/libreoffice/program")
_WHY = {Gone: "crash", Garbled: "output", TimeoutError: "time"}
_MOST_DOCUMENTS = 50
_IDLE_SECONDS = 600.0


def find(wish: str) -> str:
    """Return LibreOffice's program folder, "" for none: *wish* is "auto", "off" or the folder itself."""
    if wish == "off":
        return ""
    places = _installed() if wish == "auto" else iter([Path(wish)])
    found = next((place for place in places if any((place / name).exists() for name in LIBRARIES)), None)
    return str(found or "")


def _installed() -> Iterator[Path]:
    yield from map(Path, _PLACES)
    yield from sorted(Path("/opt").glob("libreoffice*/program"), reverse=True)


class Office:
    """One warm LibreOffice; ``limits.office`` says where it is."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._worker: Worker | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def pids(self) -> list[int]:
        """Its process id, while it runs."""
        return [self._worker.pid] if self._worker else []

    async def convert(self, source_fd: int, ending: str, label: str, pdf_fd: int) -> Header:
        """Write the document of *source_fd*, whose name ends in *ending*, to *pdf_fd*; return the answer.

        Raises Refusal: FORMAT_UNSUPPORTED without LibreOffice, RENDERING_STOPPED when the document ended it, INTERNAL
        when it does not start.
        """
        if not self._limits.office:
            raise needs_office(label)
        async with self._turn:
            worker = await self._ready()
            try:
                async with asyncio.timeout(self._limits.page_seconds):
                    await worker.link.send({"do": "convert", "ending": ending, "label": label}, [source_fd, pdf_fd])
                    answer = await worker.link.receive()
            except (Gone, Garbled, TimeoutError) as trouble:
                await self._end()
                raise self._stopped(label, _WHY[type(trouble)]) from None
            except BaseException:
                await self._end()
                raise
            worker.served += 1
            if worker.served >= _MOST_DOCUMENTS:
                await self._end()
            self._wait()
            return answer

    async def stop(self) -> None:
        """End it; a conversion under way raises Refusal(SHUTTING_DOWN). May be called twice."""
        self._stopping = True
        if self._idle is not None:
            self._idle.cancel()
        await self._end()
        await asyncio.gather(*self._endings)

    async def _ready(self) -> Worker:
        if self._stopping:
            raise shutting_down()
        if self._worker is not None and not self._worker.alive:
            await self._end()
        if self._worker is None:
            try:
                self._worker = await Worker.start("office", self._limits)
            except (Gone, OSError) as error:
                log.warning("LibreOffice does not start", program=self._limits.office, why=str(error))
                sentence = "word processor files cannot be opened at the moment; please try again later"
                raise refuse(Kind.INTERNAL, sentence) from None
            if self._worker.missing:
                log.warning("LibreOffice runs with fewer locks than there could be", missing=self._worker.missing)
        return self._worker

    def _wait(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._rest)

    def _rest(self) -> None:
        if not self._turn.locked():
            ending = asyncio.ensure_future(self._end())
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.end()

    def _stopped(self, label: str, why: str) -> Refusal:
        if self._stopping:
            return shutting_down()
        metrics.sandbox_kills.labels(why).inc()
        log.warning("a document stopped LibreOffice", why=why)
        cause = "takes too long to open" if why == "time" else "cannot be opened"
        return refuse(
            Kind.RENDERING_STOPPED, f"{label} {cause}; print it into a new PDF and send that", label.strip('"')
        )
