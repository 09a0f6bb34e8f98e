"""Which jobs a node takes: those that are ready, the most urgent first, and one at a time those under suspicion.

A process that dies leaves behind whatever ran in it, the one job that killed it and the others that only ran beside it.
Those with which it has died again and again run one after another, and the least suspected first: soon the innocent
are done, and only the one that kills is left.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, exists, literal, select, union_all, update

from gateway.store.jobs import Job
from gateway.store.schema import jobs, nodes
from gateway.store.schema.queue import IS_SUSPECT, SUSPECT

#: How many suspects are looked at for one of a kind that has room.
_LOOKED_AT = 100


class Waiting:
    """Which of some kinds have ready jobs that are not under suspicion. It is one statement for all of them, and always
    the same: who looks mostly finds none of most kinds."""

    def __init__(self, kinds: Iterable[str]) -> None:
        ready = select(jobs.c.id).where(jobs.c.state == "ready", jobs.c.crashes < SUSPECT)
        each = (select(literal(kind)).where(exists(ready.where(jobs.c.kind == kind))) for kind in kinds)
        self._asked = union_all(*each)

    def kinds(self, tx: Connection) -> set[str]:
        """Return those of which there is one now."""
        return set(tx.execute(self._asked).scalars())


def claim(tx: Connection, node: str, epoch: int, kind: str, limit: int) -> list[Job]:
    """Take up to *limit* ready jobs of one *kind* for this node, the most urgent first, and none that is under
    suspicion; none for a stale epoch."""
    urgent = _ready(node, epoch).where(jobs.c.kind == kind, jobs.c.crashes < SUSPECT)
    return _take(tx, node, epoch, urgent.order_by(jobs.c.priority, jobs.c.due, jobs.c.id).limit(limit))


def claim_suspect(tx: Connection, node: str, epoch: int, kinds: Collection[str]) -> list[Job]:
    """Take the ready job of these *kinds* that is the least under suspicion, if there is one."""
    # In the words of their index, and without the kinds, for which SQLite would go through all that are ready.
    some = select(jobs.c.id, jobs.c.kind).where(IS_SUSPECT).order_by(jobs.c.crashes, jobs.c.id).limit(_LOOKED_AT)
    first = next((row.id for row in tx.execute(some) if row.kind in kinds), None)
    return [] if first is None else _take(tx, node, epoch, _ready(node, epoch).where(jobs.c.id == first))


def suspected(job: Job) -> bool:
    """Return whether the process has died again and again that ran *job*."""
    return job.crashes >= SUSPECT


def _ready(node: str, epoch: int) -> Select[Any]:
    alive = select(nodes.c.id).where(nodes.c.id == node, nodes.c.epoch == epoch).exists()
    return select(jobs.c.id).where(jobs.c.state == "ready", alive).with_for_update(skip_locked=True)


def _take(tx: Connection, node: str, epoch: int, chosen: Select[Any]) -> list[Job]:
    ids = list(tx.execute(chosen).scalars())
    if not ids:
        return []
    taken = (
        update(jobs)
        .where(jobs.c.id.in_(ids), jobs.c.state == "ready")
        .values(state="running", node=node, epoch=epoch, claimed_at=datetime.now(UTC))
        .returning(
            jobs.c.id,
            jobs.c.kind,
            jobs.c.subject,
            jobs.c.tries,
            jobs.c.due,
            jobs.c.created_at,
            jobs.c.priority,
            jobs.c.crashes,
        )
    )
    rows = sorted(tx.execute(taken).all(), key=lambda row: (row.priority, row.due, row.id))
    return [Job(r.id, r.kind, r.subject, r.tries, r.due, r.created_at, node, epoch, r.crashes) for r in rows]
