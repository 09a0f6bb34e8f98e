"""The carrier's front door: TLS before the emulator, which may show a bad certificate, be shut, or be a black hole."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from gateway.carriers.emulator.app import Emulator
from tests.faults.listening import closed
from tests.scenarios.installation import reserved

NAME = "localhost"


class Front:
    """Listens on *port* with a certificate that is *good*, *expired* or *foreign* (of another host's), or is *shut*
    (connections are refused) or *full* (they are neither taken nor refused). ``callers`` counts who came through."""

    def __init__(self, emulator: Emulator, port: int, authority: trustme.CA) -> None:
        self.port = port
        self.callers = 0
        self._emulator = emulator
        past = datetime.now(UTC) - timedelta(days=10)
        self._certificates = {
            "good": authority.issue_cert(NAME),
            "expired": authority.issue_cert(NAME, not_before=past - timedelta(days=90), not_after=past),
            "foreign": authority.issue_cert("carrier.test.example"),
        }
        self._server: asyncio.Server | None = None
        self._sockets: list[socket.socket] = []
        self._calls: set[asyncio.Task[None]] = set()

    async def turn(self, how: str) -> None:
        """Be *how* from now on."""
        await self.close()
        if how == "full":
            self._fill()
        elif how != "shut":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._certificates[how].configure_cert(context)
            self._server = await asyncio.start_server(lambda *ends: self._take(context, *ends), "127.0.0.1", self.port)

    async def close(self) -> None:
        """Let nobody in, and hang up."""
        if self._server is not None:
            await closed(self._server)
            self._server = None
        for call in (calls := list(self._calls)):
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        while self._sockets:
            self._sockets.pop().close()

    def _fill(self) -> None:
        """Listen, accept nobody, and be the one who waits: the kernel drops what comes then (listen(2))."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=0)
        self._sockets.append(listener)
        for _ in range(2):
            waiting = socket.socket()
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(("127.0.0.1", self.port))
            self._sockets.append(waiting)

    def _take(self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = asyncio.create_task(self._carry(context, reader, writer))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        # Not within the call: one that is cancelled before its first step never comes so far.
        call.add_done_callback(lambda _: writer.transport.abort())

    async def _carry(self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers += 1
        onward: asyncio.StreamWriter | None = None
        try:
            await writer.start_tls(context)
            answers, onward = await asyncio.open_connection("127.0.0.1", self._emulator.port)
            asked = asyncio.create_task(_copy(reader, onward))
            try:
                await _copy(answers, writer)
            finally:
                asked.cancel()
        except OSError:
            pass  # who does not like the certificate, or was reset behind it
        finally:
            if onward is not None:
                onward.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while octets := await reader.read(1 << 16):
        writer.write(octets)
        await writer.drain()
    await asyncio.sleep(0.1)  # what was written leaves before the end is cut


@contextlib.asynccontextmanager
async def front(emulator: Emulator, folder: Path) -> AsyncIterator[tuple[Front, dict[str, str]]]:
    """A front that is good at first, and the environment in which a process trusts its authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    with reserved() as port:
        made = Front(emulator, port, authority)
        await made.turn("good")
        try:
            yield made, {"SSL_CERT_FILE": str(folder / "authority.pem")}
        finally:
            await made.close()
