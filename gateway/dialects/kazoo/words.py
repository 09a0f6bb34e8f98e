"""Gregorian seconds, dated ids, folders and states. Kazoo counts time in seconds since the year 0 of the Gregorian
calendar, UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from gateway.fax import Direction, Fax, State
from gateway.ids import parse_id

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


_FORMS = re.compile(r"([0-9]{6}-)?([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)


def read_id(text: str) -> UUID | None:
    """Read an id in any form that Kazoo's clients, or those of the other API, write; None for what is none."""
    return parse_id(text) if _FORMS.fullmatch(text) else None


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
