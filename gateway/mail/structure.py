"""The tree of a mail (RFC 2046), found without copying it: every leaf is a range of bytes.

Only header blocks are parsed; bodies are skipped by searching for boundary lines. So a mail of any size costs a search
and a few header blocks, and every limit holds before the work that it limits. Where a mail is malformed, its tree is
the one that the standard library's parser finds.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.document import MediaType
from gateway.mail import smime, tnef
from gateway.mail.encoding import IDENTITY, Undecodable, decoded
from gateway.mail.headers import Headers, unreadable

MOST_DEPTH = 20
MOST_PARTS = 200
MOST_BOUNDARY_BYTES = 250
#: Of parts that hold others in an encoding of their own.
MOST_UNWRAPPED_BYTES = 100 * 1024 * 1024

#: Types that say nothing; the name of the file then counts as a claim.
GENERIC = frozenset(
    {"application/octet-stream", "application/binary", "application/download", "application/force-download"}
)
_BY_NAME = {smime.NAME: "application/pkcs7-mime", tnef.NAME: "application/ms-tnef"}

#: What may stand behind a boundary on its line.
_REST_OF_LINE = re.compile(rb"(--)?[ \t]*(?:\r\n|\r|\n|\Z)")


#: A field that says how a mail or a part is put together.
MIME_FIELD = re.compile(rb"^content-(?:type|transfer-encoding|disposition)[ \t]*:", re.IGNORECASE | re.MULTILINE)
#: So far into a body the rest of its header is looked for.
SPILLED = 16 * 1024
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part without parts: ``start`` to ``end`` of ``buffer``, which is the mail or what was taken out of one of its
    parts.

    ``around`` holds the types that it lies in, outermost first, with its place in the last.
    """

    buffer: bytes
    headers: Headers
    start: int
    end: int
    around: tuple[str, ...] = ()
    place: int = 0

    @property
    def headless(self) -> bool:
        """True for a part whose header stands in its body: a blank line, or one that is no field, came before it."""
        if not self.around or not self.headers.empty:
            return False
        beginning = self.buffer[self.start : min(self.end, self.start + SPILLED)].lstrip(b"\r\n")
        return MIME_FIELD.search(_BLANK_LINE.split(beginning, 1)[0]) is not None

    @property
    def forwarded(self) -> bool:
        """True inside an attached mail."""
        return MediaType.MAIL in self.around


def leaves(buffer: bytes, headers: Headers, start: int, end: int) -> tuple[Leaf, ...]:
    """Return the leaves of the mail whose body is *start* to *end*, in order; an attached mail is opened once.

    Raises Refusal(MESSAGE_UNREADABLE) beyond the limits.
    """
    return tuple(_Walk().part(Leaf(buffer, headers, start, end)))


def sections(part: Leaf) -> list[Leaf]:
    """Return the parts of a multipart, none of them opened; of anything else there are none.

    Raises Refusal(MESSAGE_UNREADABLE) beyond the limits.
    """
    kind = part.headers.media_type
    return _Walk().split(part, kind) if kind.startswith("multipart/") else []


