"""Jobs on documents: each in a child of its own, forked by the zygote.

The daemon's clock bounds every job. A child tells on the job's own channel how far it is; when the channel ends without
an answer, the zygote's word decides what happened: the child ended by itself, so its document is to blame, or the
zygote is gone with all its children, so it is a fault of ours and the job may be tried again.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from gateway import logs, metrics
from gateway.errors import Kind, Refusal, refuse, shutting_down
from gateway.sandbox.answers import step_from
from gateway.sandbox.link import Gone, Link
from gateway.sandbox.requests import Limits
from gateway.sandbox.wire import OUT_OF_MEMORY, Garbled, Header, pair
from gateway.sandbox.worker import Worker

log = logs.logger(__name__)

Progress = Callable[[int, int], None]

#: Why a job was ended, as it is counted.
_WHY = {Gone: "crash", Garbled: "output", TimeoutError: "time"}
_CAUSES = {"time": "takes too long to open", "memory": "needs too much memory to open"}

_RESTART_SECONDS = 1.0
_BURIAL_SECONDS = 5.0


class Lost(Exception):
    """The zygote is gone, or could not fork."""


class Zygote:
    """The zygote's process, and the jobs whose end it has not told yet."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._ends: dict[int, asyncio.Future[bool]] = {}
        self._numbers = itertools.count(1)

    async def fork(self, header: Header, channel: int, files: Sequence[int]) -> int:
        """Have a child forked for *header* and return the job's number; raises Lost."""
        number = next(self._numbers)
        self._ends[number] = asyncio.get_running_loop().create_future()
        try:
            await self.worker.link.send({**header, "job": number}, [channel, *files])
        except BaseException as error:
            del self._ends[number]
            if isinstance(error, Gone):
                raise Lost from None
            raise
        return number

    async def bury(self, number: int) -> bool:
        """Kill a job's child, if it still lives, and wait until it is gone; True when there was one.

        Raises Lost when the zygote is gone, and all its children with it.
        """
        try:
            async with asyncio.timeout(_BURIAL_SECONDS):
                await self.worker.link.send({"do": "kill", "job": number})
                return await self._ends[number]
        except (TimeoutError, Gone):
            self.worker.kill()
            raise Lost from None
        finally:
            self._ends.pop(number, None)

    async def watch(self) -> None:
        """Hear the zygote until it is gone; then all its jobs are lost."""
        try:
            while True:
                header = await self.worker.link.receive()
                end = self._ends.get(header.get("ended", 0))
                if end is not None and not end.done():
                    end.set_result(bool(header.get("started")))
        except (Gone, Garbled):
            self.worker.kill()
        finally:
            for end in self._ends.values():
                if not end.done():
                    _lose(end)


