"""What a delivery report says (RFC 3462 and 3464; the sandbox's readers call this, nothing else may).

Of a bounce two things count: whether it says that a mail was given up, and which mail that was. The mail is told by its
Message-ID, in the header that is sent back with the report; who does not have the mail cannot know it.
"""

import re

from gateway.document import Report
from gateway.mail.content import Undecodable, content
from gateway.mail.headers import Headers, display_text, message_id
from gateway.mail.structure import Leaf, sections

_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RETURNED = frozenset({"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"})
_MOST_BYTES = 65536
_MOST_RECIPIENTS = 50
_WHY_CHARACTERS = 300


def report(message: bytes) -> Report:
    """Read a delivery report. One that is none, or names no mail, has the ``message_id`` "". Raises
    Refusal(MESSAGE_UNREADABLE) beyond the parser's limits."""
    headers, start = Headers.read(message, 0, len(message))
    if headers.media_type != "multipart/report":
        return Report()
    parts = sections(Leaf(message, headers, start, len(message)))
    status = next((_content(part) for part in parts if part.headers.media_type in _STATUS), b"")
    returned = next((part for part in parts if part.headers.media_type in _RETURNED), None)
    failed, why = _verdict(status)
    return Report("" if returned is None else _id(_content(returned)), failed, why)


def _content(part: Leaf) -> bytes:
    try:
        return (
            content(part)
            if part.end - part.start <= _MOST_BYTES
            else part.buffer[part.start : part.start + _MOST_BYTES]
        )
    except Undecodable:
        return b""


def _id(returned: bytes) -> str:
    headers, _ = Headers.read(returned, 0, len(returned))
    return message_id(headers.get("Message-ID"))


def _verdict(status: bytes) -> tuple[bool, str]:
    """Whether a recipient was given up, and why; the first block of fields is about the report as a whole."""
    blocks = re.split(rb"(?:\r?\n){2,}", status.strip(b"\r\n"))
    for block in blocks[1 : _MOST_RECIPIENTS + 1]:
        fields, _ = Headers.read(block, 0, len(block))
        if fields.get("Action").strip().lower() == "failed":
            said = fields.get("Diagnostic-Code").partition(";")[2].strip() or fields.get("Status").strip()
            return True, display_text(said, _WHY_CHARACTERS)
    return False, ""
