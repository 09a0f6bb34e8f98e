"""The carrier's webhooks: verified over the raw bytes, stored with their job, and only then answered 200.

A refused webhook leaves nothing behind. When the database does not answer, the carrier is told to come again (503);
and what it never brings again, the poller finds.
"""

import time
from collections.abc import Sequence

from aiohttp import web

from gateway import logs, metrics
from gateway.carrier_event import CarrierEvent
from gateway.carriers.carrier import Carrier
from gateway.carriers.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, Signature, verify
from gateway.events import Events
from gateway.web.body import read_body
from gateway.web.errors import Fault, or_come_again

log = logs.logger(__name__)
PATH = "/webhooks/telnyx"
MAX_BYTES = 262_144
#: How long the database may take, in seconds; the carrier itself has less patience.
PATIENCE = 8.0
#: No id of the carrier is longer; one that is would not fit its column.
MAX_ID = 64
#: What the metrics call a refusal, by its status.
_REFUSALS = {401: "forged", 403: "stale", 503: "failed"}


class Webhooks:
    """*public_keys* are Base64 of 32 bytes each: several while the carrier's key changes; none: nothing is valid."""

    def __init__(self, events: Events, carrier: Carrier, public_keys: Sequence[str]) -> None:
        self._events = events
        self._carrier = carrier
        self._public_keys = list(public_keys)

    def routes(self) -> list[web.RouteDef]:
        """What is served here."""
        return [web.post(PATH, self.take)]

    async def take(self, request: web.Request) -> web.Response:
        """Take one webhook: 401 not signed by the carrier, 403 signed at another time, 400 no event, 200 kept."""
        try:
            result = await self._taken(request)
        except Fault as fault:
            result = _REFUSALS.get(fault.status, "malformed")
            metrics.webhooks.labels(result).inc()
            log.info("webhook refused", why=result)
            raise
        metrics.webhooks.labels(result).inc()
        return web.json_response({})

    async def _taken(self, request: web.Request) -> str:
        raw = await read_body(request, MAX_BYTES)
        self._verify(request, raw)
        new = await or_come_again(self._events.record(self._event(raw), "webhook"), PATIENCE)
        return "stored" if new else "repeated"

    def _verify(self, request: web.Request, raw: bytes) -> None:
        signature = request.headers.get(SIGNATURE_HEADER, "")
        timestamp = request.headers.get(TIMESTAMP_HEADER, "")
        now = time.time()
        found = {verify(key, signature, timestamp, raw, now) for key in self._public_keys}
        if Signature.VALID in found:
            return
        if Signature.STALE in found:
            raise Fault(403, "the signature is valid, but its timestamp is not within five minutes of now")
        raise Fault(401, "the webhook is not signed with the carrier's key")

    def _event(self, raw: bytes) -> CarrierEvent:
        try:
            event = self._carrier.event(raw)
        except ValueError as error:
            raise Fault(400, "the webhook is signed, but it is no event of a fax") from error
        if len(event.id) > MAX_ID or len(event.carrier_fax_id) > MAX_ID:
            raise Fault(400, f"an id in the event is longer than {MAX_ID} characters")
        return event
