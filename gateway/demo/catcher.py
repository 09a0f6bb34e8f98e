"""The mail catcher: an SMTP server that takes every mail and keeps it, for the demo and for trials.

It listens on a loopback address, sends nothing on, and can be told to misbehave. Alone it runs as
``python -m gateway.demo.catcher --port 2526 --folder caught --log caught.jsonl``.
"""

import argparse
import asyncio
import hashlib
import json
import os
import signal
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from functools import cached_property
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

#: Octets that a mail may have, as EHLO says it.
MAX_MAIL_BYTES = 60 * 1024 * 1024

#: Mails that stay in memory; the folder and the log keep all.
KEPT = 1000


@dataclass(frozen=True)
class CaughtMail:
    """A mail as it was handed over. ``envelope_from`` is "" for the null reverse-path."""

    envelope_from: str
    envelope_to: tuple[str, ...]
    content: bytes
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def parsed(self) -> EmailMessage:
        """The message, read."""
        return message_from_bytes(self.content, policy=SMTPUTF8)

    @property
    def subject(self) -> str:
        """The Subject, decoded; "" when there is none."""
        return str(self.parsed.get("Subject", ""))

    def log_line(self) -> str:
        """The mail as one line of JSON. ``from`` and ``to`` are the envelope's: who really got it. ``documents`` are
        the SHA-256 of what is attached."""
        said = {
            "at": self.at.isoformat(),
            "message_id": str(self.parsed.get("Message-ID", "")),
            "from": self.envelope_from,
            "to": ", ".join(self.envelope_to),
            "subject": self.subject,
            "x_fax_id": str(self.parsed.get("X-Fax-Id", "")),
            "sha256": hashlib.sha256(self.content).hexdigest(),
            "documents": [_digest_of(part) for part in self.parsed.iter_attachments()],
        }
        return json.dumps(said) + "\n"


