"""What carriers said, as it came; unique on the carrier's id of the statement."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, select, update

from gateway.carrier_event import CarrierEvent
from gateway.store.database import Database, insert_new, one
from gateway.store.schema import events, watermarks


def record(tx: Connection, event: CarrierEvent, source: str) -> bool:
    """Keep an event; False when it was known already."""
    values = {
        "id": event.id,
        "source": source,
        "happened": event.happened.value,
        "carrier_fax_id": event.carrier_fax_id,
        "raw": event.raw,
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


def set_watermark(tx: Connection, name: str, at: datetime) -> None:
    """Note how far the poller has read."""
    if not insert_new(tx, watermarks, {"name": name, "at": at}):
        tx.execute(update(watermarks).where(watermarks.c.name == name).values(at=at))
