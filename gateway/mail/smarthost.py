"""The way out: one mail, one connection to the smarthost (RFC 5321, 3207, 4954).

What a failure means is decided by where it happened. The recipient and the message may be refused for good (5xx to
RCPT or DATA); whatever concerns the way there (connection, certificate, password, our sender address) is for the
operator to mend, and the mail waits. When the connection is lost behind the final dot nobody knows whether the mail
was taken: it is sent again under the same Message-ID, since two receipts are better than none.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

from gateway import logs
from gateway.errors import ConfigurationError
from gateway.mail.composed import ComposedMail, NotSent
from gateway.mail.facts import one_line

__all__ = ["ComposedMail", "NotSent", "Smarthost", "Tls"]

Tls = Literal["none", "starttls", "tls"]

#: Seconds that the answer to a message may take beyond its transfer (RFC 5321, 4.5.3.2.6), and for QUIT.
DOT_PATIENCE, QUIT_PATIENCE = 600.0, 5.0

#: The slowest line that a message is still sent over, in octets a second.
SLOWEST = 10_000

#: A path that can be read in one way only. The library reads anything else as a header would be, and may send it
#: to somebody whom nobody named.
_PATH = re.compile(r"""[^\s<>()\[\]\\,;:@"\x00-\x1f\x7f]+@[^\s<>()\[\]\\,;:@"\x00-\x1f\x7f]+""")

#: RFC 4954, section 6: the login is missing or wrong. Even as an answer to RCPT this is not about the recipient.
_LOGIN_CODES = frozenset({530, 534, 535, 538})

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
            patience = DOT_PATIENCE + len(mail.message) / SLOWEST
            await smtp.data(mail.message, timeout=patience)

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
        smtp = SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.tls == "tls",
            start_tls=False,  # the library would not say which step failed
            tls_context=self._context,
            timeout=self._timeout,
            local_hostname=self._hostname,
        )
        try:
            await smtp.connect()
            _heed_cancellation()
            await self._greet(smtp)
            _heed_cancellation()
            yield smtp
            await _leave(smtp)
        except SMTPResponseException as error:
            await _leave(smtp)
            raise self._refused(error) from error
        except (SMTPException, OSError) as error:
            raise self._broken(error) from error
        finally:
            _drop(smtp)

    async def _greet(self, smtp: SMTP) -> None:
        await smtp.ehlo()
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
        await smtp.login(self.username, self._password)

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

    def _refused(self, error: SMTPResponseException) -> NotSent:
        """What a reply of the smarthost means."""
        reply = f"{error.code} {one_line(error.message, 200)}"
        of_login = isinstance(error, SMTPAuthenticationError) or error.code in _LOGIN_CODES
        if of_login:
            _log.warning("smarthost login refused", smarthost=str(self), user=self.username, reply=reply)
            advice = "correct [smarthost] username and password"
            return NotSent(f"The smarthost {self} refused the login ({reply}); {advice}.", code=error.code)
        if isinstance(error, SMTPRecipientRefused):
            return self._about("the recipient", reply, error.code)
        if isinstance(error, SMTPDataError) or (isinstance(error, SMTPSenderRefused) and error.code == 552):
            return self._about("the message", reply, error.code)
        if isinstance(error, SMTPSenderRefused):
            return NotSent(
                f"The smarthost {self} refused our address ({reply}); check [smarthost] sender.", code=error.code
            )
        return NotSent(f"The smarthost {self} is not ready to take mail ({reply}).", code=error.code)

    def _about(self, what: str, reply: str, code: int) -> NotSent:
        return NotSent(f"The smarthost {self} refused {what} ({reply}).", permanent=500 <= code < 600, code=code)

    def _broken(self, error: SMTPException | OSError) -> NotSent:
        """What a connection that failed or ended means; the library wraps some of the causes."""
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NotSent(
                f"The certificate of the smarthost {self} is not trusted ({cause.verify_message}); "
                "check [smarthost] host, or name its authority in [smarthost] ca_file."
            )
        if isinstance(cause, ssl.SSLError):
            return NotSent(f"TLS with the smarthost {self} failed ({cause.reason}); check [smarthost] tls and port.")
        if isinstance(cause, TimeoutError):
            return NotSent(f"The smarthost {self} did not answer in time.")
        if isinstance(error, SMTPServerDisconnected):
            return NotSent(f"The smarthost {self} closed the connection before it had answered.")
        return NotSent(f"The smarthost {self} cannot be reached ({one_line(str(cause), 200)}).")


def _tls_context(ca_file: str | Path | None, *, verify: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigurationError(f"[smarthost] ca_file: {ca_file} cannot be read as PEM ({error})") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


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
