"""A process of the sandbox at work, seen from the daemon: its life and our end of its channel."""

import asyncio
from typing import Protocol

from gateway.sandbox.link import Gone, Link
from gateway.sandbox.process import Process
from gateway.sandbox.remote import Remote
from gateway.sandbox.requests import Limits
from gateway.sandbox.wire import Garbled, pair


class Life(Protocol):
    """A process: a child of ours (``Process``), or one that the service started (``Remote``)."""

    pid: int
    exited: "asyncio.Future[int]"

    @property
    def alive(self) -> bool: ...

    def kill(self) -> None: ...


class Worker:
    """A process and our end of its channel. ``exited`` is done, with its return code, when nothing is left of it."""

    def __init__(self, process: Life, link: Link) -> None:
        self.link = link
        self.served = 0
        #: Locks that the kernel did not give it.
        self.missing: tuple[str, ...] = ()
        self.pid = process.pid
        self.exited = process.exited
        self._process = process

    @classmethod
    async def start(cls, name: str, limits: Limits) -> "Worker":
        """Start ``gateway.sandbox.<name>`` and wait until it is ready; raises OSError, or Gone when it does not get
        there."""
        worker = await cls._started(name, limits)
        try:
            async with asyncio.timeout(limits.start_seconds):
                header = await worker.link.receive()
        except (Gone, Garbled, TimeoutError):
            await worker.end()
            raise Gone(f"the sandbox's {name} did not start") from None
        except BaseException:
            await worker.end()
            raise
        worker.missing = _names(header.get("missing"))
        return worker

    @classmethod
    async def _started(cls, name: str, limits: Limits) -> "Worker":
        ours, theirs = pair()
        with theirs:
            try:
                return cls(await _life(name, limits, theirs.fileno()), Link(ours))
            except BaseException:
                ours.close()
                raise

    @property
    def alive(self) -> bool:
        """False as soon as it has exited, even before that was noticed."""
        return self._process.alive

    def kill(self) -> None:
        """End it at once; ``exited`` follows."""
        self._process.kill()

    async def end(self) -> None:
        """Kill it, wait for its exit and close the channel; it holds nothing that would have to be saved.

        Whoever waits for a datagram learns of the end before: a process closes its channel before it has exited.
        """
        self.kill()
        await asyncio.wait([self.exited])
        self.link.close()


async def _life(name: str, limits: Limits, channel: int) -> Life:
    if not limits.service:
        return Process(name, limits, channel)
    try:
        return await Remote.start(limits.service, name, limits, channel)
    except (OSError, Gone, Garbled) as error:
        why = str(error) or "it does not answer"
        raise Gone(f"faxgate-sandbox.service at {limits.service} did not start the {name}: {why}") from None


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(name)[:40] for name in value) if isinstance(value, list) else ()
