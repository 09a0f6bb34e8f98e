"""The SMTP session: commands and their replies, on top of aiosmtpd's table of commands (see ``connection.py``).

Replaced, each for a reason found by running it: MAIL and RCPT (aiosmtpd's address parser dials numbers that nobody
wrote), DATA (memory without bound), AUTH (500 tries in a session, a slow check stops all clients, mechanism names only
in capitals), and the loop around them.
"""

import asyncio
import contextlib
import ssl
from typing import AnyStr

from aiosmtpd.smtp import syntax

from gateway import logs
from gateway.address import shown
from gateway.smtp import login, replies
from gateway.smtp.connection import Connection
from gateway.smtp.content import Content
from gateway.smtp.conversation import Conversation
from gateway.smtp.door import Door
from gateway.smtp.incoming import LineTooLong
from gateway.smtp.listener import Listener

log = logs.logger(__name__)

#: The longest command line with its CRLF (RFC 5321, 4.5.3.1.4 asks for 512 and more for extensions).
COMMAND_OCTETS = 1024
TOO_LONG = f"500 5.5.2 a command line has at most {COMMAND_OCTETS} octets"

#: How many recipients a client may name beside all other commands. Those that are too many for one mail are put off,
#: and the mail goes to the others (RFC 5321, 4.5.3.1.10); Postfix bears as many.
MOST_NAMED = 1000

#: First words that only a web browser sends, or somebody who makes one speak to us.
_FOREIGN = frozenset({b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"CONNECT", b"TRACE", b"PATCH"})


