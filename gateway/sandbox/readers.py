"""The readers: some warm processes, each at one mail at a time.

Each is the child of a parent of its own, which forks another after a share of requests: whoever has taken over a reader
gets no more of them. A reader that hangs is killed, one that died is replaced. The mail that it read gets a second
chance with another; the mail that ends two of them is to blame. It is not, when somebody else killed the reader.
"""

import asyncio
import contextlib
import signal

from gateway import logs, metrics
from gateway.errors import Kind, Refusal, refuse, shutting_down
from gateway.sandbox.link import Gone, Link
from gateway.sandbox.requests import Limits
from gateway.sandbox.wire import Garbled, Header, pair
from gateway.sandbox.worker import Worker

log = logs.logger(__name__)

_CHANCES = 2
_TRIES = 5
_DYING_SECONDS = 1.0
_RESTART_SECONDS = 1.0
#: How long a parent may take to end its child and itself, before it is killed.
_ENDING_SECONDS = 1.0
#: Why a reader was ended, as it is counted.
_WHY = {Gone: "crash", Garbled: "output", TimeoutError: "time"}


class Deadly(Exception):
    """The request has ended every reader that took it."""


class Reader:
    """A reader's parent, and our end of the channel of the child that it has now."""

    def __init__(self, parent: Worker, share: int) -> None:
        """Of *share* requests a child gets no more."""
        self.parent = parent
        self._share = share
        self._left = 0
        self._link: Link | None = None

    @classmethod
    async def start(cls, limits: Limits) -> "Reader":
        """Start a parent and its first child; raises OSError or Gone."""
        reader = cls(await Worker.start("reader", limits), limits.mails_per_reader)
        try:
            await reader._renew()
        except BaseException:
            await reader.end()
            raise
        return reader

    async def answer(self, header: Header, descriptor: int) -> Header:
        """Send a request and return what comes back; raises Gone or Garbled."""
        link = self._link if self._link is not None and self._left > 0 else await self._renew()
        self._left -= 1
        await link.send(header, [descriptor])
        return await link.receive()

    async def _renew(self) -> Link:
        """Have the next child forked, at a channel that no other has had."""
        ours, theirs = pair()
        with theirs:
            try:
                await self.parent.link.send({"do": "next"}, [theirs.fileno()])
            except BaseException:
                ours.close()
                raise
        self._close()  # not before the parent has been told: it ends when its child does
        self._link, self._left = Link(ours), self._share
        return self._link

    def kill(self) -> None:
        """End both; the parent's ``exited`` follows. It is asked to end its child and wait for it, so that none is left
        where nobody waits for orphans."""
        self.parent.link.finish()
        asyncio.get_running_loop().call_later(_ENDING_SECONDS, self.parent.kill)

    async def end(self) -> None:
        """End both, wait for it and close the channels."""
        self.kill()
        await self.gone()

    async def gone(self) -> None:
        """Wait until nothing is left, and close the channels. Whoever waits for an answer learns of it."""
        await asyncio.wait([self.parent.exited])
        self.parent.link.close()
        self._close()

    def _close(self) -> None:
        if self._link is not None:
            self._link.close()


class Readers:
    """A pool of *count* readers."""

    def __init__(self, count: int, limits: Limits) -> None:
        self._count = count
        self._limits = limits
        self._idle: asyncio.Queue[Reader] = asyncio.Queue()
        self._readers: set[Reader] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self) -> None:
        """Start all readers; raises Gone when one does not start."""
        starts = [asyncio.ensure_future(Reader.start(self._limits)) for _ in range(self._count)]
        results = await asyncio.gather(*starts, return_exceptions=True)
        self._readers.update(result for result in results if isinstance(result, Reader))
        for result in results:
            if isinstance(result, BaseException):
                await self.stop()
                raise result
        self._keepers = [asyncio.ensure_future(self._keep(reader)) for reader in self._readers]

    async def stop(self) -> None:
        """End all readers; requests under way raise Refusal(SHUTTING_DOWN)."""
        self._stopping = True
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(reader.end() for reader in self._readers))
        self._readers.clear()

    @property
    def pids(self) -> list[int]:
        """The process ids of the readers' parents."""
        return [reader.parent.pid for reader in self._readers]

    @property
    def missing(self) -> list[str]:
        """Locks that the kernel did not give them."""
        return [name for reader in self._readers for name in reader.parent.missing]

    async def ask(self, header: Header, descriptor: int) -> Header:
        """Have a reader answer; raises Deadly, or Refusal when no reader can be had."""
        blamed = 0
        for _ in range(_TRIES):
            reader = await self._take()
            try:
                return await self._exchange(reader, header, descriptor)
            except (Gone, Garbled, TimeoutError) as trouble:
                if self._stopping:
                    raise shutting_down() from None
                blamed += await _to_blame(reader, trouble)
            if blamed == _CHANCES:
                raise Deadly
        raise _no_reader()

    async def _exchange(self, reader: Reader, header: Header, descriptor: int) -> Header:
        """One request and its answer. A reader that did not answer, for whatever cause, is not used again."""
        try:
            async with asyncio.timeout(self._limits.read_seconds):
                answer = await reader.answer(header, descriptor)
        except Gone:  # it is ending by itself, and its exit will tell why: not to be mixed up with our own kill
            raise
        except BaseException:
            reader.kill()
            raise
        self._idle.put_nowait(reader)
        return answer

    async def _take(self) -> Reader:
        """Return an idle reader that is alive."""
        if self._stopping:
            raise shutting_down()
        try:
            async with asyncio.timeout(self._limits.start_seconds + self._limits.read_seconds):
                while True:
                    reader = await self._idle.get()
                    if reader.parent.alive:
                        return reader
        except TimeoutError:
            log.warning("no reader has become free")
            raise _no_reader() from None

    async def _keep(self, reader: Reader) -> None:
        """Keep one place in the pool filled, beginning with *reader*."""
        while True:
            self._idle.put_nowait(reader)
            await asyncio.wait([reader.parent.exited])
            self._readers.discard(reader)
            await reader.gone()
            reader = await self._restart()
            self._readers.add(reader)

    async def _restart(self) -> Reader:
        while True:
            with contextlib.suppress(Gone, OSError):
                return await Reader.start(self._limits)
            log.error("a reader does not start")
            await asyncio.sleep(_RESTART_SECONDS)


async def _to_blame(reader: Reader, trouble: Exception) -> bool:
    """Say whether what was read ended the reader; False when it was killed, and not by us."""
    if isinstance(trouble, Gone):
        exited = reader.parent.exited
        await asyncio.wait([exited], timeout=_DYING_SECONDS)
        if exited.done() and exited.result() == -signal.SIGKILL:
            log.warning("a reader was killed")
            return False
        reader.kill()
    why = _WHY[type(trouble)]
    metrics.sandbox_kills.labels(why).inc()
    log.warning("a reader was lost", why=why)
    return True


def _no_reader() -> Refusal:
    return refuse(Kind.INTERNAL, "mails cannot be read at the moment; please try again later")
