"""Webhooks: signed, posted, tried again, and kept on record (telnyx.com, "Receiving webhooks").

Each event goes to the first URL and then to the failover URL, several times each; any 2xx ends it. A try is signed
anew, with its own time. Nothing waits for anything: events may overtake each other, as they do in life.
"""

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp

from gateway.carriers.emulator.faxes import EmulatedFax, payload
from gateway.carriers.emulator.numbers import behaviour
from gateway.carriers.emulator.settings import EmulatorSettings, Faults
from gateway.carriers.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from gateway.dialects.telnyx import EVENT_NAMES, STATUSES, write_time
from gateway.fax import Direction

_CONTENT = {"Content-Type": "application/json", "User-Agent": "telnyx-webhooks"}
#: Codes of delivery errors: the receiver did not answer, or not with 2xx.
_NO_ANSWER, _NOT_OK = {"code": "75001"}, {"code": "75499"}


@dataclass(slots=True)
class Delivery:
    """One event on its way; ``attempts`` holds the newest first."""

    event: dict[str, Any]
    user_id: str
    id: str = field(default_factory=lambda: str(uuid4()))
    status: str = "pending"
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    attempts: list[dict[str, Any]] = field(default_factory=list)

    def finish(self, status: str) -> None:
        """End with ``delivered`` or ``failed``."""
        self.status = status
        self.finished_at = datetime.now(UTC)

    def as_object(self) -> dict[str, Any]:
        """Return Telnyx's webhook_delivery."""
        return {
            "id": self.id,
            "record_type": "webhook_delivery",
            "status": self.status,
            "user_id": self.user_id,
            "started_at": write_time(self.started_at),
            "finished_at": write_time(self.finished_at) if self.finished_at else None,
            "webhook": self.event,
            "attempts": self.attempts,
        }


class Webhooks:
    """Tells each connection what becomes of its faxes."""

    def __init__(self, settings: EmulatorSettings, faults: Faults) -> None:
        self._settings = settings
        self._faults = faults
        self.deliveries: list[Delivery] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self._kept: dict[str, list[dict[str, Any]]] = {}
        self._session: aiohttp.ClientSession | None = None

    def tell(self, fax: EmulatedFax) -> None:
        """Send the event of the fax's present status, in the background."""
        urls = self._urls(fax)
        tellings = behaviour(fax.to_number).tellings if fax.direction is Direction.OUTBOUND else 1
        if not urls or not tellings or self._faults.drop_webhooks:
            return
        event = self._event(fax)
        if tellings == 1 and not self._faults.shuffle_webhooks:
            self._start(self._deliver([event], urls))
            return
        kept = self._kept.setdefault(fax.id, [])
        kept += [event] * tellings
        if fax.final:
            random.shuffle(kept)
            self._start(self._deliver(self._kept.pop(fax.id), urls))

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _urls(self, fax: EmulatedFax) -> list[str]:
        connection = self._settings.connection(fax.connection_id)
        usual = (connection.webhook_url, connection.failover_url) if connection else ("", "")
        return [url for url in (fax.webhook_url or usual[0], usual[1]) if url]

    def _event(self, fax: EmulatedFax) -> dict[str, Any]:
        return {
            "record_type": "event",
            "event_type": EVENT_NAMES[STATUSES[fax.status]],
            "id": str(uuid4()),
            "occurred_at": write_time(fax.updated_at),
            "payload": payload(fax, self._settings.user_id),
        }

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _deliver(self, events: list[dict[str, Any]], urls: list[str]) -> None:
        for event in events:
            delivery = Delivery(event, self._settings.user_id)
            self.deliveries.append(delivery)
            delivery.finish("delivered" if await self._try_all(delivery, urls) else "failed")

    async def _try_all(self, delivery: Delivery, urls: list[str]) -> bool:
        tries = [url for url in urls for _ in range(self._settings.webhook_tries)]
        for number, url in enumerate(tries):
            if number:
                await asyncio.sleep(self._settings.webhook_backoff * 2 ** (number - 1))
            if await self._try(delivery, url, number + 1):
                return True
        return False

    async def _try(self, delivery: Delivery, url: str, attempt: int) -> bool:
        body = {"data": delivery.event, "meta": {"attempt": attempt, "delivered_to": url}}
        raw = json.dumps(body, indent=2).encode()
        now = str(int(time.time()))
        headers = {SIGNATURE_HEADER: sign(self._settings.signing_seed, now, raw), TIMESTAMP_HEADER: now}
        started = datetime.now(UTC)
        status = await self._post(url, raw, headers | _CONTENT)
        good = 200 <= status < 300
        delivery.attempts.insert(
            0,
            {
                "status": "delivered" if good else "failed",
                "started_at": write_time(started),
                "finished_at": write_time(datetime.now(UTC)),
                "errors": [] if good else [_NOT_OK if status else _NO_ANSWER],
                "http": {"request": {"url": url, "headers": headers}, "response": {"status": status}},
            },
        )
        return good

    async def _post(self, url: str, raw: bytes, headers: dict[str, str]) -> int:
        """Return the HTTP status, 0 when there was no answer."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._settings.webhook_timeout),
                connector=aiohttp.TCPConnector(force_close=True),
            )
        try:
            async with self._session.post(url, data=raw, headers=headers, allow_redirects=False) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return 0
