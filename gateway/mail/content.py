"""The content of a part."""

from gateway.alphabets import read_as
from gateway.mail.encoding import Undecodable, decoded
from gateway.mail.structure import Leaf

__all__ = ["Undecodable", "content", "estimated_size", "head", "text"]


def content(leaf: Leaf) -> bytes:
    """Return the part's bytes. Raises Undecodable rather than returning less than was sent."""
    return decoded(leaf.buffer[leaf.start : leaf.end], leaf.headers.encoding)


def text(raw: bytes, charset: str) -> bytes:
    """Return a text in UTF-8, given what it was declared to be in; undeclared, or in a charset that nobody knows, it
    stays as it is."""
    if not charset or charset in {"utf-8", "us-ascii"}:
        return raw
    read = read_as(raw, charset)
    return raw if read is None else read.encode("utf-8", "replace")


def head(leaf: Leaf, size: int) -> bytes:
    """Return about the first *size* bytes of the part, to tell its type; b"" when they cannot be decoded."""
    piece = leaf.buffer[leaf.start : min(leaf.end, leaf.start + 4 * size)]
    try:
        return decoded(piece, leaf.headers.encoding, cut=True)[:size]
    except Undecodable:
        return b""


def estimated_size(leaf: Leaf) -> int:
    """Return the part's size in bytes without decoding it: exact, but for quoted-printable and damaged base64."""
    size = leaf.end - leaf.start
    if leaf.headers.encoding != "base64":
        return size
    digits = leaf.buffer[leaf.start : leaf.end].translate(None, b"\r\n\t =")
    return len(digits) * 3 // 4
