"""One connection of the SMTP door: octets in and out, deadlines, TLS. Beside ``protocol.py`` the only file that knows
the shape of aiosmtpd (version 1.4.6).

Kept from ``aiosmtpd.smtp.SMTP``: Session and Envelope, NOOP, HELP, EXPN and the table of commands. Replaced here, each
for a reason found by running it: the stream that is read (a message went through it line by line, without bound), the
session's loop (cancels a commit when the client leaves, answers faults with 500), STARTTLS (a second one inside TLS;
no deadline), TLS from the first octet (its session believes that it is plain), and the connection's callbacks.
"""

import asyncio
import contextlib
import logging
import math
import ssl
from collections.abc import Callable
from typing import AnyStr

from aiosmtpd.smtp import SMTP

from gateway.smtp import replies
from gateway.smtp.door import Door
from gateway.smtp.incoming import Incoming

# aiosmtpd logs every command (numbers, mistyped passwords) and every line of every document there.
logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)


class _NoHooks:
    """The handler object that aiosmtpd asks for hooks; there are none."""

    def __dir__(self) -> list[str]:
        return []


class Connection(SMTP):
    """What a session needs of its connection. The server looks at ``deadline`` and calls ``expire`` and ``wind_up``."""

    def __init__(self, door: Door, context: ssl.SSLContext | None) -> None:
        super().__init__(
            _NoHooks(),
            data_size_limit=door.max_message_bytes,
            hostname=door.hostname,
            tls_context=context,
            loop=asyncio.get_running_loop(),
        )
        self._door = door
        self._limits = door.limits
        self._incoming = Incoming(self._pause, self._resume)
        self._lost = asyncio.Event()
        #: When the server calls ``expire``, in the loop's time: what the client owes us must be here by then.
        self.deadline = math.inf
        self.tls = ""
        #: Why there is no TLS, or no more.
        self._tls_error = ""
        self._greeted = False
        self._spoke_first = False
        self._idle = False
        self._deaf = False

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin. The base class would start its own session here."""
        assert isinstance(transport, asyncio.Transport)
        asyncio.StreamReaderProtocol.connection_made(self, transport)
        self._adopt(transport)
        self.session = self._create_session()
        self.envelope = self._create_envelope()

    def data_received(self, data: bytes) -> None:
        """Note who speaks before the greeting."""
        self._spoke_first |= not self._greeted
        self._incoming.feed(data)

    def eof_received(self) -> bool:
        """The client sends no more, but still gets the reply to what it has sent (except over TLS)."""
        self._incoming.end()
        return not self.tls

    def connection_lost(self, error: Exception | None) -> None:
        """The session finds out by itself when it reads or writes next; what it is doing is not cancelled."""
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        if isinstance(error, ssl.SSLError):  # in TLS 1.3 a client judges our certificate when we are done
            self._tls_error = str(error)
        self._incoming.end()
        self._lost.set()

    # -- what the server calls

    def wind_up(self) -> None:
        """Say 421 now if the client is idle, else when the command or message under way is done."""
        if self._idle:
            self._hear_no_more()

    def expire(self) -> None:
        """The deadline has passed: end the wait, or the connection when it is the client who does not read."""
        self.deadline = math.inf
        assert isinstance(self.transport, asyncio.Transport)
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self._hear_no_more()

    def abort(self) -> None:
        """Cut the connection off."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    # -- what the session calls

    async def _next_line(self, longest: int) -> bytes:
        """Return the next line; raises LineTooLong, and EOFError when none comes."""
        limits = self._limits
        patience = limits.stress_seconds if self._door.stressed else limits.command_seconds
        self.deadline = self.loop.time() + patience
        self._idle = True
        if self._door.stopping:
            self._hear_no_more()
        try:
            return await self._incoming.line(longest)
        finally:
            self._idle = False
            self.deadline = math.inf

    async def _pour(self, sink: Callable[[bytes], bool]) -> None:
        """Hand out octets as they come until *sink* returns True. Raises EOFError when they do not come, or too slowly:
        after a silence, or when less has come than the least rate asks for."""
        limits, received = self._limits, 0
        last = self.loop.time() + limits.data_seconds

        def put_off() -> None:
            silent = self.loop.time() + limits.command_seconds
            self.deadline = min(silent, last + received / limits.data_bytes_per_second)

        def take(data: bytes) -> bool:
            nonlocal received
            received += len(data)
            put_off()
            return sink(data)

        put_off()
        try:
            await self._incoming.pour(take)
        finally:
            self.deadline = math.inf

    async def push(self, status: AnyStr) -> None:
        """Send the reply to a command."""
        reply = status if isinstance(status, str) else status.decode("ascii")
        await self._send(replies.with_enhanced_code(reply))

    async def _send(self, reply: str) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.write(reply.encode("ascii") + b"\r\n")
        if self.transport.is_closing():
            raise ConnectionResetError
        if self.transport.get_write_buffer_size():
            self.deadline = self.loop.time() + self._limits.write_seconds
            await self._writer.drain()

    async def _hang_up(self, *, linger: bool) -> None:
        """Close: once the client has its replies (over TLS: has closed, too), or when the deadline cuts it off.

        *linger*: the client may be sending still; what it sends is dropped until it stops, since an end with octets
        unread would reset the connection and take the last reply with it.
        """
        assert isinstance(self.transport, asyncio.Transport)
        self.deadline = self.loop.time() + self._limits.close_seconds
        if linger and self.transport.can_write_eof() and not self.transport.is_closing():
            with contextlib.suppress(OSError, EOFError):
                self.transport.write_eof()
                await self._incoming.pour(lambda _: False)
            self.deadline = self.loop.time() + self._limits.close_seconds
        self.transport.close()
        await self._lost.wait()

    async def _switch_to_tls(self, context: ssl.SSLContext) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        try:
            transport = await self.loop.start_tls(
                self.transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=self._limits.tls_handshake_seconds,
                ssl_shutdown_timeout=self._limits.close_seconds,
            )
        except OSError as error:  # ssl.SSLError is one
            self._tls_error = str(error)
            self._lost.set()
            self.abort()
            raise ConnectionAbortedError from error
        assert transport is not None
        self._adopt(transport)
        self.session = self._create_session()

    # -- inside

    def _adopt(self, transport: asyncio.Transport) -> None:
        """Go on over *transport*; asyncio's streams have no public way for this on a server in Python 3.11."""
        self.transport = self._transport = transport
        self._writer._transport = transport  # type: ignore[attr-defined]
        secured = transport.get_extra_info("ssl_object")
        if secured is not None:
            self.tls = secured.version()

    def _hear_no_more(self) -> None:
        """Wake the session from its wait with an end of file of our own."""
        self._deaf = True
        self._incoming.end()

    def _pause(self) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.pause_reading()

    def _resume(self) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.resume_reading()
