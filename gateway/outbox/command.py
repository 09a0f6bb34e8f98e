"""What a person may do to a fax on its way: hold, release, retry, cancel. Each is one unit, with the daemon up or down.

Every command answers with a sentence, or refuses with one and changes nothing.
"""

from datetime import UTC, datetime
from uuid import UUID

from gateway.announce import announce
from gateway.attempt import OPEN, AttemptState
from gateway.carrier_event import Happened
from gateway.errors import Kind, refuse
from gateway.fax import Direction, Fax, State
from gateway.outbox.policy import CANCEL, COLLECT, PREPARE, RESOLVE, TRANSMIT, fetching, withdraw
from gateway.outbox.settle import CANCEL_ASKED, LIVE, Settle
from gateway.store import attempts, faxes, jobs, usage
from gateway.store.database import Tx

BY_HAND = "put aside by the operator"


class Command:
    """The commands of ``faxgate queue`` and of the APIs; all work inside units."""

    def __init__(self, settle: Settle, tries: int) -> None:
        self._settle = settle
        self._tries = tries

    def hold(self, tx: Tx, fax_id: UUID, reason: str = BY_HAND) -> str:
        """Put a waiting fax aside."""
        fax = self._outbound(tx, fax_id)
        if self._under_way(tx, fax) or not faxes.change(
            tx, fax_id, [State.PREPARING, State.QUEUED], state=State.HELD, held_reason=reason, next_try_at=None
        ):
            raise self._wrong(fax, "held")
        jobs.release(tx, fax_id)
        for kind in (COLLECT, PREPARE, TRANSMIT):
            jobs.drop(tx, kind, fax_id)
        return f"Fax {fax_id} is held."

    def release(self, tx: Tx, fax_id: UUID) -> str:
        """Let a held fax go on. For one whose outcome is unknown this is the word to send it again."""
        fax = self._outbound(tx, fax_id)
        if fax.state not in {State.HELD, State.UNKNOWN}:
            raise self._wrong(fax, "released")
        self._void(tx, fax_id)
        if fax.account_id is not None:
            usage.remember(tx, fax.account_id, fax.to_number)
        self._send(tx, fax, approved=True)
        return f"Fax {fax_id} goes on."

    def retry(self, tx: Tx, fax_id: UUID) -> str:
        """Try now what waits for its next try, or send a failed or canceled fax once more."""
        fax = self._outbound(tx, fax_id)
        if fax.state is State.QUEUED and not self._under_way(tx, fax):
            jobs.drop(tx, TRANSMIT, fax_id)
        elif fax.state not in {State.FAILED, State.CANCELED}:
            raise self._wrong(fax, "tried again")
        elif not (fax.rendering_id or fax.source or fax.documents):
            raise refuse(Kind.WRONG_STATE, f"the document of fax {fax_id} has been removed", str(fax_id))
        more = max(fax.tries_allowed, fax.tries + (1 if fax.state is State.QUEUED else self._tries))
        self._send(tx, fax, tries_allowed=more)
        return f"Fax {fax_id} is tried again."

    def cancel(self, tx: Tx, fax_id: UUID) -> str:
        """Stop a fax: at once while it waits; one that the carrier has is stopped there if it is not too late."""
        fax = self._outbound(tx, fax_id)
        if fax.state not in LIVE:
            raise self._wrong(fax, "canceled")
        if not self._under_way(tx, fax):
            self._settle.canceled(tx, fax_id, LIVE)
            return f"Fax {fax_id} is canceled."
        if fax.state is State.UNKNOWN:
            self._void(tx, fax_id)
            self._settle.canceled(tx, fax_id, LIVE, in_doubt=True)
            return f"Fax {fax_id} is canceled here; the carrier may have sent it."
        faxes.change(tx, fax_id, LIVE, held_reason=CANCEL_ASKED)
        jobs.enqueue(tx, CANCEL, fax_id, priority=jobs.URGENT)
        return f"Fax {fax_id} is with the carrier, which is asked to stop it."

    def fail(self, tx: Tx, fax_id: UUID, reason: str, text: str) -> None:
        """End a fax that was taken and may not be sent, and tell its sender why."""
        self._settle.fail(tx, fax_id, LIVE, reason, text)

    def _void(self, tx: Tx, fax_id: UUID) -> None:
        """Nothing shall come of an attempt any more whose outcome nobody knows."""
        last = attempts.last_of(tx, fax_id)
        if last is not None and attempts.change(tx, last.id, [AttemptState.UNKNOWN], state=AttemptState.VOID):
            jobs.drop(tx, RESOLVE, last.id)
            withdraw(tx, last)

    def _send(self, tx: Tx, fax: Fax, **more: object) -> None:
        ready = bool(fax.rendering_id)
        state = State.QUEUED if ready else State.PREPARING
        fresh = {"held_reason": "", "failure_reason": "", "failure_text": "", "finished_at": None, "next_try_at": None}
        # Whoever says so now wants it sent, however long it has waited for the word.
        now, policy = datetime.now(UTC), self._settle.policy
        times = {"deadline_at": now + policy.deadline, "delay_at": policy.delay_at(now)}
        faxes.change(tx, fax.id, [fax.state], state=state, **times, **fresh, **more)
        for past in (COLLECT, PREPARE, TRANSMIT):
            jobs.drop(tx, past, fax.id)  # one that was set aside
        if ready:  # unless that was told before
            announce(tx, faxes.get(tx, fax.id), Happened.MEDIA_PROCESSED)
        here = all("blob" in document for document in fax.documents)
        if ready:
            jobs.enqueue(tx, TRANSMIT, fax.id, keys=policy.lines(tx, fax))
        elif here:
            jobs.enqueue(tx, PREPARE, fax.id)
        else:
            jobs.enqueue(tx, COLLECT, fax.id, keys=fetching(fax))

    def _outbound(self, tx: Tx, fax_id: UUID) -> Fax:
        fax = faxes.get(tx, fax_id, lock=True)
        if fax is None or fax.direction is not Direction.OUTBOUND:
            raise refuse(Kind.NOT_FOUND, f"there is no outgoing fax {fax_id}", str(fax_id))
        return fax

    def _under_way(self, tx: Tx, fax: Fax) -> bool:
        last = attempts.last_of(tx, fax.id)
        return last is not None and last.state in OPEN

    def _wrong(self, fax: Fax, wish: str) -> Exception:
        return refuse(Kind.WRONG_STATE, f"fax {fax.id} is {fax.state.value} and cannot be {wish}", str(fax.id))
