"""The way out: one mail, one connection to the smarthost (RFC 5321, 3207, 4954).

What a failure means is decided in ``unsent``. When the connection is lost behind the final dot nobody knows whether
the mail was taken: it is sent again under the same Message-ID, since two receipts are better than none.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Literal

from aiohappyeyeballs import start_connection
from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPHeloError,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from gateway import logs
from gateway.errors import ConfigurationError
from gateway.mail.composed import ComposedMail, NotSent
from gateway.mail.data import hand_over
from gateway.mail.facts import one_line
from gateway.mail.unsent import broken, of_login, refused

__all__ = ["ComposedMail", "NotSent", "Smarthost", "Tls"]

Tls = Literal["none", "starttls", "tls"]

#: Seconds for the answer to QUIT.
QUIT_PATIENCE = 5.0

#: Seconds after which another address of its name is tried beside one that does not answer (RFC 5321, 5.1).
NEXT_ADDRESS = 1.0

#: "I do not know EHLO": HELO will do then (RFC 5321, 3.2).
_NO_EHLO = frozenset({500, 502, 504})

#: A path that can be read in one way only. The library reads anything else as a header would be, and may send it
#: to somebody whom nobody named.
_PATH = re.compile(r"""[^\s<>()\[\]\\,;:@"\x00-\x1f\x7f]+@[^\s<>()\[\]\\,;:@"\x00-\x1f\x7f]+""")

_log = logs.logger(__name__)


class Smarthost:
    """The mail server that takes our mails.

    ``tls``: ``starttls`` is required, not tried; ``tls`` speaks TLS from the first byte. ``ca_file`` replaces the
    system's certificate authorities. ``timeout`` (seconds) is for each command. ``hostname`` is what EHLO says, ""
    for the machine's own name. Raises ConfigurationError when *ca_file* cannot be read.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: Tls = "starttls",
        username: str = "",
        password: str = "",
        ca_file: str | Path | None = None,
        verify: bool = True,
        timeout: float = 60.0,
        hostname: str = "",
    ) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.username = username
        self._password = password
        self._timeout = timeout
        self._hostname = hostname or None
        self._context = None if tls == "none" else _tls_context(ca_file, verify=verify)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    async def send(self, mail: ComposedMail) -> None:
        """Hand *mail* over; returns when the smarthost has taken it. Raises NotSent."""
        async with self._session() as smtp:
            await self._envelope(smtp, mail)
            _heed_cancellation()
            await hand_over(smtp, mail.message)

    async def check(self) -> str:
        """Connect, greet, and log in as for a mail, and leave. Return what was found as a sentence.

        Raises NotSent when a mail would not get that far.
        """
        async with self._session() as smtp:
            tls = smtp.get_transport_info("ssl_object")
            protected = f"over {tls.version()}" if tls else "without encryption"
            login = f" and takes the login of {self.username}" if self.username else ""
            return f"The smarthost {self} answers {protected}{login}."

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[SMTP]:
        """A connection that is ready for MAIL. Every way in which it may fail leaves here as NotSent."""
        try:
            with closing(await self._connected()) as connection:
                async with self._speaking(connection) as smtp:
                    yield smtp
        except SMTPResponseException as error:
            if of_login(error):
                reply = f"{error.code} {one_line(error.message, 200)}"
                _log.warning("smarthost login refused", smarthost=str(self), user=self.username, reply=reply)
            raise refused(str(self), error) from error
        except (SMTPException, OSError) as error:
            raise broken(str(self), error) from error

    async def _connected(self) -> socket.socket:
        async with asyncio.timeout(self._timeout):
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            return await start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS)

    @asynccontextmanager
    async def _speaking(self, connection: socket.socket) -> AsyncIterator[SMTP]:
        smtp = SMTP(
            hostname=self.host,  # whose name the certificate must have
            sock=connection,
            use_tls=self.tls == "tls",
            start_tls=False,  # the library would not say which step failed
            tls_context=self._context,
            timeout=self._timeout,
            local_hostname=self._hostname,
        )
        try:
            _heed_cancellation()
            await smtp.connect()
            _heed_cancellation()
            await self._greet(smtp)
            _heed_cancellation()
            yield smtp
            await _leave(smtp)
        except SMTPResponseException:
            await _leave(smtp)
            raise
        finally:
            _drop(smtp)

    async def _greet(self, smtp: SMTP) -> None:
        await _hello(smtp)
        if self.tls == "starttls":
            if not smtp.supports_extension("starttls"):
                raise NotSent(
                    f"The smarthost {self} offers no STARTTLS, so no mail is given to it; "
                    'set [smarthost] tls to "tls" or "none", whichever it speaks.'
                )
            await smtp.starttls()
            await smtp.ehlo()
        if not self.username:
            return
        if not smtp.supports_extension("auth"):
            raise NotSent(f"The smarthost {self} takes no login; check [smarthost] port, tls and username.")
        if not smtp.supported_auth_methods:
            offered = ", ".join(smtp.server_auth_methods).upper()
            raise NotSent(
                f"The smarthost {self} offers no way to log in that can be used here ({one_line(offered, 100)}); "
                "let it take PLAIN or LOGIN, or check [smarthost] port and tls."
            )
        await _log_in(smtp, self.username, self._password)

    async def _envelope(self, smtp: SMTP, mail: ComposedMail) -> None:
        """MAIL and RCPT, with the options that the server knows (RFC 1870, 6152, 6531)."""
        for path in (mail.recipient, mail.envelope_sender or mail.recipient):
            if not _PATH.fullmatch(path):
                raise NotSent(f"{one_line(path, 100)!r} is not a mail address; correct it.", permanent=True)
        utf8 = not (mail.envelope_sender + mail.recipient).isascii()
        if utf8 and not smtp.supports_extension("smtputf8"):
            raise NotSent(f"The smarthost {self} cannot send to {mail.recipient}: no SMTPUTF8.", permanent=True)
        wanted = {
            "size": f"SIZE={len(mail.message)}",
            "8bitmime": "" if mail.message.isascii() else "BODY=8BITMIME",
            "smtputf8": "SMTPUTF8" if utf8 else "",
        }
        options = [option for name, option in wanted.items() if option and smtp.supports_extension(name)]
        encoding = "utf-8" if utf8 else "ascii"
        await smtp.mail(mail.envelope_sender, options=options, encoding=encoding)
        await smtp.rcpt(mail.recipient, encoding=encoding)


