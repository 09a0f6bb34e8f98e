"""Kazoo's folders as lists of faxes: what each holds, for an account or one of its faxboxes, by keyset.

Their statements are made once: what they ask for is the same, and making one costs more than asking.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, String, func, literal_column, select, text, type_coerce

from gateway.fax import Fax
from gateway.store.database import Asked, Database
from gateway.store.faxes import fax_from
from gateway.store.paging import Position, Stretch, later, stretched
from gateway.store.schema import faxes
from gateway.store.schema.papers import FOLDERS

#: The condition stands in the statement as it stands in the index: a bound value would hide that they are the same.
_HOLDS = {name: text(holds) for name, holds in FOLDERS.items()}
_ID, _AT = faxes.c.id, faxes.c.created_at
#: Between the fields of a place, and between places.
_FIELD, _NEXT = "|", ";"


def whole(name: str, account_id: UUID, stretch: Stretch, faxbox_id: UUID | None = None) -> Asked:
    """A stretch of the folder *name* (outgoing, outbox, incoming, inbox): whole rows."""
    return _asked(name, account_id, stretch, faxbox_id, False)


def places(name: str, account_id: UUID, stretch: Stretch, faxbox_id: UUID | None = None) -> Asked:
    """The same stretch, but of each fax its id, created_at and updated_at only, all in one value (``placed``): fifty
    rows cost as many changes from thread to thread, and most are only compared with those of the request before."""
    return _asked(name, account_id, stretch, faxbox_id, True)


def placed(found: str | None) -> list[str]:
    """Return the places that ``places`` has *found*, each as a text: equal texts are the same fax, unchanged."""
    return found.split(_NEXT) if found else []


def length(name: str, account_id: UUID) -> Select[Any]:
    """How many faxes the folder *name* of an account holds."""
    return select(func.count()).select_from(faxes).where(_HOLDS[name], faxes.c.account_id == account_id)


async def folder(
    db: Database, name: str, account_id: UUID, stretch: Stretch, faxbox_id: UUID | None = None
) -> list[Fax]:
    """Return the faxes of a stretch."""
    return [fax_from(row) for row in await db.rows(*whole(name, account_id, stretch, faxbox_id))]


async def by_places(db: Database, places: Sequence[str]) -> list[Fax | None]:
    """Return the fax of each place; None for one that has been erased meanwhile."""
    identities = [place_of(place)[1] for place in places]
    wanted = select(faxes).where(faxes.c.id.in_(identities), faxes.c.erased_at.is_(None))
    found = {row["id"]: fax_from(row) for row in await db.rows(wanted)}
    return [found.get(identity) for identity in identities]


@lru_cache(maxsize=1000)
def place_of(place: str) -> Position:
    """Return the position in the list of one of ``placed``."""
    identity, created, _ = place.split(_FIELD)
    at = datetime.fromisoformat(created)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC), UUID(identity)


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
    at, identity = _AT, _ID
    statement = select(*((_ID, _AT, faxes.c.updated_at) if narrow else faxes.c))
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
    statement = stretched(statement, at, identity, shape)
    return _joined(statement) if narrow else statement


def _joined(statement: Select[Any]) -> Select[Any]:
    """Return the rows of *statement*, in its order, as one text: their columns as the database itself writes them."""
    first, *others = (type_coerce(column, String()) for column in statement.subquery().c)
    joined: ColumnElement[str] = first
    for column in others:
        joined = joined + literal_column(f"'{_FIELD}'") + column
    return select(func.aggregate_strings(joined, _NEXT).label("places"))
