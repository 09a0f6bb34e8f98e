"""An attempt whose outcome nobody knows: looked at until evidence settles it.

Evidence is an event with our client_state (then ``settle`` has been here already), the carrier's list of faxes, and
whether the document was fetched. Listed: accepted. Listed completely without it and never fetched: the handle is
withdrawn, the list is read once more, and only then a new attempt may follow, for nothing can come of the old one.
Fetched but not listed: it stays unknown. When the list has kept answering for the policy's patience without deciding
it, a person must.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from gateway import crashpoint, logs, metrics
from gateway.attempt import Attempt, AttemptState, Handle
from gateway.carrier_event import CarrierFax
from gateway.carriers.carrier import Carrier, CarrierError
from gateway.fax import Direction, Fax, State
from gateway.notify import Notify
from gateway.outbox.policy import RESOLVE, TRANSMIT, Policy
from gateway.outbox.settle import CANCEL_ASKED, LIVE, Settle
from gateway.retry import spread
from gateway.store import attempts, faxes, jobs
from gateway.store.database import Database, Tx
from gateway.store.jobs import Job
from gateway.telling import Tale

__all__ = ["RESOLVE", "Resolve"]
log = logs.logger(__name__)
#: Clocks differ: the carrier may date a fax before our intent.
SKEW = timedelta(seconds=60)
#: Multiples of the policy's settle_delay between looks; the last one repeats.
STEPS = (1, 1, 3, 6, 12)
#: Between looks once a person has been asked.
WATCH = timedelta(hours=1)
HELD = "It is not known whether the carrier has sent this fax. It is not sent again without your word."


class Resolve:
    """The job ``resolve``; its subject is the attempt."""

    def __init__(self, db: Database, carrier: Carrier, settle: Settle, notify: Notify, policy: Policy) -> None:
        self._db = db
        self._carrier = carrier
        self._settle = settle
        self._notify = notify
        self._policy = policy

    async def run(self, job: Job) -> None:
        """Take one look."""
        attempt = await attempts.fetch(self._db, UUID(job.subject))
        if attempt is None or attempt.state is not AttemptState.UNKNOWN:
            await self._db.write(lambda tx: jobs.finish(tx, job))
            return
        fax = await faxes.fetch(self._db, attempt.fax_id)
        assert fax is not None, "attempts are deleted with their fax"
        try:
            listed = await self._listed(fax, attempt)
            if listed is None and attempt.revoked_at is None and attempt.handle_kind is Handle.MEDIA:
                await self._carrier.remove(attempt.handle)
        except CarrierError as error:
            silence = error
            await self._db.write(lambda tx: self._unanswered(tx, job, attempt, silence))
            return
        await self._db.write(lambda tx: self._decide(tx, job, attempt, listed))
        crashpoint.reach("resolve.decided")

    async def _listed(self, fax: Fax, attempt: Attempt) -> CarrierFax | None:
        """Return the attempt as the carrier lists it. The list is read to its end before anything is concluded.

        What is listed without client_state may be it too, unless it is known to be another attempt of ours.
        """
        since = attempt.intent_at - SKEW
        nameless: dict[str, CarrierFax] = {}
        mine: CarrierFax | None = None
        async for listed in self._carrier.faxes(Direction.OUTBOUND, since, to=fax.to_number, from_=fax.from_number):
            if listed.client_state == attempt.client_state:
                mine = listed
            elif not listed.client_state and listed.created_at >= since:
                nameless[listed.id] = listed
        others = set() if mine else await attempts.known(self._db, nameless)
        return mine or next((listed for name, listed in nameless.items() if name not in others), None)

    def _unanswered(self, tx: Tx, job: Job, attempt: Attempt, error: CarrierError) -> None:
        """The carrier's silence decides nothing: the time to a decision starts anew when it answers. What was not
        asked, because the carrier has a rest, is no look."""
        attempts.change(tx, attempt.id, [AttemptState.UNKNOWN], list_answered_at=None)
        if error.until is None:
            jobs.again(tx, job, self._next_look(job), str(error))
        else:
            jobs.again(tx, job, error.until + spread(self._policy.settle_delay), str(error), counted=False)

    def _decide(self, tx: Tx, job: Job, looked_at: Attempt, listed: CarrierFax | None) -> None:
        fax = faxes.get(tx, looked_at.fax_id, lock=True)
        attempt = attempts.get(tx, looked_at.id)
        if fax is None or attempt is None or attempt.state is not AttemptState.UNKNOWN:
            jobs.finish(tx, job)
        elif listed is not None:
            self._settle.accepted(tx, attempt, listed.id)
            jobs.finish(tx, job)
        elif attempt.fetched_at is not None:
            self._wait_or_hold(tx, job, fax, attempt)
        elif attempt.revoked_at is None:
            # The row is locked: a fetch is either noted before, and seen above, or finds the handle withdrawn.
            attempts.change(tx, attempt.id, [AttemptState.UNKNOWN], revoked_at=datetime.now(UTC))
            jobs.again(tx, job, self._next_look(job))
        else:
            self._give_up(tx, job, fax, attempt)

    def _give_up(self, tx: Tx, job: Job, fax: Fax, attempt: Attempt) -> None:
        jobs.finish(tx, job)
        attempts.change(tx, attempt.id, [AttemptState.UNKNOWN], state=AttemptState.VOID)
        metrics.attempts.labels("void").inc()
        log.info("the carrier never had it", fax=str(fax.id), attempt=str(attempt.id))
        if fax.held_reason == CANCEL_ASKED:
            self._settle.canceled(tx, fax.id, LIVE)
            return
        jobs.release(tx, fax.id)
        values = {"state": State.QUEUED, "tries": max(0, fax.tries - 1), "held_reason": "", "next_try_at": None}
        if faxes.change(tx, fax.id, LIVE, **values):
            jobs.enqueue(tx, TRANSMIT, fax.id, keys=self._policy.lines(tx, fax))

    def _wait_or_hold(self, tx: Tx, job: Job, fax: Fax, attempt: Attempt) -> None:
        now = datetime.now(UTC)
        since = attempt.list_answered_at
        if since is None:
            attempts.change(tx, attempt.id, [AttemptState.UNKNOWN], list_answered_at=now)
        elif now - since >= self._policy.unknown_patience:
            self._hold(tx, fax)
            jobs.again(tx, job, now + WATCH)
            return
        jobs.again(tx, job, self._next_look(job))

    def _hold(self, tx: Tx, fax: Fax) -> None:
        waiting = [state for state in LIVE if state is not State.UNKNOWN]
        if not faxes.change(tx, fax.id, waiting, state=State.UNKNOWN, held_reason=HELD):
            return
        jobs.release(tx, fax.id)
        now = faxes.get(tx, fax.id)
        assert now is not None
        self._notify.about(tx, now, Tale.HELD, now.notify)
        note = "The carrier fetched the document of this fax and then did not list the fax. It may have been sent."
        self._notify.operator(tx, now, note, f"faxgate queue release {now.id}")

    def _next_look(self, job: Job) -> datetime:
        multiple = STEPS[min(job.tries, len(STEPS) - 1)]
        return datetime.now(UTC) + self._policy.settle_delay * multiple
