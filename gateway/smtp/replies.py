"""Every reason in the words of SMTP: reply codes (RFC 5321, 4.2) and enhanced status codes (RFC 3463).

A fault of ours is always temporary: the client keeps the mail and tries again, and nothing bounces.
"""

import errno
import re
import unicodedata

from gateway.errors import Kind, Reason, Refusal

#: The longest reply line without its CRLF (RFC 5321, 4.5.3.1.5: 512 octets in all).
LONGEST = 510

#: Reply code and enhanced status code of each kind. Temporary kinds are 4xx, all others 5xx.
CODES: dict[Kind, tuple[int, str]] = {
    Kind.SENDER_NOT_PERMITTED: (550, "5.7.1"),
    Kind.SENDER_AMBIGUOUS: (550, "5.7.1"),
    Kind.SENDER_INVALID: (553, "5.1.7"),
    Kind.DOMAIN_UNKNOWN: (550, "5.1.2"),
    Kind.NUMBER_INVALID: (553, "5.1.3"),
    Kind.DESTINATION_NOT_ALLOWED: (550, "5.7.1"),
    Kind.ANOTHER_FAXBOX: (452, "4.5.3"),
    Kind.TOO_MANY_RECIPIENTS: (452, "4.5.3"),
    Kind.APPLICATION_INACTIVE: (550, "5.2.1"),
    Kind.CALLER_ID_MISSING: (550, "5.3.5"),
    Kind.LOGIN_FAILED: (535, "5.7.8"),
    Kind.LOGIN_LATER: (454, "4.7.0"),
    # RFC 7372, 3.4; and RFC 3463, 3.5 for a DNS that does not answer.
    Kind.SENDER_UNPROVEN: (550, "5.7.26"),
    Kind.EVIDENCE_MISSING: (451, "4.4.3"),
    Kind.SETTINGS_CHANGED: (421, "4.7.0"),  # and the session ends: what it was let in by is gone
    Kind.BOUNCE: (550, "5.7.1"),
    Kind.AUTOMATIC_MAIL: (554, "5.7.1"),
    Kind.MESSAGE_TOO_LARGE: (552, "5.3.4"),
    Kind.MESSAGE_UNREADABLE: (554, "5.6.0"),
    Kind.NOTHING_TO_FAX: (554, "5.6.1"),
    Kind.DOCUMENT_ENCRYPTED: (554, "5.6.3"),
    Kind.DOCUMENT_BROKEN: (554, "5.6.5"),
    Kind.DOCUMENT_TOO_LARGE: (554, "5.6.0"),
    Kind.TOO_MANY_PAGES: (554, "5.6.0"),
    Kind.PAGES_DISAGREE: (554, "5.6.5"),
    Kind.RENDERING_STOPPED: (554, "5.6.5"),
    Kind.FORMAT_UNSUPPORTED: (554, "5.6.1"),
    Kind.STORAGE_FULL: (452, "4.3.1"),
    Kind.STORAGE_BUSY: (451, "4.3.0"),
    Kind.SHUTTING_DOWN: (421, "4.3.2"),
    Kind.INTERNAL: (451, "4.3.0"),
    Kind.NOT_FOUND: (550, "5.1.1"),
    Kind.INVALID: (554, "5.5.4"),
    Kind.CONFLICT: (554, "5.0.0"),
    Kind.WRONG_STATE: (554, "5.0.0"),
}

FAULT = "451 4.3.0 the gateway has a fault of its own and did not take this; please try again later"
DISK_FULL = "452 4.3.1 the gateway's disk is full; please try again later"
SHUTTING_DOWN = "421 4.3.2 the gateway is shutting down; please try again in a moment"
TOO_SLOW = "421 4.4.2 nothing has come for too long; closing the connection"
TOO_MANY_ERRORS = "421 4.7.0 too many errors; closing the connection"
LONG_ENOUGH = "421 4.7.0 this session has lasted long enough; please connect again"
TOO_OFTEN = "421 4.7.0 too many connections in a short time; please wait a minute"
TLS_FIRST = "530 5.7.0 send STARTTLS first, and then log in"
LOG_IN_FIRST = "530 5.7.0 log in first, with AUTH"
TOO_MANY_CONNECTIONS = "421 4.7.0 too many connections; please try again later"
CLIENT_UNKNOWN = "554 5.7.1 the proxy does not say who connects, and is not in a network that may send mail here"
NO_MAIL_CLIENT = "421 4.7.0 this is a mail server; it speaks SMTP only"
NOT_SYNCHRONISED = "503 5.5.0 commands were sent without waiting for the reply; closing the connection"
INJECTED = "501 5.5.0 something was sent behind STARTTLS; closing the connection"
SPOKE_FIRST = "554 5.5.0 a client waits for the greeting before it speaks; closing the connection"

#: What aiosmtpd's own replies lack, since ENHANCEDSTATUSCODES is advertised (RFC 2034).
_ENHANCED = {"250": "2.0.0", "252": "2.5.0", "500": "5.5.2", "501": "5.5.4", "502": "5.5.1", "503": "5.5.1"}
_PLAIN = re.compile(r"([245][0-9]{2}) (?![245]\.)")


class Rejection(Exception):
    """An SMTP command that cannot be: its syntax, its parameters, its order. ``reply`` is the line to send."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


def reply_for(reason: Reason) -> str:
    """Return the reply line for *reason*, without its CRLF."""
    code, enhanced = CODES[reason.kind]
    return one_line(f"{code} {enhanced} {reason.sentence}")


def reply_to(error: BaseException) -> str:
    """Return the reply line for whatever ended a command: a refusal as it says, all else as a fault of ours."""
    if isinstance(error, Rejection):
        return one_line(error.reply)
    if isinstance(error, Refusal):
        return reply_for(error.reason)
    return DISK_FULL if kind_of(error) is Kind.STORAGE_FULL else FAULT


def kind_of(error: BaseException) -> Kind:
    """Return the kind under which *error* is counted."""
    if isinstance(error, Refusal):
        return error.reason.kind
    if isinstance(error, Rejection):
        return Kind.INVALID
    full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
    return Kind.STORAGE_FULL if full else Kind.INTERNAL


def is_fault(error: BaseException) -> bool:
    """True when *error* is not an answer but something to look into."""
    return not isinstance(error, Rejection | Refusal)


def one_line(text: str) -> str:
    """Return *text* as one line of printable ASCII of at most ``LONGEST`` octets; accents are dropped."""
    if text.isascii() and text.isprintable() and len(text) <= LONGEST:
        return text
    letters = (char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    line = "".join(_printable(char) for char in letters)
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."


def _printable(char: str) -> str:
    if " " <= char <= "~":
        return char
    return " " if char.isspace() else "?"


def with_enhanced_code(reply: str) -> str:
    """Return *reply* with an enhanced status code behind the reply code, where it has none."""
    match = _PLAIN.match(reply)
    if match is None or match[1] not in _ENHANCED:
        return reply
    return f"{match[1]} {_ENHANCED[match[1]]} {reply[4:]}"
