"""A process of the sandbox that ``faxgate-sandbox.service`` has started: another user's, and under other locks.

The daemon hands over the process's end of the channel and keeps a connection to the service: when that ends, from
whichever side, the process is killed.

| from | header | descriptors |
|---|---|---|
| the daemon | ``start, limits`` | channel |
| the service | ``pid`` | |
| the service | ``exited``: the return code | |
"""

import asyncio
import contextlib
import signal
import socket
from dataclasses import asdict

from gateway.sandbox.link import Gone, Link
from gateway.sandbox.requests import Limits
from gateway.sandbox.wire import Garbled, Header

#: How long a killed process may take to be told of; by then the service hangs.
_KILL_SECONDS = 5.0


class Remote:
    """What ``Process`` is, for a process that the service started."""

    def __init__(self, link: Link, pid: int) -> None:
        self.pid = pid
        self._link = link
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self._watch = asyncio.ensure_future(self._hear())

    @classmethod
    async def start(cls, service: str, name: str, limits: Limits, channel: int) -> "Remote":
        """Have the service that listens at the path *service* start ``gateway.sandbox.<name>`` at *channel*.

        Raises OSError when it does not listen, Gone when it does not start anything, TimeoutError.
        """
        link = Link(await _connected(service))
        try:
            async with asyncio.timeout(limits.start_seconds):
                await link.send({"start": name, "limits": asdict(limits)}, [channel])
                return cls(link, _number(await link.receive(), "pid"))
        except BaseException:
            link.close()
            raise

    @property
    def alive(self) -> bool:
        """False when its end was told."""
        return not self.exited.done()

    def kill(self) -> None:
        """End it at once; ``exited`` follows."""
        if not self.exited.done():
            self._link.finish()
            self._loop.call_later(_KILL_SECONDS, self._link.close)

    async def _hear(self) -> None:
        code = -signal.SIGKILL  # with the service, all its processes are killed
        with contextlib.suppress(Gone, Garbled):
            code = _number(await self._link.receive(), "exited")
        self._link.close()
        self.exited.set_result(code)


async def _connected(service: str) -> socket.socket:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(end, service)
    except BaseException:
        end.close()
        raise
    return end


def _number(header: Header, name: str) -> int:
    value = header.get(name)
    if type(value) is not int:
        raise Garbled(f"no {name}")
    return value
