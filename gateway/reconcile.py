"""The poller: asks the carrier for what its webhooks did not tell, and, where none can reach us, for everything.

What it finds becomes the same events as webhooks bring, under ids of its own that are the same each time.
"""

from datetime import UTC, datetime, timedelta

from gateway import logs, metrics
from gateway.carrier_event import CarrierEvent, CarrierFax, Happened
from gateway.carriers.carrier import Carrier, CarrierError
from gateway.events import Events
from gateway.fax import Direction
from gateway.store import attempts, faxes
from gateway.store import events as said
from gateway.store.database import Database

log = logs.logger(__name__)
INBOUND = "inbound"
#: How far before the last look the list is read again: lists lag, clocks differ, faxes take their time.
OVERLAP = timedelta(hours=1)
#: How far back the very first look goes.
FIRST = timedelta(hours=24)
#: Received faxes under way that are asked about one by one.
AT_ONCE = 200
#: Statuses of answers that say nothing about the carrier as a whole.
_ABOUT_THIS_FAX = {200, 400, 404, 410, 422}
_BEGINNING = {Happened.QUEUED, Happened.MEDIA_PROCESSED}


class Reconcile:
    """``poll`` is called in a rhythm; it may also be run by hand."""

    def __init__(self, db: Database, carrier: Carrier, events: Events) -> None:
        self._db = db
        self._carrier = carrier
        self._events = events

    async def poll(self) -> int:
        """Look once at everything under way and at what has come in; return how many statements were new."""
        news = 0
        for look in (self._outbound, self._receiving, self._inbound):
            try:
                news += await look()
            except CarrierError as error:
                log.warning("the carrier cannot be asked", why=str(error))
        if news:
            metrics.poll_recovered.inc(news)
        return news

    async def _outbound(self) -> int:
        return sum([await self._ask(attempt.carrier_fax_id) for attempt in await attempts.open_ones(self._db)])

    async def _receiving(self) -> int:
        """The list tells when a fax began: one that takes long has left it before it is received."""
        under_way = await faxes.under_way(self._db, Direction.INBOUND, AT_ONCE)
        return sum([await self._ask(fax.carrier_fax_id) for fax in under_way])

    async def _ask(self, carrier_fax_id: str) -> bool:
        """Ask about one fax. One that the carrier cannot show does not keep the others from being asked about."""
        try:
            listed = await self._carrier.fax(carrier_fax_id)
        except CarrierError as error:
            if error.status not in _ABOUT_THIS_FAX:
                raise
            log.warning("the carrier cannot show a fax", carrier_fax=carrier_fax_id, why=str(error))
            return False
        return listed is not None and listed.status not in _BEGINNING and await self._tell(listed)

    async def _inbound(self) -> int:
        """How far the list was read is noted by the carrier's clock: ours may be wrong for a while."""
        news, newest, now = 0, None, datetime.now(UTC)
        seen = await said.watermark(self._db, INBOUND)
        since = (min(seen, now) if seen else now - FIRST) - OVERLAP
        async for listed in self._carrier.faxes(Direction.INBOUND, since):
            news += await self._tell(listed)
            newest = max(newest or listed.created_at, listed.created_at)
        if newest is not None:
            at = min(newest, now)
            await self._db.write(lambda tx: said.set_watermark(tx, INBOUND, at))
        return news

    async def _tell(self, listed: CarrierFax) -> bool:
        event = event_of(listed)
        if await self._db.rows(said.by_id(event.id).limit(1)):
            return False
        if await self._db.rows(said.same_statement(listed.id, listed.status).limit(1)):
            return False
        return await self._events.record(event, "poll")


def event_of(listed: CarrierFax) -> CarrierEvent:
    """Return the statement that a listed fax makes. The list does not tell pages or duration."""
    return CarrierEvent(
        id=f"poll:{listed.id}:{listed.status.value}",
        happened=listed.status,
        direction=listed.direction,
        carrier_fax_id=listed.id,
        occurred_at=listed.updated_at,
        connection_id=listed.connection_id,
        client_state=listed.client_state,
        from_number=listed.from_number,
        to_number=listed.to_number,
        media_url=listed.media_url,
        failure_reason=listed.failure_reason,
    )
