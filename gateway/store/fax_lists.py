"""Kazoo's folders as lists of faxes: what each holds, for an account or one of its faxboxes, by keyset."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, text

from gateway.fax import Fax
from gateway.store.database import Database
from gateway.store.faxes import fax_from
from gateway.store.paging import Stretch, stretched
from gateway.store.schema import faxes
from gateway.store.schema.papers import FOLDERS

#: The condition stands in the statement as it stands in the index: a bound value would hide that they are the same.
_HOLDS = {name: text(holds) for name, holds in FOLDERS.items()}


def listing(name: str, account_id: UUID, stretch: Stretch, faxbox_id: UUID | None = None) -> Select[Any]:
    """A stretch of the folder *name* (outgoing, outbox, incoming, inbox)."""
    statement = select(faxes).where(_HOLDS[name], faxes.c.account_id == account_id)
    if faxbox_id is not None:
        statement = statement.where(faxes.c.faxbox_id == faxbox_id)
    return stretched(statement, faxes.c.created_at, faxes.c.id, stretch)


async def folder(
    db: Database, name: str, account_id: UUID, stretch: Stretch, faxbox_id: UUID | None = None
) -> list[Fax]:
    """Return the faxes of a ``listing``."""
    return [fax_from(row) for row in await db.rows(listing(name, account_id, stretch, faxbox_id))]
