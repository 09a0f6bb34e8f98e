"""The outgoing table: one row is one mail to one address."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, delete, select, update

from gateway.store.database import Database, Row, changed, first, insert_new, one
from gateway.store.schema import outgoing
from gateway.telling import Tale, Telling, TellingState


def telling_from(row: Row) -> Telling:
    """Make the noun of a row of ``outgoing``."""
    return Telling(**{**row, "tale": Tale(row["tale"]), "state": TellingState(row["state"])})


def insert(tx: Connection, telling: Telling) -> bool:
    """Add a telling unless the same (its Message-ID) is there already; return whether it was added."""
    return insert_new(tx, outgoing, {name: getattr(telling, name) for name in outgoing.c.keys()})  # noqa: SIM118


def get(tx: Connection, telling_id: UUID) -> Telling | None:
    """Return a telling inside a unit."""
    row = first(tx, select(outgoing).where(outgoing.c.id == telling_id))
    return None if row is None else telling_from(row)


def by_message_id(tx: Connection, message_id: str) -> Telling | None:
    """Return the telling whose mail has this Message-ID."""
    row = first(tx, select(outgoing).where(outgoing.c.message_id == message_id))
    return None if row is None else telling_from(row)


def sent(tx: Connection, telling_id: UUID, *, left_behind: bool = False) -> bool:
    """Note that the smarthost has taken the mail, its document *left_behind* or with it."""
    state = TellingState.NOTICE if left_behind else TellingState.SENT
    values = {"state": state.value, "sent_at": datetime.now(UTC), "tries": outgoing.c.tries + 1}
    return _change(tx, telling_id, values)


def failed(tx: Connection, telling_id: UUID, error: str, *, final: bool) -> bool:
    """Note a failed try; *final* when there will be no other."""
    state = TellingState.FAILED if final else TellingState.WAITING
    return _change(tx, telling_id, {"state": state.value, "last_error": error, "tries": outgoing.c.tries + 1})


def add(tx: Connection, telling_id: UUID, facts: Mapping[str, Any]) -> None:
    """Add to what a mail that was not sent yet is made of."""
    telling = get(tx, telling_id)
    if telling is not None:
        _change(tx, telling_id, {"facts": telling.facts | dict(facts)})


def returned(tx: Connection, telling_id: UUID, error: str) -> bool:
    """Note that a mail came back, whether or not we know that it was taken; False when it has failed already."""
    open_ = (outgoing.c.id == telling_id, outgoing.c.state != TellingState.FAILED.value)
    values = {"state": TellingState.FAILED.value, "last_error": error}
    return changed(tx, update(outgoing).where(*open_).values(**values))


def _change(tx: Connection, telling_id: UUID, values: dict[str, Any]) -> bool:
    waiting = (outgoing.c.id == telling_id, outgoing.c.state == TellingState.WAITING.value)
    return changed(tx, update(outgoing).where(*waiting).values(**values))


def of_fax(fax_id: UUID) -> Select[Any]:
    """All tellings about a fax."""
    return select(outgoing).where(outgoing.c.fax_id == fax_id).order_by(outgoing.c.created_at)


def waiting(tx: Connection, fax_id: UUID) -> bool:
    """Return whether a mail about a fax has not been delivered yet."""
    wanted = (outgoing.c.fax_id == fax_id, outgoing.c.state == TellingState.WAITING.value)
    return tx.execute(select(outgoing.c.id).where(*wanted).limit(1)).first() is not None


def facts_of(tx: Connection, fax_id: UUID) -> list[dict[str, Any]]:
    """Return what all mails about a fax were made of."""
    return list(tx.execute(select(outgoing.c.facts).where(outgoing.c.fax_id == fax_id)).scalars())


def erase(tx: Connection, fax_id: UUID) -> None:
    """Forget the mails about a fax."""
    tx.execute(delete(outgoing).where(outgoing.c.fax_id == fax_id))


async def fetch(db: Database, telling_id: UUID) -> Telling | None:
    """Return a telling, or None."""
    row = await one(db, select(outgoing).where(outgoing.c.id == telling_id))
    return None if row is None else telling_from(row)
