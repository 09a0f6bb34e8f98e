"""What was let through today: one row for each account, faxbox and user and day.

A unit locks the rows that it counts in, always in the same order, so that two of them never pass one ceiling together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Connection, Label, delete, select, update

from gateway.fax import Fax
from gateway.store.database import changed, insert_new
from gateway.store.paging import later
from gateway.store.prepared import Prepared
from gateway.store.schema import accounts, destinations, faxboxes, faxes, smtp_users, usage


@dataclass(slots=True)
class Used:
    """What was let through on one day, and how many faxes were held."""

    faxes: int = 0
    pages: int = 0
    destinations: int = 0
    held: int = 0


def _limits(key: Column[Any], name: str) -> Label[Any]:
    """The ceilings in the row whose *key* is given as *name*."""
    return select(key.table.c.limits).where(key == later(name, key.type)).scalar_subquery().label(name)


_LIMITS = Prepared(
    select(
        _limits(accounts.c.id, "account"),
        _limits(faxboxes.c.id, "faxbox"),
        _limits(smtp_users.c.name, "user"),
    )
)


def own_limits(tx: Connection, fax: Fax) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Return the ceilings of their own that the account, the faxbox and the user of *fax* have."""
    (own,) = _LIMITS.rows(tx, account=fax.account_id, faxbox=fax.faxbox_id, user=fax.user)
    return own["account"] or {}, own["faxbox"] or {}, own["user"] or {}


def locked(tx: Connection, keys: Sequence[str], day: str) -> dict[str, Used]:
    """Return what was used of each key on *day*, locked until the unit ends."""
    found = _locked(tx, keys, day)
    if len(found) == len(keys):
        return found
    # The first of the day: each row is locked before the next is made, or two units would wait for each other.
    for key in sorted(keys):
        tx.execute(delete(usage).where(usage.c.key == key, usage.c.day < day))
        insert_new(tx, usage, {"key": key, "day": day})
        found |= _locked(tx, [key], day)
    return found


_USED = ("faxes", "pages", "destinations", "held")
_ON = usage.c.day == later("on", usage.c.day.type)
_MINE = (usage.c.key == later("of", usage.c.key.type), _ON)
_NOTED = Prepared(update(usage).where(*_MINE).values({name: later(name, usage.c[name].type) for name in _USED}))


@lru_cache
def _of(count: int) -> Prepared:
    """Return what reads and locks the rows of *count* keys, in the order of the keys."""
    keys = usage.c.key.in_([later(f"of_{number}", usage.c.key.type) for number in range(count)])
    wanted = select(usage.c.key, *(usage.c[name] for name in _USED)).where(keys, _ON)
    return Prepared(wanted.order_by(usage.c.key).with_for_update())


def _locked(tx: Connection, keys: Sequence[str], day: str) -> dict[str, Used]:
    named = {f"of_{number}": key for number, key in enumerate(keys)}
    rows = _of(len(keys)).rows(tx, on=day, **named)
    return {row["key"]: Used(**{name: row[name] for name in _USED}) for row in rows}


def note(tx: Connection, used: dict[str, Used], day: str) -> None:
    """Write back what ``locked`` returned, as it has become."""
    for key, one in used.items():
        counts = {"faxes": one.faxes, "pages": one.pages, "destinations": one.destinations, "held": one.held}
        _NOTED.change(tx, of=key, on=day, **counts)


def tell(tx: Connection, key: str, day: str) -> bool:
    """Return True the first time that it is asked about a key and day."""
    mine = (usage.c.key == key, usage.c.day == day, usage.c.told.is_(False))
    return changed(tx, update(usage).where(*mine).values(told=True))


_KNOWN = Prepared(
    select(destinations.c.number).where(
        destinations.c.account_id == later("account", destinations.c.account_id.type),
        destinations.c.number == later("to", destinations.c.number.type),
    )
)


def known(tx: Connection, account_id: UUID, numbers: Iterable[str]) -> set[str]:
    """Return those of *numbers* that the account has faxed to before."""
    return {number for number in numbers if _KNOWN.rows(tx, account=account_id, to=number)}


def forget(tx: Connection, account_id: UUID, number: str) -> None:
    """Forget that the account faxes to *number*, unless a fax to it is still kept."""
    kept = select(faxes.c.id).where(faxes.c.account_id == account_id, faxes.c.to_number == number)
    mine = (destinations.c.account_id == account_id, destinations.c.number == number)
    tx.execute(delete(destinations).where(*mine, ~kept.exists()))


def remember(tx: Connection, account_id: UUID, number: str) -> None:
    """Note that the account faxes to *number*."""
    insert_new(tx, destinations, {"account_id": account_id, "number": number, "first_at": datetime.now(UTC)})
