"""A mail -> what in it can be faxed (the sandbox's readers call this; nothing else may).

Which parts are faxed: documents (``FAXABLE``), told by their first bytes as well as by their declared type, in the
order of the message, also those of an attached mail (one level), of Outlook's winmail.dat and of a signed file. A
picture is one when it is attached: not when the text shows it, and not when it is as small as a logo; where nothing
else was sent, also one that is placed within the text, as telephones place photos. Every other part
is listed with a sentence that says why it is not. A document that cannot be faxed refuses the mail: a fax must not lack
what its sender attached.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from gateway.address import shown
from gateway.document import FAXABLE, FAXABLE_NAMES, Automatic, MediaType, Part, Reading, claimed
from gateway.errors import Kind, Reason, Refusal, refuse
from gateway.mail.content import Undecodable, content, estimated_size, head, text
from gateway.mail.headers import Headers, display_text, message_id, plain_address, unreadable
from gateway.mail.kinds import PICTURES, SHOWN, SMALL, TEXT, is_small, why_ignored
from gateway.mail.own_text import is_own, own_leaves
from gateway.mail.pictures import is_shown, shown_pictures
from gateway.mail.structure import GENERIC, MIME_FIELD, SPILLED, Leaf, leaves
from gateway.mail.uuencode import written_file

#: Tells a document by its first bytes.
Sniff = Callable[[bytes], MediaType | None]
#: Returns width and height of a picture in dots, None when it has none.
Extent = Callable[[bytes], tuple[int, int] | None]
#: Returns the pages of a document, or raises Refusal; the text names it in sentences, and the type is what it claims
#: to be.
CountPages = Callable[[bytes, str, MediaType | None], int]
#: Raises Refusal when so many pages, or bytes, are too many; the text names what has them.
Check = Callable[[int, str], None]

_SNIFFED = 1024
_TEXTS = frozenset({MediaType.TEXT, MediaType.HTML})
_MOST_RECEIVED = 50
_BREAKS = (b"\r\n", b"\n", b"\r")
_BLANK = (b"\n\r\n", b"\n\n", b"\r\r")
#: Fields that mark an automatic mail (RFC 3834, 5), and those of older programs.
_AUTOREPLIES = ("Auto-Submitted", "X-Autoreply", "X-Autorespond", "X-Autoresponse")
_SUBJECT_CHARACTERS = 200
_FOUND_SHOWN = 5
_NOTE = "the text of the mail is the note on the cover page"


class Documents:
    """What the parser must know of documents, handed in by the sandbox: mail and documents do not know each other."""

    def __init__(
        self, sniff: Sniff, extent: Extent, count_pages: CountPages, check_size: Check, check_length: Check
    ) -> None:
        self.sniff = sniff
        self.extent = extent
        self.count_pages = count_pages
        self.check_size = check_size
        self.check_length = check_length


def read(message: bytes, documents: Documents, body: str = "ignore") -> Reading:
    """Say what *message* holds. Its ``refusal`` is set when it cannot be faxed; it is the first reason found.

    *body* is what becomes of the mail's own text (``Faxbox.body``): with "alone" it is one more document.

    A mail that is automatic is read like any other: what follows from that is for others to decide.
    """
    try:
        headers, start = Headers.read(message, 0, len(message))
    except Refusal as refusal:
        return Reading((), body_digest=_digest(message, 0), refusal=refusal.reason)
    parts, refusal_reason = _judge(message, headers, start, documents, body)
    return Reading(
        parts=parts,
        message_id=message_id(headers.get("Message-ID")),
        header_from=plain_address(headers.all("From")),
        subject=display_text(headers.get("Subject"), _SUBJECT_CHARACTERS),
        automatic=_automatic(headers),
        body_digest=_digest(message, start),
        refusal=refusal_reason,
    )


class Extract(NamedTuple):
    """A part as it is rendered: what to call it in sentences, its bytes (a text in UTF-8), what it claims to be."""

    label: str
    data: bytes
    claim: MediaType | None


def extract(message: bytes, index: int) -> Extract:
    """Return part *index* (``Part.index`` of a reading of the same message).

    Raises Refusal when there is no such part, or it cannot be decoded.
    """
    headers, body = Headers.read(message, 0, len(message))
    found = leaves(message, headers, body, len(message))
    if not 0 <= index < len(found):
        raise refuse(Kind.MESSAGE_UNREADABLE, f"the mail has no part {index + 1}")
    leaf, label = found[index], _label(index, found[index])
    return Extract(label, _content(leaf, label), claimed(leaf.headers.media_type, leaf.headers.filename))


def _judge(
    message: bytes, headers: Headers, start: int, documents: Documents, body: str
) -> tuple[tuple[Part, ...], Reason | None]:
    try:
        _check_header(message, start)
        found = leaves(message, headers, start, len(message))
    except Refusal as refusal:
        return (), refusal.reason
    own = set(own_leaves(found)) if body != "ignore" else set()
    judged = _judge_parts(found, documents, own, faxed=own if body == "alone" else set())
    if body == "cover":
        judged = [(replace(part, why=_NOTE) if part.index in own else part, reason) for part, reason in judged]
    parts = tuple(part for part, _ in judged)
    problems = [reason for _, reason in judged if reason is not None]
    if problems:
        return parts, problems[0]
    try:
        _check_together(parts, documents)
    except Refusal as refusal:
        return parts, refusal.reason
    return parts, None


def _judge_parts(
    found: tuple[Leaf, ...], documents: Documents, own: set[int], faxed: set[int]
) -> list[tuple[Part, Reason | None]]:
    """Judge every leaf; those in *own* are the mail's text. Where no document was sent, pictures that stand within the
    text are what was meant, if there is one that can be faxed."""
    pictures = shown_pictures(found)

    def judge(index: int, *, placed: bool) -> tuple[Part, Reason | None]:
        aside = partial(is_shown, shown=pictures, placed=placed)
        return _part(index, found[index], documents, aside, own=index in faxed)

    judged = [judge(index, placed=True) for index in range(len(found))]
    if any(part.index not in own and (part.used or reason) for part, reason in judged):
        return judged
    again = [judge(part.index, placed=False) if part.why == SHOWN else (part, reason) for part, reason in judged]
    return again if any(part.used and part.index not in own for part, _ in again) else judged


def _check_header(message: bytes, start: int) -> None:
    """Refuse a mail whose header is cut short by a line that is no field: the rest of it, with what says how the mail
    is put together, would be the beginning of its text, and the files in it pages of letters and digits."""
    whole = message.endswith(_BLANK, 0, start) or message[:start] in _BREAKS
    if not whole and MIME_FIELD.search(message, start, start + SPILLED):
        line = message[start : start + 80].splitlines()[0].decode("latin-1")
        raise unreadable(f'the line "{shown(line)}" in its header is no header field')


def _check_together(parts: tuple[Part, ...], documents: Documents) -> None:
    used = [part for part in parts if part.used]
    if not used and any(part.why.startswith("encrypted") for part in parts):
        raise refuse(
            Kind.DOCUMENT_ENCRYPTED, "the mail is encrypted and cannot be read here; send it without encryption"
        )
    if not used:
        raise refuse(
            Kind.NOTHING_TO_FAX,
            f"the mail has nothing attached that can be faxed ({FAXABLE_NAMES}); found: {_found(parts)}",
        )
    if len(used) > 1:
        documents.check_size(sum(part.size for part in used), "the mail")
        documents.check_length(sum(part.pages for part in used), "the mail")


def _found(parts: tuple[Part, ...]) -> str:
    if all(part.why == TEXT for part in parts):
        return "nothing but its text"
    shown = list(dict.fromkeys(_in_brief(part) for part in parts))
    more = f" and {len(shown) - _FOUND_SHOWN} more" if len(shown) > _FOUND_SHOWN else ""
    return ", ".join(shown[:_FOUND_SHOWN]) + more


def _in_brief(part: Part) -> str:
    if part.why == TEXT:
        return "its text"
    named = f'{part.media_type} "{part.name}"' if part.name else part.media_type
    return f"{named} ({part.why.partition(';')[0]})" if part.why in {SHOWN, SMALL} else named


def _part(
    index: int, leaf: Leaf, documents: Documents, is_aside: Callable[[Leaf], bool], *, own: bool = False
) -> tuple[Part, Reason | None]:
    """Judge one leaf: a document to fax, one that cannot be faxed (with the reason), or something else.

    The mail's *own* text, where it is wanted, is a document; *is_aside* knows pictures that belong to the text.
    """
    name, label = leaf.headers.filename, _label(index, leaf)
    if (taken_for_text := _file_in_text(index, leaf)) is not None:
        return _ignored(index, leaf, taken_for_text.sentence), taken_for_text
    kind = MediaType(leaf.headers.media_type) if own else _document_type(leaf, name, documents)
    if kind is None:
        return _ignored(index, leaf, why_ignored(leaf, name)), None
    if kind in PICTURES and is_aside(leaf):
        return _ignored(index, leaf, SHOWN), None
    try:
        data = _content(leaf, label)
        if kind in PICTURES and leaf.around and is_small(len(data), documents.extent(data)):
            return _ignored(index, leaf, SMALL), None
        return Part(index, name, kind, len(data), used=True, pages=documents.count_pages(data, label, kind)), None
    except Refusal as refusal:
        return replace(_ignored(index, leaf, refusal.reason.sentence), media_type=kind), refusal.reason


def _file_in_text(index: int, leaf: Leaf) -> Reason | None:
    """Return what is wrong with a text that holds a file, None for all else."""
    if leaf.headless:
        why = f"part {index + 1} begins with a line that is no header field, so that its header counts as text"
        return unreadable(why).reason
    if is_own(leaf) and (name := written_file(leaf)):
        sentence = f'the text of the mail holds the file "{name}" in an old form (uuencode); attach it to the mail'
        return Reason(Kind.FORMAT_UNSUPPORTED, sentence, name)
    return None


def _ignored(index: int, leaf: Leaf, why: str) -> Part:
    return Part(index, leaf.headers.filename, leaf.headers.media_type, estimated_size(leaf), used=False, why=why)


def _document_type(leaf: Leaf, name: str, documents: Documents) -> MediaType | None:
    """Return what document a leaf is or claims to be; None when it is none.

    A file of undeclared type must begin with the magic bytes: further down they stand in archives and texts as well.
    """
    if why_ignored(leaf, name, certain=True):
        return None
    declared = FAXABLE.get(leaf.headers.media_type)
    if declared is None and leaf.headers.media_type in GENERIC:
        declared = FAXABLE.get(name.rpartition(".")[2].lower())
    told = name or leaf.headers.disposition == "attachment" or leaf.headers.media_type in GENERIC
    if declared is None and not told:
        return None
    start = head(leaf, _SNIFFED)
    return documents.sniff(start if declared else start.lstrip()[:12]) or declared


def _content(leaf: Leaf, label: str) -> bytes:
    try:
        data = content(leaf)
        return text(data, leaf.headers.charset) if leaf.headers.media_type in _TEXTS else data
    except Undecodable as error:
        raise refuse(Kind.DOCUMENT_BROKEN, f"{label} cannot be decoded: {error}", label.strip('"')) from None


def _label(index: int, leaf: Leaf) -> str:
    name = leaf.headers.filename
    if is_own(leaf):
        return "the text of the mail"
    return f'"{name}"' if name else f"part {index + 1} of the mail"


def _automatic(headers: Headers) -> Automatic:
    """Say whether a machine wrote the mail (RFC 3834, RFC 2919, RFC 6522), or it comes round in circles."""
    if headers.all("X-Fax-Id"):
        return Automatic.OURS
    if len(headers.all("Received")) > _MOST_RECEIVED:
        return Automatic.LOOP
    if headers.media_type == "multipart/report":
        return Automatic.REPORT
    precedence = {_keyword(value) for value in headers.all("Precedence")}
    marks = (value for name in _AUTOREPLIES for value in headers.all(name))
    if "auto_reply" in precedence or any(_keyword(mark) not in {"", "no"} for mark in marks):
        return Automatic.REPLY
    if headers.all("List-Id") or precedence & {"bulk", "list", "junk"}:
        return Automatic.LIST
    return Automatic.NO


def _keyword(value: str) -> str:
    """Return the word before parameters and comments, in lower case."""
    return value.partition(";")[0].partition("(")[0].strip().lower()


def _digest(message: bytes, start: int) -> str:
    return hashlib.sha256(memoryview(message)[start:]).hexdigest()
