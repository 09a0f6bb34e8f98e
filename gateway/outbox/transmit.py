"""Handing a fax to the carrier: the one step that must happen never twice.

The carrier has no idempotency key. So the attempt, with its unique client_state and its revocable handle to the
document, is committed before the one request; and what the request's outcome leaves open is settled by evidence alone
(``resolve``), never by a second request.
"""

import asyncio
import secrets
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from uuid import UUID

from gateway import crashpoint, logs, metrics
from gateway.application import INACTIVE
from gateway.attempt import OPEN, Attempt, AttemptState, Handle, client_state
from gateway.carriers.carrier import Accepted, Carrier, CarrierError, HandingOver, Order, Rejected, Throttled, Unknown
from gateway.dialects import telnyx
from gateway.document import MediaType
from gateway.errors import Reason, Refusal
from gateway.fax import Fax, State
from gateway.ids import new_id, new_token
from gateway.limits import Limits
from gateway.notify import Notify
from gateway.outbox.document import AttemptDocument, Documents
from gateway.outbox.policy import CANCEL, RESOLVE, TRANSMIT, WITHDRAW, Policy, withdraw
from gateway.outbox.settle import LIVE, Settle
from gateway.retry import spread
from gateway.sandbox import Sandbox
from gateway.store import attempts, faxes, jobs, provision
from gateway.store import events as said
from gateway.store.blobs import Blobs
from gateway.store.database import Database, Tx
from gateway.store.events import RESTORED
from gateway.store.jobs import Job
from gateway.store.lease import clock
from gateway.store.schema import applications

__all__ = ["CANCEL", "TRANSMIT", "WITHDRAW", "Transmit"]
log = logs.logger(__name__)
#: How long a fax waits for the comparison with the carrier that follows a restore.
LOOK_AGAIN = timedelta(seconds=5)
#: How long a fax waits before its application is looked at again, which somebody has switched off.
SWITCHED_OFF = timedelta(minutes=10)
_COMPARING = "the gateway was restored from a backup; nothing is sent before the carrier's list has been compared"
#: How long to wait when the carrier cannot be reached, by how often that has happened; the last one repeats.
UNREACHABLE_STEPS = [timedelta(seconds=s) for s in (10, 30, 60, 120, 300, 600)]


