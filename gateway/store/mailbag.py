"""Messages that were taken in, which of them are the same mail again, and renderings of documents."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, delete, select, update

from gateway.fax import State
from gateway.store.database import Row, add, first, insert_new
from gateway.store.schema import faxes, messages, renderings, submissions

_DEAD = [State.FAILED.value, State.CANCELED.value]


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


def first_fax(tx: Connection, key: str, fax_id: UUID, lasts: timedelta) -> UUID:
    """Claim *key* for a new fax and return the fax that owns it: the new one, or the earlier one of the same mail.

    An earlier claim counts until it expires, while its fax has neither failed nor been canceled.
    """
    now = datetime.now(UTC)
    if insert_new(tx, submissions, {"key": key, "fax_id": fax_id, "at": now, "until": now + lasts}):
        return fax_id
    # The claim is locked by itself and the fax read afterwards: in one statement with both, whoever waited for the lock
    # would get the new claim beside the old fax, that is no row, and take the claim over once more.
    mine = select(submissions.c.fax_id, submissions.c.until).where(submissions.c.key == key).with_for_update()
    row = tx.execute(mine).first()
    if row is not None and row.until > now:
        state = tx.execute(select(faxes.c.state).where(faxes.c.id == row.fax_id)).scalar()
        if state is not None and state not in _DEAD:
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
