"""Whether the lines of a message end as they must (RFC 5321, 2.3.8). Every octet of every message is looked at."""

import importlib
from collections.abc import Callable
from typing import cast


def are_whole(text: bytes) -> bool:
    """Return whether every CR and LF in *text* is half of a CR LF; what ``_lines.c`` does, in Python.

    The lines of base64 are of one length, so from a line in the middle a look at every so many octets tells how far
    that goes on to both sides, and counting tells that there are no other CR and LF between. Counting CR LF itself
    takes five times as long; that is left for what is around.
    """
    middle = text.find(b"\n", len(text) // 2)
    length = text.find(b"\n", middle + 1) - middle
    if middle < 1 or length < 2:
        return _counted(text)
    first, at = middle % length, middle // length
    feeds, returns = text[first::length], text[first - 1 :: length] if first else b"?" + text[length - 1 :: length]
    before = min(_trailing(feeds[:at], b"\n"), _trailing(returns[:at], b"\r"))
    after = min(_leading(feeds[at:], b"\n"), _leading(returns[at:], b"\r"))
    begin, end = middle + 1 - before * length, middle + 1 + (after - 1) * length
    lines = before + after - 1
    if lines < 1 or text.count(b"\n", begin, end) != lines or text.count(b"\r", begin, end) != lines:
        return _counted(text)
    return _counted(text[:begin]) and _counted(text[end:])


def _trailing(text: bytes, octet: bytes) -> int:
    return len(text) - len(text.rstrip(octet))


def _leading(text: bytes, octet: bytes) -> int:
    return len(text) - len(text.lstrip(octet))


def _counted(text: bytes) -> bool:
    return len(text) - len(text.translate(None, b"\r\n")) == 2 * text.count(b"\r\n")


def _load() -> Callable[[bytes], bool] | None:
    try:
        return cast(Callable[[bytes], bool], importlib.import_module("gateway.smtp._lines").whole)
    except ImportError:
        return None


#: The compiled one; None where there is none.
compiled = _load()
lines_are_whole = compiled or are_whole
