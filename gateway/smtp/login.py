"""AUTH (RFC 4954) by the mechanisms PLAIN (RFC 4616) and LOGIN: what a client says becomes a name and a password.

Who that is, and how long a guess must wait, is the Authenticator's to say.
"""

import binascii
from collections.abc import Awaitable, Callable

from gateway import logs
from gateway.account import SmtpUser
from gateway.errors import Kind, Reason, Refusal
from gateway.smtp.auth import Authenticator
from gateway.smtp.incoming import LineTooLong
from gateway.smtp.replies import Rejection, reply_for

log = logs.logger(__name__)

#: Failed tries in one session before it ends.
TRIES = 3
#: The longest line of an exchange with its CRLF (RFC 4954, 4).
LONGEST_LINE = 12_288

GIVEN = "235 2.7.0 welcome"
TOO_MANY = "421 4.7.0 too many failed logins; closing the connection"
FAULT = "454 4.7.0 logins cannot be checked at the moment; please try again later"
BROKEN_OFF = "501 5.7.0 the login was broken off"
NO_BASE64 = "501 5.5.2 that is not base64"
NO_CREDENTIALS = "501 5.5.2 that holds no name and password"
FOR_ANOTHER = "535 5.7.8 nobody logs in for another here; leave the name to act for empty"

#: Sends a challenge, already in base64, and returns the client's line without its end.
Ask = Callable[[str], Awaitable[bytes]]


class Exchange:
    """The tries of one session to log in. *peer* is the client's address, *ask* the way to talk to it."""

    def __init__(self, authenticator: Authenticator, peer: str, ask: Ask) -> None:
        self._authenticator = authenticator
        self._peer = peer
        self._ask = ask
        self._failed = 0

    async def auth(self, argument: str) -> tuple[str, SmtpUser | None]:
        """Answer ``AUTH argument``: return the reply, and who has logged in."""
        mechanism, _, initial = argument.partition(" ")
        read = {"PLAIN": self._plain, "LOGIN": self._login}.get(mechanism.upper())
        if read is None:
            return "504 5.5.4 the mechanisms are PLAIN and LOGIN", None
        try:
            name, password = await read(initial.strip())
            return GIVEN, await self._authenticator.login(name, password, self._peer)
        except Rejection as rejection:
            return rejection.reply, None
        except Refusal as refusal:
            return self._refused(refusal.reason), None
        except (ConnectionError, EOFError, LineTooLong):
            raise
        except Exception:
            log.exception("a login could not be checked", peer=self._peer)
            return FAULT, None

    def _refused(self, reason: Reason) -> str:
        if reason.kind is Kind.LOGIN_FAILED:
            self._failed += 1
        return TOO_MANY if self._failed >= TRIES else reply_for(reason)

    async def _plain(self, initial: str) -> tuple[str, str]:
        """Read ``[authorize-as] NUL name NUL password``; who acts for another is not known here."""
        words = _text(initial.encode("latin-1") if initial else await self._ask("")).split("\0")
        if len(words) != 3 or not words[1]:
            raise Rejection(NO_CREDENTIALS)
        if words[0] not in {"", words[1]}:
            raise Rejection(FOR_ANOTHER)
        return words[1], words[2]

    async def _login(self, initial: str) -> tuple[str, str]:
        user = _text(initial.encode("latin-1") if initial else await self._ask(_challenge("Username:")))
        return user, _text(await self._ask(_challenge("Password:")))


def _challenge(text: str) -> str:
    return binascii.b2a_base64(text.encode(), newline=False).decode()


def _text(said: bytes) -> str:
    """Decode what a client says; "=" stands for nothing (RFC 4954, 4), and "*" breaks the exchange off."""
    if said == b"*":
        raise Rejection(BROKEN_OFF)
    if said == b"=":
        return ""
    try:
        return binascii.a2b_base64(said, strict_mode=True).decode("utf-8")
    except ValueError:  # binascii.Error and UnicodeDecodeError are some
        raise Rejection(NO_BASE64) from None
