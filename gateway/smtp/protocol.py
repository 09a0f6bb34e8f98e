"""The SMTP session on top of aiosmtpd: the only file that knows its shape (version 1.4.6).

Kept from ``aiosmtpd.smtp.SMTP``: Session and Envelope, push, NOOP, HELP, EXPN and the table of commands. Replaced, each
for a reason found by running it: the session's loop (cancels a commit when the client leaves, answers faults with
500), MAIL and RCPT (its address parser dials numbers that nobody wrote), DATA (memory without bound), STARTTLS (a
second one inside TLS; no deadline), and the connection callbacks.
"""

import asyncio
import contextlib
import logging
import math
import ssl
from typing import AnyStr

from aiosmtpd.smtp import SMTP, syntax

from gateway import logs
from gateway.address import shown
from gateway.smtp import replies
from gateway.smtp.content import Content
from gateway.smtp.conversation import Conversation
from gateway.smtp.door import Door
from gateway.smtp.incoming import Incoming, LineTooLong

log = logs.logger(__name__)

# aiosmtpd logs every command (numbers, mistyped passwords) and every line of every document there.
logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)

#: The longest command line with its CRLF (RFC 5321, 4.5.3.1.4 asks for 512 and more for extensions).
COMMAND_OCTETS = 1024

#: First words that only a web browser sends, or somebody who makes one speak to us.
_FOREIGN = frozenset({b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"CONNECT", b"TRACE", b"PATCH"})


class _NoHooks:
    """The handler object that aiosmtpd asks for hooks; there are none."""

    def __dir__(self) -> list[str]:
        return []


