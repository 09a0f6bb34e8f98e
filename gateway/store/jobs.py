"""The queue: what is to be done next.

A job is *scheduled* until it is due, then *ready*, then *running* under the lease of a node, and deleted when it is
done. One that fails by a fault of ours again and again is *aside* (``store/aside.py``) until a person revives it. A
job that needs something only few may use at once (the line to a number, an application's channels) becomes ready only
together with a *hold* on it, and is *blocked* on the busy key until then. So nothing is ever skipped at claim: what
cannot run is not ready, and a claim costs the same however long the queue is.

A hold belongs to the fax, not to the job's lease: it lasts until the attempt is settled, and expires by itself so that
nothing sticks. Releasing it wakes the first job that waits for its key. Units that decide over holds do so one after
the other, over all keys: whoever releases one key may have to try others for the job that it wakes, and units that
took them key by key would wait for each other.

Leases are per node. A node says that it lives by ``beat``; the jobs of one that stopped saying so become ready again
for others, and everything the old one still tries to write meets no row, because its epoch has passed.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select, tuple_, update

from gateway.store.database import WOKEN, Row, add, changed, first, insert_new, lock_keys
from gateway.store.lease import ALWAYS, Lease, LeaseLost
from gateway.store.schema import holds, jobs, nodes

#: Longer than the longest fax: 350 pages of half a minute.
HOLD_LASTS = timedelta(hours=4)
MOVE_AT_ONCE = 200
WAKE_AT_ONCE = 4
#: So many blocked jobs are looked at in one unit, which keeps nobody waiting.
LOOK_AT_ONCE = 500
#: After this long nobody expects a silent node back. Its name may come again: nothing of its first life is running.
FORGOTTEN = timedelta(days=1)

#: Lower numbers go first.
URGENT, NORMAL, LATER = 1, 5, 9


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do. ``subject`` is the id of the row that it is about; ``tries`` counts earlier runs
    that failed, ``crashes`` those in which the process died. ``lease`` is asked before something is sent."""

    id: int
    kind: str
    subject: str
    tries: int
    due: datetime
    created_at: datetime
    node: str
    epoch: int
    crashes: int = 0
    lease: Lease = field(default=ALWAYS, compare=False)


Keys = list[tuple[str, int]]  # a key and how many may hold it at once


def enqueue(
    tx: Connection,
    kind: str,
    subject: object,
    *,
    due: datetime | None = None,
    priority: int = NORMAL,
    keys: Keys | None = None,
) -> None:
    """Add a job; at once ready (or blocked on one of *keys*) when *due* is None or past."""
    now = datetime.now(UTC)
    at_once = due is None and not keys
    values: dict[str, Any] = {
        "kind": kind,
        "subject": str(subject),
        "state": "ready" if at_once else "scheduled",
        "priority": priority,
        "due": due or now,
        "created_at": now,
        "keys": [list(key) for key in keys or []],
    }
    if at_once:
        add(tx, jobs, values)
        tx.info[WOKEN] = True
        return
    identity = tx.execute(jobs.insert().values(**values).returning(jobs.c.id)).scalar_one()
    if values["due"] <= now:
        _advance(tx, identity, str(subject), values["keys"])


def owned(tx: Connection, job: Job) -> None:
    """Raise LeaseLost unless *job* is still ours; from this unit on it is ours for a whole lease."""
    if not beat(tx, job.node, job.epoch):
        raise LeaseLost(job.subject)
    if tx.execute(select(jobs.c.id).where(*mine(job)).with_for_update()).first() is None:
        raise LeaseLost(job.subject)


def finish(tx: Connection, job: Job) -> None:
    """Delete a job that is done. Raises LeaseLost, and so undoes the unit, when it is not ours any more."""
    if not changed(tx, delete(jobs).where(*mine(job))):
        raise LeaseLost(job.subject)


def again(tx: Connection, job: Job, due: datetime, error: str = "", *, counted: bool = True) -> None:
    """Put a job back, to run when *due*; not *counted* is a run in which nothing was tried. Raises LeaseLost like
    ``finish``."""
    tries = jobs.c.tries + 1 if counted else jobs.c.tries
    put_back = (
        update(jobs)
        .where(*mine(job))
        .values(state="scheduled", due=due, tries=tries, node=None, epoch=None, last_error=error[:2000])
    )
    if not changed(tx, put_back):
        raise LeaseLost(job.subject)


