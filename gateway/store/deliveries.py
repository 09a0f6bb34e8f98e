"""The webhook_deliveries table: one row is one event for one program, with every try to tell it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, String, cast, delete, select, update

from gateway.store import jobs
from gateway.store.database import Database, Row, add, changed, one
from gateway.store.schema import webhook_deliveries as table

#: The job that tells it; its subject is the row's id.
WEBHOOK = "webhook"
WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"
#: A receiver that is down for days is tried some dozens of times; older tries than these are forgotten.
KEPT_TRIES = 100


def insert(tx: Connection, values: Row) -> None:
    """Add an event that is to be told."""
    add(tx, table, {"state": WAITING, "attempts": [], "created_at": datetime.now(UTC), **values})


def told(tx: Connection, fax_id: UUID, event_type: str) -> bool:
    """Whether there is such an event about a fax already."""
    mine = (table.c.fax_id == fax_id, table.c.event_type == event_type)
    return tx.execute(select(table.c.id).where(*mine).limit(1)).first() is not None


def note(tx: Connection, row: Row, tries: list[dict[str, Any]], state: str) -> bool:
    """Add the newest *tries* (the last one first) to a row that is waiting; return whether it was."""
    values: dict[str, Any] = {
        "attempts": [*tries, *row["attempts"]][:KEPT_TRIES],
        "tries": row["tries"] + len(tries),
        "state": state,
    }
    if state != WAITING:
        values["finished_at"] = datetime.now(UTC)
    waiting = (table.c.id == row["id"], table.c.state == WAITING)
    return changed(tx, update(table).where(*waiting).values(**values))


def erase(tx: Connection, fax_id: UUID) -> None:
    """Forget every event about a fax: they hold its numbers."""
    for identity in list(tx.execute(select(table.c.id).where(table.c.fax_id == fax_id)).scalars()):
        jobs.drop(tx, WEBHOOK, identity)
        jobs.release(tx, identity)
    tx.execute(delete(table).where(table.c.fax_id == fax_id))


async def fetch(db: Database, identity: UUID) -> Row | None:
    """Return a row, or None."""
    return await one(db, select(table).where(table.c.id == identity))


def listing(
    account_id: UUID | None,
    *,
    states: list[str] | None = None,
    event_types: list[str] | None = None,
    event: str = "",
    attempts: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    finished_since: datetime | None = None,
    finished_until: datetime | None = None,
) -> Select[Any]:
    """The events for the programs of an account or of all, the newest first; *event* and *attempts* are texts that
    occur in them."""
    statement = select(table).order_by(table.c.created_at.desc(), table.c.id.desc())
    if account_id is not None:
        statement = statement.where(table.c.account_id == account_id)
    if states:
        statement = statement.where(table.c.state.in_(states))
    if event_types:
        statement = statement.where(table.c.event_type.in_(event_types))
    for column, part in ((table.c.event, event), (table.c.attempts, attempts)):
        statement = statement.where(cast(column, String).contains(part, autoescape=True)) if part else statement
    for column, least, most in (
        (table.c.created_at, since, until),
        (table.c.finished_at, finished_since, finished_until),
    ):
        statement = statement.where(column >= least) if least is not None else statement
        statement = statement.where(column <= most) if most is not None else statement
    return statement
