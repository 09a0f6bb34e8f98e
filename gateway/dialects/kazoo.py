"""Kazoo's words for our nouns: gregorian seconds, dated ids, folders and states, the smtplog, the envelopes.

Names and shapes follow Kazoo's Crossbar 4.3 (faxes API, fax_smtp). Its lists count time in seconds since the year
0 of the Gregorian calendar, UTC. What Kazoo's ``success`` and ``error`` envelopes always hold is made here; what
``data`` holds is up to the caller.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from gateway.fax import Direction, Fax, State
from gateway.ids import parse_id
from gateway.transaction import SmtpRecord

#: Gregorian seconds at 1970-01-01T00:00:00Z.
GREGORIAN_EPOCH = 62_167_219_200


def to_gregorian(at: datetime) -> int:
    """Return the gregorian second of *at* (aware); a fraction is cut off."""
    return int(at.timestamp() // 1) + GREGORIAN_EPOCH


def from_gregorian(seconds: int) -> datetime:
    """Return the moment of a gregorian second in UTC. Raises ValueError for what no calendar date can hold."""
    try:
        return datetime.fromtimestamp(seconds - GREGORIAN_EPOCH, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise ValueError(f"{seconds} is no date") from error


def plain_id(identifier: UUID) -> str:
    """Return the id of a fax in outgoing, and of accounts and faxboxes: 32 hex digits."""
    return identifier.hex


def dated_id(identifier: UUID, created_at: datetime) -> str:
    """Return the id of what lives in Kazoo's monthly databases (inbox, outbox, smtplog): ``YYYYMM-`` and 32 hex."""
    return f"{created_at.astimezone(UTC):%Y%m}-{identifier.hex}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where Kazoo shows a fax: its folder, and its job status ("" where Kazoo has none)."""

    folder: str
    status: str


_OUTBOUND = {
    State.PREPARING: Place("outgoing", "attaching_files"),
    State.QUEUED: Place("outgoing", "pending"),
    State.HELD: Place("outgoing", "pending"),
    State.CALLING: Place("outgoing", "processing"),
    State.SENDING: Place("outgoing", "processing"),
    # Never "failed": a client would send it again, and it may have been sent.
    State.UNKNOWN: Place("outgoing", "processing"),
    State.DELIVERED: Place("outbox", "completed"),
    State.FAILED: Place("outbox", "failed"),
    State.CANCELED: Place("outbox", "failed"),
}
_INBOUND = {
    State.RECEIVING: Place("incoming", "receiving"),
    State.PROCESSING: Place("incoming", "processing"),
    State.RECEIVED: Place("inbox", ""),
    State.FAILED: Place("incoming", "failed"),
}


def place_of(direction: Direction, state: State) -> Place:
    """Return where Kazoo shows a fax of *direction* in *state*. Raises KeyError for a pair that does not occur."""
    return (_OUTBOUND if direction is Direction.OUTBOUND else _INBOUND)[state]


def states_in(folder: str) -> list[tuple[Direction, State]]:
    """Return what *folder* (outgoing, outbox, incoming, inbox) holds; empty for a folder that does not exist."""
    tables = ((Direction.OUTBOUND, _OUTBOUND), (Direction.INBOUND, _INBOUND))
    return [(way, state) for way, table in tables for state, place in table.items() if place.folder == folder]


def fax_id(fax: Fax) -> str:
    """Return the id under which Kazoo shows *fax*: plain while it is on its way out, dated everywhere else."""
    if place_of(fax.direction, fax.state).folder == "outgoing":
        return plain_id(fax.id)
    return dated_id(fax.id, fax.created_at)


def smtplog_row(record: SmtpRecord) -> dict[str, Any]:
    """Return *record* as a row of ``GET .../faxes/smtplog``. A row without ``error`` is a mail that was taken."""
    row: dict[str, Any] = {
        "id": dated_id(record.id, record.at),
        "from": record.sender.lower(),
        "to": _first(record)["written"].lower(),
        "created": to_gregorian(record.at),
    }
    if record.errors:
        row["error"] = record.errors[0]
    return row


