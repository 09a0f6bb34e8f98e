"""What becomes of a job that nobody can do: it is set aside, its fax waits for a person, and the operator knows.

It is not tried for ever, for that helps nobody and hides the fault; and it is not dropped, for it is somebody's fax.
"""

from uuid import UUID

from gateway import logs
from gateway.attempt import OPEN
from gateway.errors import Refusal
from gateway.fax import Direction, Fax, State
from gateway.notify import DELIVER, Notify
from gateway.outbox import RESOLVE
from gateway.store import attempts, faxes, jobs, outgoing
from gateway.store.database import Tx
from gateway.store.jobs import Job
from gateway.telling import Tale

log = logs.logger(__name__)
HELD = "The gateway could not go on with it because of a fault of its own; its administrator has been told"


class Poison:
    """``aside`` is called in the unit that sets a job aside."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify

    def aside(self, tx: Tx, job: Job, error: str) -> None:
        """Hold the fax that *job* is about, and tell the operator; *error* names the fault, without its details."""
        log.error("a job is set aside", job=job.kind, id=job.id, subject=job.subject, why=error)
        fax = _fax(tx, job)
        note = f"Work on it ({job.kind}) failed again and again and was set aside ({error}); the log has the details"
        if fax is None:
            about = f"A job ({job.kind}, {job.subject}) failed again and again and was set aside ({error})"
            self._notify.operator_without_fax(tx, about, f"faxgate queue revive {job.id}", f"job-{job.id}")
        elif fax.direction is Direction.OUTBOUND and self._hold(tx, job, fax):
            held = faxes.get(tx, fax.id)
            assert held is not None
            self._notify.about(tx, held, Tale.HELD, held.notify)
            self._notify.operator(tx, held, note, f"faxgate queue release {fax.id}")
        elif not _about_the_operators_mail(tx, job):
            self._notify.operator(tx, fax, note, f"faxgate queue revive {job.id}")

    def _hold(self, tx: Tx, job: Job, fax: Fax) -> bool:
        """Let a fax wait for a person; False for one that goes on, or has ended, without this job."""
        if job.kind == RESOLVE:
            waiting = [State.QUEUED, State.CALLING, State.SENDING]
            return faxes.change(tx, fax.id, waiting, state=State.UNKNOWN, held_reason=HELD)
        last = attempts.last_of(tx, fax.id)
        if last is not None and last.state in OPEN:
            return False
        waiting = [State.PREPARING, State.QUEUED]
        if not faxes.change(tx, fax.id, waiting, state=State.HELD, held_reason=HELD, next_try_at=None):
            return False
        jobs.release(tx, fax.id)
        return True


def named(error: Exception) -> str:
    """What may be told of a fault: our own sentences whole, anything else by its type."""
    return str(error) if isinstance(error, Refusal) else type(error).__name__


def _fax(tx: Tx, job: Job) -> Fax | None:
    """Return the fax that a job is about: its subject is a fax, an attempt, or a mail about one."""
    try:
        subject = UUID(job.subject)
    except ValueError:
        return None
    attempt = attempts.get(tx, subject)
    telling = outgoing.get(tx, subject)
    fax_id = attempt.fax_id if attempt else telling.fax_id if telling else subject
    return faxes.get(tx, fax_id, lock=True) if fax_id else None


def _about_the_operators_mail(tx: Tx, job: Job) -> bool:
    """A mail to the operator that cannot be made is not told by another one."""
    telling = outgoing.get(tx, UUID(job.subject)) if job.kind == DELIVER else None
    return telling is not None and telling.tale is Tale.OPERATOR