class _Walk:
    def __init__(self) -> None:
        self._parts = 0
        self._unwrapped = 0

    def part(self, part: Leaf) -> Iterator[Leaf]:
        """Yield the leaves of *part*: itself, when it cannot be taken apart."""
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise unreadable(f"it has more than {MOST_PARTS} parts")
        if len(part.around) >= MOST_DEPTH:
            raise unreadable(f"its parts are nested more than {MOST_DEPTH} deep")
        inner = self._children(part)
        if not inner:
            yield part
        for child in inner:
            yield from self.part(child)

    def _children(self, part: Leaf) -> list[Leaf]:
        kind = meant_type(part.headers)
        if kind.startswith("multipart/"):
            return self.split(part, kind)
        if kind == MediaType.MAIL:
            found = [] if part.forwarded else self._attached_mail(part, kind)
            # What only a name calls a mail may be anything.
            return [] if part.headers.media_type in GENERIC and found and found[0].headers.empty else found
        if kind in smime.TYPES:
            return self._signed(part, kind)
        if kind in tnef.TYPES:
            return self._files_of_outlook(part)
        return []

    def _attached_mail(self, part: Leaf, kind: str) -> list[Leaf]:
        if part.headers.encoding in IDENTITY:
            return [self._child(part, kind, part.start, part.end, 0)]
        # RFC 2046, 5.2.1 forbids to encode it; some do.
        return [self._within(part, kind, data, 0)] if (data := self._decoded(part)) else []

    def _signed(self, part: Leaf, kind: str) -> list[Leaf]:
        content = smime.signed_content(self._decoded(part))
        return [self._within(part, kind, content, 0)] if content else []

    def _files_of_outlook(self, part: Leaf) -> list[Leaf]:
        try:
            files = tnef.files(self._decoded(part))
        except tnef.Damaged:
            return []
        around = (*part.around, "application/ms-tnef")
        return [
            Leaf(file.data, Headers.of_file(file.media_type, file.name), 0, len(file.data), around, place)
            for place, file in enumerate(files)
        ]

    def _decoded(self, part: Leaf) -> bytes:
        """Return what a part holds, b"" when that cannot be decoded. Raises Refusal beyond the limit of all together:
        each piece is held in memory as long as the mail is looked at."""
        self._unwrapped += part.end - part.start
        if self._unwrapped > MOST_UNWRAPPED_BYTES:
            raise unreadable("what is packed in it is too large")
        try:
            return decoded(part.buffer[part.start : part.end], part.headers.encoding)
        except Undecodable:
            return b""

    def _within(self, part: Leaf, kind: str, buffer: bytes, place: int) -> Leaf:
        """Return the MIME entity that was taken out of *part*."""
        headers, body = Headers.read(buffer, 0, len(buffer))
        return Leaf(buffer, headers, body, len(buffer), (*part.around, kind), place)

    def split(self, part: Leaf, kind: str) -> list[Leaf]:
        """Return the parts of a multipart."""
        boundary = part.headers.boundary
        if not 0 < len(boundary) <= MOST_BOUNDARY_BYTES:
            return []
        children: list[Leaf] = []
        for start, end in _sections(part.buffer, boundary, part.start, part.end):
            if len(children) > MOST_PARTS:
                raise unreadable(f"it has more than {MOST_PARTS} parts")
            children.append(self._child(part, kind, start, end, len(children)))
        return children

    def _child(self, part: Leaf, kind: str, start: int, end: int, place: int) -> Leaf:
        headers, body = Headers.read(part.buffer, start, end)
        if kind == "multipart/digest":
            headers.default_type(MediaType.MAIL)
        return Leaf(part.buffer, headers, body, end, (*part.around, kind), place)


def meant_type(headers: Headers) -> str:
    """Return what a part is declared to be, or what its name says where a server sent on what it did not know."""
    kind = headers.media_type
    if kind == "message/global":  # a mail with UTF-8 in its header (RFC 6532)
        return MediaType.MAIL
    if kind not in GENERIC:
        return kind
    name = headers.filename.lower()
    return MediaType.MAIL if name.endswith(".eml") else _BY_NAME.get(name, kind)


def _sections(buffer: bytes, boundary: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield what lies between the boundary lines; the line break before a boundary belongs to it (RFC 2046, 5.1.1)."""
    opened = -1
    for line_start, line_end, closing in _boundary_lines(buffer, boundary, start, end):
        # Boundary lines in a row are one, even when a closing one is among them: nothing is lost then.
        if line_start != opened:
            if opened >= 0:
                yield opened, max(opened, _before_break(buffer, line_start))
            if closing:
                return
        opened = line_end
    if 0 <= opened < end:
        yield opened, end  # never closed: cut off, or a careless sender


def _boundary_lines(buffer: bytes, boundary: bytes, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    delimiter = b"--" + boundary
    position = buffer.find(delimiter, start, end)
    while position >= 0:
        after = position + len(delimiter)
        if position == start or buffer[position - 1 : position] in {b"\n", b"\r"}:
            rest = _REST_OF_LINE.match(buffer, after, end)
            if rest:
                yield position, rest.end(), bool(rest[1])
                after = rest.end()
        position = buffer.find(delimiter, after, end)


def _before_break(buffer: bytes, position: int) -> int:
    return position - (2 if buffer[position - 2 : position] == b"\r\n" else 1)
