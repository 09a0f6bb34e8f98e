"""What a mail of ours is made of: the content of ``telling.facts``, defined here and nowhere else.

Facts are written when something happens and read when the mail is made, perhaps by a newer version: a key that is
missing means "not known", a key that is not known any more is passed over.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from gateway.document import Part
from gateway.fax import Fax, State

#: Longest text that a mail repeats from outside (a file name, a carrier's sentence), in characters.
LONGEST = 400

#: Texts that are of no use when they are cut, and their limit. Notes and advice are ours, and end with what to do; what
#: they repeat from outside was cut before.
UNCUT, LONGEST_UNCUT = frozenset({"in_reply_to", "references", "link", "note", "advice"}), 8000


@dataclass(frozen=True, slots=True)
class UsedPart:
    """A document that was faxed."""

    name: str
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class IgnoredPart:
    """A part of the submitted mail that was not faxed; ``why`` is a sentence."""

    name: str
    media_type: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Every key that ``telling.facts`` may hold. "" and None say "not known" or "not reported by the carrier".

    Numbers are E.164 with ``+``; ``to_written`` is the recipient as the sender wrote it. ``pages`` counts the pages
    of the document, ``pages_sent`` those that the carrier confirmed, ``duration`` is in seconds. Times are shown in
    ``timezone`` (IANA). ``failure_reason`` is the carrier's word or a Kind; ``failure_text`` and ``advice`` are
    sentences and replace the ones that ``reasons.py`` has for that word. ``held_reason`` is a sentence;
    ``next_try_at`` is None where the next try waits for its turn, ``deadline_at`` when the last one may begin;
    ``unknown`` says that a held fax may have been sent already. ``note`` is the one sentence that a mail to the
    operator is about. ``link`` is an http(s) page that only shows something, ``command`` what the operator types.
    ``subject_submitted`` is kept for templates of your own: ours stay silent about content.
    """

    fax_id: str = ""
    to_number: str = ""
    to_written: str = ""
    from_number: str = ""
    from_name: str = ""
    caller_id: str = ""
    pages: int | None = None
    pages_sent: int | None = None
    duration: int | None = None
    tries: int = 0
    tries_allowed: int = 1
    submitted_at: datetime | None = None
    finished_at: datetime | None = None
    next_try_at: datetime | None = None
    deadline_at: datetime | None = None
    timezone: str = "UTC"
    failure_reason: str = ""
    failure_text: str = ""
    advice: str = ""
    held_reason: str = ""
    unknown: bool = False
    partial: bool = False
    used_parts: list[UsedPart] = field(default_factory=list)
    ignored_parts: list[IgnoredPart] = field(default_factory=list)
    in_reply_to: str = ""
    references: str = ""
    subject_submitted: str = ""
    faxbox_name: str = ""
    application_name: str = ""
    media_type: str = ""
    document_name: str = ""
    note: str = ""
    link: str = ""
    command: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the facts as ``telling.facts`` stores them."""
        stored: dict[str, Any] = _FACTS.dump_python(self, mode="json")
        return stored


_FACTS = TypeAdapter(Facts)


def read_facts(stored: Mapping[str, Any]) -> Facts:
    """Return what ``telling.facts`` says, every text made fit for one line. Raises pydantic's ValidationError for a
    value of the wrong type, which only a fault of ours can have put there."""
    lines = {key: one_line(value, LONGEST_UNCUT if key in UNCUT else LONGEST) for key, value in stored.items()}
    return _FACTS.validate_python(lines)


def facts_about(
    fax: Fax,
    *,
    timezone: str = "UTC",
    parts: Iterable[Part] = (),
    in_reply_to: str = "",
    references: str = "",
    faxbox_name: str = "",
    application_name: str = "",
) -> Facts:
    """Return what *fax* itself says, ready for ``dataclasses.replace(facts, link=..., command=..., note=...)``.

    *parts* are those of the mail that the fax came in, *in_reply_to* and *references* its Message-ID and References.
    """
    found = list(parts)
    return Facts(
        fax_id=str(fax.id),
        to_number=fax.to_number,
        to_written=fax.to_written,
        from_number=fax.from_number,
        from_name=fax.from_name,
        caller_id=fax.caller_id,
        pages=fax.pages,
        pages_sent=fax.pages_sent,
        duration=fax.duration,
        tries=fax.tries,
        tries_allowed=fax.tries_allowed,
        submitted_at=fax.created_at,
        finished_at=fax.finished_at,
        next_try_at=fax.next_try_at,
        deadline_at=fax.deadline_at,
        timezone=timezone,
        failure_reason=fax.failure_reason,
        failure_text=fax.failure_text,
        held_reason=fax.held_reason,
        unknown=fax.state is State.UNKNOWN,
        partial=fax.partial,
        used_parts=[UsedPart(part.name, part.pages) for part in found if part.used],
        ignored_parts=[IgnoredPart(part.name, part.media_type, part.why) for part in found if not part.used],
        in_reply_to=in_reply_to,
        references=references,
        subject_submitted=fax.subject,
        faxbox_name=faxbox_name,
        application_name=application_name,
        media_type=fax.media_type,
    )


def one_line(value: Any, longest: int = LONGEST) -> Any:
    """Return *value* (JSON) with every string in it printable and without line breaks, at most *longest* characters.

    Control characters would break headers and lines, format characters (bidirectional overrides) make a file name
    look like another one, and a lone surrogate cannot be encoded at all.
    """
    if isinstance(value, str):
        return " ".join("".join(map(_printable, value)).split())[:longest]
    if isinstance(value, Mapping):
        return {key: one_line(item, longest) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [one_line(item, longest) for item in value]
    return value


def _printable(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cs":
        return "\N{REPLACEMENT CHARACTER}"
    # Zs is every kind of space; the other separators and all control characters become one.
    if category in {"Cc", "Zl", "Zp", "Zs"}:
        return " "
    return "" if category == "Cf" else char
