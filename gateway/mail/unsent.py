"""What a reply of the smarthost means, or the lack of one: for the recipient, for the mail, or for the operator.

The recipient and the message may be refused for good (5xx to RCPT or DATA). Whatever concerns the way there, the login
or our own address is for the operator to mend, and the mail waits: also where it is said in answer to RCPT.
"""

import re
import ssl

from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

from gateway.mail.composed import NotSent
from gateway.mail.data import InDoubt
from gateway.mail.facts import one_line

#: RFC 4954, section 6: the login is missing or wrong. Even as an answer to RCPT this is not about the recipient.
_LOGIN_CODES = frozenset({530, 534, 535, 538})

_STATUS = re.compile(r"\s*[245]\.(\d{1,3}\.\d{1,3})\b")

#: RFC 3463: the message is larger than the system takes, or than the mailbox does.
_TOO_LARGE = frozenset({"3.4", "2.3"})

#: "Relay access denied", "Unable to relay": we are nobody whose mails it carries. No part of a host's name.
_RELAY = re.compile(r"\brelay(?:ing)?\b(?![.-])", re.IGNORECASE)


def refused(smarthost: str, error: SMTPResponseException) -> NotSent:
    """Return what a reply means that is no consent."""
    reply = f"{error.code} {one_line(error.message, 200)}".removeprefix("-1 ")  # which is no reply of SMTP's
    code = max(error.code, 0)
    final = 500 <= code < 600
    if of_login(error):
        return NotSent(f"The smarthost {smarthost} {_about_login(code, reply)}", code=code)
    if final and _is_too_large(error):
        sentence = f"The smarthost {smarthost} refused the message as too large ({reply})."
        return NotSent(sentence, permanent=True, code=code, too_large=True)
    if isinstance(error, SMTPRecipientRefused) and final and _is_about_us(error):
        advice = "let it take mails from this machine, or set [smarthost] username and password"
        return NotSent(f"The smarthost {smarthost} does not relay our mails ({reply}); {advice}.", code=code)
    if isinstance(error, SMTPRecipientRefused | SMTPDataError):
        what = "the recipient" if isinstance(error, SMTPRecipientRefused) else "the message"
        return NotSent(f"The smarthost {smarthost} refused {what} ({reply}).", permanent=final, code=code)
    if isinstance(error, SMTPSenderRefused) and final:
        sentence = f"The smarthost {smarthost} refused our address ({reply}); check [smarthost] sender."
        return NotSent(sentence, code=code)
    return NotSent(f"The smarthost {smarthost} is not ready to take mail ({reply}).", code=code)


def of_login(error: SMTPResponseException) -> bool:
    """Whether a reply is about the login."""
    return isinstance(error, SMTPAuthenticationError) or error.code in _LOGIN_CODES


def _about_login(code: int, reply: str) -> str:
    if 400 <= code < 500:
        return f"takes no login at the moment ({reply})."
    if code == 530:
        return f"wants encryption or a login first ({reply}); check [smarthost] tls, username and password."
    return f"refused the login ({reply}); correct [smarthost] username and password."


def _is_too_large(error: SMTPResponseException) -> bool:
    """Whether a smaller message would do; 552 alone may also say that a mailbox is full, but not before DATA."""
    status = _STATUS.match(error.message)
    if status is not None:
        return status[1] in _TOO_LARGE
    return error.code == 552 and not isinstance(error, SMTPRecipientRefused)


def _is_about_us(error: SMTPResponseException) -> bool:
    status = _STATUS.match(error.message)
    return (status is None or status[1].startswith("7.")) and _RELAY.search(error.message) is not None


def broken(smarthost: str, error: SMTPException | OSError) -> NotSent:
    """Return what a connection that failed or ended means; the library wraps some of the causes."""
    if isinstance(error, InDoubt) and isinstance(error.__cause__, SMTPException | OSError):
        return NotSent(f"{broken(smarthost, error.__cause__).message} It may have taken the mail all the same.")
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NotSent(
            f"The certificate of the smarthost {smarthost} is not trusted ({cause.verify_message}); "
            "check [smarthost] host, or name its authority in [smarthost] ca_file."
        )
    if isinstance(cause, ssl.SSLError):
        return NotSent(f"TLS with the smarthost {smarthost} failed ({cause.reason}); check [smarthost] tls and port.")
    if isinstance(cause, TimeoutError):
        return NotSent(f"The smarthost {smarthost} did not answer in time.")
    if isinstance(cause, SMTPServerDisconnected) or isinstance(error, SMTPServerDisconnected):
        return NotSent(f"The smarthost {smarthost} closed the connection before it had answered.")
    return NotSent(f"The smarthost {smarthost} cannot be reached ({one_line(str(cause), 200)}).")