def smtplog_detail(record: SmtpRecord) -> dict[str, Any]:
    """Return *record* as ``GET .../faxes/smtplog/{id}`` shows it.

    The first group of fields is Kazoo's (its ``to`` and number are those of the first recipient), the second one
    ours. What the client did not say is left out; ``errors`` is always there, in the order of the session.
    """
    first, document = _first(record), _document(record)
    faxes = [fax.hex for fax in map(parse_id, record.fax_ids) if fax is not None]
    told = {
        "original_number": first["written"].rpartition("@")[0],
        "translated_number": first["number"],
        "faxbox_domain": first["domain"],
        "content_type": str(document.get("media_type", "")),
        "filename": str(document.get("name", "")),
        "account_id": record.account_id.hex if record.account_id else "",
        "faxbox_id": record.faxbox_id.hex if record.faxbox_id else "",
        "faxdoc_id": faxes[0] if faxes else "",
    }
    ours = {
        "peer": record.peer,
        "helo": record.helo,
        "tls": record.tls,
        "user": record.user,
        "message_id": record.message_id,
        "subject": record.subject,
        "reply": record.reply,
    }
    return {
        **smtplog_row(record),
        **{name: value for name, value in (told | ours).items() if value},
        "errors": list(record.errors),
        "size": record.size,
        "recipients": [dict(recipient) for recipient in record.recipients],
        "found": [dict(part) for part in record.found],
        "fax_ids": faxes,
    }


def _first(record: SmtpRecord) -> dict[str, str]:
    """The first recipient, with every key; a session may end before it names one."""
    return {"written": "", "number": "", "domain": "", **(record.recipients[0] if record.recipients else {})}


def _document(record: SmtpRecord) -> dict[str, object]:
    """The part of the mail that Kazoo would name: the first one that is faxed, else the first one found."""
    used = [part for part in record.found if part.get("used")]
    return next(iter(used or record.found), {})


@dataclass(frozen=True, slots=True)
class Page:
    """Where a list stands: rows in it, the (opaque) key of its first row and of the next page's ("": no more)."""

    size: int
    start_key: str = ""
    next_start_key: str = ""


def success(
    data: object,
    *,
    request_id: str,
    at: datetime,
    auth_token: str = "",
    revision: str = "",
    page: Page | None = None,
) -> dict[str, Any]:
    """Return the envelope of an answer that worked. *page* belongs to lists, unless the client asked for no paging.

    A missing ``next_start_key`` tells Kazoo's clients that this was the last page.
    """
    envelope = _envelope(data, "success", request_id, at, auth_token)
    if revision:
        envelope["revision"] = revision
    if page is not None:
        keys = {"start_key": page.start_key, "next_start_key": page.next_start_key}
        envelope |= {"page_size": page.size} | {name: key for name, key in keys.items() if key}
    return envelope


def error(
    code: int, message: str, data: object = None, *, request_id: str, at: datetime, auth_token: str = ""
) -> dict[str, Any]:
    """Return the envelope of an answer that failed: HTTP status *code*, Kazoo's code word, an object for people.

    ``error`` is the status as a string: clients compare it with "400" and "401".
    """
    shown = {"message": message.replace("_", " ")} if data is None else data
    return _envelope(shown, "error", request_id, at, auth_token) | {"error": str(code), "message": message}


def invalid_field(path: str, rule: str, message: str, **about: object) -> dict[str, Any]:
    """Return the ``data`` of a validation error: *path* is dotted ("document.to_number"), *rule* Kazoo's word for
    what was broken (required, type, enum, pattern, ...); *about* may hold ``target`` and ``value``."""
    return {path: {rule: {"message": message, **about}}}


def _envelope(data: object, status: str, request_id: str, at: datetime, auth_token: str) -> dict[str, Any]:
    envelope: dict[str, Any] = {
        "data": data,
        "status": status,
        "request_id": request_id,
        "timestamp": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    if auth_token:
        envelope["auth_token"] = auth_token
    return envelope
