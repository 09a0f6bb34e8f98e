"""The readers: some warm processes, each at one mail at a time.

A reader that hangs is killed, one that died is replaced. The mail that it read gets a second chance with another; the
mail that ends two of them is to blame. It is not, when somebody else killed the reader.
"""

import asyncio
import contextlib
import signal

from gateway import logs, metrics
from gateway.errors import Kind, Refusal, refuse
from gateway.sandbox.link import Gone
from gateway.sandbox.requests import Limits
from gateway.sandbox.wire import Garbled, Header
from gateway.sandbox.worker import Worker

log = logs.logger(__name__)

_CHANCES = 2
_TRIES = 5
_DYING_SECONDS = 1.0
_RESTART_SECONDS = 1.0
#: Why a reader was ended, as it is counted.
_WHY = {Gone: "crash", Garbled: "output", TimeoutError: "time"}


class Deadly(Exception):
    """The request has ended every reader that took it."""


class Readers:
    """A pool of *count* readers."""

    def __init__(self, count: int, limits: Limits) -> None:
        self._count = count
        self._limits = limits
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()
        self._workers: set[Worker] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self) -> None:
        """Start all readers; raises Gone when one does not start."""
        starts = [asyncio.ensure_future(Worker.start("reader", self._limits)) for _ in range(self._count)]
        results = await asyncio.gather(*starts, return_exceptions=True)
        self._workers.update(result for result in results if isinstance(result, Worker))
        for result in results:
            if isinstance(result, BaseException):
                await self.stop()
                raise result
        self._keepers = [asyncio.ensure_future(self._keep(worker)) for worker in self._workers]

    async def stop(self) -> None:
        """End all readers; requests under way raise Refusal(SHUTTING_DOWN)."""
        self._stopping = True
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in self._workers))
        self._workers.clear()

    @property
    def pids(self) -> list[int]:
        """The readers' process ids."""
        return [worker.pid for worker in self._workers]

    @property
    def missing(self) -> list[str]:
        """Locks that the kernel did not give them."""
        return [name for worker in self._workers for name in worker.missing]

    async def ask(self, header: Header, descriptor: int) -> Header:
        """Have a reader answer; raises Deadly, or Refusal when no reader can be had."""
        blamed = 0
        for _ in range(_TRIES):
            worker = await self._take()
            try:
                return await self._exchange(worker, header, descriptor)
            except (Gone, Garbled, TimeoutError) as trouble:
                if self._stopping:
                    raise _shutting_down() from None
                blamed += await _to_blame(worker, trouble)
            if blamed == _CHANCES:
                raise Deadly
        raise _no_reader()

    async def _exchange(self, worker: Worker, header: Header, descriptor: int) -> Header:
        """One request and its answer. A reader that did not answer, for whatever cause, is not used again."""
        try:
            async with asyncio.timeout(self._limits.read_seconds):
                await worker.link.send(header, [descriptor])
                answer = await worker.link.receive()
        except Gone:  # it is ending by itself, and its exit will tell why: not to be mixed up with our own kill
            raise
        except BaseException:
            worker.kill()
            raise
        worker.served += 1
        if worker.served >= self._limits.mails_per_reader:
            worker.kill()
        else:
            self._idle.put_nowait(worker)
        return answer

    async def _take(self) -> Worker:
        """Return an idle reader that is alive."""
        if self._stopping:
            raise _shutting_down()
        try:
            async with asyncio.timeout(self._limits.start_seconds + self._limits.read_seconds):
                while True:
                    worker = await self._idle.get()
                    if worker.alive:
                        return worker
        except TimeoutError:
            log.warning("no reader has become free")
            raise _no_reader() from None

    async def _keep(self, worker: Worker) -> None:
        """Keep one place in the pool filled, beginning with *worker*."""
        while True:
            self._idle.put_nowait(worker)
            await asyncio.wait([worker.exited])
            self._workers.discard(worker)
            worker.link.close()
            worker = await self._restart()
            self._workers.add(worker)

    async def _restart(self) -> Worker:
        while True:
            with contextlib.suppress(Gone, OSError):
                return await Worker.start("reader", self._limits)
            log.error("a reader does not start")
            await asyncio.sleep(_RESTART_SECONDS)


async def _to_blame(worker: Worker, trouble: Exception) -> bool:
    """Say whether what was read ended the reader; False when it was killed, and not by us."""
    if isinstance(trouble, Gone):
        await asyncio.wait([worker.exited], timeout=_DYING_SECONDS)
        if worker.exited.done() and worker.exited.result() == -signal.SIGKILL:
            log.warning("a reader was killed")
            return False
        worker.kill()
    why = _WHY[type(trouble)]
    metrics.sandbox_kills.labels(why).inc()
    log.warning("a reader was lost", why=why)
    return True


def _no_reader() -> Refusal:
    return refuse(Kind.INTERNAL, "mails cannot be read at the moment; please try again later")


def _shutting_down() -> Refusal:
    return refuse(Kind.SHUTTING_DOWN, "the gateway is shutting down; please try again in a moment")
