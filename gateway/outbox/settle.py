"""Settling: what the carrier says moves an attempt and its fax forward, never back, however often it is said."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gateway import logs, metrics
from gateway.announce import announce
from gateway.attempt import OPEN, Attempt, AttemptState
from gateway.carrier_event import CarrierEvent, Happened
from gateway.dialects import telnyx
from gateway.fax import FINAL, RANK, Fax, State
from gateway.notify import Notify
from gateway.outbox import text
from gateway.outbox.policy import CANCEL, COLLECT, PREPARE, RESOLVE, TRANSMIT, Policy, withdraw
from gateway.retry import Outcome, next_try
from gateway.store import attempts, faxes, jobs
from gateway.store import events as said
from gateway.store.database import Tx
from gateway.telling import Tale

log = logs.logger(__name__)
#: States of an outbound fax that is not at its end.
LIVE = [state for state in State if state not in FINAL]
_PROGRESS = {Happened.CALLING: State.CALLING, Happened.SENDING: State.SENDING}
#: In ``held_reason`` of a fax that shall end: no further try follows the attempt under way.
CANCEL_ASKED = "cancel asked for"
CANCELED = "The fax was canceled."


class Settle:
    """Works inside units only; the carrier's words come in as events."""

    def __init__(self, notify: Notify, policy: Policy) -> None:
        self._notify = notify
        self.policy = policy

    def event(self, tx: Tx, attempt: Attempt, event: CarrierEvent) -> None:
        """Apply one statement of the carrier to an attempt of ours. The attempt is locked."""
        self._known_to_the_carrier(tx, attempt, event.carrier_fax_id)
        if event.happened is Happened.DELIVERED:
            self._delivered(tx, attempt, event)
        elif event.happened is Happened.FAILED:
            self._failed(tx, attempt, event)
        elif event.happened in _PROGRESS and attempt.state in OPEN:
            target = _PROGRESS[event.happened]
            earlier = [state for state in LIVE if RANK[state] < RANK[target]]
            kept = CANCEL_ASKED if self.cancel_asked(tx, attempt.fax_id) else ""
            moved = faxes.change(tx, attempt.fax_id, [*earlier, State.UNKNOWN], state=target, held_reason=kept)
            if moved and target is State.SENDING:
                announce(tx, faxes.get(tx, attempt.fax_id), Happened.SENDING)

    def accepted(self, tx: Tx, attempt: Attempt, carrier_fax_id: str) -> bool:
        """Note that the carrier has an attempt; False when that was known, or it has ended meanwhile."""
        return self._known_to_the_carrier(tx, attempt, carrier_fax_id)

    def cancel_asked(self, tx: Tx, fax_id: UUID) -> bool:
        """Return whether a fax shall end with the attempt under way."""
        fax = faxes.get(tx, fax_id)
        return fax is not None and fax.held_reason == CANCEL_ASKED

    def _known_to_the_carrier(self, tx: Tx, attempt: Attempt, carrier_fax_id: str) -> bool:
        waiting = [AttemptState.INTENT, AttemptState.UNKNOWN]
        # A document that was withdrawn is served again: the carrier has the fax, and perhaps not yet its pages.
        values = {"state": AttemptState.ACCEPTED, "carrier_fax_id": carrier_fax_id, "revoked_at": None}
        if not attempts.change(tx, attempt.id, waiting, **values):
            return False
        asked = self.cancel_asked(tx, attempt.fax_id)
        known = {"carrier_fax_id": carrier_fax_id, "held_reason": CANCEL_ASKED if asked else ""}
        wanted = faxes.change(tx, attempt.fax_id, LIVE, **known)
        faxes.change(tx, attempt.fax_id, [State.UNKNOWN], state=State.QUEUED)
        doubt = {"looks": jobs.tries(tx, RESOLVE, attempt.id)} if attempt.state is AttemptState.UNKNOWN else {}
        jobs.drop(tx, RESOLVE, attempt.id)
        jobs.extend(tx, attempt.fax_id)
        if asked or not wanted:
            # It could not be asked for before the carrier had told its id.
            jobs.enqueue(tx, CANCEL, attempt.fax_id, priority=jobs.URGENT)
        self._replay(tx, carrier_fax_id)
        metrics.attempts.labels("accepted").inc()
        log.info("accepted by the carrier", fax=str(attempt.fax_id), carrier_fax=carrier_fax_id, **doubt)
        return True

    def _replay(self, tx: Tx, carrier_fax_id: str) -> None:
        """Events about this fax may have come before we knew its id: they are dispatched once more."""
        for event_id in said.unmatched(tx, carrier_fax_id):
            jobs.enqueue(tx, "event", event_id)

    def _delivered(self, tx: Tx, attempt: Attempt, event: CarrierEvent) -> None:
        # An attempt that was given up as lost may have been on its way after all, and one that is said to have failed
        # may have got through: the fax has arrived then, and to send it again would be worse than to believe that.
        late = attempt.state in {AttemptState.VOID, AttemptState.FAILED}
        facts = {"pages_sent": event.pages, "duration": event.duration}
        when = [*OPEN, AttemptState.VOID, AttemptState.FAILED]
        if not attempts.change(tx, attempt.id, when, state=AttemptState.DELIVERED, failure_reason="", **facts):
            return
        _note_contradiction(attempt, AttemptState.DELIVERED)
        withdraw(tx, attempt)
        past = {"held_reason": "", "failure_reason": "", "failure_text": "", "next_try_at": None}
        # Also one that ended without it: its sender was told so, or that nobody knows, and must not send it again.
        before = [*LIVE, State.FAILED, State.CANCELED] if late else LIVE
        if faxes.change(tx, attempt.fax_id, before, state=State.DELIVERED, **past, **facts):
            self._end(tx, attempt.fax_id, Tale.RECEIPT)
            metrics.pages.labels("outbound").inc(event.pages or 0)
            if late:
                # It was sent anew meanwhile: that one shall not arrive as well.
                jobs.enqueue(tx, CANCEL, attempt.fax_id, priority=jobs.URGENT)

    def _failed(self, tx: Tx, attempt: Attempt, event: CarrierEvent) -> None:
        reason = event.failure_reason or "unknown"
        ended = {"failure_reason": reason, "pages_sent": event.pages, "duration": event.duration}
        if not attempts.change(tx, attempt.id, OPEN, state=AttemptState.FAILED, **ended):
            _note_contradiction(attempt, AttemptState.FAILED)
            return
        metrics.attempts.labels("failed").inc()
        withdraw(tx, attempt)
        fax = faxes.get(tx, attempt.fax_id, lock=True)
        if fax is None or fax.state in FINAL:
            return
        faxes.change(tx, fax.id, LIVE, pages_sent=event.pages, failure_reason=reason)
        jobs.release(tx, fax.id)
        if fax.held_reason == CANCEL_ASKED:
            self.canceled(tx, fax.id, LIVE)
            return
        self.again_or_fail(tx, fax, telnyx.outcome(reason), reason, telnyx.sentence(reason))

    def again_or_fail(self, tx: Tx, fax: Fax, outcome: Outcome, reason: str, text: str) -> None:
        """Plan the next try of a fax whose attempt has failed, or end it."""
        wait = next_try(outcome, fax.tries, fax.tries_allowed, self.policy.retry_delay)
        if wait is None:
            self.fail(tx, fax.id, LIVE, reason, text)
            return
        due = datetime.now(UTC) + wait
        if fax.deadline_at is not None and due > fax.deadline_at:
            self.fail(tx, fax.id, LIVE, reason, f"{text} {self._out_of_time()}")
            return
        if faxes.change(tx, fax.id, LIVE, state=State.QUEUED, next_try_at=due):
            jobs.enqueue(tx, TRANSMIT, fax.id, due=due, keys=self.policy.lines(tx, fax))
            log.info("to be tried again", fax=str(fax.id), reason=reason, due=due.isoformat(), tries=fax.tries)

    def fail(self, tx: Tx, fax_id: UUID, when: Iterable[State], reason: str, text: str) -> bool:
        """End a fax as failed, and tell its sender what and why."""
        ended = {"state": State.FAILED, "failure_reason": reason, "failure_text": text, "next_try_at": None}
        if not faxes.change(tx, fax_id, when, held_reason="", **ended):
            return False
        self._end(tx, fax_id, Tale.FAILURE)
        return True

    def expire(self, tx: Tx) -> int:
        """End every fax whose time is up while it waits for a try; return how many. One that the carrier has, or may
        have, is not touched; after a restore that may be any, until the carrier's list has been compared."""
        if said.at(tx, said.RESTORED) is not None:
            return 0
        ended = 0
        for fax in faxes.out_of_time(tx):
            last = attempts.last_of(tx, fax.id)
            if last is None or last.state not in OPEN:
                ended += self.too_late(tx, fax)
        return ended

    def too_late(self, tx: Tx, fax: Fax) -> bool:
        """End a fax that could not be sent in time; what has hindered it last is told."""
        last = telnyx.what(fax.failure_reason) if fax.failure_reason else ""
        text = f"{self._out_of_time()} The last try: {last}." if last else self._out_of_time()
        return self.fail(tx, fax.id, [State.PREPARING, State.QUEUED], telnyx.TOO_LATE, text)

    def _out_of_time(self) -> str:
        return f"It could not be sent within {_spoken(self.policy.deadline)}, and is not tried any more."

    def canceled(self, tx: Tx, fax_id: UUID, when: Iterable[State], *, in_doubt: bool = False) -> bool:
        """End a fax as canceled; *in_doubt* is one that the carrier may have sent."""
        ended = {"state": State.CANCELED, "failure_reason": "canceled", "next_try_at": None, "held_reason": ""}
        if not faxes.change(tx, fax_id, when, failure_text=text.MAYBE_SENT if in_doubt else CANCELED, **ended):
            return False
        self._end(tx, fax_id, Tale.FAILURE, unknown=in_doubt)
        return True

    def _end(self, tx: Tx, fax_id: UUID, tale: Tale, **more: Any) -> None:
        jobs.release(tx, fax_id)
        for kind in (COLLECT, PREPARE, TRANSMIT):
            jobs.drop(tx, kind, fax_id)
        fax = faxes.get(tx, fax_id)
        assert fax is not None
        self._notify.about(tx, fax, tale, fax.notify, **more)
        text.enqueue(tx, fax)
        announce(tx, fax, Happened.DELIVERED if fax.state is State.DELIVERED else Happened.FAILED)
        metrics.faxes_finished.labels("outbound", fax.state.value).inc()
        log.info("finished", fax=str(fax_id), state=fax.state.value, reason=fax.failure_reason, tries=fax.tries)


def _note_contradiction(attempt: Attempt, now: AttemptState) -> None:
    """That a fax has arrived stands, whenever it is said; why something else was, only the carrier can explain."""
    if attempt.state is not now and attempt.state in {AttemptState.DELIVERED, AttemptState.FAILED}:
        ids = {"fax": str(attempt.fax_id), "carrier_fax": attempt.carrier_fax_id}
        log.warning(
            "the carrier contradicts itself: the fax counts as delivered",
            **ids,
            first=attempt.state.value,
            now=now.value,
        )


def _spoken(time: timedelta) -> str:
    """A duration as people say it, in the largest unit that fits."""
    seconds = round(time.total_seconds())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        # Nobody says "1 day" of the usual 24 hours, nor "1.5 days".
        if seconds % length == 0 and (seconds >= 2 * length or unit == "second"):
            return f"{seconds // length} {unit}s" if seconds != length else f"1 {unit}"
    return f"{seconds} seconds"
