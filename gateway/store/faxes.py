"""The faxes table: reading, and moving a fax forward by conditional updates."""

import operator
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, func, select, text, update

from gateway.fax import FINAL, Direction, Fax, Origin, Quality, State
from gateway.store.database import Database, Row, add, changed, first, lock_keys, older_than, one
from gateway.store.schema import faxes

#: What was erased is nobody's business any more.
_THERE = faxes.c.erased_at.is_(None)
_NAMES = tuple(faxes.c.keys())
_VALUES = attrgetter(*_NAMES)
#: Telnyx's words for how times are compared.
_COMPARE = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def fax_from(row: Row) -> Fax:
    """Make the noun of a row of ``faxes``."""
    words = {
        "direction": Direction(row["direction"]),
        "origin": Origin(row["origin"]),
        "state": State(row["state"]),
        "quality": Quality(row["quality"] or Quality.HIGH),
    }
    return Fax(**{**row, **words})


def insert(tx: Connection, fax: Fax) -> None:
    """Add a fax."""
    add(tx, faxes, dict(zip(_NAMES, _VALUES(fax), strict=True)))


def get(tx: Connection, fax_id: UUID, *, lock: bool = False) -> Fax | None:
    """Return a fax inside a unit; *lock* keeps others from changing it until the unit ends."""
    statement = select(faxes).where(faxes.c.id == fax_id, _THERE)
    row = first(tx, statement.with_for_update() if lock else statement)
    return None if row is None else fax_from(row)


def inbound_of(tx: Connection, carrier_fax_id: str) -> Fax | None:
    """Return the received fax that the carrier knows by this id, locked; also one that was erased, which the carrier
    may still speak of."""
    statement = select(faxes).where(
        faxes.c.carrier_fax_id == carrier_fax_id, faxes.c.direction == Direction.INBOUND.value
    )
    row = first(tx, statement.with_for_update())
    return None if row is None else fax_from(row)


def change(tx: Connection, fax_id: UUID, when: Iterable[State], **values: Any) -> bool:
    """Change a fax if it is in one of the states *when* and not erased; return whether it was."""
    values["updated_at"] = datetime.now(UTC)
    if values.get("state") in FINAL:
        values.setdefault("finished_at", values["updated_at"])
    states = [state.value for state in when]
    return changed(tx, update(faxes).where(faxes.c.id == fax_id, faxes.c.state.in_(states), _THERE).values(**values))


def out_of_time(tx: Connection, limit: int = 200) -> list[Fax]:
    """Return faxes that wait although their deadline has passed, locked; those that others decide over are left out."""
    waiting = text("state IN ('preparing', 'queued')")  # as the index says it, or SQLite does not use it
    late = select(faxes).where(waiting, faxes.c.deadline_at <= datetime.now(UTC)).order_by(faxes.c.deadline_at)
    return _all(tx, late.limit(limit).with_for_update(skip_locked=True))


def late(tx: Connection, limit: int = 200) -> list[Fax]:
    """Return faxes that wait for a try and whose senders are to be told so now, locked; those that others decide over
    are left out."""
    waiting = text("state IN ('preparing', 'queued') AND delay_at IS NOT NULL")  # as the index says it
    due = select(faxes).where(waiting, faxes.c.delay_at <= datetime.now(UTC), _THERE).order_by(faxes.c.delay_at)
    return _all(tx, due.limit(limit).with_for_update(skip_locked=True))


async def fetch(db: Database, fax_id: UUID) -> Fax | None:
    """Return a fax, or None."""
    row = await one(db, select(faxes).where(faxes.c.id == fax_id, _THERE))
    return None if row is None else fax_from(row)


async def by_prefix(db: Database, text: str) -> list[Fax]:
    """Return the faxes whose id begins with *text* (hex, dashes do not count); for a person's short form."""
    clean = text.replace("-", "").lower()
    if not clean or any(char not in "0123456789abcdef" for char in clean) or len(clean) > 32:
        return []
    low, high = UUID(clean.ljust(32, "0")), UUID(clean.ljust(32, "f"))
    rows = await db.rows(select(faxes).where(faxes.c.id.between(low, high), _THERE).limit(3))
    return [fax_from(row) for row in rows]


