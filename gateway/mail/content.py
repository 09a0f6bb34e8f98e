"""The content of a part."""

from gateway.mail.encoding import Undecodable, decoded
from gateway.mail.structure import Leaf

__all__ = ["Undecodable", "content", "estimated_size", "head", "text"]


def content(leaf: Leaf) -> bytes:
    """Return the part's bytes. Raises Undecodable rather than returning less than was sent."""
    return decoded(leaf.buffer[leaf.start : leaf.end], leaf.headers.encoding)


#: What senders mean by the charsets that they declare: most names stand for Windows' larger alphabets (WHATWG Encoding,
#: 4.2), and Python does not know some of them.
_MEANT = {
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "l1", "x-cp1252"), "cp1252"),
    **dict.fromkeys(("iso-8859-9", "latin5"), "cp1254"),
    **dict.fromkeys(("windows-874", "dos-874", "tis-620", "iso-8859-11"), "cp874"),
    **dict.fromkeys(("iso-8859-8-i", "iso-8859-8-e", "logical"), "iso-8859-8"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j", "ms_kanji"), "cp932"),
    **dict.fromkeys(("ks_c_5601-1987", "ks_c_5601-1989", "euc-kr", "korean", "windows-949", "x-windows-949"), "cp949"),
    **dict.fromkeys(("gb2312", "gb_2312-80", "gbk", "x-gbk", "windows-936", "chinese"), "gb18030"),
    "x-euc-jp": "euc_jp",
    "x-x-big5": "big5",
    "x-mac-roman": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
}


def text(raw: bytes, charset: str) -> bytes:
    """Return a text in UTF-8, given what it was declared to be in; undeclared, or in a charset that nobody knows, it
    stays as it is."""
    if not charset or charset in {"utf-8", "us-ascii"}:
        return raw
    try:
        return raw.decode(_MEANT.get(charset, charset), "replace").encode("utf-8", "replace")
    except (LookupError, ValueError):
        return raw


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