class SmtpProtocol(Connection):
    """One session. ``converse`` is its whole life; ``wind_up`` asks it to end when it can."""

    def __init__(self, door: Door, listener: Listener, peer: str, context: ssl.SSLContext | None) -> None:
        """*peer* is the client's address, also behind a proxy."""
        super().__init__(door, context)
        self._peer = peer
        self._listener = listener
        self._conversation = Conversation(door, listener, peer)
        self._logins: login.Exchange | None = None
        if listener.logins and door.authenticator is not None:
            self._logins = login.Exchange(door.authenticator, peer, self._ask)
        else:
            del self._smtp_methods["AUTH"]
        self._over = False
        self._cut_short = False
        #: The last reply to a command.
        self._said = ""
        self._errors = 0
        self._commands = 0
        self._named = 0
        self._taken = 0
        self._ends_at = self.loop.time() + door.limits.session_seconds

    def __dir__(self) -> list[str]:
        """Name the commands only: aiosmtpd looks through all names for them, for every connection (0.2 ms)."""
        return _COMMANDS

    async def converse(self) -> None:
        """Serve the client until one side ends it. When cancelled, the open transaction is recorded all the same."""
        with contextlib.suppress(ConnectionError, EOFError):
            try:
                await self._greet()
                while not self._over:
                    await self._serve_command()
            finally:
                await self._conversation.abandon()
                self._tell()
                await self._hang_up(linger=self._cut_short)

    @property
    def mails(self) -> int:
        """How many transactions were begun."""
        return self._conversation.begun

    def _tell(self) -> None:
        """Write the log line of a connection that no transaction has one for."""
        if self._tls_error:
            log.info("TLS failed", peer=self._peer, listener=self._listener.address, error=self._tls_error)
        elif not self.mails:
            log.info("connection without mail", peer=self._peer, listener=self._listener.address, reply=self._said)

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
            line = await self._next_line(login.LONGEST_LINE)
        except LineTooLong:
            return await self._refuse_line(TOO_LONG)
        except EOFError:
            return await self._close_deaf()
        word, _, argument = line.removesuffix(b"\n").removesuffix(b"\r").partition(b" ")
        verb = word.upper()
        if ending := self._ending(line, verb):
            return await self._close_with(ending)
        if refusal := _refusal(line, verb):
            return await self._refuse_line(refusal)
        await self._perform(verb.decode("latin-1"), argument.strip(b" \t").decode("latin-1"))
        return await self._check_account()

    def _ending(self, line: bytes, verb: bytes) -> str:
        """Return the reply that ends the session of who sent *line*, "" when it is a command at its time."""
        if verb in _FOREIGN or (line.strip() and not verb[:1].isalpha()):
            return replies.NO_MAIL_CLIENT
        if self._incoming.waiting:
            return replies.INJECTED if verb == b"STARTTLS" else replies.NOT_SYNCHRONISED
        return ""

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
            self._taken, self._errors, self._commands, self._named = self._conversation.taken, 0, 0, 0
        if self._over:
            return
        if self._errors + self._conversation.given_up > self._limits.errors:
            await self._close_with(replies.TOO_MANY_ERRORS)
        elif self._commands - min(self._named, MOST_NAMED) > self._limits.commands or (
            self.loop.time() > self._ends_at and not self._conversation.open
        ):
            await self._close_with(replies.LONG_ENOUGH)

    async def _close_with(self, reply: str) -> None:
        """Send the last reply of the session; it ends an open transaction too."""
        self._over = self._cut_short = True
        await self._conversation.abandon(reply)
        await self.push(reply)

    async def _close_deaf(self) -> None:
        """What was waited for did not come: because we stopped waiting, or because the client has left."""
        if not self._deaf:
            raise EOFError
        await self._close_with(replies.SHUTTING_DOWN if self._door.stopping else replies.TOO_SLOW)

    async def push(self, status: AnyStr) -> None:
        """Send the reply to a command, and count it."""
        self._said = status if isinstance(status, str) else status.decode("ascii")
        self._errors += self._said.startswith("5")
        self._over |= self._said.startswith("421")
        await super().push(status)

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
            lines = [self.hostname, *self._offers()]
            await self._send("\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]))

    def _offers(self) -> list[str]:
        offers = [f"SIZE {self._door.max_message_bytes}", "8BITMIME", "ENHANCEDSTATUSCODES", "HELP"]
        if self.tls_context and not self.tls:
            offers.insert(0, "STARTTLS")
        if self._logins and self.tls and not self._conversation.login:
            offers.append("AUTH PLAIN LOGIN")
        return offers

    async def _hello(self, hostname: str, *, extended: bool) -> bool:
        if not hostname:
            await self.push("501 5.5.4 name yourself: EHLO hostname")
            return False
        await self._conversation.abandon()
        assert self.session is not None
        self.session.host_name = self._conversation.helo = shown(hostname)
        self._conversation.tls = self.tls
        self.session.extended_smtp = extended
        return True

    @syntax("MAIL FROM:<address>", extended=" [SIZE=octets] [BODY=8BITMIME]")
    async def smtp_MAIL(self, arg: str | None) -> None:
        """Begin a mail."""
        if await self.check_helo_needed("EHLO"):
            return None
        if self._logins and not self._conversation.login:
            return await self.push(replies.LOG_IN_FIRST if self.tls else replies.TLS_FIRST)
        return await self.push(await self._conversation.mail(arg or ""))

    @syntax("RCPT TO:<number@domain>")
    async def smtp_RCPT(self, arg: str | None) -> None:
        """Name a recipient."""
        self._named += 1
        if not await self.check_helo_needed("EHLO"):
            await self.push(await self._conversation.recipient(arg or ""))

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
        self._cut_short |= not content.ended
        self._over |= self._cut_short
        return None

    async def _receive(self, content: Content) -> None:
        """Read a message to its end, or until it is hopeless. Raises EOFError when it does not come, or too slowly."""

        def feed(data: bytes) -> bool:
            content.feed(data)
            return content.ended or content.hopeless

        await self._pour(feed)

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
        if self.tls:
            return await self.push("503 5.5.1 TLS is active already")
        if self.tls_context is None:
            return await self.push("502 5.5.1 TLS is not offered here")
        await self._conversation.abandon()
        # To record the mail that was begun takes its time. From here to the switch no turn of the loop may come.
        if self._incoming.waiting:
            return await self._close_with(replies.INJECTED)
        self._writer.write(b"220 2.0.0 ready to start TLS\r\n")
        return await self._switch_to_tls(self.tls_context)

    @syntax("AUTH PLAIN|LOGIN [initial-response]")
    async def smtp_AUTH(self, arg: str) -> None:
        """Log in, over TLS only (RFC 4954)."""
        if await self.check_helo_needed("EHLO"):
            return
        if refusal := self._no_login():
            await self.push(refusal)
            return
        assert self._logins is not None
        try:
            reply, self._conversation.login = await self._logins.auth(arg or "")
        except LineTooLong:
            reply = "500 5.5.6 the line is too long"
        except EOFError:
            await self._close_deaf()
            return
        await self.push(reply)

    def _no_login(self) -> str:
        if not self.tls:
            return "538 5.7.11 a password travels over TLS only; send STARTTLS first"
        if self._conversation.login or self._conversation.open:
            return "503 5.5.1 AUTH comes once, and before MAIL"
        return ""

    async def _ask(self, challenge: str) -> bytes:
        await self._send(f"334 {challenge}")
        line = await self._next_line(login.LONGEST_LINE)
        if not line.endswith(b"\r\n") or self._incoming.waiting:
            raise replies.Rejection("501 5.5.2 an answer is one line that ends with CR LF")
        return line[:-2]


def _refusal(line: bytes, verb: bytes) -> str:
    """Return the reply to a line that is no command, "" for one that may be."""
    if len(line) > COMMAND_OCTETS and verb != b"AUTH":
        return TOO_LONG
    return "" if line.endswith(b"\r\n") else "500 5.5.2 a command line ends with CR LF"


_COMMANDS = [name for name in dir(SmtpProtocol) if name.startswith("smtp_")]
