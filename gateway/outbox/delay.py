"""A fax that has not gone out for hours: its sender is told once, as mail servers do (RFC 3464, "delayed")."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gateway import logs
from gateway.application import INACTIVE
from gateway.attempt import OPEN, AttemptState
from gateway.dialects import telnyx
from gateway.fax import Fax, State
from gateway.notify import Notify
from gateway.outbox.policy import TRANSMIT, Policy
from gateway.store import attempts, carriers, faxes, jobs
from gateway.store import events as said
from gateway.store.database import Database, Tx
from gateway.telling import Tale

log = logs.logger(__name__)
#: A call that is under way may be all that was missing: it is looked at again so much later, and told of when the
#: carrier has had the fax for so long.
LOOK_AGAIN, LONG_AT_CARRIER = timedelta(minutes=10), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """What a fax waits for: a ``sentence``, the failure ``word`` that stands for it ("" for none), and when the next
    try is (None: as soon as it can be)."""

    sentence: str
    word: str = ""
    next_try_at: datetime | None = None


class Delay:
    """Does its work in units of its own; any number of processes may do it at once."""

    def __init__(self, db: Database, notify: Notify, policy: Policy) -> None:
        self._db = db
        self._notify = notify
        self._policy = policy

    async def look(self) -> None:
        """Tell everybody whose fax is late, and has not been told so."""
        while await self._db.write(self.tell):
            pass

    def tell(self, tx: Tx) -> int:
        """Tell some of them; return how many faxes were looked at. The mark on the fax and the mails are one unit."""
        if said.at(tx, said.RESTORED) is not None:  # nobody knows yet what has been sent since the backup
            return 0
        late = faxes.late(tx)
        resting = bool(late) and carriers.resting(tx, self._policy.carrier)
        for fax in late:
            obstacle = self._obstacle(tx, fax, resting=resting)
            again = datetime.now(UTC) + LOOK_AGAIN if obstacle is None else None
            faxes.change(tx, fax.id, [fax.state], delay_at=again)
            if obstacle is not None:
                self._tell(tx, fax, obstacle)
        return len(late)

    def _tell(self, tx: Tx, fax: Fax, obstacle: _Obstacle) -> None:
        log.info("delayed", fax=str(fax.id), why=obstacle.sentence, tries=fax.tries)
        told = replace(fax, next_try_at=obstacle.next_try_at, failure_reason=obstacle.word)
        self._notify.about(tx, told, Tale.DELAYED, fax.notify, failure_text=obstacle.sentence)

    def _obstacle(self, tx: Tx, fax: Fax, *, resting: bool) -> _Obstacle | None:
        """Return what *fax* waits for; None while a call may be under way."""
        if fax.state is State.PREPARING:
            return _Obstacle("Its pages have not been made yet.")
        last = attempts.last_of(tx, fax.id)
        if last is not None and last.state in OPEN:
            if datetime.now(UTC) - last.intent_at < LONG_AT_CARRIER:
                return None
            if last.state is not AttemptState.ACCEPTED:
                return _Obstacle("It is not known yet whether the carrier has taken the fax; it is asked again.")
            return _Obstacle("The carrier has taken the fax, and has not yet said what became of it.")
        job = jobs.waiting(tx, TRANSMIT, fax.id)
        if job is not None and job["state"] == "blocked":
            return _Obstacle(_busy(str(job["blocked_on"])))
        due = job["due"] if job is not None and job["due"] > datetime.now(UTC) else None
        return _Obstacle(*_why(fax, "" if job is None else job["last_error"], resting=resting), due)


def _busy(key: str) -> str:
    if key.startswith("number:"):
        return "Other faxes go to the same number, one after the other."
    return "All lines are in use by other faxes."


def _why(fax: Fax, error: str, *, resting: bool) -> tuple[str, str]:
    """Return the sentence and the word for what keeps a fax whose job was put back with *error*."""
    if error == INACTIVE:
        return "The application that it belongs to is switched off.", ""
    if resting:
        return "The carrier cannot be reached at the moment.", telnyx.UNREACHABLE
    if fax.failure_reason:
        return f"{telnyx.what(fax.failure_reason)}.", fax.failure_reason
    return "More faxes are to be sent than the carrier takes at a time.", ""
