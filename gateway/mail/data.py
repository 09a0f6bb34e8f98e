"""DATA (RFC 5321, 4.1.1.4), written here: the library makes a message ready in the event loop, which stands still
meanwhile, for half a second where a large fax is attached; and it does not say whether the message was on its way."""

import asyncio
import re

from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPResponseException, SMTPServerDisconnected

#: Seconds that the answer to a message may take beyond its transfer (RFC 5321, 4.5.3.2.6).
DOT_PATIENCE = 600.0

#: The slowest line that a message is still sent over, in octets a second.
SLOWEST = 10_000

_GO_ON, _TAKEN = 354, 250


class InDoubt(SMTPException):
    """Nobody knows whether the message was taken: no answer came behind it. The cause is what happened."""


async def hand_over(smtp: SMTP, message: bytes) -> None:
    """Send a message; returns when it was taken. Raises InDoubt, or as the library does."""
    wire = await asyncio.to_thread(on_the_wire, message)
    begun = await smtp.execute_command(b"DATA")
    if begun.code != _GO_ON:
        raise SMTPDataError(begun.code, begun.message)
    if smtp.protocol is None:
        raise SMTPServerDisconnected("closed behind its consent")
    try:
        smtp.protocol.write(wire)
        answer = await smtp.protocol.read_response(DOT_PATIENCE + len(wire) / SLOWEST)
    except SMTPResponseException:
        raise
    except (SMTPException, OSError) as error:
        raise InDoubt(str(error)) from error
    if answer.code != _TAKEN:
        raise SMTPDataError(answer.code, answer.message)


def on_the_wire(message: bytes) -> bytes:
    """Return a message with its dots doubled and its end marked. Bare line ends, in which some servers see the end of
    a message where others do not, become whole ones; ours have none."""
    if not message.count(b"\n") == message.count(b"\r") == message.count(b"\r\n"):
        message = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    ended = message if message.endswith(b"\r\n") else message + b"\r\n"
    return (b"\r\n" + ended).replace(b"\r\n.", b"\r\n..").removeprefix(b"\r\n") + b".\r\n"