def _tls_context(ca_file: str | Path | None, *, verify: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigurationError(f"[smarthost] ca_file: {ca_file} cannot be read as PEM ({error})") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _hello(smtp: SMTP) -> None:
    try:
        await smtp.ehlo()
    except SMTPHeloError as error:
        if error.code not in _NO_EHLO:
            raise
        await smtp.helo()


async def _log_in(smtp: SMTP, username: str, password: str) -> None:
    """Try each way in turn, since some servers offer ways that they do not know. The library does so, too, and forgets
    the refusal where the server then closes the connection."""
    ways = {"cram-md5": smtp.auth_crammd5, "plain": smtp.auth_plain, "login": smtp.auth_login}
    refusal: SMTPAuthenticationError | None = None
    for way in smtp.supported_auth_methods:
        try:
            await ways[way](username, password)
        except SMTPAuthenticationError as error:
            refusal = error
            if 400 <= error.code < 500:
                break
        except SMTPServerDisconnected as error:
            raise refusal or error from error
        else:
            return
    if refusal is not None:
        raise refusal


def _heed_cancellation() -> None:
    """Raise CancelledError if the task was cancelled at the very moment when something else finished: the library
    waits with asyncio.wait_for, which forgets the cancellation then (Python before 3.12)."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _leave(smtp: SMTP) -> None:
    """Say QUIT. What became of the mail is settled, so nothing that goes wrong here matters."""
    with suppress(SMTPException, OSError):
        await smtp.quit(timeout=QUIT_PATIENCE)


def _drop(smtp: SMTP) -> None:
    """Close whatever is still open at once, also when the task was cancelled in the middle of a message."""
    transport = smtp.transport
    smtp.close()
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