class Renderers:
    """At most *count* jobs at once, and as many brief ones, which do not wait behind them."""

    def __init__(self, count: int, limits: Limits) -> None:
        self._limits = limits
        self._places = asyncio.Semaphore(count)
        self._brief_places = asyncio.Semaphore(count)
        self._ready: asyncio.Future[Zygote] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._zygote: Zygote | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start the zygote; raises Gone when it does not start."""
        worker = await Worker.start("zygote", self._limits)
        self._ready = asyncio.get_running_loop().create_future()
        self._zygote = Zygote(worker)
        self._keeper = asyncio.ensure_future(self._keep(self._zygote))

    async def stop(self) -> None:
        """End the zygote and its children; jobs under way raise Refusal(SHUTTING_DOWN)."""
        self._stopping = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._ready is not None and not self._ready.done():
            _lose(self._ready)

    @property
    def pids(self) -> list[int]:
        """The zygote's process id."""
        return [self._zygote.worker.pid] if self._zygote else []

    @property
    def missing(self) -> list[str]:
        """Locks that the kernel did not give the zygote and its children."""
        return list(self._zygote.worker.missing) if self._zygote else []

    async def run(
        self, header: Header, files: Sequence[int], on_progress: Progress | None, *, brief: bool = False
    ) -> Header:
        """Do a job and return its last datagram. Raises Refusal: RENDERING_STOPPED when the document ended its child,
        INTERNAL when the zygote was lost."""
        async with self._brief_places if brief else self._places:
            ours, theirs = pair()
            link = Link(ours)
            try:
                with theirs:
                    zygote = await self._get()
                    number = await zygote.fork(header, theirs.fileno(), files)
                return await self._follow(zygote, number, link, on_progress)
            except Lost:
                raise self._lost() from None
            finally:
                link.close()

    async def _follow(self, zygote: Zygote, number: int, link: Link, on_progress: Progress | None) -> Header:
        """Hear a job to its end; whatever happens, its child is gone afterwards."""
        job = _Hearing(link, self._limits, on_progress)
        try:
            answer = await job.answer()
        except (Gone, Garbled, TimeoutError) as trouble:
            if not await zygote.bury(number):
                raise Lost from None
            raise job.stopped(_WHY[type(trouble)]) from None
        except BaseException:
            with contextlib.suppress(Lost):
                await zygote.bury(number)
            raise
        with contextlib.suppress(Lost):  # the answer was given all the same
            await zygote.bury(number)
        if "failed" in answer:
            log.error("a document brought our own program to a halt", place=str(answer["failed"])[:300])
            raise job.stopped("memory" if answer["failed"] == OUT_OF_MEMORY else "crash")
        return answer

    async def _get(self) -> Zygote:
        if self._stopping or self._ready is None:
            raise self._lost()
        try:
            async with asyncio.timeout(self._limits.start_seconds):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            raise Lost from None

    async def _keep(self, zygote: Zygote) -> None:
        """Keep a zygote running, beginning with *zygote*."""
        while True:
            self._zygote = zygote
            _resolve(self._ready, zygote)
            try:
                await zygote.watch()
                log.warning("the zygote was lost")
                self._ready = asyncio.get_running_loop().create_future()
            finally:
                self._zygote = None
                await zygote.worker.end()
            zygote = Zygote(await self._restart())

    async def _restart(self) -> Worker:
        while True:
            with contextlib.suppress(Gone, OSError):
                return await Worker.start("zygote", self._limits)
            log.error("the zygote does not start")
            await asyncio.sleep(_RESTART_SECONDS)

    def _lost(self) -> Refusal:
        if self._stopping:
            return shutting_down()
        return refuse(Kind.INTERNAL, "documents cannot be opened at the moment; please try again later")


class _Hearing:
    """What a job says on its channel."""

    def __init__(self, link: Link, limits: Limits, on_progress: Progress | None) -> None:
        self._link = link
        self._limits = limits
        self._on_progress = on_progress
        self._told = 0
        self._next: tuple[str, int] = ("the document", 0)

    async def answer(self) -> Header:
        """Return the datagram that ends the job; raises TimeoutError, Gone or Garbled."""
        async with asyncio.timeout(self._limits.job_seconds):
            while True:
                async with asyncio.timeout(self._limits.page_seconds):
                    header = await self._link.receive()
                if "step" not in header:
                    return header
                self._note(header["step"])

    def stopped(self, why: str) -> Refusal:
        """Return the refusal of the document at which the job ended."""
        document, page = self._next
        metrics.sandbox_kills.labels(why).inc()
        log.warning("a document stopped its rendering", why=why, page=page)
        where = f"page {page} of {document}" if page else document
        sentence = f"{where} {_CAUSES.get(why, 'cannot be opened')}; print it into a new PDF and send that"
        return refuse(Kind.RENDERING_STOPPED, sentence, document.strip('"'))

    def _note(self, step: object) -> None:
        done, total, document, page = step_from(step)
        self._next = document, page
        if done > self._told and self._on_progress is not None:
            self._told = done
            self._on_progress(done, total)


def _lose(waited_for: "asyncio.Future[Any]") -> None:
    waited_for.set_exception(Lost())
    waited_for.exception()  # it is no surprise when nobody waits


def _resolve(ready: "asyncio.Future[Zygote] | None", zygote: Zygote) -> None:
    if ready is not None and not ready.done():
        ready.set_result(zygote)