def rekey(tx: Connection, job: Job, keys: Keys) -> bool:
    """Put a job back that needs other keys than it was enqueued with, to run when it has got them; return whether it
    does. Raises LeaseLost like ``finish``."""
    wanted = [list(key) for key in keys]
    row = tx.execute(select(jobs.c["keys"].label("needs")).where(*mine(job))).first()
    if row is None:
        raise LeaseLost(job.subject)
    if row.needs == wanted:
        return False
    release(tx, job.subject)
    tx.execute(update(jobs).where(*mine(job)).values(keys=wanted, node=None, epoch=None))
    _advance(tx, job.id, job.subject, wanted)
    return True


def drop(tx: Connection, kind: str, subject: object) -> int:
    """Delete jobs that do not run yet; return how many."""
    waiting = delete(jobs).where(jobs.c.kind == kind, jobs.c.subject == str(subject), jobs.c.state != "running")
    return int(tx.execute(waiting).rowcount)


def hasten(tx: Connection, kind: str, subject: object) -> bool:
    """Make a scheduled job due now; return whether there was one."""
    mine = (jobs.c.kind == kind, jobs.c.subject == str(subject), jobs.c.state == "scheduled")
    met = bool(tx.execute(update(jobs).where(*mine).values(due=datetime.now(UTC))).rowcount)
    return bool(move_due(tx)) or met


def hasten_for(tx: Connection, error: str) -> None:
    """Make due now every scheduled job that waits because of *error*, as ``again`` was told."""
    waiting = (jobs.c.state == "scheduled", jobs.c.last_error == error)
    tx.execute(update(jobs).where(*waiting).values(due=datetime.now(UTC)))
    move_due(tx)


def tries(tx: Connection, kind: str, subject: object) -> int:
    """Return how often a job of this kind has been tried for *subject*."""
    found = select(func.max(jobs.c.tries)).where(jobs.c.kind == kind, jobs.c.subject == str(subject))
    return tx.execute(found).scalar() or 0


def exists(tx: Connection, kind: str, subject: object) -> bool:
    """Return whether a job of this kind is there for *subject*, in any state."""
    found = select(jobs.c.id).where(jobs.c.kind == kind, jobs.c.subject == str(subject)).limit(1)
    return tx.execute(found).first() is not None


def waiting(tx: Connection, kind: str, subject: object) -> Row | None:
    """Return the job of this kind for *subject*, in whatever state, None when there is none."""
    return first(tx, of_subject(subject).where(jobs.c.kind == kind).limit(1))


def number_of(tx: Connection, kind: str, most: int) -> int:
    """Return how many jobs of this kind wait, for a moment or for hours; of more than *most* they are *most*."""
    wait = (jobs.c.kind == kind, jobs.c.state.in_(["ready", "scheduled", "blocked"]))
    some = select(jobs.c.id).where(*wait).limit(most).subquery()
    return int(tx.execute(select(func.count()).select_from(some)).scalar_one())


def move_due(tx: Connection) -> int:
    """Make due jobs ready or blocked; return how many were due."""
    due = (
        select(jobs.c.id, jobs.c.subject, jobs.c["keys"].label("needs"))
        .where(jobs.c.state == "scheduled", jobs.c.due <= datetime.now(UTC))
        .order_by(jobs.c.due, jobs.c.id)
        .limit(MOVE_AT_ONCE)
    )
    if any(row.needs for row in tx.execute(due).all()):
        _alone(tx)  # before the rows are locked: who decides over holds may be waiting to delete one of them
    rows = tx.execute(due.with_for_update(skip_locked=True)).all()
    for row in rows:
        _advance(tx, row.id, row.subject, row.needs)
    return len(rows)


def next_due(tx: Connection) -> datetime | None:
    """Return when the next scheduled job is due, None when there is none."""
    waiting = select(jobs.c.due).where(jobs.c.state == "scheduled").order_by(jobs.c.due, jobs.c.id).limit(1)
    return tx.execute(waiting).scalar()


def release(tx: Connection, owner: object) -> None:
    """Give up everything that *owner* holds and wake who waits for it."""
    mine = select(holds.c.key).where(holds.c.owner == str(owner))
    if tx.execute(mine.limit(1)).first() is None:
        return
    _alone(tx)
    keys = set(tx.execute(mine).scalars())
    tx.execute(delete(holds).where(holds.c.owner == str(owner)))
    for key in sorted(keys):
        _wake(tx, key)


def extend(tx: Connection, owner: object) -> None:
    """Let what *owner* holds last from now on: the call begins."""
    tx.execute(update(holds).where(holds.c.owner == str(owner)).values(until=datetime.now(UTC) + HOLD_LASTS))


