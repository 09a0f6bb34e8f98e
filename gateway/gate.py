"""The gate before a carrier: nothing goes through while it is down, asks for a pause, or has had enough for a second.

A gate is a carrier itself, and stands before the real one. Failures in a row close it for a while, the longer the
oftener; then one call is let through, and only when that is answered all others follow. What is turned away waits: it
has not been tried, and nothing fails by it. Every node sees the same gate, for its state is a row of the database.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from gateway import logs, metrics
from gateway.carrier_event import CarrierEvent, CarrierFax
from gateway.carriers.carrier import Carrier, CarrierError, HandingOver, Order, Rejected, Throttled, Unknown
from gateway.fax import Direction
from gateway.store import carriers
from gateway.store.carriers import Breaker
from gateway.store.database import Database, Row, one

log = logs.logger(__name__)
T = TypeVar("T")
#: As long as a call to the carrier may take: then another one may try whether it is back.
PROBE_LASTS = timedelta(seconds=120)
#: How soon those look again who were not the one that tries.
LOOK_AGAIN = timedelta(seconds=5)
#: The answer of a carrier that wants to be asked less.
TOO_MANY = 429
#: What the metric shows.
PASSING, TRYING, RESTING = 0, 1, 2


class Gate:
    """See ``Carrier`` for what the methods promise. *per_second* hand-overs begin, over all nodes (0: any number). A
    call to the carrier takes less than *probe_lasts*."""

    def __init__(
        self,
        db: Database,
        carrier: Carrier,
        rules: Breaker,
        per_second: float = 0,
        probe_lasts: timedelta = PROBE_LASTS,
    ) -> None:
        self.name = carrier.name
        self._db = db
        self._carrier = carrier
        self._rules = rules
        self._probe_lasts = probe_lasts
        self._distance = timedelta(seconds=1 / per_second) if per_second else None

    async def rest(self) -> datetime | None:
        """Return until when nothing may be handed over, or None, after waiting for its turn."""
        row = await one(self._db, carriers.state(self.name))
        if row is not None:
            now = datetime.now(UTC)
            if row["pause_until"] is not None and row["pause_until"] > now:
                paused: datetime = row["pause_until"]
                return paused
            closed_until = await self._closed(row)
            if closed_until is not None:
                return closed_until
        if self._distance is not None:
            distance = self._distance
            at = await self._db.write(lambda tx: carriers.reserve(tx, self.name, distance))
            await asyncio.sleep((at - datetime.now(UTC)).total_seconds())
        return None

    async def hand_over(self, order: Order) -> HandingOver:
        """Hand over, and learn from the answer. ``rest`` was asked before."""
        answer = await self._carrier.hand_over(order)
        if isinstance(answer, Throttled):
            await self._throttled(answer.wait)
            return answer
        failed = isinstance(answer, Unknown) or (isinstance(answer, Rejected) and answer.passing)
        await self._learn(well=not failed, answer=answer.detail if isinstance(answer, Unknown | Rejected) else "")
        return answer

    async def faxes(
        self, direction: Direction, since: datetime, to: str = "", from_: str = ""
    ) -> AsyncIterator[CarrierFax]:
        """See ``Carrier``."""
        await self._admit()
        try:
            async for fax in self._carrier.faxes(direction, since, to, from_):
                yield fax
        except CarrierError as error:
            await self._learn_of(error)
            raise
        await self._learn(well=True)

    async def fax(self, carrier_fax_id: str) -> CarrierFax | None:
        """See ``Carrier``."""
        return await self._through(lambda: self._carrier.fax(carrier_fax_id))

    async def cancel(self, carrier_fax_id: str) -> bool:
        """See ``Carrier``."""
        return await self._through(lambda: self._carrier.cancel(carrier_fax_id))

    async def refresh(self, carrier_fax_id: str) -> None:
        """See ``Carrier``."""
        await self._through(lambda: self._carrier.refresh(carrier_fax_id))

    async def upload(self, name: str, content: bytes, media_type: str) -> None:
        """See ``Carrier``."""
        await self._through(lambda: self._carrier.upload(name, content, media_type))

    async def text(self, from_number: str, to_number: str, words: str) -> None:
        """See ``Carrier``."""
        await self._through(lambda: self._carrier.text(from_number, to_number, words))

    async def remove(self, name: str) -> None:
        """See ``Carrier``."""
        await self._through(lambda: self._carrier.remove(name))

    async def forget(self, carrier_fax_id: str) -> None:
        """See ``Carrier``."""
        await self._through(lambda: self._carrier.forget(carrier_fax_id))

    async def check(self) -> str:
        """See ``Carrier``; somebody who asks is always answered."""
        return await self._carrier.check()

    def event(self, raw: bytes) -> CarrierEvent:
        """See ``Carrier``."""
        return self._carrier.event(raw)

    async def close(self) -> None:
        """See ``Carrier``."""
        await self._carrier.close()

    # -- the breaker ---------------------------------------------------------------------------------------------------

    async def _closed(self, row: Row) -> datetime | None:
        """Return until when the gate is closed; None when it is open, or when the caller is the one that tries."""
        until: datetime | None = row["open_until"]
        if until is None:
            return None
        if until > (now := datetime.now(UTC)):
            return until
        mine = await self._db.write(lambda tx: carriers.probe(tx, self.name, self._probe_lasts))
        return None if mine else now + LOOK_AGAIN

    async def _admit(self) -> None:
        row = await one(self._db, carriers.state(self.name))
        until = None if row is None else await self._closed(row)
        if until is not None:
            message = f"the carrier does not answer and is asked again at {until:%H:%M:%S} UTC"
            raise CarrierError(message, until=until)

    async def _through(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._admit()
        try:
            answer = await call()
        except CarrierError as error:
            await self._learn_of(error)
            raise
        await self._learn(well=True)
        return answer

    async def _learn_of(self, error: CarrierError) -> None:
        if error.status == TOO_MANY:
            await self._throttled(timedelta())
        else:
            await self._learn(well=_alive(error), answer=str(error))

    async def _throttled(self, wait: timedelta) -> None:
        longest = self._rules.longest
        await self._db.write(lambda tx: carriers.throttled(tx, self.name, wait, longest))
        metrics.carrier_gate.set(PASSING)

    async def _learn(self, *, well: bool, answer: str = "") -> None:
        if not well:
            until = await self._db.write(lambda tx: carriers.failed(tx, self.name, self._rules, answer))
            if until is not None:
                metrics.carrier_gate.set(RESTING)
                log.warning("the carrier does not answer: it has a rest", carrier=self.name, until=until.isoformat())
            return
        row = await one(self._db, carriers.state(self.name))
        if row is None or row["failing_since"] is None:
            return
        if await self._db.write(lambda tx: carriers.answered(tx, self.name)):
            metrics.carrier_gate.set(PASSING)
            log.info("the carrier answers again", carrier=self.name)


async def measure(db: Database, name: str) -> None:
    """Show how the gate before the carrier *name* is."""
    row = await one(db, carriers.state(name))
    until = None if row is None else row["open_until"]
    metrics.carrier_gate.set(PASSING if until is None else RESTING if until > datetime.now(UTC) else TRYING)


def _alive(error: CarrierError) -> bool:
    """Whether the carrier itself has answered, though not as wished."""
    return 0 < error.status < 500
