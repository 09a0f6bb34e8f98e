"""The attempts table. Every change is conditional: an attempt only moves forward.

A unit that changes an attempt and its fax locks the fax first; two that did it each in its own order would wait for
each other.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, func, literal, select, text, update

from gateway.attempt import OPEN, Attempt, AttemptState, Handle
from gateway.store.database import Database, Row, add, changed, first, one
from gateway.store.schema import attempts

#: As the index of the open ones says it, which SQLite does not use for a list of parameters.
_OPEN = text("state IN ('intent', 'accepted', 'unknown')")


def attempt_from(row: Row) -> Attempt:
    """Make the noun of a row of ``attempts``."""
    return Attempt(**{**row, "state": AttemptState(row["state"]), "handle_kind": Handle(row["handle_kind"])})


def insert(tx: Connection, attempt: Attempt) -> None:
    """Add an attempt; a fax has at most one that is open (a unique index, whoever races)."""
    add(tx, attempts, {name: getattr(attempt, name) for name in attempts.c.keys()})  # noqa: SIM118 - columns are no dict


def change(tx: Connection, attempt_id: UUID, when: Iterable[AttemptState], **values: Any) -> bool:
    """Change an attempt if it is in one of the states *when*; return whether it was."""
    if values.get("state") is not None and values["state"] not in OPEN:
        values.setdefault("settled_at", datetime.now(UTC))
    states = [state.value for state in when]
    met = update(attempts).where(attempts.c.id == attempt_id, attempts.c.state.in_(states)).values(**values)
    return changed(tx, met)


def _first(tx: Connection, *where: Any, lock: bool = True) -> Attempt | None:
    statement = select(attempts).where(*where).order_by(attempts.c.ordinal.desc()).limit(1)
    row = first(tx, statement.with_for_update() if lock else statement)
    return None if row is None else attempt_from(row)


def get(tx: Connection, attempt_id: UUID) -> Attempt | None:
    """Return an attempt, locked."""
    return _first(tx, attempts.c.id == attempt_id)


def last_of(tx: Connection, fax_id: UUID) -> Attempt | None:
    """Return the latest attempt of a fax, locked."""
    return _first(tx, attempts.c.fax_id == fax_id)


def matching(tx: Connection, client_state: str, carrier_fax_id: str) -> Attempt | None:
    """Return the attempt that an event speaks of, not locked: by our client_state, else by the carrier's id."""
    found = _first(tx, attempts.c.client_state == client_state, lock=False) if client_state else None
    if found is None and carrier_fax_id:
        found = _first(tx, attempts.c.carrier_fax_id == carrier_fax_id, lock=False)
    return found


def record_fetch(tx: Connection, token: str) -> Attempt | None:
    """Note that the carrier fetches the document *token* and return its attempt; None when there is none or it has
    been withdrawn (the carrier gets 410). The note is committed before the first byte is served."""
    now = datetime.now(UTC)
    attempt = _first(tx, attempts.c.handle == token, attempts.c.handle_kind == Handle.TOKEN.value)
    if attempt is None or attempt.revoked_at is not None or attempt.state not in OPEN:
        return None
    tx.execute(
        update(attempts)
        .where(attempts.c.id == attempt.id)
        .values(
            fetches=attempts.c.fetches + 1,
            fetched_at=func.coalesce(attempts.c.fetched_at, literal(now, attempts.c.fetched_at.type)),
        )
    )
    return attempt


def erase(tx: Connection, fax_id: UUID) -> list[Attempt]:
    """Forget which documents a fax's attempts offered; return the attempts as they were."""
    found = [attempt_from(row._asdict()) for row in tx.execute(_of_fax(fax_id))]
    tx.execute(update(attempts).where(attempts.c.fax_id == fax_id).values(document_blob="", preview_blob=""))
    return found


def _of_fax(fax_id: UUID) -> Select[Any]:
    return select(attempts).where(attempts.c.fax_id == fax_id).order_by(attempts.c.ordinal)


async def of_fax(db: Database, fax_id: UUID) -> list[Attempt]:
    """Return a fax's attempts in their order."""
    return [attempt_from(row) for row in await db.rows(_of_fax(fax_id))]


async def fetch(db: Database, attempt_id: UUID) -> Attempt | None:
    """Return an attempt, or None."""
    row = await one(db, select(attempts).where(attempts.c.id == attempt_id))
    return None if row is None else attempt_from(row)


async def known(db: Database, carrier_fax_ids: Iterable[str]) -> set[str]:
    """Return which of the carrier's ids belong to attempts of ours."""
    wanted = attempts.c.carrier_fax_id.in_(list(carrier_fax_ids))
    return {row["carrier_fax_id"] for row in await db.rows(select(attempts.c.carrier_fax_id).where(wanted))}


async def open_ones(db: Database, limit: int = 500) -> list[Attempt]:
    """Return attempts that the carrier has accepted and not yet ended, the oldest first."""
    accepted = select(attempts).where(_OPEN, attempts.c.state == AttemptState.ACCEPTED.value)
    return [attempt_from(row) for row in await db.rows(accepted.order_by(attempts.c.intent_at).limit(limit))]


def unknown() -> Select[Any]:
    """How many attempts there are of which nobody knows whether the carrier has them."""
    return select(func.count()).where(_OPEN, attempts.c.state == AttemptState.UNKNOWN.value)