def sweep(tx: Connection, after: str = "") -> str:
    """Let expired holds go, and wake jobs whose key has become free unnoticed; a part of them at a time, beginning with
    the key behind *after*. Return where the next part begins.

    A hold whose owner is about to use it stays: the jobs of a gateway that was down for a while are ready still, and
    nothing looks at their holds once more.
    """
    about_to = select(jobs.c.id).where(jobs.c.subject == holds.c.owner, jobs.c.state.in_(["ready", "running"])).exists()
    expired = (holds.c.until <= datetime.now(UTC), ~about_to)
    stale = set(tx.execute(select(holds.c.key).where(*expired).limit(MOVE_AT_ONCE)).scalars())
    free, end = _unnoticed(tx, after)
    if keys := {*stale, *free}:
        _alone(tx)
        tx.execute(delete(holds).where(*expired, holds.c.key.in_(stale)))
        for key in sorted(keys):
            _wake(tx, key)
    return end


def _unnoticed(tx: Connection, after: str) -> tuple[list[str], str]:
    """Look at the next jobs that are blocked on a key behind *after*: return the keys that nobody holds, and the last
    key that was looked at, "" when it was the last of all."""
    waiting = (jobs.c.state == "blocked", jobs.c.blocked_on > after)
    part = select(jobs.c.blocked_on).where(*waiting).order_by(jobs.c.blocked_on).limit(LOOK_AT_ONCE).subquery()
    held = select(holds.c.key).where(holds.c.key == part.c.blocked_on).exists()
    grouped = select(part.c.blocked_on.label("key"), func.count().label("number"), held.label("held"))
    rows = tx.execute(grouped.group_by(part.c.blocked_on).order_by(part.c.blocked_on)).all()
    free = [str(row.key) for row in rows if not row.held]
    if len(free) > MOVE_AT_ONCE:
        return free[:MOVE_AT_ONCE], free[MOVE_AT_ONCE - 1]
    whole = sum(row.number for row in rows) < LOOK_AT_ONCE
    return free, "" if whole else str(rows[-1].key)


def mine(job: Job) -> tuple[Any, ...]:
    """The condition that *job* still runs here."""
    return (
        jobs.c.id == job.id,
        jobs.c.state == "running",
        jobs.c.node == job.node,
        jobs.c.epoch == job.epoch,
    )


def _advance(tx: Connection, identity: int, subject: str, keys: list[Any]) -> bool:
    """Make a job ready if it gets a hold on each of its keys, else blocked on the first that it does not get."""
    busy = _hold(tx, subject, [(str(key), int(slots)) for key, slots in keys])
    state = {"state": "ready", "blocked_on": None} if busy is None else {"state": "blocked", "blocked_on": busy}
    tx.execute(update(jobs).where(jobs.c.id == identity).values(**state))
    if busy is None:
        tx.info[WOKEN] = True
    return busy is None


def _hold(tx: Connection, owner: str, keys: Keys) -> str | None:
    """Hold one slot of each key for *owner*; on a busy one give back what was got and return its name."""
    if keys:
        _alone(tx)
    got: list[tuple[str, int]] = []
    until = datetime.now(UTC) + HOLD_LASTS
    for key, slots in keys:
        if tx.execute(select(holds.c.key).where(holds.c.key == key, holds.c.owner == owner)).first():
            continue
        taken = set(tx.execute(select(holds.c.slot).where(holds.c.key == key)).scalars())
        free = (slot for slot in range(slots) if slot not in taken)
        slot = next(free, None) if len(taken) < slots else None  # more may be taken than there are by now
        if slot is None or not insert_new(tx, holds, {"key": key, "slot": slot, "owner": owner, "until": until}):
            if got:
                tx.execute(delete(holds).where(tuple_(holds.c.key, holds.c.slot).in_(got)))
            return key
        got.append((key, slot))
    return None


def _alone(tx: Connection) -> None:
    """Let no other unit decide over holds until this one ends."""
    lock_keys(tx, ["holds"])