class Transmit:
    """The jobs ``transmit`` and ``cancel``; their subject is the fax."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        sandbox: Sandbox,
        carrier: Carrier,
        limits: Limits,
        settle: Settle,
        notify: Notify,
        policy: Policy,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._documents = Documents(db, blobs, sandbox, header=policy.header)
        self._carrier = carrier
        self._limits = limits
        self._settle = settle
        self._notify = notify
        self._policy = policy

    async def run(self, job: Job) -> None:
        """Make one attempt: commit it with its document, ask the carrier once, commit the answer."""
        if await said.watermark(self._db, RESTORED) is not None:
            await self._db.write(lambda tx: jobs.again(tx, job, datetime.now(UTC) + LOOK_AGAIN, _COMPARING))
            return
        until = await self._carrier.rest()
        if until is not None:
            await self._db.write(lambda tx: self._rest(tx, job, until, "the carrier has a rest"))
            return
        if await self._switched_off(UUID(job.subject)):
            await self._db.write(lambda tx: self._put_off(tx, job))
            return
        with ExitStack() as files:
            try:
                document = await self._document(UUID(job.subject), files)
            except Refusal as refusal:
                if refusal.reason.temporary:
                    raise
                reason = refusal.reason
                await self._db.write(lambda tx: self._without_document(tx, job, reason))
                return
            crashpoint.reach("transmit.stamped")
            started = clock()
            seals = [*document.seals, lambda: crashpoint.reach("transmit.sealed")]
            found = await self._db.write(lambda tx: self._intend(tx, job, document), before=seals)
        if found is None:
            await asyncio.to_thread(self._documents.drop, document)
            return
        fax, attempt, order = found
        crashpoint.reach("transmit.intended")
        answer = await self._ask(job, started, attempt, order)
        crashpoint.reach("transmit.answered")
        await self._db.write(lambda tx: self._commit(tx, job, fax, attempt, answer))
        crashpoint.reach("transmit.committed")

    async def cancel(self, job: Job) -> None:
        """Ask the carrier to stop a fax; what it says of it comes as an event."""
        tried = await attempts.of_fax(self._db, UUID(job.subject))
        if tried and tried[-1].state is AttemptState.ACCEPTED:
            stopped = await self._carrier.cancel(tried[-1].carrier_fax_id)
            log.info("cancel asked for", fax=job.subject, in_time=stopped)
        await self._db.write(lambda tx: jobs.finish(tx, job))

    async def withdraw(self, job: Job) -> None:
        """Delete what was uploaded to the carrier for an attempt that has ended; its subject is the attempt."""
        attempt = await attempts.fetch(self._db, UUID(job.subject))
        if attempt is not None:
            await self._carrier.remove(attempt.handle)
        await self._db.write(lambda tx: jobs.finish(tx, job))

    # -- before the request --------------------------------------------------------------------------------------------

    async def _document(self, fax_id: UUID, files: ExitStack) -> AttemptDocument:
        """Make the document of the next attempt; an empty one where no attempt will follow."""
        fax = await faxes.fetch(self._db, fax_id)
        tried = await attempts.of_fax(self._db, fax_id)
        if fax is None or fax.state is not State.QUEUED or (tried and tried[-1].state in OPEN):
            return AttemptDocument("")
        self._limits.check(fax.to_number)  # for the last time: the settings may have changed since it was queued
        return await self._documents.make(fax, files)

    async def _switched_off(self, fax_id: UUID) -> bool:
        """Whether the application of a fax may not send (any more)."""
        fax = await faxes.fetch(self._db, fax_id)
        if fax is None or fax.application_id is None:
            return False
        application = await provision.fetch(self._db, applications, fax.application_id)
        return application is not None and not application["active"]

    def _put_off(self, tx: Tx, job: Job) -> None:
        if self._rest(tx, job, datetime.now(UTC) + SWITCHED_OFF, INACTIVE):
            jobs.release(tx, job.subject)  # others may call the number meanwhile

    def _rest(self, tx: Tx, job: Job, until: datetime, why: str) -> bool:
        """Nothing is sent before *until*, and that is nobody's try. Returns whether there is something to send."""
        found = self._waiting(tx, job)
        if found is None:
            return False
        due = until + spread(timedelta(seconds=1))
        faxes.change(tx, found[0].id, [State.QUEUED], next_try_at=due)
        jobs.again(tx, job, due, why)
        return True

    def _without_document(self, tx: Tx, job: Job, reason: Reason) -> None:
        """The document cannot be made, or may not be sent, and no later try will change that."""
        found = self._waiting(tx, job)
        if found is not None:
            jobs.finish(tx, job)
            self._settle.fail(tx, found[0].id, [State.QUEUED], reason.kind.value, reason.sentence)

    def _intend(self, tx: Tx, job: Job, document: AttemptDocument) -> tuple[Fax, Attempt, Order] | None:
        """Commit to an attempt, or find that there is nothing to send any more."""
        found = self._waiting(tx, job)
        if found is None:
            return None
        fax, tries = found
        if not document.blob:  # it was queued anew a moment ago, with a job of its own
            jobs.finish(tx, job)
            return None
        if jobs.rekey(tx, job, self._policy.lines(tx, fax)):  # its channels were limited, or freed, while it waited
            return None
        attempt = self._new_attempt(fax, document, tries + 1)
        attempts.insert(tx, attempt)
        faxes.change(tx, fax.id, [State.QUEUED], tries=fax.tries + 1, next_try_at=None)
        return fax, attempt, self._order(tx, fax, attempt)

    def _waiting(self, tx: Tx, job: Job) -> tuple[Fax, int] | None:
        """Return the fax of *job*, locked, and how many attempts it has had; None, and the job is finished, when it
        does not wait for another."""
        jobs.owned(tx, job)
        fax = faxes.get(tx, UUID(job.subject), lock=True)
        if fax is None or fax.state is not State.QUEUED:
            jobs.finish(tx, job)
            return None
        last = attempts.last_of(tx, fax.id)
        if last is not None and last.state in OPEN:
            self._left_open(tx, job, last)
            return None
        if fax.deadline_at is not None and fax.deadline_at <= datetime.now(UTC):
            jobs.finish(tx, job)
            self._settle.too_late(tx, fax)
            return None
        return fax, 0 if last is None else last.ordinal

    def _left_open(self, tx: Tx, job: Job, last: Attempt) -> None:
        """An earlier run of this job ended between its commit and the answer: nobody knows what the carrier has."""
        jobs.finish(tx, job)
        if last.state is AttemptState.INTENT:
            self._unknown(tx, last, "the gateway was interrupted while it handed the fax over")

    def _new_attempt(self, fax: Fax, document: AttemptDocument, ordinal: int) -> Attempt:
        identity = new_id()
        kind = self._policy.handle_kind
        return Attempt(
            id=identity,
            fax_id=fax.id,
            ordinal=ordinal,
            state=AttemptState.INTENT,
            client_state=client_state(identity, fax.id),
            handle_kind=kind,
            handle=new_token() if kind is Handle.TOKEN else f"faxgate-{secrets.token_hex(16)}.pdf",
            document_blob=document.blob,
            preview_blob=document.preview,
            intent_at=datetime.now(UTC),
        )

    def _order(self, tx: Tx, fax: Fax, attempt: Attempt) -> Order:
        row = provision.look(tx, applications, fax.application_id)
        upstream = row["upstream_connection_id"] if row else ""
        by_url = attempt.handle_kind is Handle.TOKEN
        return Order(
            connection_id=upstream or self._policy.connection_id,
            to_number=fax.to_number,
            from_number=fax.from_number,
            client_state=attempt.client_state,
            handle_kind=attempt.handle_kind,
            handle=self._policy.document_url(attempt.handle) if by_url else attempt.handle,
            from_name=fax.from_name,
            quality=fax.quality,
            t38=fax.t38,
            monochrome=fax.monochrome,
        )

    async def _ask(self, job: Job, started: float, attempt: Attempt, order: Order) -> HandingOver:
        if order.handle_kind is Handle.MEDIA:
            refused = await self._upload(attempt, order)
            if refused is not None:
                return refused
            crashpoint.reach("transmit.uploaded")
            # It may have taken longer than a lease: what counts is that the fax is ours now.
            started = clock()
            await self._db.write(lambda tx: jobs.owned(tx, job))
        if clock() - started > self._policy.lease.total_seconds() / 2:
            return Rejected(
                "lease_short", "the worker was too slow to be sure that it still owns the fax", passing=True
            )
        crashpoint.reach("transmit.asking")
        return await self._carrier.hand_over(order)

    async def _upload(self, attempt: Attempt, order: Order) -> Rejected | None:
        """Put the document into the carrier's storage; return why it is not there."""
        try:
            content = await self._blobs.read(attempt.document_blob)
            await self._carrier.upload(order.handle, content, MediaType.PDF.value)
        except CarrierError as error:
            return Rejected(telnyx.UNREACHABLE, str(error), passing=True)
        except Refusal as refusal:
            return Rejected(refusal.reason.kind.value, refusal.reason.sentence, passing=refusal.reason.temporary)
        return None

    # -- after the answer ----------------------------------------------------------------------------------------------

    def _commit(self, tx: Tx, job: Job, fax: Fax, attempt: Attempt, answer: HandingOver) -> None:
        jobs.finish(tx, job)
        faxes.get(tx, fax.id, lock=True)
        if isinstance(answer, Accepted):
            self._settle.accepted(tx, attempt, answer.carrier_fax_id)
        elif isinstance(answer, Unknown):
            self._unknown(tx, attempt, answer.detail)
        elif self._settle.cancel_asked(tx, fax.id):
            self._stopped(tx, attempt)
        elif isinstance(answer, Throttled):
            self._later(tx, fax, attempt, "throttled", answer.wait)
        else:
            self._rejected(tx, fax, attempt, answer)

    def _stopped(self, tx: Tx, attempt: Attempt) -> None:
        """The carrier does not have it, and it was canceled meanwhile."""
        if attempts.change(tx, attempt.id, [AttemptState.INTENT], state=AttemptState.REJECTED):
            withdraw(tx, attempt)
            self._settle.canceled(tx, attempt.fax_id, LIVE)

    def _rejected(self, tx: Tx, fax: Fax, attempt: Attempt, answer: Rejected) -> None:
        if answer.failure_reason == telnyx.UNAUTHENTICATED:
            # Our key, not this fax, is what the carrier refuses: it waits until the operator has mended that.
            self._notify.operator(tx, fax, f"The carrier does not take our API key: {answer.detail}", "faxgate check")
        if answer.passing or answer.failure_reason == telnyx.UNAUTHENTICATED:
            past = max(0, attempt.ordinal - fax.tries - 1)
            self._later(
                tx, fax, attempt, answer.failure_reason, UNREACHABLE_STEPS[min(past, len(UNREACHABLE_STEPS) - 1)]
            )
            return
        if not attempts.change(
            tx, attempt.id, [AttemptState.INTENT], state=AttemptState.REJECTED, failure_reason=answer.failure_reason
        ):
            return
        metrics.attempts.labels("rejected").inc()
        withdraw(tx, attempt)
        self._settle.fail(tx, fax.id, LIVE, answer.failure_reason, _refused(answer))

    def _later(self, tx: Tx, fax: Fax, attempt: Attempt, reason: str, wait: timedelta) -> None:
        """The carrier certainly does not have it, and not because of this fax: try later, and count no try."""
        values = {"state": AttemptState.REJECTED, "failure_reason": reason}
        if not attempts.change(tx, attempt.id, [AttemptState.INTENT], **values):
            return
        metrics.attempts.labels(reason).inc()
        withdraw(tx, attempt)
        due = datetime.now(UTC) + spread(wait)
        jobs.release(tx, fax.id)
        if faxes.change(tx, fax.id, [State.QUEUED], tries=fax.tries, next_try_at=due):
            jobs.enqueue(tx, TRANSMIT, fax.id, due=due, keys=self._policy.lines(tx, fax))
        log.warning("not handed over", fax=str(fax.id), reason=reason, due=due.isoformat())

    def _unknown(self, tx: Tx, attempt: Attempt, detail: str) -> None:
        now = datetime.now(UTC)
        values = {"state": AttemptState.UNKNOWN, "unknown_at": now, "failure_reason": detail}
        if not attempts.change(tx, attempt.id, [AttemptState.INTENT], **values):
            return
        metrics.attempts.labels("unknown").inc()
        jobs.enqueue(tx, RESOLVE, attempt.id, due=now + self._policy.settle_delay, priority=jobs.URGENT)
        log.warning("outcome unknown", fax=str(attempt.fax_id), attempt=str(attempt.id), why=detail)


def _refused(answer: Rejected) -> str:
    by_carrier = answer.failure_reason == telnyx.REJECTED
    return f"The carrier refused the fax: {answer.detail}" if by_carrier else answer.detail
