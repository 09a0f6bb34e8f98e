"""What was planned by a clock that ran ahead: when the clock is set right again, the plans are set back with it.

Otherwise a fax whose next try was planned while the clock was a day ahead would wait for a day.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, Connection, bindparam, select, update

from gateway.store.schema import carriers, faxes, jobs

#: More is set back in the next unit.
AT_ONCE = 10_000


def set_back(tx: Connection, by: timedelta) -> int:
    """The clock was set back *by* so much: whatever is planned for later comes as much sooner; return how many jobs.

    What had been planned before the clock ran ahead comes too soon then, at most *by*: a try too early does no harm.
    """
    now = datetime.now(UTC)
    moved = _sooner(tx, jobs.c.id, jobs.c.due, now, by)
    _sooner(tx, faxes.c.id, faxes.c.next_try_at, now, by)
    for column in (carriers.c.open_until, carriers.c.pause_until, carriers.c.next_at, carriers.c.probe_until):
        _sooner(tx, carriers.c.name, column, now, by)
    return moved


def _sooner(tx: Connection, key: Column[object], column: Column[datetime], now: datetime, by: timedelta) -> int:
    later = select(key, column).where(column > now).order_by(column.desc()).limit(AT_ONCE)
    rows = [{"of": row[0], "at": max(now, row[1] - by)} for row in tx.execute(later).all()]
    if rows:
        change = update(column.table).where(key == bindparam("of")).values({column.name: bindparam("at")})
        tx.execute(change, rows)
    return len(rows)
