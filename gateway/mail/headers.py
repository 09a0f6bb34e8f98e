"""Header fields of a mail (RFC 5322, RFC 2045), read with limits and decoded with care.

The standard library's parser splits a header block into fields; ``email.policy.default`` is not used, since it spends
seconds and gigabytes on a hostile header. What a field says is decoded here, from a bounded piece of it.
"""

import re
import unicodedata
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import Compat32
from functools import cached_property

from gateway.address import parse_mailbox
from gateway.errors import Kind, Refusal, refuse

MOST_BYTES = 256 * 1024
MOST_LINES = 1000
MOST_LINE_BYTES = 16 * 1024
MOST_PARAMETERS = 50

_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")
#: A line that belongs to a header block: a field's beginning, its continuation, or an mbox separator.
_FIELD = re.compile(rb"From |[\x21-\x39\x3b-\x7e]*:|[\t ]")
_COMMENT = r"\([^()\\]*\)"
#: Comments within another field, and words for encodings that are none of the standard's.
_ASIDE = re.compile(_COMMENT)
_MISSPELT = {"8-bit": "8bit", "7-bit": "7bit"}
_PHRASE = rf'(?:"(?:[^"\\]|\\.)*"|{_COMMENT}|[^"<>(),;:\\])*'
_FROM = re.compile(rf"{_PHRASE}<([^<>\s]+)>\s*(?:{_COMMENT})?|([^<>()\s\",;:\\]+)\s*(?:{_COMMENT})?")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,40}/[a-z0-9!#$&^_.+-]{1,80}")
_MOST_DECODED = 4000


class _Raw(Compat32):
    """Compat32 that hands out fields as they are: bytes beyond ASCII stay surrogates, for us to decode."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        return value


_RAW = _Raw()
_PARSER = BytesHeaderParser(policy=_RAW)

#: Header blocks as nearly all are: short, every line a field or its continuation, all line ends CR LF.
_CLEAN_BYTES = 8192
_CLEAN_FIELD = r"[!-9;-~]+:[^\r\n]*\r\n(?:[\t ][^\r\n]*\r\n)*"
_CLEAN = re.compile(rf"(?:{_CLEAN_FIELD})+\r\n".encode())
_CLEAN_FIELDS = re.compile(_CLEAN_FIELD)


class Headers:
    """One header block. A name may occur several times; the first counts, as in the standard library."""

    def __init__(self, message: Message) -> None:
        self._message = message

    @classmethod
    def read(cls, buffer: bytes, start: int, end: int) -> tuple["Headers", int]:
        """Read the block at *start* and return it with the position of the body.

        Raises Refusal(MESSAGE_UNREADABLE) beyond the limits, before anything is parsed.
        """
        if (found := _clean(buffer[start : min(end, start + _CLEAN_BYTES)])) is not None:
            message, length = found
            headers = cls(message)
            headers._check_parameters()
            return headers, start + length
        block = buffer[start : min(end, start + MOST_BYTES + 1)]
        length, behind = _extent(block)
        if length > MOST_BYTES:
            raise unreadable(f"its header has more than {MOST_BYTES // 1024} KB")
        headers = cls(_PARSER.parsebytes(block[:length]))
        headers._check_parameters()
        return headers, min(start + behind, end)

    @classmethod
    def of_file(cls, media_type: str, name: str) -> "Headers":
        """Return what would stand above a file that came without a header of its own."""
        message = Message()
        message["Content-Type"] = media_type if _TYPE.fullmatch(media_type) else "application/octet-stream"
        message["Content-Transfer-Encoding"] = "binary"
        message.add_header("Content-Disposition", "attachment", filename=("utf-8", "", display_name(name)))
        return cls(message)

    def get(self, name: str) -> str:
        """Return the first field *name*, unfolded, or "". It may hold surrogates."""
        values = self._fields.get(name.lower())
        return _unfolded(values[0]) if values else ""

    def all(self, name: str) -> list[str]:
        """Return all fields *name*, unfolded."""
        return [_unfolded(value) for value in self._fields.get(name.lower(), [])]

    @cached_property
    def _fields(self) -> dict[str, list[str]]:
        """The fields by their names in lower case: the library looks through all of them for each."""
        fields: dict[str, list[str]] = {}
        for name, value in self._message.items():
            fields.setdefault(name.lower(), []).append(value)
        return fields

    @property
    def empty(self) -> bool:
        """True when there is no field at all."""
        return not self._fields

    def default_type(self, media_type: str) -> None:
        """Say what the part is when it does not say itself (parts of a multipart/digest are mails)."""
        self._message.set_default_type(media_type)

    @cached_property
    def media_type(self) -> str:
        """The Content-Type in lower case, ``text/plain`` when it is missing or no type."""
        declared = _printable(self._message.get_content_type())
        return declared if len(declared) <= 100 else "application/octet-stream"

    @cached_property
    def boundary(self) -> bytes:
        """The boundary of a multipart, b"" without one."""
        try:
            return (self._message.get_boundary() or "").encode("ascii", "surrogateescape")
        except (ValueError, LookupError):
            return b""

    @cached_property
    def encoding(self) -> str:
        """The Content-Transfer-Encoding in lower case, ``7bit`` when it is missing, without comments and what some
        programs put around it."""
        said = self.get("Content-Transfer-Encoding").strip().lower()
        if not said.isalnum():
            said = _ASIDE.sub("", said).partition(";")[0].strip(" \t\"'")
        return _MISSPELT.get(said, said) or "7bit"

    @cached_property
    def charset(self) -> str:
        """The charset that a text is declared to be in, in lower case, "" without one."""
        try:
            return _printable(self._message.get_content_charset("") or "")
        except (ValueError, LookupError, TypeError):
            return ""

    @cached_property
    def disposition(self) -> str:
        """``attachment``, ``inline`` or another disposition; "" without one."""
        return self.get("Content-Disposition").partition(";")[0].strip().lower()

    @cached_property
    def content_id(self) -> str:
        """The Content-ID without its brackets, in lower case; "" without one."""
        return self.get("Content-ID").strip().strip("<>").lower()[:200]

    @cached_property
    def filename(self) -> str:
        """The file's name for display (RFC 2231, RFC 2047): never a path, at most 100 characters."""
        if not self._may_have_name:
            return ""
        try:
            name = self._message.get_filename("")
        except (ValueError, LookupError, TypeError):
            return ""
        return display_name(decoded(str(name)))

    @property
    def _may_have_name(self) -> bool:
        """Whether a parameter may be ``filename`` or ``name``: to take the parameters apart costs far more."""
        return "name" in (self.get("Content-Disposition") + self.get("Content-Type")).lower()

    def _check_parameters(self) -> None:
        for name in ("Content-Type", "Content-Disposition"):
            if self.get(name).count(";") > MOST_PARAMETERS:
                raise unreadable(f"a {name} field has more than {MOST_PARAMETERS} parameters")


def unreadable(why: str) -> Refusal:
    """Return the refusal of a mail whose structure is out of all bounds."""
    return refuse(Kind.MESSAGE_UNREADABLE, f"the mail cannot be read: {why}")


def _clean(block: bytes) -> tuple[Message, int] | None:
    """Read a clean header block at the beginning of *block* as the standard library's parser would, five times faster;
    return it with its length, blank line included. None for any other."""
    match = _CLEAN.match(block)
    if match is None or match[0].count(b"\n") > MOST_LINES:
        return None
    message = Message(_RAW)
    for field in _CLEAN_FIELDS.findall(match[0].decode("ascii", "surrogateescape")):
        name, _, value = field.partition(":")
        if "\n" in value[:-2]:
            message.set_raw(*_RAW.header_source_parse(field.splitlines(keepends=True)))
        else:
            message.set_raw(name, value.lstrip(" \t").rstrip("\r\n"))
    return message, match.end()


def _extent(block: bytes) -> tuple[int, int]:
    """Return the length of the header block that *block* begins with, and where the body begins."""
    for number, line in enumerate(_LINE.finditer(block)):
        if not line[1]:
            return line.start(), line.end()
        if not _FIELD.match(line[1]):
            return line.start(), line.start()  # no blank line: this is already the body
        if number >= MOST_LINES:
            raise unreadable(f"its header has more than {MOST_LINES} lines")
        if len(line[1]) > MOST_LINE_BYTES:
            raise unreadable(f"a line of its header has more than {MOST_LINE_BYTES // 1024} KB")
    return len(block), len(block)


def _unfolded(value: str) -> str:
    return value.replace("\r", "").replace("\n", "")


def decoded(value: str) -> str:
    """Decode the encoded words (RFC 2047) and raw 8-bit of a field; what cannot be decoded stays readable."""
    value = _unfolded(value)[:_MOST_DECODED]
    if "=?" not in value:
        return _text(value)
    try:
        # Each byte as one character: other characters, and surrogates, come out of the library as escapes.
        pieces = decode_header(value.encode("utf-8", "surrogateescape").decode("latin-1"))
    except (HeaderParseError, ValueError):
        return _text(value)
    raw = ((piece.encode("latin-1") if isinstance(piece, str) else piece, charset) for piece, charset in pieces)
    return "".join(_bytes(piece, charset) for piece, charset in raw)


def _text(value: str) -> str:
    """Bytes beyond ASCII that came as surrogates are UTF-8 (RFC 6532), or else Latin-1."""
    try:
        return _bytes(value.encode("utf-8", "surrogateescape"), None)
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return value


def _bytes(raw: bytes, charset: str | None) -> str:
    for name in (charset, "utf-8"):
        if name is None:
            continue
        try:
            return raw.decode(name, "replace" if name == charset else "strict")
        except (LookupError, ValueError):
            continue
    return raw.decode("latin-1")


def _printable(text: str) -> str:
    """Remove what could change how the text around it is shown: control, format (bidi) and unassigned characters."""
    spaced = " ".join(text.split())
    if spaced.isascii() and spaced.isprintable():
        return spaced
    return "".join(char for char in spaced if not unicodedata.category(char).startswith("C"))


def display_text(value: str, most: int) -> str:
    """Decode a field for display: one line of at most *most* characters."""
    return _printable(decoded(value))[:most]


def display_name(name: str) -> str:
    """Return a file name fit to be shown, never to be opened; its extension survives shortening."""
    last = re.split(r"[/\\]", _printable(name))[-1].strip(" .")
    if len(last) <= 100:
        return last
    stem, dot, extension = last.rpartition(".")
    return f"{stem[:90]}...{extension}" if dot and len(extension) <= 7 else last[:100]


def message_id(value: str) -> str:
    """Return a Message-ID without what no Message-ID may hold: visible ASCII, at most a line's length (RFC 5322)."""
    return "".join(char for char in value[:_MOST_DECODED] if "!" <= char <= "~")[:998]


def plain_address(fields: list[str]) -> str:
    """Return the one address of a From field, its domain in lower case.

    "" when there are several fields or addresses, or none that is certain: a decision about who may send must not
    rest on a guess (RFC 5322, 3.6.2).
    """
    if len(fields) != 1 or len(fields[0]) > _MOST_DECODED:
        return ""
    match = _FROM.fullmatch(fields[0].strip())
    mailbox = parse_mailbox(match[1] or match[2]) if match else None
    return str(mailbox) if mailbox else ""
