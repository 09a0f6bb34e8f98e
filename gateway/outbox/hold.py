"""Holding what is beyond the limits of a day: its sender and the operator are told, and a person lets it go on."""

from collections.abc import Sequence
from uuid import UUID

from gateway import limits, logs
from gateway.fax import Fax, State
from gateway.notify import Notify
from gateway.outbox.policy import HELD
from gateway.store import faxes, jobs
from gateway.store.database import Database, Tx
from gateway.store.jobs import Job
from gateway.telling import Tale

log = logs.logger(__name__)
#: Of so many held faxes a day the people of an account are told one by one; a thief's thousands fill no mailbox.
MOST_TOLD = 20


def hold(tx: Tx, held: Sequence[Fax]) -> None:
    """Faxes (of one account) were just counted as held: have their people told."""
    if not held:
        return
    left = MOST_TOLD - (limits.held_today(tx, held[0]) - len(held))
    for fax in held:
        log.warning("held for approval", fax=str(fax.id), why=fax.held_reason)
    for fax in held[: max(left, 0)]:
        jobs.enqueue(tx, HELD, fax.id)


class Hold:
    """The job ``held``; its subject is the fax."""

    def __init__(self, db: Database, notify: Notify) -> None:
        self._db = db
        self._notify = notify

    async def run(self, job: Job) -> None:
        """Tell the sender that his fax waits, and the operator once a day for each account."""
        await self._db.write(lambda tx: self._tell(tx, job))

    def _tell(self, tx: Tx, job: Job) -> None:
        jobs.finish(tx, job)
        fax = faxes.get(tx, UUID(job.subject))
        if fax is None or fax.state is not State.HELD:
            return
        self._notify.about(tx, fax, Tale.HELD, fax.notify)
        if limits.first_told(tx, fax):
            note = (
                f"A fax is held: {fax.held_reason}. If it and those that follow are meant, release them; if not, a "
                "password may have been stolen. `faxgate queue list` shows them all; you are told once a day"
            )
            self._notify.operator(tx, fax, note, f"faxgate queue release {fax.id}")
