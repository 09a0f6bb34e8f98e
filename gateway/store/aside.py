"""Jobs that are set aside: they have failed so often by a fault of ours that running them again helps nobody."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select, update

from gateway.store.database import changed
from gateway.store.jobs import Job, mine, move_due
from gateway.store.lease import LeaseLost
from gateway.store.schema import jobs

ASIDE = "aside"


def raised(tx: Connection, job: Job, due: datetime, error: str, most: int) -> bool:
    """Put back a job that has failed by a fault of ours, to run when *due*; or, the *most*-th time, set it aside.

    Return whether it is aside now. Raises LeaseLost when it is not ours any more.
    """
    count = tx.execute(select(jobs.c.raised).where(*mine(job)).with_for_update()).scalar()
    if count is None:
        raise LeaseLost(job.subject)
    if count + 1 >= most:
        put(tx, job, error)
        return True
    values = {"state": "scheduled", "due": due, "tries": jobs.c.tries + 1, "raised": count + 1}
    tx.execute(update(jobs).where(*mine(job)).values(node=None, epoch=None, last_error=error[:2000], **values))
    return False


def put(tx: Connection, job: Job, error: str) -> None:
    """Set a job aside that runs here. Raises LeaseLost when it is not ours any more."""
    values = {"state": ASIDE, "node": None, "epoch": None, "last_error": error[:2000]}
    if not changed(tx, update(jobs).where(*mine(job)).values(**values)):
        raise LeaseLost(job.subject)


def revive(tx: Connection, job_id: int) -> bool:
    """Let a job run again as if it never had; False when there is none aside of this id."""
    again = {"state": "scheduled", "due": datetime.now(UTC), "tries": 0, "raised": 0, "crashes": 0}
    met = changed(tx, update(jobs).where(jobs.c.id == job_id, jobs.c.state == ASIDE).values(**again))
    move_due(tx)
    return met


def all_() -> Select[Any]:
    """The jobs that are aside, in their order."""
    return select(jobs).where(jobs.c.state == ASIDE).order_by(jobs.c.id)


def number() -> Select[Any]:
    """How many jobs are aside."""
    return select(func.count()).where(jobs.c.state == ASIDE)
