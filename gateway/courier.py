"""The courier: carries events to the programs of applications, signed, and again until somebody has taken them.

One run of the job is one round: the URL of the fax or its application, and when that does not answer 2xx, the one for
that case. Rounds grow further apart, and end after three days: Telnyx itself tries each URL three times within about a
minute, but a program that is down for a day shall not lose what came meanwhile. Every try is signed anew (the
libraries accept five minutes) and says which one it is and where it went.
"""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gateway import logs, metrics
from gateway.announce import urls_of
from gateway.application import INACTIVE
from gateway.carriers.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, public_key, sign
from gateway.dialects import telnyx
from gateway.fax import Fax, State
from gateway.fetch import Fetcher, FetchError
from gateway.links import Leaf, Links
from gateway.retry import spread
from gateway.store import deliveries, faxes, jobs, provision, secrets
from gateway.store.database import Database, Row, Tx
from gateway.store.deliveries import DELIVERED, FAILED, WAITING, WEBHOOK
from gateway.store.jobs import Job
from gateway.store.schema import applications

__all__ = ["WEBHOOK", "Courier", "signing_key", "with_link"]
log = logs.logger(__name__)
#: Between rounds; the last one repeats.
STEPS = [timedelta(seconds=s) for s in (10, 30, 120, 300, 900, 3600, 3 * 3600, 6 * 3600)]
PATIENCE = timedelta(days=3)
#: How long an answer may take, in seconds, when the application says nothing or 0.
TIMEOUT = 10
#: How long the events of an application that is switched off wait before it is looked at again.
RESTING = timedelta(minutes=10)
_UNRESOLVED, _REFUSED = 75001, 75499


class Courier:
    """The job ``webhook``; its subject is the delivery."""

    def __init__(self, db: Database, fetcher: Fetcher, links: Links) -> None:
        self._db = db
        self._fetcher = fetcher
        self._links = links
        self._seed = b""

    async def deliver(self, job: Job) -> None:
        """Make one round, and plan the next if nobody took the event."""
        row = await deliveries.fetch(self._db, UUID(job.subject))
        if row is None or row["state"] != WAITING:
            await self._db.write(lambda tx: _done(tx, job))
            return
        fax = await faxes.fetch(self._db, row["fax_id"])
        application = await provision.fetch(self._db, applications, row["application_id"])
        if application is not None and not application["active"]:
            await self._db.write(lambda tx: _rest(tx, job))
            return
        urls = urls_of(fax, application) if fax is not None and application is not None else []
        tries = await self._round(job, row, fax, urls, (application or {}).get("webhook_timeout_secs") or TIMEOUT)
        await self._db.write(lambda tx: _settle(tx, job, row, tries))

    async def _round(self, job: Job, row: Row, fax: Fax | None, urls: list[str], timeout: int) -> list[dict[str, Any]]:
        """Try each URL until one takes the event; return the tries, the last one first."""
        data = with_link(dict(row["event"]), fax, await self._links.ready())
        tries: list[dict[str, Any]] = []
        for url in urls:
            job.lease.require()
            made = await self._try(telnyx.webhook_body(data, row["tries"] + len(tries) + 1, url), url, timeout)
            tries.insert(0, made)
            metrics.webhooks_sent.labels(made["status"]).inc()
            if made["status"] == DELIVERED:
                break
        return tries

    async def _try(self, body: dict[str, Any], url: str, timeout: int) -> dict[str, Any]:
        self._seed = self._seed or await secrets.shared(self._db, secrets.WEBHOOKS)
        raw = json.dumps(body).encode()
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "telnyx-webhooks",
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: sign(self._seed, timestamp, raw),
        }
        started, why, status = datetime.now(UTC), "", 0
        try:
            status = await self._fetcher.post(url, raw, headers, timeout)
        except FetchError as error:
            why = str(error)
        return _tried(url, headers, started, status, why)


async def signing_key(db: Database) -> str:
    """Return the public half of the key that signs webhooks: Base64 of 32 bytes."""
    return public_key(await secrets.shared(db, secrets.WEBHOOKS))


def with_link(data: dict[str, Any], fax: Fax | None, links: Links) -> dict[str, Any]:
    """Return ``data`` of an event with a link to the received document that is good from now on."""
    if data["event_type"] != "fax.received" or fax is None or fax.state is not State.RECEIVED:
        return data
    return {**data, "payload": {**data["payload"], "media_url": links.to(fax.id, Leaf.MEDIA)}}


def _tried(url: str, headers: dict[str, str], started: datetime, status: int, why: str) -> dict[str, Any]:
    taken = 200 <= status < 300
    made: dict[str, Any] = {
        "status": DELIVERED if taken else FAILED,
        "started_at": telnyx.write_time(started),
        "finished_at": telnyx.write_time(datetime.now(UTC)),
        "http": {
            "request": {"url": url, "headers": [[name, value] for name, value in headers.items()]},
            "response": {"status": status, "headers": [], "body": ""} if status else None,
        },
    }
    if taken:
        return made
    code = _REFUSED if status else _UNRESOLVED
    return {**made, "errors": [code], "detail": why or f"the receiver answered with status {status}"}


def _settle(tx: Tx, job: Job, row: Row, tries: list[dict[str, Any]]) -> None:
    now = datetime.now(UTC)
    first = row["attempts"][-1]["started_at"] if row["attempts"] else ""
    began = telnyx.read_time(first) if first else now
    taken = bool(tries) and tries[0]["status"] == DELIVERED
    ended = taken or not tries or now - began > PATIENCE
    state = (DELIVERED if taken else FAILED) if ended else WAITING
    deliveries.note(tx, row, tries, state)
    if ended:
        _done(tx, job)
    else:
        jobs.again(tx, job, now + spread(STEPS[min(job.tries, len(STEPS) - 1)]), str(tries[0].get("detail", "")))
        jobs.release(tx, job.subject)
    say = log.info if taken else log.warning
    say("webhook", told=row["event_type"], fax=str(row["fax_id"]), state=state, tries=row["tries"] + len(tries))


def _rest(tx: Tx, job: Job) -> None:
    jobs.again(tx, job, datetime.now(UTC) + RESTING, INACTIVE)
    jobs.release(tx, job.subject)


def _done(tx: Tx, job: Job) -> None:
    jobs.finish(tx, job)
    jobs.release(tx, job.subject)