class MailCatcher:
    """A mail server that keeps what it gets, in ``mails`` and if wanted in *folder* and *log*.

    *tls* offers STARTTLS, or with *implicit_tls* speaks TLS from the first byte; *users* (name to password) may log
    in. Four switches make it misbehave, at any time:

    ``unknown``           addresses that are refused for good; the log has a line for each time
    ``refuse_with``       the reply (code, text) to every command ``refuse_at`` ("MAIL", "RCPT" or "DATA")
    ``reset_after_dot``   so many times a mail is taken and the connection dropped instead of an answer
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        log: Path | None = None,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        users: Mapping[str, str] | None = None,
    ) -> None:
        self.mails: list[CaughtMail] = []
        self.refuse_with: tuple[int, str] | None = None
        self.refuse_at = "RCPT"
        self.reset_after_dot = 0
        self.unknown: set[str] = set()
        self.port = 0
        self._folder, self._log = folder, log
        self._tls, self._implicit_tls = tls, implicit_tls
        self._users = dict(users or {})
        self._waiters: list[tuple[Callable[[CaughtMail], bool], asyncio.Future[CaughtMail]]] = []
        self._sessions: list[SMTP] = []
        self._server: asyncio.Server | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen on *host*; port 0 takes a free one, which is then in ``port``."""
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        context = self._tls if self._implicit_tls else None
        self._server = await loop.create_server(self._new_session, host, port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop every connection. Safe to call twice."""
        if self._server is None:
            return
        self._server.close()
        tasks = [task for session in self._sessions if (task := session._handler_coroutine)]
        for session in self._sessions:
            _abort(session)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def wait_for(self, wanted: Callable[[CaughtMail], bool], timeout: float = 30.0) -> CaughtMail:
        """Return the first mail, caught already or within *timeout* seconds, that is *wanted*. Raises TimeoutError
        naming what came instead."""
        for mail in self.mails:
            if wanted(mail):
                return mail
        future: asyncio.Future[CaughtMail] = asyncio.get_running_loop().create_future()
        waiter = (wanted, future)
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            came = [mail.subject for mail in self.mails]
            raise TimeoutError(f"no such mail within {timeout:g} s; caught: {came}") from None
        finally:
            self._waiters.remove(waiter)

    def _new_session(self) -> SMTP:
        session = SMTP(
            _Handler(self),
            data_size_limit=MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
            hostname="catcher.localhost",
            ident="Faxgate mail catcher",
            tls_context=None if self._implicit_tls else self._tls,
            # aiosmtpd takes a session with implicit TLS for a plain one; on loopback a plain login does no harm.
            auth_require_tls=self._tls is not None and not self._implicit_tls,
            authenticator=self._authenticate,
            loop=asyncio.get_running_loop(),
        )
        self._sessions = [old for old in self._sessions if old.transport is not None]
        self._sessions.append(session)
        return session

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, login: Any) -> AuthResult:
        known = isinstance(login, LoginPassword) and login.login.decode() in self._users
        right = known and self._users[login.login.decode()] == login.password.decode()
        return AuthResult(success=right, handled=False)

    def stranger(self, address: str) -> str:
        """Return the reply that refuses an unknown *address*, "" for any other."""
        if address not in self.unknown:
            return ""
        if self._log:
            _append(self._log, json.dumps({"at": datetime.now(UTC).isoformat(), "refused": address}) + "\n")
        return "550 5.1.1 there is no such mailbox here"

    def keep(self, mail: CaughtMail) -> None:
        """Write *mail* down, then wake who waits for it. Without an await within: a mail is everywhere or nowhere."""
        if self._folder:
            (self._folder / f"{mail.at:%Y%m%d-%H%M%S-%f}.eml").write_bytes(mail.content)
        if self._log:
            _append(self._log, mail.log_line())
        self.mails.append(mail)
        del self.mails[:-KEPT]
        for wanted, future in self._waiters:
            if not future.done() and wanted(mail):
                future.set_result(mail)


class _Handler:
    """aiosmtpd's hooks. Each answers with a whole reply line."""

    def __init__(self, catcher: MailCatcher) -> None:
        self._catcher = catcher

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self._refusal("MAIL") or "250 2.1.0 OK"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]) -> str:
        refusal = self._catcher.stranger(address) or self._refusal("RCPT")
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        refusal = self._refusal("DATA")
        if refusal:
            return refusal
        sender = "" if envelope.mail_from == "<>" else envelope.mail_from
        self._catcher.keep(CaughtMail(sender, tuple(envelope.rcpt_tos), bytes(envelope.content)))
        if self._catcher.reset_after_dot > 0:
            self._catcher.reset_after_dot -= 1
            _abort(server)
            await asyncio.Event().wait()  # until aiosmtpd cancels the session that has lost its connection
        return "250 2.0.0 caught"

    async def handle_exception(self, error: Exception) -> str:
        return f"451 4.3.0 {type(error).__name__}"

    def _refusal(self, command: str) -> str:
        catcher = self._catcher
        if catcher.refuse_with is None or catcher.refuse_at != command:
            return ""
        code, text = catcher.refuse_with
        return f"{code} {text}"


def _abort(session: SMTP) -> None:
    if isinstance(session.transport, asyncio.WriteTransport):
        session.transport.abort()


def _digest_of(part: EmailMessage) -> str:
    content = part.get_payload(decode=True)
    return hashlib.sha256(content if isinstance(content, bytes) else b"").hexdigest()


def _append(log: Path, line: str) -> None:
    """Append a line that is on the disk when this returns."""
    with log.open("a", encoding="ascii") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


async def _run(options: argparse.Namespace) -> None:
    catcher = MailCatcher(folder=options.folder, log=options.log)
    await catcher.start(options.host, options.port)
    sys.stdout.write(f"catching mail on {options.host}:{catcher.port}\n")
    sys.stdout.flush()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        await stopped.wait()
    finally:
        await catcher.stop()


def main() -> None:
    """Run a catcher alone until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.demo.catcher", description="Takes every mail and keeps it."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=2526, help="port; 0 takes a free one (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="keep each mail as an .eml file in this folder")
    parser.add_argument("--log", type=Path, help="append a line of JSON for each mail to this file")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
