"""What the carrier says, from its webhooks or from the poller: recorded first, dispatched as a job."""

from uuid import UUID

from gateway import crashpoint, logs
from gateway.carrier_event import CarrierEvent
from gateway.fax import Direction
from gateway.inbox import Inbox
from gateway.outbox import Settle
from gateway.store import attempts, faxes, jobs
from gateway.store import events as said
from gateway.store.database import Database, Tx, one
from gateway.store.jobs import Job

log = logs.logger(__name__)
EVENT = "event"


class Events:
    """The one way in for the carrier's words."""

    def __init__(self, db: Database, settle: Settle, inbox: Inbox) -> None:
        self._db = db
        self._settle = settle
        self._inbox = inbox

    async def record(self, event: CarrierEvent, source: str) -> bool:
        """Keep an event and its job in one commit; False when the same event was kept before."""

        def unit(tx: Tx) -> bool:
            new = said.record(tx, event, source)
            if new:
                jobs.enqueue(tx, EVENT, event.id, priority=jobs.URGENT)
            return new

        new = await self._db.write(unit)
        crashpoint.reach("event.recorded")
        log.info(
            "carrier says", happened=event.happened.value, carrier_fax=event.carrier_fax_id, source=source, new=new
        )
        return new

    async def dispatch(self, job: Job) -> None:
        """The job ``event``: find what the event is about and apply it. Doing so again changes nothing."""
        row = await one(self._db, said.by_id(job.subject))
        event = None if row is None else said.event_from(row)

        def unit(tx: Tx) -> None:
            if event is not None:
                said.handled(tx, event.id, self._apply(tx, event))
            jobs.finish(tx, job)

        await self._db.write(unit)
        crashpoint.reach("event.dispatched")

    def _apply(self, tx: Tx, event: CarrierEvent) -> UUID | None:
        if event.direction is Direction.INBOUND:
            fax = self._inbox.accept(tx, event)
            return None if fax is None else fax.id
        attempt = attempts.matching(tx, event.client_state, event.carrier_fax_id)
        if attempt is None:
            log.info("an event about a fax that is not ours (yet)", carrier_fax=event.carrier_fax_id)
            return None
        faxes.get(tx, attempt.fax_id, lock=True)
        current = attempts.get(tx, attempt.id)
        if current is not None:
            self._settle.event(tx, current, event)
        return attempt.fax_id
