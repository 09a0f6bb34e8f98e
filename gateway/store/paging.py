"""Lists by keyset: a page begins behind a position, so that the last of a million rows costs what the first does."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Column, ColumnElement, Select, bindparam, literal, tuple_

#: A place in a list: the time that orders it, and the id of the row.
Position = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a list: at most *limit* rows behind the position *before*, of the time from *since* to *until* (both
    included), the newest first or *ascending*."""

    limit: int = 50
    before: Position | None = None
    since: datetime | None = None
    until: datetime | None = None
    ascending: bool = False

    def of(self, limit: int, before: Position | None = None) -> "Stretch":
        """Return the same with another *limit*, and behind another position if one is given."""
        return Stretch(limit, before or self.before, self.since, self.until, self.ascending)

    def criteria(self) -> dict[str, Any]:
        """Return the fields by name, for the listing of a table."""
        return {name: getattr(self, name) for name in ("limit", "before", "since", "until", "ascending")}


def stretched(statement: Select[Any], at: Column[Any], identity: Column[Any], stretch: Stretch) -> Select[Any]:
    """Return *statement* for one stretch of the list that *at* and *identity* order."""
    if stretch.ascending:
        statement = statement.order_by(at, identity)
    else:
        statement = statement.order_by(at.desc(), identity.desc())
    if stretch.before is not None:
        statement = statement.where(behind(at, identity, stretch.before, ascending=stretch.ascending))
    if stretch.since is not None:
        statement = statement.where(at >= stretch.since)
    if stretch.until is not None:
        statement = statement.where(at <= stretch.until)
    return statement.limit(stretch.limit)


def behind(
    at: Column[Any], identity: Column[Any], position: Position, *, ascending: bool = False
) -> ColumnElement[bool]:
    """The keyset condition: what stands behind *position*, in a list that shows the newest first or *ascending*."""
    here, there = tuple_(at, identity), tuple_(_given(position[0], at), _given(position[1], identity))
    return here > there if ascending else here < there


def later(name: str, type_: Any) -> BindParameter[Any]:
    """A parameter of a statement that is made once, and asked with values of its own each time."""
    return bindparam(name, type_=type_, required=False)


def _given(value: Any, column: Column[Any]) -> Any:
    """A value with the type of its column; a parameter that is to be given later has its own."""
    return value if isinstance(value, BindParameter) else literal(value, column.type)
