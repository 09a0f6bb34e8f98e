"""The words of our mails: a template per tale holds its sentences, two layouts turn them into text and HTML.

A tale's template (``templates/receipt.txt`` ...) consists of blocks:

``tone``      good, bad, wait or plain: the colour of the HTML
``subject``   one line of ASCII
``headline``  one sentence
``text``      paragraphs, parted by empty lines
``details``   one ``Label: value`` on each line

Every sentence is written once, in plain text; the HTML layout escapes all of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from gateway.address import pretty
from gateway.mail.facts import Facts
from gateway.mail.reasons import why
from gateway.telling import Tale

#: What stands for everything that the carrier did not say.
NOT_REPORTED = "not reported"

_INBOUND = frozenset({Tale.RECEIVED, Tale.RECEPTION_FAILED, Tale.UNROUTED})


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail in words."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Enclosure:
    """What goes with the words. ``too_large`` is the size of a document that stayed behind because of ``limit``
    (both like "12.3 MB", "" otherwise), or without one because the mail server refused it; ``preview_cid`` the
    Content-ID of the first page's picture."""

    attached: bool = False
    too_large: str = ""
    limit: str = ""
    preview_cid: str = ""


def write_letter(tale: Tale, facts: Facts, *, host: str, enclosure: Enclosure) -> Letter:
    """Return the words for *tale*. *host* names the gateway in the last line."""
    said = _said(tale, facts, enclosure)
    words = _environment().get_template(f"{tale.value}.txt")
    shape: dict[str, Any] = {
        "tone": _block(words, "tone", said),
        "subject": _block(words, "subject", said),
        "headline": _block(words, "headline", said),
        "paragraphs": _paragraphs(_block(words, "text", said)),
        "details": _details(_block(words, "details", said)),
        "used": facts.used_parts,
        "ignored": facts.ignored_parts,
        "link": said["link"],
        "command": facts.command,
        "preview_cid": enclosure.preview_cid,
        "host": host,
    }
    text, html = (_environment().get_template(f"letter.{kind}").render(shape) for kind in ("txt", "html"))
    return Letter(" ".join(shape["subject"].split()), text.strip() + "\n", html)


def _said(tale: Tale, facts: Facts, enclosure: Enclosure) -> dict[str, Any]:
    """Return what the templates speak of: every value in words, nothing missing."""
    reason = why(facts.failure_reason, inbound=tale in _INBOUND)
    return {
        "to": pretty(facts.to_number) or "an unknown number",
        "written": facts.to_written,
        "sender": pretty(facts.from_number) or "an unknown number",
        "own_number": pretty(facts.from_number) or NOT_REPORTED,
        "caller_id": _caller_id(facts),
        "pages": counted(facts.pages, "page"),
        "page_count": facts.pages,
        "sent_count": facts.pages_sent,
        "sent_pages": _reported(facts.pages_sent),
        "short": _short(facts, inbound=tale in _INBOUND),
        "duration": spoken_duration(facts.duration),
        "tries": facts.tries,
        "allowed": facts.tries_allowed,
        "tries_text": f"{facts.tries} of {facts.tries_allowed}" if facts.tries_allowed > 1 else str(facts.tries),
        "submitted": spoken_time(facts.submitted_at, facts.timezone),
        "finished": spoken_time(facts.finished_at, facts.timezone),
        "next_try": facts.next_try_at and spoken_time(facts.next_try_at, facts.timezone),
        "until": facts.deadline_at and spoken_time(facts.deadline_at, facts.timezone),
        "brief": reason.brief,
        "reason": sentence(facts.failure_text.partition(". Please ")[0] or reason.sentence),  # the advice follows
        "advice": sentence(facts.advice or reason.advice),
        "failed": bool(facts.failure_reason or facts.failure_text),
        "given_advice": sentence(facts.advice),
        "held": sentence(facts.held_reason),
        "unknown": facts.unknown,
        "partial": facts.partial,
        "note": sentence(facts.note),
        "faxbox": facts.faxbox_name or facts.application_name,
        "fax_id": facts.fax_id,
        "attached": enclosure.attached,
        "too_large": enclosure.too_large,
        "limit": enclosure.limit,
        "link": facts.link if re.match(r"https?://[!-~]+$", facts.link) else "",
        "command": facts.command,
    }


def _short(facts: Facts, *, inbound: bool) -> bool:
    """True when pages are missing: the carrier says so, or fewer arrived than were on their way."""
    if facts.pages is None or facts.pages_sent is None:
        return facts.partial
    missing = facts.pages_sent - facts.pages if inbound else facts.pages - facts.pages_sent
    return facts.partial or missing > 0


def _caller_id(facts: Facts) -> str:
    """The caller's number as the line showed it, if it is another one; never a name, which may tell too much."""
    shown = facts.caller_id
    return shown if shown != facts.from_number and re.fullmatch(r"\+?[0-9][0-9 ().-]*", shown) else ""


def _reported(value: int | None) -> str:
    return NOT_REPORTED if value is None else str(value)


def counted(count: int | None, noun: str) -> str:
    """Return "1 page", "3 pages", or "not reported"."""
    return NOT_REPORTED if count is None else f"{count} {noun}{'' if count == 1 else 's'}"


def spoken_duration(seconds: int | None) -> str:
    """Return "45 s", "1 min 12 s", or "not reported"."""
    if seconds is None:
        return NOT_REPORTED
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def spoken_time(at: datetime | None, timezone: str) -> str:
    """Return "22 November 2026, 15:30 EST" in *timezone* (IANA), or "not reported"."""
    if at is None:
        return NOT_REPORTED
    local = local_time(at, timezone)
    return f"{local.day} {local:%B %Y, %H:%M %Z}"


def local_time(at: datetime, timezone: str) -> datetime:
    """Return *at* in *timezone*; in UTC when the system does not know that zone. A naive time is UTC."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    try:
        return aware.astimezone(ZoneInfo(timezone))
    except (KeyError, ValueError, OSError):
        return aware.astimezone(UTC)


def sentence(text: str) -> str:
    """Return *text* with a capital letter first and a full stop at the end; "" stays ""."""
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def _block(template: Template, name: str, said: Mapping[str, Any]) -> str:
    return "".join(template.blocks[name](template.new_context(dict(said)))).strip()


def _paragraphs(text: str) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text) if paragraph.strip()]


def _details(text: str) -> list[tuple[str, str]]:
    lines = (line.partition(": ") for line in text.splitlines() if line.strip())
    return [(label.strip(), value.strip()) for label, _, value in lines if value.strip()]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("gateway.mail"),
        autoescape=select_autoescape(enabled_extensions=("html",), default_for_string=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
