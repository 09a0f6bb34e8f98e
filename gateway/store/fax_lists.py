"""Kazoo's folders as lists of faxes: what each holds, for an account or one of its faxboxes, by keyset.

Their statements are made once: what they ask for is the same, and making one costs more than asking.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Select, select, text

from gateway.fax import Fax
from gateway.store.database import Asked, Database
from gateway.store.faxes import fax_from
from gateway.store.paging import Stretch, later, stretched
from gateway.store.schema import faxes
from gateway.store.schema.papers import FOLDERS

#: The condition stands in the statement as it stands in the index: a bound value would hide that they are the same.
_HOLDS = {name: text(holds) for name, holds in FOLDERS.items()}
_PLACE = (faxes.c.id, faxes.c.created_at, faxes.c.updated_at)


def whole(name: str, account_id: UUID, stretch: Stretch, faxbox_id: UUID | None = None) -> Asked:
    """A stretch of the folder *name* (outgoing, outbox, incoming, inbox): whole rows."""
    return _asked(name, account_id, stretch, faxbox_id, False)


def places(name: str, account_id: UUID, stretch: Stretch, faxbox_id: UUID | None = None) -> Asked:
    """The same stretch, but of each fax its id and times only."""
    return _asked(name, account_id, stretch, faxbox_id, True)


async def folder(
    db: Database, name: str, account_id: UUID, stretch: Stretch, faxbox_id: UUID | None = None
) -> list[Fax]:
    """Return the faxes of a stretch."""
    return [fax_from(row) for row in await db.rows(*whole(name, account_id, stretch, faxbox_id))]


async def by_ids(db: Database, identities: Iterable[UUID]) -> list[Fax]:
    """Return faxes by their ids, in no order; those that have been erased are not among them."""
    wanted = select(faxes).where(faxes.c.id.in_(list(identities)), faxes.c.erased_at.is_(None))
    return [fax_from(row) for row in await db.rows(wanted)]


def _asked(name: str, account_id: UUID, stretch: Stretch, faxbox_id: UUID | None, narrow: bool) -> Asked:
    values: dict[str, Any] = {"account": account_id, "most": stretch.limit}
    if stretch.before is not None:
        values |= {"at": stretch.before[0], "identity": stretch.before[1]}
    more = {"since": stretch.since, "until": stretch.until, "faxbox": faxbox_id}
    values |= {key: value for key, value in more.items() if value is not None}
    shape = tuple(key in values for key in ("at", "since", "until", "faxbox"))
    return _statement(name, *shape, stretch.ascending, narrow), values


@lru_cache(maxsize=256)
def _statement(
    name: str, behind: bool, since: bool, until: bool, of_faxbox: bool, ascending: bool, narrow: bool
) -> Select[Any]:
    at, identity = faxes.c.created_at, faxes.c.id
    statement = select(*(_PLACE if narrow else faxes.c))
    statement = statement.where(_HOLDS[name], faxes.c.account_id == later("account", faxes.c.account_id.type))
    if of_faxbox:
        statement = statement.where(faxes.c.faxbox_id == later("faxbox", faxes.c.faxbox_id.type))
    shape: Any = Stretch(
        later("most", Integer()),  # type: ignore[arg-type]  # parameters in place of values
        (later("at", at.type), later("identity", identity.type)) if behind else None,  # type: ignore[arg-type]  # as above
        later("since", at.type) if since else None,  # type: ignore[arg-type]  # as above
        later("until", at.type) if until else None,  # type: ignore[arg-type]  # as above
        ascending,
    )
    return stretched(statement, at, identity, shape)