class SmtpProtocol(SMTP):
    """One connection. ``converse`` is its whole life; ``wind_up`` asks it to end when it can."""

    # The StreamReader stops reading from the connection at twice this.
    line_length_limit = 1 << 16

    def __init__(self, door: Door, listener: str, peer: str, context: ssl.SSLContext | None) -> None:
        super().__init__(
            _NoHooks(),
            data_size_limit=door.max_message_bytes,
            hostname=door.hostname,
            tls_context=context,
            loop=asyncio.get_running_loop(),
        )
        del self._smtp_methods["AUTH"]
        self._door = door
        self._peer = peer
        self._limits = door.limits
        self._conversation = Conversation(door, listener, peer)
        self._incoming: Incoming
        self._lost = asyncio.Event()
        #: When the server calls ``expire``, in the loop's time: what the client owes us must be here by then.
        self.deadline = math.inf
        self._spoke_first = False
        self._greeted = False
        self._idle = False
        self._deaf = False
        self._over = False
        self._errors = 0
        self._commands = 0
        self._taken = 0
        self._ends_at = self.loop.time() + door.limits.session_seconds

    def __dir__(self) -> list[str]:
        """Name the commands only: aiosmtpd looks through all names for them, for every connection (0.2 ms)."""
        return _COMMANDS

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin. The base class would start its own session here."""
        assert isinstance(transport, asyncio.Transport)
        asyncio.StreamReaderProtocol.connection_made(self, transport)
        self.transport = transport
        self.session = self._create_session()
        self.envelope = self._create_envelope()
        self._incoming = Incoming(self._reader)

    def data_received(self, data: bytes) -> None:
        """Note who speaks before the greeting."""
        self._spoke_first |= not self._greeted
        if not self._deaf:
            super().data_received(data)

    def eof_received(self) -> bool:
        """The client sends no more, but still gets the reply to what it has sent (except over TLS)."""
        return bool(asyncio.StreamReaderProtocol.eof_received(self))

    def connection_lost(self, error: Exception | None) -> None:
        """The session finds out by itself when it reads or writes next; what it is doing is not cancelled."""
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        self._lost.set()

    # -- what the server calls

    async def converse(self) -> None:
        """Serve the client until one side ends it. When cancelled, the open transaction is recorded all the same."""
        with contextlib.suppress(ConnectionError, EOFError):
            try:
                await self._greet()
                while not self._over:
                    await self._serve_command()
            finally:
                await self._conversation.abandon()
                await self._hang_up()

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

    def _hear_no_more(self) -> None:
        """Wake the session from its wait with an end of file of our own."""
        self._deaf = True
        self._reader.feed_eof()

    @property
    def mails(self) -> int:
        """How many transactions were begun."""
        return self._conversation.begun

    def abort(self) -> None:
        """Cut the connection off."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    # -- the session

    async def _greet(self) -> None:
        # Whatever was sent before the greeting is received in this turn of the loop.
        await asyncio.sleep(0)
        if self._spoke_first:
            return await self._close_with(replies.SPOKE_FIRST)
        self._greeted = True
        return await self._send(f"220 {self.hostname} ESMTP Faxgate")

    async def _serve_command(self) -> None:
        try:
            line = await self._next_line()
        except LineTooLong:
            return await self._refuse_line(f"500 5.5.2 a command line has at most {COMMAND_OCTETS} octets")
        except EOFError:
            return await self._close_deaf()
        word, _, argument = line.removesuffix(b"\n").removesuffix(b"\r").partition(b" ")
        verb = word.upper()
        if verb in _FOREIGN or (line.strip() and not verb[:1].isalpha()):
            return await self._close_with(replies.NO_MAIL_CLIENT)
        if self._incoming.waiting:
            injected = verb == b"STARTTLS"
            return await self._close_with(replies.INJECTED if injected else replies.NOT_SYNCHRONISED)
        if not line.endswith(b"\r\n"):
            return await self._refuse_line("500 5.5.2 a command line ends with CR LF")
        await self._perform(verb.decode("latin-1"), argument.strip(b" \t").decode("latin-1"))
        return await self._check_account()

    async def _next_line(self) -> bytes:
        self.deadline = self.loop.time() + self._limits.command_seconds
        self._idle = True
        if self._door.stopping:
            self._hear_no_more()
        try:
            return await self._incoming.line(COMMAND_OCTETS)
        finally:
            self._idle = False
            self.deadline = math.inf

    async def _perform(self, verb: str, argument: str) -> None:
        command = self._smtp_methods.get(verb)
        if command is None:
            await self.push("500 5.5.1 this command is not known here")
            return
        try:
            await command(argument)
        except (ConnectionError, EOFError):
            raise
        except Exception:
            log.exception("an SMTP command failed", command=verb, peer=self._peer)
            await self.push(replies.FAULT)

    async def _refuse_line(self, reply: str) -> None:
        await self.push(reply)
        await self._check_account()

    async def _check_account(self) -> None:
        """Close the session of a client that errs, idles or stays too long. A taken mail clears its account."""
        self._commands += 1
        if self._conversation.taken > self._taken:
            self._taken, self._errors, self._commands = self._conversation.taken, 0, 0
        if self._over:
            return
        if self._errors > self._limits.errors:
            await self._close_with(replies.TOO_MANY_ERRORS)
        elif self._commands > self._limits.commands or (
            self.loop.time() > self._ends_at and not self._conversation.open
        ):
            await self._close_with(replies.LONG_ENOUGH)

    async def _close_with(self, reply: str) -> None:
        """Send the last reply of the session; it ends an open transaction too."""
        self._over = True
        await self._conversation.abandon(reply)
        await self.push(reply)

    async def _close_deaf(self) -> None:
        """What was waited for did not come: because we stopped waiting, or because the client has left."""
        if not self._deaf:
            raise EOFError
        await self._close_with(replies.SHUTTING_DOWN if self._door.stopping else replies.TOO_SLOW)

    async def _hang_up(self) -> None:
        """Close: once the client has its replies (over TLS: has closed, too), or when the deadline cuts it off."""
        assert isinstance(self.transport, asyncio.Transport)
        self.deadline = self.loop.time() + self._limits.close_seconds
        self.transport.close()
        await self._lost.wait()

    # -- replies

    async def push(self, status: AnyStr) -> None:
        """Send the reply to a command."""
        reply = replies.with_enhanced_code(status if isinstance(status, str) else status.decode("ascii"))
        self._errors += reply.startswith("5")
        self._over |= reply.startswith("421")
        await self._send(reply)

    async def _send(self, reply: str) -> None:
        self.deadline = self.loop.time() + self._limits.write_seconds
        await super().push(reply)

    # -- commands

    @syntax("HELO hostname")
    async def smtp_HELO(self, hostname: str) -> None:
        """Begin plain SMTP."""
        if await self._hello(hostname, extended=False):
            await self._send(f"250 {self.hostname}")

    @syntax("EHLO hostname")
    async def smtp_EHLO(self, hostname: str) -> None:
        """Begin extended SMTP: name what is offered."""
        if await self._hello(hostname, extended=True):
            offers = [f"SIZE {self._door.max_message_bytes}", "8BITMIME", "ENHANCEDSTATUSCODES", "HELP"]
            if self.tls_context and not self._conversation.tls:
                offers.insert(0, "STARTTLS")
            lines = [f"250-{self.hostname}", *(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}"]
            await self._send("\r\n".join(lines))

    async def _hello(self, hostname: str, *, extended: bool) -> bool:
        if not hostname:
            await self.push("501 5.5.4 name yourself: EHLO hostname")
            return False
        await self._conversation.abandon()
        assert self.session is not None
        self.session.host_name = self._conversation.helo = shown(hostname)
        self.session.extended_smtp = extended
        return True

    @syntax("MAIL FROM:<address>", extended=" [SIZE=octets] [BODY=8BITMIME]")
    async def smtp_MAIL(self, arg: str | None) -> None:
        """Begin a mail."""
        if not await self.check_helo_needed("EHLO"):
            await self.push(await self._conversation.mail(arg or ""))

    @syntax("RCPT TO:<number@domain>")
    async def smtp_RCPT(self, arg: str | None) -> None:
        """Name a recipient."""
        if not await self.check_helo_needed("EHLO"):
            await self.push(self._conversation.recipient(arg or ""))

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:
        """Take the message. After a refusal the session ends: what follows may be a body from a deaf client."""
        if arg:
            return await self.push("501 5.5.4 DATA takes no parameter")
        content = await self._conversation.begin_message()
        if isinstance(content, str):
            return await self._close_with(content)
        await self._send("354 end the message with a line that has only a dot")
        try:
            await self._receive(content)
        except EOFError:
            return await self._close_deaf()
        await self.push(await self._conversation.end_message())
        if content.rest and not self._over:
            return await self._close_with(replies.NOT_SYNCHRONISED)
        self._over |= not content.ended
        return None

    async def _receive(self, content: Content) -> None:
        """Read a message to its end, or until it is hopeless. Raises EOFError when it does not come, or too slowly."""
        limits = self._limits
        last = self.loop.time() + limits.data_seconds
        while not (content.ended or content.hopeless):
            silent = self.loop.time() + limits.command_seconds
            self.deadline = min(silent, last + content.received / limits.data_bytes_per_second)
            content.feed(await self._incoming.chunk())
        self.deadline = math.inf

    @syntax("RSET")
    async def smtp_RSET(self, arg: str) -> None:
        """Give the mail up."""
        if arg:
            return await self.push("501 5.5.4 RSET takes no parameter")
        await self._conversation.abandon()
        return await self.push("250 2.0.0 forgotten")

    @syntax("VRFY <address>")
    async def smtp_VRFY(self, arg: str) -> None:
        """Say nothing about who exists."""
        await self.push("252 2.5.0 send the mail, and the reply to RCPT will tell")

    @syntax("QUIT")
    async def smtp_QUIT(self, arg: str) -> None:
        """End the session."""
        await self._conversation.abandon()
        self._over = True
        await self.push("221 2.0.0 goodbye")

    @syntax("STARTTLS", when="tls_context")
    async def smtp_STARTTLS(self, arg: str) -> None:
        """Go on in TLS, with everything said before forgotten (RFC 3207, 4.2)."""
        if arg:
            return await self.push("501 5.5.4 STARTTLS takes no parameter")
        if self._conversation.tls:
            return await self.push("503 5.5.1 TLS is active already")
        if self.tls_context is None:
            return await self.push("502 5.5.1 TLS is not offered here")
        await self._conversation.abandon()
        # No turn of the loop may come between the check for octets behind the command and the switch.
        self._writer.write(b"220 2.0.0 ready to start TLS\r\n")
        return await self._switch_to_tls(self.tls_context)

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
            log.info("no TLS was agreed on", error=str(error))
            self._lost.set()
            self.abort()
            raise ConnectionAbortedError from error
        assert transport is not None
        self._adopt(transport)

    def _adopt(self, transport: asyncio.Transport) -> None:
        """Go on over *transport*; asyncio's streams have no public way for this on a server in Python 3.11."""
        self.transport = self._transport = transport
        self._reader._transport = self._writer._transport = transport  # type: ignore[attr-defined]
        self._over_ssl = True
        self._conversation.tls = transport.get_extra_info("ssl_object").version()
        self.session = self._create_session()


_COMMANDS = [name for name in dir(SmtpProtocol) if name.startswith("smtp_")]
