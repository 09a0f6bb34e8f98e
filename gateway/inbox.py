"""A fax in: seen coming, fetched while its link lives, and mailed on until somebody has taken it."""

import os
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gateway import crashpoint, logs, metrics
from gateway.announce import announce
from gateway.application import INACTIVE
from gateway.carrier_event import CarrierEvent, Happened
from gateway.carriers.carrier import Carrier, CarrierError
from gateway.dialects import telnyx
from gateway.document import MAX_BYTES, Inspection, MediaType
from gateway.errors import Kind, Refusal, refuse
from gateway.fax import RANK, Direction, Fax, Origin, State
from gateway.fetch import Fetcher, FetchError
from gateway.ids import new_id
from gateway.notify import Notify, distinct
from gateway.retry import spread
from gateway.sandbox import Sandbox
from gateway.store import events, faxes, jobs, provision
from gateway.store.blobs import Blobs, Spool
from gateway.store.database import Database, Tx, lock_keys
from gateway.store.jobs import Job
from gateway.store.schema import applications, faxboxes
from gateway.telling import Tale

log = logs.logger(__name__)
RETRIEVE, FORWARD = "retrieve", "forward"
_WAYS = {
    Happened.RECEIVING: State.RECEIVING,
    Happened.PROCESSING: State.PROCESSING,
    Happened.RECEIVED: State.PROCESSING,
}
_NO_FAILURE = {"failure_reason": "", "failure_text": "", "finished_at": None}
UNDER_WAY = [State.RECEIVING, State.PROCESSING]
#: Between tries to fetch a document; the last one repeats. The carrier keeps it far longer than its link lives.
STEPS = [timedelta(seconds=s) for s in (2, 5, 15, 60, 300, 1800)]
TELL_AFTER = 5
RESTING = timedelta(minutes=10)


