"""The content of a part, with its transfer encoding undone (RFC 2045, section 6)."""

import binascii
import re

import pybase64

from gateway.mail.headers import Buffer
from gateway.mail.structure import IDENTITY, Leaf

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_PADDING = re.compile(rb"=+")


class Undecodable(Exception):
    """The transfer encoding is damaged or unknown; the text says which."""


def content(buffer: Buffer, leaf: Leaf) -> bytes:
    """Return the part's bytes. Raises Undecodable rather than returning less than was sent."""
    return _decode(buffer[leaf.start : leaf.end], leaf.headers.encoding)


def text(raw: bytes, charset: str) -> bytes:
    """Return a text in UTF-8, given what it was declared to be in; undeclared, or in a charset that nobody knows, it
    stays as it is."""
    if not charset or charset in {"utf-8", "us-ascii"}:
        return raw
    try:
        return raw.decode(charset, "replace").encode("utf-8", "replace")
    except (LookupError, ValueError):
        return raw


def head(buffer: Buffer, leaf: Leaf, size: int) -> bytes:
    """Return about the first *size* bytes of the part, to tell its type; b"" when they cannot be decoded."""
    piece = buffer[leaf.start : min(leaf.end, leaf.start + 4 * size)]
    try:
        return _decode(piece, leaf.headers.encoding, cut=True)[:size]
    except Undecodable:
        return b""


def estimated_size(buffer: Buffer, leaf: Leaf) -> int:
    """Return the part's size in bytes without decoding it: exact, but for quoted-printable and damaged base64."""
    size = leaf.end - leaf.start
    if leaf.headers.encoding != "base64":
        return size
    digits = buffer[leaf.start : leaf.end].translate(None, b"\r\n\t =")
    return len(digits) * 3 // 4


def _decode(raw: bytes, encoding: str, *, cut: bool = False) -> bytes:
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
