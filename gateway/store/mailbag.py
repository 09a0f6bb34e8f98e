"""Messages that were taken in, which of them are the same mail again, and renderings of documents."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, delete, select, update

from gateway.fax import State
from gateway.store.database import Row, add, first, insert_new
from gateway.store.schema import faxes, messages, renderings, submissions

#: After these the same mail is sent anew.
DEAD = frozenset({State.FAILED, State.CANCELED})


def insert_message(tx: Connection, values: dict[str, Any]) -> None:
    """Add a message."""
    add(tx, messages, values)


def message(message_id: UUID) -> Select[Any]:
    """The message with this id."""
    return select(messages).where(messages.c.id == message_id)


def delete_message(tx: Connection, message_id: UUID) -> None:
    """Forget a message, unless a fax is still known to be made of it."""
    known = select(faxes.c.id).where(faxes.c.message_id == message_id)
    tx.execute(delete(messages).where(messages.c.id == message_id, ~known.exists()))


def delete_rendering(tx: Connection, rendering_id: UUID) -> list[str]:
    """Forget a rendering and return the blobs that it was."""
    row = first(tx, rendering(rendering_id))
    tx.execute(delete(renderings).where(renderings.c.id == rendering_id))
    return [] if row is None else [row["tiff_blob"], row["pdf_blob"], row["preview_blob"]]


def first_fax(
    tx: Connection,
    key: str,
    fax_id: UUID,
    lasts: timedelta,
    *,
    since: datetime | None = None,
    unless: Collection[State] = DEAD,
) -> UUID:
    """Claim *key* for a new fax and return the fax that owns it: the new one, or the earlier one of the same mail or
    request.

    An earlier claim counts until it expires, if it was made *since* then, unless its fax is in one of the states
    *unless* or has been erased.
    """
    now = datetime.now(UTC)
    if insert_new(tx, submissions, {"key": key, "fax_id": fax_id, "at": now, "until": now + lasts}):
        return fax_id
    # The claim is locked by itself and the fax read afterwards: in one statement with both, whoever waited for the lock
    # would get the new claim beside the old fax, that is no row, and take the claim over once more.
    claims = (submissions.c.fax_id, submissions.c.until, submissions.c.at)
    row = tx.execute(select(*claims).where(submissions.c.key == key).with_for_update()).first()
    if row is not None and row.until > now and (since is None or row.at >= since):
        there = (faxes.c.id == row.fax_id, faxes.c.erased_at.is_(None))
        state = tx.execute(select(faxes.c.state).where(*there)).scalar()
        if state is not None and State(state) not in unless:
            earlier: UUID = row.fax_id
            return earlier
    tx.execute(update(submissions).where(submissions.c.key == key).values(fax_id=fax_id, at=now, until=now + lasts))
    return fax_id


def rendering_by_key(tx: Connection, key: str) -> Row | None:
    """Return the rendering that was made of the same source with the same options."""
    return first(tx, rendering_with(key))


def rendering_with(key: str) -> Select[Any]:
    """The rendering with this key."""
    return select(renderings).where(renderings.c.key == key)


def rendering(rendering_id: UUID) -> Select[Any]:
    """The rendering with this id."""
    return select(renderings).where(renderings.c.id == rendering_id)


def insert_rendering(tx: Connection, values: dict[str, Any]) -> bool:
    """Add a rendering unless another worker was faster; return whether it was added."""
    return insert_new(tx, renderings, {**values, "created_at": datetime.now(UTC)})
