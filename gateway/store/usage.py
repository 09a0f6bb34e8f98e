"""What was let through today: one row for each account, faxbox and user and day.

A unit locks the rows that it counts in, always in the same order, so that two of them never pass one ceiling together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, select, update

from gateway.fax import Fax
from gateway.store.database import changed, insert_new
from gateway.store.schema import accounts, destinations, faxboxes, faxes, smtp_users, usage


@dataclass(slots=True)
class Used:
    """What was let through on one day, and how many faxes were held."""

    faxes: int = 0
    pages: int = 0
    destinations: int = 0
    held: int = 0


def own_limits(tx: Connection, fax: Fax) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Return the ceilings of their own that the account, the faxbox and the user of *fax* have."""
    columns = [
        select(table.c.limits).where(column == key).scalar_subquery()
        for table, column, key in (
            (accounts, accounts.c.id, fax.account_id),
            (faxboxes, faxboxes.c.id, fax.faxbox_id),
            (smtp_users, smtp_users.c.name, fax.user),
        )
    ]
    account, box, user = tx.execute(select(*columns)).one()
    return account or {}, box or {}, user or {}


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


def _locked(tx: Connection, keys: Sequence[str], day: str) -> dict[str, Used]:
    columns = (usage.c.key, usage.c.faxes, usage.c.pages, usage.c.destinations, usage.c.held)
    mine = select(*columns).where(usage.c.key.in_(keys), usage.c.day == day).order_by(usage.c.key)
    return {row.key: Used(*row[1:]) for row in tx.execute(mine.with_for_update())}


def note(tx: Connection, used: dict[str, Used], day: str) -> None:
    """Write back what ``locked`` returned, as it has become."""
    statement = update(usage).where(usage.c.key == bindparam("_key"), usage.c.day == bindparam("_day"))
    values: list[dict[str, Any]] = [{"_key": key, "_day": day, **asdict(one)} for key, one in used.items()]
    tx.execute(statement.values({name: bindparam(name) for name in asdict(Used())}), values)


def tell(tx: Connection, key: str, day: str) -> bool:
    """Return True the first time that it is asked about a key and day."""
    mine = (usage.c.key == key, usage.c.day == day, usage.c.told.is_(False))
    return changed(tx, update(usage).where(*mine).values(told=True))


def known(tx: Connection, account_id: UUID, numbers: Iterable[str]) -> set[str]:
    """Return those of *numbers* that the account has faxed to before."""
    mine = (destinations.c.account_id == account_id, destinations.c.number.in_(list(numbers)))
    return set(tx.execute(select(destinations.c.number).where(*mine)).scalars())


def forget(tx: Connection, account_id: UUID, number: str) -> None:
    """Forget that the account faxes to *number*, unless a fax to it is still kept."""
    kept = select(faxes.c.id).where(faxes.c.account_id == account_id, faxes.c.to_number == number)
    mine = (destinations.c.account_id == account_id, destinations.c.number == number)
    tx.execute(delete(destinations).where(*mine, ~kept.exists()))


def remember(tx: Connection, account_id: UUID, number: str) -> None:
    """Note that the account faxes to *number*."""
    insert_new(tx, destinations, {"account_id": account_id, "number": number, "first_at": datetime.now(UTC)})
