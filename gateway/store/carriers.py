"""The carriers table: how a carrier is doing, one row that all nodes share.

``failures`` counts failures in a row since ``failing_since``; without any, the carrier has done nothing since then but
ask for pauses. Too many of them give the carrier a rest until
``open_until``; ``opened`` counts the rests in a row. After a rest one node may try (until ``probe_until``) before the
others follow. ``pause_until`` is what the carrier itself has asked for, ``next_at`` when the next hand-over may begin.
``answer`` is what the last failure was; ``told_since`` the beginning of an outage that the operator was told of.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, or_, select, update

from gateway.store.database import Row, changed, first, insert_new, lock_keys
from gateway.store.schema import carriers


@dataclass(frozen=True, slots=True)
class Breaker:
    """*failures* in a row within *within* give a rest of *rest*, twice as long each further time, at most *longest*."""

    failures: int = 5
    within: timedelta = timedelta(seconds=60)
    rest: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(minutes=10)


_WELL = {"failures": 0, "failing_since": None, "opened": 0, "open_until": None, "probe_until": None}


def state(name: str) -> Select[Any]:
    """The row of a carrier; there is none while it has never been in trouble."""
    return select(carriers).where(carriers.c.name == name)


def resting(tx: Connection, name: str) -> bool:
    """Return whether nothing is handed over at the moment: the carrier has a rest, or has asked for a pause."""
    row = first(tx, state(name))
    if row is None:
        return False
    paused = row["pause_until"] is not None and row["pause_until"] > datetime.now(UTC)
    return paused or row["open_until"] is not None


def failed(tx: Connection, name: str, rules: Breaker, answer: str = "") -> datetime | None:
    """Note a failure, and what the *answer* was; return until when the carrier has a rest if this one is what brings it
    on."""
    now, row = datetime.now(UTC), _locked(tx, name)
    _set(tx, name, answer=answer)
    if row["open_until"] is not None:
        if row["open_until"] > now:
            return None  # asked before the rest began
        opened = row["opened"] + 1
    else:
        fresh = row["failing_since"] is None or now - row["failing_since"] > rules.within
        count = 1 if fresh else row["failures"] + 1
        _set(tx, name, failures=count, failing_since=now if fresh else row["failing_since"])
        if count < rules.failures:
            return None
        opened = 1
    until: datetime = now + min(rules.rest * 2 ** min(opened - 1, 20), rules.longest)
    _set(tx, name, opened=opened, open_until=until, probe_until=None)
    return until


def answered(tx: Connection, name: str) -> bool:
    """Note that the carrier is well; return whether that ends a rest."""
    ends = select(carriers.c.name).where(carriers.c.name == name, carriers.c.open_until.is_not(None))
    ended = tx.execute(ends.with_for_update()).first() is not None
    _set(tx, name, **_WELL)
    return ended


def begin_outage(tx: Connection, name: str, lasts: timedelta) -> Row | None:
    """Return the row of a carrier that has been away for as long as *lasts* when the operator has not been told so: who
    gets it tells him."""
    there = (carriers.c.open_until.is_not(None), carriers.c.failing_since <= datetime.now(UTC) - lasts)
    untold = (carriers.c.name == name, carriers.c.told_since.is_(None), *there)
    if not changed(tx, update(carriers).where(*untold).values(told_since=carriers.c.failing_since)):
        return None
    return first(tx, state(name))


def end_outage(tx: Connection, name: str) -> datetime | None:
    """Return since when a carrier had been away that is back, when the operator knows of the one and not of the other:
    who gets it tells him."""
    over = (carriers.c.name == name, carriers.c.told_since.is_not(None), carriers.c.open_until.is_(None))
    since: datetime | None = tx.execute(select(carriers.c.told_since).where(*over).with_for_update()).scalar()
    if since is not None:
        _set(tx, name, told_since=None)
    return since


def probe(tx: Connection, name: str, lasts: timedelta) -> bool:
    """Take the right to be the first after a rest, for as long as the answer may take; False when another has it."""
    now = datetime.now(UTC)
    free = or_(carriers.c.probe_until.is_(None), carriers.c.probe_until <= now)
    due = (carriers.c.name == name, carriers.c.open_until <= now, free)
    return changed(tx, update(carriers).where(*due).values(probe_until=now + lasts))


def throttled(tx: Connection, name: str, wait: timedelta, longest: timedelta) -> None:
    """Hand nothing over for *wait*: the carrier has asked for it. That ends a rest, for it is there.

    One that has been saying so and nothing else for a while is left alone for a quarter of that while, at most
    *longest*.
    """
    now, row = datetime.now(UTC), _locked(tx, name)
    already = row["failing_since"] is not None and not row["failures"] and row["open_until"] is None
    since = row["failing_since"] if already else now
    until = max(now + max(wait, min((now - since) / 4, longest)), row["pause_until"] or now)
    _set(tx, name, **_WELL | {"failing_since": since}, pause_until=until)


def reserve(tx: Connection, name: str, distance: timedelta) -> datetime:
    """Return when the next hand-over may begin; the one after it *distance* later."""
    row = _locked(tx, name)
    at: datetime = max(datetime.now(UTC), row["next_at"] or datetime.min.replace(tzinfo=UTC))
    _set(tx, name, next_at=at + distance)
    return at


def _locked(tx: Connection, name: str) -> dict[str, Any]:
    lock_keys(tx, [f"carrier:{name}"])
    insert_new(tx, carriers, {"name": name})
    row = first(tx, state(name))
    assert row is not None
    return dict(row)


def _set(tx: Connection, name: str, **values: Any) -> None:
    tx.execute(update(carriers).where(carriers.c.name == name).values(**values))
