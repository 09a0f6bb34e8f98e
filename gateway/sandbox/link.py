"""The daemon's end of a channel: it never blocks the loop."""

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Sequence

from gateway.sandbox.wire import MOST_BYTES, Garbled, Header, decode, encode

#: Datagrams that nobody has asked for yet: whoever sends more waits, however much of the daemon's memory it wants.
_MOST_WAITING = 8


class Gone(Exception):
    """The process at the other end has closed the channel or died."""


class Link:
    """One end of a channel, owned: ``close`` must be called. One task at a time may wait for a datagram.

    What comes is read by one callback that stays with the loop, into one buffer: to be told of a socket anew for every
    datagram, and to make room for the longest one, cost more than the datagram.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._room = bytearray(MOST_BYTES)
        self._come: deque[Header | Garbled] = deque()
        self._gone: Gone | None = None
        self._awaited: asyncio.Future[None] | None = None
        self._loop.add_reader(end, self._read)

    async def send(self, header: Header, descriptors: Sequence[int] = ()) -> None:
        """Send a datagram; raises Gone."""
        data = encode(header)
        while True:
            try:
                socket.send_fds(self._end, [data], descriptors)
            except (BlockingIOError, InterruptedError):
                await self._writable()
            except OSError as error:
                raise Gone(str(error)) from None
            else:
                return

    async def receive(self) -> Header:
        """Wait for a datagram; raises Gone at the end, Garbled when it makes no sense."""
        while not self._come:
            if self._gone is not None:
                raise self._gone
            self._awaited = self._loop.create_future()
            try:
                await self._awaited
            finally:
                self._awaited = None
        come = self._come.popleft()
        if len(self._come) == _MOST_WAITING - 1 and self._gone is None:
            self._loop.add_reader(self._end, self._read)
        if isinstance(come, Garbled):
            raise come
        return come

    def finish(self) -> None:
        """Say that nothing more will be sent: the other side reads the end of the channel, and may still answer."""
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close this end: the other one reads the end of the channel. Whoever waits learns that it is gone."""
        if self._end.fileno() >= 0:
            self._loop.remove_reader(self._end)
            self._end.close()
            self._ends(Gone("the channel is closed"))

    def _read(self) -> None:
        try:
            size = self._end.recv_into(self._room)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            return self._ends(Gone(str(error)))
        if not size:
            return self._ends(Gone("the channel is closed"))
        try:
            self._tell(decode(bytes(self._room[:size])))
        except Garbled as garbled:
            self._tell(garbled)
        return None

    def _ends(self, gone: Gone) -> None:
        """Nothing more comes; every further wait is told so."""
        if self._end.fileno() >= 0:
            self._loop.remove_reader(self._end)
        self._gone = self._gone or gone
        self._wake()

    def _tell(self, come: Header | Garbled) -> None:
        self._come.append(come)
        if len(self._come) == _MOST_WAITING:
            self._loop.remove_reader(self._end)
        self._wake()

    def _wake(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    async def _writable(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_writer(self._end, _resolve, ready)
        try:
            await ready
        finally:
            self._loop.remove_writer(self._end)


def _resolve(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def reopened(descriptor: int, flags: int) -> int:
    """Open the file behind *descriptor* once more, with its own offset and no more rights than *flags*.

    So a process of the sandbox cannot move an offset that others use, nor write to what it shall only read.
    """
    return os.open(f"/proc/self/fd/{descriptor}", flags | os.O_CLOEXEC)
