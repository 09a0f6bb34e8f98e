"""What carriers said, as it came; unique on the carrier's id of the statement."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Connection, Select, delete, or_, select, update

from gateway.carrier_event import CarrierEvent, Happened
from gateway.store.database import Database, Row, changed, insert_new, one
from gateway.store.schema import events, watermarks

_EVENT = TypeAdapter(CarrierEvent)
#: A watermark: the moment of the backup that the database was restored from, until what has happened since has been
#: compared with the carrier's list.
RESTORED = "restored"


def event_from(row: Row) -> CarrierEvent | None:
    """Make the noun of a row of ``events``; None when its fax has been erased since."""
    return _EVENT.validate_python(row["raw"]) if row["raw"] else None


def record(tx: Connection, event: CarrierEvent, source: str) -> bool:
    """Keep an event; False when it was known already."""
    values = {
        "id": event.id,
        "source": source,
        "happened": event.happened.value,
        "carrier_fax_id": event.carrier_fax_id,
        "raw": _EVENT.dump_python(event, mode="json"),
        "received_at": datetime.now(UTC),
    }
    return insert_new(tx, events, values)


def handled(tx: Connection, event_id: str, fax_id: UUID | None) -> None:
    """Note that an event has done what it had to do."""
    tx.execute(update(events).where(events.c.id == event_id).values(handled_at=datetime.now(UTC), fax_id=fax_id))


def by_id(event_id: str) -> Select[Any]:
    """The event with this id."""
    return select(events).where(events.c.id == event_id)


async def watermark(db: Database, name: str) -> datetime | None:
    """Return how far the poller has read, None at first."""
    row = await one(db, select(watermarks.c.at).where(watermarks.c.name == name))
    return None if row is None else row["at"]


def at(tx: Connection, name: str) -> datetime | None:
    """Return a watermark inside a unit, None when there is none."""
    found: datetime | None = tx.execute(select(watermarks.c.at).where(watermarks.c.name == name)).scalar()
    return found


def set_watermark(tx: Connection, name: str, at: datetime) -> None:
    """Note how far the poller has read."""
    if not insert_new(tx, watermarks, {"name": name, "at": at}):
        tx.execute(update(watermarks).where(watermarks.c.name == name).values(at=at))


def remove_watermark(tx: Connection, name: str) -> bool:
    """Forget a watermark; return whether it was there."""
    return changed(tx, delete(watermarks).where(watermarks.c.name == name))


def turn(tx: Connection, name: str, every: timedelta) -> bool:
    """Return whether it is this process's turn to do what is done once in *every* by all of them together.

    A last time that lies ahead comes of a clock that was set back: it does not count.
    """
    now = datetime.now(UTC)
    key = f"turn:{name}"
    if insert_new(tx, watermarks, {"name": key, "at": now}):
        return True
    due = or_(watermarks.c.at <= now - every, watermarks.c.at > now + every)
    return changed(tx, update(watermarks).where(watermarks.c.name == key, due).values(at=now))


def unmatched(tx: Connection, carrier_fax_id: str) -> list[str]:
    """Return the ids of events about a fax of the carrier that met no fax of ours when they came."""
    found = select(events.c.id).where(
        events.c.carrier_fax_id == carrier_fax_id, events.c.fax_id.is_(None), events.c.handled_at.is_not(None)
    )
    return list(tx.execute(found).scalars())


def erase(tx: Connection, carrier_fax_ids: Iterable[str]) -> None:
    """Scrub what was said of faxes of the carrier; that it was said stays known."""
    told = events.c.carrier_fax_id.in_([name for name in carrier_fax_ids if name])
    tx.execute(update(events).where(told).values(raw={}))


def received_of(carrier_fax_id: str) -> Select[Any]:
    """What the carrier said when a fax was received, the latest first."""
    said = (events.c.carrier_fax_id == carrier_fax_id, events.c.happened == Happened.RECEIVED.value)
    return select(events).where(*said).order_by(events.c.received_at.desc())


def same_statement(carrier_fax_id: str, happened: Happened) -> Select[Any]:
    """Events that have said this of this fax already, by whichever way."""
    return select(events.c.id).where(events.c.carrier_fax_id == carrier_fax_id, events.c.happened == happened.value)
