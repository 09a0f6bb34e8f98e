"""Transfer encodings, undone (RFC 2045, section 6)."""

import binascii
import re
import string

import pybase64

#: Encodings that leave a part's bytes as they are.
IDENTITY = frozenset({"7bit", "8bit", "binary"})

_DIGITS = (string.ascii_letters + string.digits + "+/").encode()
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_PADDING = re.compile(rb"=+")


class Undecodable(Exception):
    """The transfer encoding is damaged or unknown; the text says which."""


def decoded(raw: bytes, encoding: str, *, cut: bool = False) -> bytes:
    """Return *raw* with its transfer encoding undone; *cut* when it is only the beginning of something.

    Raises Undecodable rather than returning less than was sent.
    """
    if encoding in IDENTITY:
        return raw
    if encoding == "base64":
        return _base64(raw, cut=cut)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(raw)
    raise Undecodable("its transfer encoding is unknown")


def _base64(raw: bytes, *, cut: bool) -> bytes:
    """Decode base64 as RFC 2045 asks, skipping foreign characters.

    Python stops without a word at the first padding, but some senders pad in the middle; each padded piece is decoded.
    """
    padding = raw.find(b"=")
    if cut and padding < 0 and not (digits := raw.translate(None, b" \t\r\n")).translate(None, _DIGITS):
        return _piece(digits[: len(digits) // 4 * 4])
    if not cut and (padding < 0 or not raw[padding:].strip(b"= \t\r\n")):
        return _piece(raw)
    pieces = _PADDING.split(_NOT_BASE64.sub(b"", raw))
    if cut:
        pieces[-1] = pieces[-1][: len(pieces[-1]) // 4 * 4]
    return b"".join(_piece(piece + b"=" * (-len(piece) % 4)) for piece in pieces)


def _piece(raw: bytes) -> bytes:
    """Decode what has no padding but at its end; pybase64 does what binascii does, in an eighth of the time."""
    try:
        return pybase64.b64decode(raw)
    except binascii.Error:
        raise Undecodable("its base64 encoding is damaged") from None