def listing(
    *,
    account_id: UUID | None = None,
    direction: Direction | None = None,
    states: Iterable[State] | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> Select[Any]:
    """Newest first; *before* is the (created_at, id) of the last row seen (keyset paging)."""
    statement = select(faxes).where(_THERE).order_by(faxes.c.created_at.desc(), faxes.c.id.desc()).limit(limit)
    if account_id is not None:
        statement = statement.where(faxes.c.account_id == account_id)
    if direction is not None:
        statement = statement.where(faxes.c.direction == direction.value)
    if states is not None:
        statement = statement.where(faxes.c.state.in_([state.value for state in states]))
    if before is not None:
        statement = statement.where(older_than(faxes.c.created_at, faxes.c.id, before))
    return statement


def filtered(
    account_id: UUID,
    *,
    direction: Direction | None = None,
    from_number: str = "",
    to_number: str = "",
    created: Mapping[str, datetime | None] | None = None,
) -> Select[Any]:
    """The faxes of an account, the newest first. *created* are bounds of the time of their making, by gt, gte, lt and
    lte; None is no bound."""
    statement = select(faxes).where(faxes.c.account_id == account_id, _THERE)
    statement = statement.order_by(faxes.c.created_at.desc(), faxes.c.id.desc())
    for column, value in ((faxes.c.from_number, from_number), (faxes.c.to_number, to_number)):
        statement = statement.where(column == value) if value else statement
    if direction is not None:
        statement = statement.where(faxes.c.direction == direction.value)
    for name, moment in (created or {}).items():
        if moment is not None:
            statement = statement.where(_COMPARE[name](faxes.c.created_at, moment))
    return statement


async def page(db: Database, **criteria: Any) -> list[Fax]:
    """Return one page of ``listing``."""
    return [fax_from(row) for row in await db.rows(listing(**criteria))]


async def under_way(db: Database, direction: Direction, limit: int) -> list[Fax]:
    """Return faxes of a direction that are not at their end, first those that something was said of last."""
    open_ = text("state NOT IN ('delivered', 'failed', 'canceled', 'received')")  # as the index says it
    found = select(faxes).where(open_, faxes.c.direction == direction.value, _THERE)
    return [fax_from(row) for row in await db.rows(found.order_by(faxes.c.updated_at.desc()).limit(limit))]


def in_states(tx: Connection, direction: Direction, states: Iterable[State]) -> list[Fax]:
    """Return every fax of a direction that is in one of *states*, locked."""
    wanted = (faxes.c.direction == direction.value, faxes.c.state.in_([state.value for state in states]))
    return _all(tx, select(faxes).where(*wanted).order_by(faxes.c.id).with_for_update())


def between(tx: Connection, from_number: str, to_number: str, states: Iterable[State]) -> list[Fax]:
    """Return the outgoing faxes between two numbers that are in one of *states*, locked."""
    numbers = (faxes.c.from_number == from_number, faxes.c.to_number == to_number)
    wanted = (faxes.c.direction == Direction.OUTBOUND.value, faxes.c.state.in_([state.value for state in states]))
    return _all(tx, select(faxes).where(*numbers, *wanted).order_by(faxes.c.id).with_for_update())


def _all(tx: Connection, statement: Select[Any]) -> list[Fax]:
    """Return the faxes of a statement inside a unit."""
    return [fax_from({str(name): value for name, value in row.items()}) for row in tx.execute(statement).mappings()]


def others_with(tx: Connection, fax: Fax) -> tuple[bool, bool]:
    """Return whether another fax is made of the same message, and whether one is of the same rendering.

    Serialised, so that of two that go at once the later one finds itself alone.
    """
    lock_keys(tx, [f"message:{fax.message_id}", f"rendering:{fax.rendering_id}"])
    other = select(faxes.c.id).where(faxes.c.id != fax.id).limit(1)
    same_message = (faxes.c.message_id == fax.message_id, faxes.c.source != "")
    same_rendering = (faxes.c.rendering_id == fax.rendering_id,)
    found = [tx.execute(other.where(*same)).first() is not None for same in (same_message, same_rendering)]
    return found[0], found[1]


#: What is left of an erased fax: whose it was, its state, its pages and its times.
_ERASED: dict[str, Any] = {
    **dict.fromkeys(("from_number", "to_number", "to_written", "from_name", "to_name", "subject", "caller_id"), ""),
    **dict.fromkeys(("source", "pages_blob", "header", "identity", "failure_text", "held_reason"), ""),
    **{name: [] for name in ("documents", "parts", "notify")},
    **dict.fromkeys(("message_id", "rendering_id", "next_try_at"), None),
    "extra": {},
}


def erase(tx: Connection, fax_id: UUID) -> None:
    """Scrub a fax and take it out of every list."""
    tx.execute(update(faxes).where(faxes.c.id == fax_id).values(**_ERASED, erased_at=datetime.now(UTC)))


def waiting_for_a_person() -> Select[Any]:
    """How many faxes are held, or of unknown outcome."""
    return select(func.count()).select_from(faxes).where(text("state IN ('held', 'unknown')"))  # as the index says it