def _wake(tx: Connection, key: str) -> None:
    """Advance jobs that are blocked on *key*, in their order, until one finds it busy. A few are read at a time: mostly
    the second of them does."""
    waiting = (
        select(jobs.c.id, jobs.c.subject, jobs.c["keys"].label("needs"))
        .where(jobs.c.state == "blocked", jobs.c.blocked_on == key)
        .order_by(jobs.c.priority, jobs.c.id)
        .limit(WAKE_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    for _ in range(MOVE_AT_ONCE // WAKE_AT_ONCE):
        rows = tx.execute(waiting).all()
        for row in rows:
            _advance(tx, row.id, row.subject, row.needs)
            still = (jobs.c.id == row.id, jobs.c.state == "blocked", jobs.c.blocked_on == key)
            if tx.execute(select(jobs.c.id).where(*still)).first():
                return
        if len(rows) < WAKE_AT_ONCE:
            return


# -- leases ------------------------------------------------------------------------------------------------------------


def register(tx: Connection, node: str) -> int:
    """Announce a node and return its new epoch. What an earlier process of this name was doing becomes ready."""
    add_one = update(nodes).where(nodes.c.id == node).values(epoch=nodes.c.epoch + 1, seen=_clock())
    if not changed(tx, add_one):
        add(tx, nodes, {"id": node, "epoch": 1, "seen": datetime.now(UTC)})
        tx.execute(update(nodes).where(nodes.c.id == node).values(seen=_clock()))
    epoch = int(tx.execute(select(nodes.c.epoch).where(nodes.c.id == node)).scalar_one())
    _give_back(tx, (jobs.c.node == node) & (jobs.c.epoch < epoch))
    return epoch


def beat(tx: Connection, node: str, epoch: int) -> bool:
    """Say that the node lives; False when its epoch has passed and it must stop."""
    return changed(tx, update(nodes).where(nodes.c.id == node, nodes.c.epoch == epoch).values(seen=_clock()))


def take_over(tx: Connection, lease: timedelta, node: str = "") -> int:
    """Raise the epoch of every node that has been silent for longer than *lease*, and give its jobs back.

    After a day it is forgotten. *node* is the one that asks: it lives, even if the clock has jumped since it said so.
    """
    now = _clock() if tx.dialect.name == "postgresql" else datetime.now(UTC)
    busy = select(jobs.c.id).where(jobs.c.node == nodes.c.id, jobs.c.state == "running").exists()
    silent = update(nodes).where(nodes.c.seen < now - lease, nodes.c.id != node).values(epoch=nodes.c.epoch + 1)
    gone = list(tx.execute(silent.returning(nodes.c.id)).scalars())
    tx.execute(delete(nodes).where(nodes.c.seen < now - max(lease, FORGOTTEN), nodes.c.id != node, ~busy))
    return _give_back(tx, jobs.c.node.in_(gone)) if gone else 0


def leave(tx: Connection, node: str, epoch: int) -> None:
    """Say good-bye: the node's jobs become ready at once, and its epoch has passed."""
    tx.execute(update(nodes).where(nodes.c.id == node, nodes.c.epoch == epoch).values(epoch=epoch + 1))
    _give_back(tx, (jobs.c.node == node) & (jobs.c.epoch == epoch), crashes=0)


def give_back(tx: Connection, node: str, epoch: int, running: Collection[int]) -> int:
    """Make ready what is noted as running in this epoch of a node, but for *running*; return how many."""
    return _give_back(tx, (jobs.c.node == node) & (jobs.c.epoch == epoch) & jobs.c.id.not_in(running), crashes=0)


def _give_back(tx: Connection, which: Any, crashes: int = 1) -> int:
    back = (
        update(jobs)
        .where(jobs.c.state == "running", which)
        .values(state="ready", node=None, epoch=None, crashes=jobs.c.crashes + crashes)
    )
    count = int(tx.execute(back).rowcount)
    if count:
        tx.info[WOKEN] = True
    return count


def _clock() -> Any:
    """The database's own clock in a statement: nodes need not agree on theirs."""
    return func.current_timestamp()


# -- a look from outside -----------------------------------------------------------------------------------------------


def counts(after: int, limit: int) -> Select[Any]:
    """Of the first *limit* jobs whose ids are above *after*: how many there are by kind and state, when the oldest of
    each was or is due, and the last id."""
    part = select(jobs.c.id, jobs.c.kind, jobs.c.state, jobs.c.due).where(jobs.c.id > after)
    some = part.order_by(jobs.c.id).limit(limit).subquery()
    number, oldest, last = func.count(), func.min(some.c.due), func.max(some.c.id)
    columns = (number.label("number"), oldest.label("oldest"), last.label("last"))
    return select(some.c.kind, some.c.state, *columns).group_by(some.c.kind, some.c.state)


def of_subject(subject: object) -> Select[Any]:
    """All jobs about one thing."""
    return select(jobs).where(jobs.c.subject == str(subject)).order_by(jobs.c.id)
