"""The alphabets (charsets) that texts are written in, by the names that their senders declare.

Most names stand for more than they say: what is sent as ISO-8859-1 is Windows' Western alphabet, which has a Euro sign
(WHATWG Encoding, 4.2). Some of them Python does not know, and some of what Python knows is no alphabet.
"""

import codecs

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
#: Codecs for programs, by their own names; some take the square of what they are given.
_NONE = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined"})


def read_as(raw: bytes, charset: str) -> str | None:
    """Return the text that *raw* is when it is in *charset*, as a sender declares it; None when nobody knows that."""
    name = charset.strip().lower()
    try:
        name = codecs.lookup(_MEANT.get(name, name)).name
        return None if name in _NONE else raw.decode(name, "replace")
    except (LookupError, ValueError):
        return None