class Inbox:
    """``accept`` works inside units; ``retrieve`` and ``forward`` are jobs whose subject is the fax."""

    def __init__(
        self, db: Database, blobs: Blobs, carrier: Carrier, fetcher: Fetcher, sandbox: Sandbox, notify: Notify
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._carrier = carrier
        self._fetcher = fetcher
        self._sandbox = sandbox
        self._notify = notify

    # -- inside units --------------------------------------------------------------------------------------------------

    def accept(self, tx: Tx, event: CarrierEvent) -> Fax | None:
        """Apply what the carrier says of a received fax; make the fax when it is the first word of it."""
        if event.happened is not Happened.FAILED and event.happened not in _WAYS:
            return faxes.inbound_of(tx, event.carrier_fax_id)
        lock_keys(tx, [f"inbound:{event.carrier_fax_id}"])
        fax = faxes.inbound_of(tx, event.carrier_fax_id) or self._new(tx, event)
        if event.happened is Happened.FAILED:
            self._failed(tx, fax, event)
            return fax
        target = _WAYS[event.happened]
        earlier = [state for state in UNDER_WAY if RANK[state] < RANK[target]]
        if faxes.change(tx, fax.id, earlier, state=target):
            announce(tx, faxes.get(tx, fax.id), Happened.PROCESSING)
        if event.happened is Happened.RECEIVED:
            self._received(tx, fax, event)
        return fax

    def assign(self, tx: Tx, fax_id: UUID, faxbox_id: UUID) -> str:
        """Give an unrouted fax to a faxbox; it is mailed on from there. Returns a sentence."""
        fax = faxes.get(tx, fax_id, lock=True)
        if fax is None or fax.direction is not Direction.INBOUND:
            raise refuse(Kind.NOT_FOUND, f"there is no received fax {fax_id}", str(fax_id))
        if fax.faxbox_id is not None:
            raise refuse(Kind.WRONG_STATE, f"fax {fax_id} belongs to faxbox {fax.faxbox_id} already", str(fax_id))
        row = provision.look(tx, faxboxes, faxbox_id)
        if row is None:
            raise refuse(Kind.NOT_FOUND, f"there is no faxbox {faxbox_id}", str(faxbox_id))
        owner = {"account_id": row["account_id"], "application_id": row["application_id"], "faxbox_id": faxbox_id}
        faxes.change(tx, fax_id, list(State), **owner, held_reason="")
        if fax.state is State.RECEIVED:
            announce(tx, faxes.get(tx, fax_id), Happened.RECEIVED)
            jobs.enqueue(tx, FORWARD, fax_id)
        return f"Fax {fax_id} belongs to faxbox {row['name']} now and is mailed on."

    def _new(self, tx: Tx, event: CarrierEvent) -> Fax:
        now = datetime.now(UTC)
        fax = Fax(
            id=new_id(),
            direction=Direction.INBOUND,
            origin=Origin.CARRIER,
            state=State.RECEIVING,
            # The caller writes them, and no fax shall be lost because a name is longer than its column.
            from_number=event.from_number[:64],
            to_number=event.to_number[:64],
            to_written=event.to_number[:320],
            created_at=now,
            updated_at=now,
            carrier_fax_id=event.carrier_fax_id,
            connection_id=event.connection_id[:64],
            caller_id=event.caller_id[:255],
            **self._owner(tx, event),
        )
        faxes.insert(tx, fax)
        announce(tx, fax, Happened.RECEIVING)
        log.info("a fax is coming in", fax=str(fax.id), carrier_fax=event.carrier_fax_id, routed=bool(fax.account_id))
        return fax

    def _owner(self, tx: Tx, event: CarrierEvent) -> dict[str, Any]:
        """The called number decides; then the carrier's connection; else nobody, which a person can mend."""
        number = provision.owner_of_number(tx, event.to_number)
        if number is not None:
            return {
                "account_id": number.account_id,
                "application_id": number.application_id,
                "faxbox_id": number.faxbox_id,
            }
        application = provision.application_of_connection(tx, event.connection_id)
        if application is not None:
            return {"account_id": application.account_id, "application_id": application.id, "faxbox_id": None}
        return {"account_id": None, "application_id": None, "faxbox_id": None}

    def _failed(self, tx: Tx, fax: Fax, event: CarrierEvent) -> None:
        reason = event.failure_reason or "unknown"
        ended = {"state": State.FAILED, "failure_reason": reason, "failure_text": telnyx.sentence(reason)}
        # One that was said to be received has a document, whatever was said before or after.
        if jobs.exists(tx, RETRIEVE, fax.id) or not faxes.change(tx, fax.id, UNDER_WAY, **ended):
            return
        metrics.faxes_finished.labels("inbound", "failed").inc()
        now = faxes.get(tx, fax.id)
        assert now is not None
        announce(tx, now, Happened.FAILED)
        if not self._notify.about(tx, now, Tale.RECEPTION_FAILED, self._recipients(tx, now)):
            note = f"A fax for {fax.to_number} did not arrive, and there is nobody else to tell."
            self._notify.operator(tx, now, note, f"faxgate inbox show {fax.id}")

    def _received(self, tx: Tx, fax: Fax, event: CarrierEvent) -> None:
        facts = {"pages": event.pages, "pages_sent": event.pages, "duration": event.duration, "partial": event.partial}
        known = {name: value for name, value in facts.items() if value is not None}
        # A fax that was called failed and is received after all has a document: that is what counts.
        open_or_failed = [*UNDER_WAY, State.FAILED]
        fresh = faxes.change(tx, fax.id, open_or_failed, state=State.PROCESSING, **_NO_FAILURE, **known)
        if fresh and not jobs.exists(tx, RETRIEVE, fax.id):
            jobs.enqueue(tx, RETRIEVE, fax.id, priority=jobs.URGENT)

    def _recipients(self, tx: Tx, fax: Fax) -> list[str]:
        application = provision.look(tx, applications, fax.application_id)
        box = provision.look(tx, faxboxes, fax.faxbox_id)
        own = [application["fax_email_recipient"]] if application else []
        return distinct([*own, *(box["inbound_emails"] if box else [])])

    # -- the jobs ------------------------------------------------------------------------------------------------------

    async def retrieve(self, job: Job) -> None:
        """Fetch the document of a received fax and keep it."""
        fax = await faxes.fetch(self._db, UUID(job.subject))
        if fax is None or fax.state is not State.PROCESSING:
            await self._db.write(lambda tx: jobs.finish(tx, job))
            return
        spool = self._blobs.spool()
        try:
            with metrics.media_fetch_seconds.time():
                await self._fetch(fax, spool)
            found = await self._inspected(fax, spool, last=job.tries >= TELL_AFTER)
            crashpoint.reach("retrieve.fetched")
            await self._db.write(lambda tx: self._keep(tx, job, fax, found, spool.key), before=[spool.seal])
        except (FetchError, CarrierError, Refusal) as error:
            why = str(error)
            await self._db.write(lambda tx: self._not_fetched(tx, job, fax, why))
            return
        finally:
            spool.discard()
        crashpoint.reach("retrieve.kept")

    async def _fetch(self, fax: Fax, spool: Spool) -> None:
        """Fetch by the link that the event brought, and when that has expired, by a fresh one."""
        url = await self._link(fax)
        if url:
            try:
                await self._fetcher.fetch(url, spool.write, MAX_BYTES)
            except FetchError:
                spool.rewind()
            else:
                return
        with suppress(CarrierError):
            # Refused when the link is still good: then the fax itself has a link that works.
            await self._carrier.refresh(fax.carrier_fax_id)
        listed = await self._carrier.fax(fax.carrier_fax_id)
        if listed is None or not listed.media_url:
            raise FetchError("the carrier shows no document for this fax")
        await self._fetcher.fetch(listed.media_url, spool.write, MAX_BYTES)

    async def _link(self, fax: Fax) -> str:
        rows = await self._db.rows(events.received_of(fax.carrier_fax_id))
        return str(rows[0]["raw"].get("media_url") or "") if rows else ""

    async def _inspected(self, fax: Fax, spool: Spool, *, last: bool) -> tuple[Inspection, bool]:
        """Return what the document is, and whether it is less than the carrier said.

        A short or unreadable one is fetched again; when that has not helped (*last*), what there is goes on, marked.
        """
        try:
            found = await self._sandbox.inspect(spool.fileno())
        except Refusal as refusal:
            media_type = _by_magic(os.pread(spool.fileno(), 4, 0))
            if refusal.reason.temporary or not last or media_type is None:
                raise
            return Inspection(media_type.value, fax.pages or 0, spool.size), True
        short = fax.pages is not None and found.pages < fax.pages and not fax.partial
        if short and not last:
            raise FetchError(f"the document has {found.pages} of {fax.pages} pages")
        return found, fax.partial or short

    def _keep(self, tx: Tx, job: Job, fax: Fax, found: tuple[Inspection, bool], key: str) -> None:
        jobs.finish(tx, job)
        document, partial = found
        facts = {"pages_blob": key, "media_type": document.media_type, "pages": document.pages, "partial": partial}
        if not faxes.change(tx, fax.id, [State.PROCESSING], state=State.RECEIVED, **facts):
            return
        metrics.faxes_finished.labels("inbound", "received").inc()
        metrics.pages.labels("inbound").inc(document.pages)
        # Read anew: it may have been assigned while its document was fetched.
        now = faxes.get(tx, fax.id)
        assert now is not None
        if now.account_id is None:
            note = f"A fax for {fax.to_number} has come, and nobody owns this number."
            command = f"faxgate inbox assign {fax.id} --faxbox ID"
            self._notify.operator(tx, now, note, command, Tale.UNROUTED)
        else:
            announce(tx, now, Happened.RECEIVED)
            jobs.enqueue(tx, FORWARD, fax.id)

    def _not_fetched(self, tx: Tx, job: Job, fax: Fax, error: str) -> None:
        jobs.again(tx, job, datetime.now(UTC) + spread(STEPS[min(job.tries, len(STEPS) - 1)]), error)
        log.warning("document not fetched", fax=str(fax.id), tries=job.tries + 1, why=error)
        if job.tries == TELL_AFTER:
            note = f"A fax has come, but its document cannot be fetched from the carrier: {error}"
            self._notify.operator(tx, fax, note, f"faxgate inbox show {fax.id}")

    async def forward(self, job: Job) -> None:
        """Mail a received fax to everybody who shall have it, in the format that its owner wants."""
        fax = await faxes.fetch(self._db, UUID(job.subject))
        if fax is None or fax.state is not State.RECEIVED or fax.application_id is None:
            await self._db.write(lambda tx: jobs.finish(tx, job))
            return
        application = await provision.fetch(self._db, applications, fax.application_id)
        box = await provision.fetch(self._db, faxboxes, fax.faxbox_id) if fax.faxbox_id else None
        if application is not None and not application["active"]:
            await self._db.write(lambda tx: jobs.again(tx, job, datetime.now(UTC) + RESTING, INACTIVE))
            return
        wanted = (box and box["file_type"]) or (application and application["file_type"]) or "pdf"
        media_type = MediaType.TIFF if wanted == "tiff" else MediaType.PDF
        blob, sent_as = await self._in_format(fax, media_type)
        crashpoint.reach("forward.converted")
        await self._db.write(lambda tx: self._mail(tx, job, fax, blob, sent_as))
        crashpoint.reach("forward.told")

    async def _in_format(self, fax: Fax, media_type: MediaType) -> tuple[str, str]:
        """Return the blob of the document in the format that is wanted, or as it is if it cannot be converted."""
        if fax.media_type == media_type.value:
            return fax.pages_blob, fax.media_type
        spool = self._blobs.spool()
        try:
            with await self._blobs.opened(fax.pages_blob) as document:
                await self._sandbox.convert(document.fileno(), media_type, spool.fileno())
            return await self._db.write(lambda tx: spool.key, before=[spool.seal]), media_type.value
        except Refusal as refusal:
            if refusal.reason.temporary:
                raise
            log.warning("mailed on as it came", fax=str(fax.id), wanted=media_type.value, why=str(refusal))
            return fax.pages_blob, fax.media_type
        finally:
            spool.discard()

    def _mail(self, tx: Tx, job: Job, fax: Fax, blob: str, media_type: str) -> None:
        jobs.finish(tx, job)
        shown = replace(fax, media_type=media_type)
        recipients = self._recipients(tx, fax)
        self._notify.about(tx, shown, Tale.RECEIVED, recipients, enclosed=blob)
        if not recipients:
            note = "A fax has come for an application and a faxbox that have no mail address to send it to."
            self._notify.operator(tx, fax, note, f"faxgate inbox save {fax.id}")


def _by_magic(start: bytes) -> MediaType | None:
    if start.startswith(b"%PDF"):
        return MediaType.PDF
    return MediaType.TIFF if start in {b"II*\x00", b"MM\x00*"} else None
