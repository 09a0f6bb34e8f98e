"""One HTTP connection, and how long its client may keep it waiting.

aiohttp ends idle connections, but not those whose client sends a header byte by byte or never reads the answer.
``Connection`` stands between the transport and aiohttp's protocol, hands everything on, and knows since when it waits
for the client. Bodies have their deadline where they are read (``body.read_body``).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import StreamReader

from gateway.web.body import MIN_RATE


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How many connections there may be, from anybody and from one peer, and how many seconds a client may take: for
    a header, between two requests, without reading what was sent to him, and for a body that nobody wants."""

    connections: int = 500
    connections_per_peer: int = 100
    header_seconds: float = 10
    idle_seconds: float = 75
    write_seconds: float = 30
    linger_seconds: float = 2


class Connection(asyncio.Protocol):
    """Hands everything on to *handler*; *left* is called once when the connection has ended."""

    def __init__(self, handler: asyncio.Protocol, limits: HttpLimits, left: Callable[[], None]) -> None:
        self._handler = handler
        self._limits = limits
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._header_since: float | None = self._loop.time()
        self._unread_since: float | None = None
        self._closing_since: float | None = None
        self._idle_since = self._loop.time()
        self._body: StreamReader | None = None
        self._body_since = 0.0
        self._received = 0
        self._winding_up = False
        #: Requests that are being answered.
        self.requests: set[asyncio.Task[Any]] = set()

    def began(self, request: "asyncio.Task[Any]", body: StreamReader | None = None) -> None:
        """A request is complete up to its *body*; it runs in this task, which ends when its answer was written."""
        self._header_since = None
        self._body, self._body_since, self._received = body, self._loop.time(), 0
        self.requests.add(request)
        request.add_done_callback(self._ended)

    def wind_up(self) -> None:
        """Close when the request under way is answered; at once when there is none."""
        self._winding_up = True
        if not self.requests and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now and drop what was not sent."""
        if self._transport is not None:
            self._transport.abort()

    def overdue(self, now: float) -> bool:
        """True when the client has been slow for too long at *now* (the loop's time)."""
        if self._transport is not None and self._transport.is_closing():
            self._closing_since = self._closing_since or now  # it waits until the client reads the rest
        limits = self._limits
        waits = (
            (None if self.requests else self._header_since, limits.header_seconds),
            (self._unread_since, limits.write_seconds),
            (self._closing_since, limits.write_seconds),
        )
        return any(since is not None and now - since > seconds for since, seconds in waits)

    def waits_since(self, now: float) -> float | None:
        """Return since when nothing is done here but to wait for the client; None while a request is worked on, or its
        body comes as fast as a body must."""
        if self._transport is None:
            return None
        if not self.requests:
            return self._idle_since if self._header_since is None else self._header_since
        if self._unread_since is not None:
            return self._unread_since
        return self._body_since if self._body_is_slow(now, self._transport) else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol; so are the methods that follow."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._handler.connection_made(transport)
        if self._winding_up:
            self.wind_up()

    def data_received(self, data: bytes) -> None:
        if not self.requests and self._header_since is None:
            self._header_since = self._loop.time()
        self._received += len(data)
        self._handler.data_received(data)

    def eof_received(self) -> bool | None:
        return self._handler.eof_received()

    def pause_writing(self) -> None:
        self._unread_since = self._loop.time()
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._unread_since = None
        self._handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._handler.connection_lost(exc)
        self._left()

    def _body_is_slow(self, now: float, transport: asyncio.Transport) -> bool:
        if self._body is None or self._body.is_eof() or not transport.is_reading():
            return False  # complete, or there is more of it than is wanted for now
        return self._received < (now - self._body_since) * MIN_RATE

    def _ended(self, request: "asyncio.Task[Any]") -> None:
        self.requests.discard(request)
        self._body, self._idle_since = None, self._loop.time()
        if self._winding_up:
            self.wind_up()
