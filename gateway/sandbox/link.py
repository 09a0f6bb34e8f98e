"""The daemon's end of a channel: it never blocks the loop."""

import asyncio
import os
import socket
from collections.abc import Sequence

from gateway.sandbox.wire import MOST_BYTES, Header, decode, encode


class Gone(Exception):
    """The process at the other end has closed the channel or died."""


class Link:
    """One end of a channel, owned: ``close`` must be called. One task at a time may wait for a datagram."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end

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
        try:
            data = await asyncio.get_running_loop().sock_recv(self._end, MOST_BYTES)
        except OSError as error:
            raise Gone(str(error)) from None
        if not data:
            raise Gone("the channel is closed")
        return decode(data)

    def close(self) -> None:
        """Close this end: the other one reads the end of the channel."""
        self._end.close()

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_writer(self._end, _resolve, ready)
        try:
            await ready
        finally:
            loop.remove_writer(self._end)


def _resolve(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def reopened(descriptor: int, flags: int) -> int:
    """Open the file behind *descriptor* once more, with its own offset and no more rights than *flags*.

    So a process of the sandbox cannot move an offset that others use, nor write to what it shall only read.
    """
    return os.open(f"/proc/self/fd/{descriptor}", flags | os.O_CLOEXEC)
