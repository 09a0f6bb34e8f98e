"""The arguments of MAIL and RCPT (RFC 5321, 4.1.1.2, 4.1.1.3 and 4.1.2).

Only what stands between the brackets is taken, character by character as written: no comment is dropped, nothing
quoted or encoded is decoded, no source route is skipped. A path that would need any of this is refused, because
reading it differently from the next program is how a fax reaches a stranger.
"""

import re
from dataclasses import dataclass

from gateway.address import shown
from gateway.errors import Kind, refuse
from gateway.smtp.replies import Rejection

#: The longest path with its brackets, in octets (RFC 5321, 4.5.3.1.3).
LONGEST_PATH = 256

_ARGUMENT = re.compile(r"(FROM|TO): *<([^<>]*)>(?: +(.*))?", re.IGNORECASE | re.DOTALL)
_PATH = re.compile(r"(?!@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@\[\]-]*")
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?")
_SIZE = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class ReversePath:
    """What MAIL says: the path as written ("" is the null path) and the size announced in octets (0: none)."""

    path: str
    size: int = 0


def read_mail(argument: str, max_message_bytes: int) -> ReversePath:
    """Read ``FROM:<path> [SIZE=n] [BODY=7BIT|8BITMIME] [AUTH=x]`` (RFC 1870, 6152, 4954).

    Raises Rejection for anything else and Refusal(MESSAGE_TOO_LARGE) when the announced size is over the limit.
    """
    path, parameters = _split(argument, "FROM", "501 5.5.4 the syntax is MAIL FROM:<address> [SIZE=octets]")
    if path is None:
        raise Rejection("501 5.1.7 the sender must be a plain address between < and >, like <user@example.com>")
    size = 0
    for keyword, value in parameters:
        if keyword == "SIZE":
            size = _announced(value, max_message_bytes)
        elif not (keyword == "AUTH" and value) and (keyword, value.upper()) not in _BODIES:
            what = f"{shown(keyword)}={shown(value)}" if keyword == "BODY" and value else shown(keyword)
            raise Rejection(f"555 5.5.4 the MAIL parameter {what} is not supported")
    return ReversePath(path, size)


_BODIES = {("BODY", "7BIT"), ("BODY", "8BITMIME")}


def read_recipient(argument: str) -> str:
    """Read ``TO:<path>`` and return the path as written. Raises Rejection for anything else."""
    path, parameters = _split(argument, "TO", "501 5.5.4 the syntax is RCPT TO:<address>")
    if not path:
        raise Rejection("501 5.1.3 the recipient must be a plain address between < and >, like <number@domain>")
    if parameters:
        raise Rejection(f"555 5.5.4 the RCPT parameter {shown(parameters[0][0])} is not supported")
    return path


def _split(argument: str, keyword: str, syntax: str) -> tuple[str | None, list[tuple[str, str]]]:
    """Return the path, or None where it is not a plain one, and the parameters behind it."""
    match = _ARGUMENT.fullmatch(argument)
    if match is None or match[1].upper() != keyword:
        raise Rejection(syntax)
    plain = _PATH.fullmatch(match[2]) is not None and len(match[2]) <= LONGEST_PATH - 2
    return (match[2] if plain else None), [_parameter(word) for word in (match[3] or "").split(" ") if word]


def _parameter(word: str) -> tuple[str, str]:
    match = _PARAMETER.fullmatch(word)
    if match is None:
        raise Rejection(f"501 5.5.4 {shown(word)} is not a parameter")
    return match[1].upper(), match[2] or ""


def _announced(value: str, max_message_bytes: int) -> int:
    if _SIZE.fullmatch(value) is None:
        raise Rejection("501 5.5.4 the syntax is SIZE=octets")
    if int(value) > max_message_bytes:
        raise too_large(max_message_bytes)
    return int(value)


def too_large(max_message_bytes: int) -> Exception:
    """Return the refusal of a message of more than *max_message_bytes*."""
    return refuse(
        Kind.MESSAGE_TOO_LARGE,
        f"the message is larger than {max_message_bytes} bytes, the most that is taken; send smaller attachments",
    )
