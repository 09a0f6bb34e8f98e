"""Preparing a fax: its documents become pages, once per document and options however many numbers they go to."""

import asyncio
import json
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from gateway import crashpoint, logs, metrics
from gateway.announce import announce
from gateway.carrier_event import Happened
from gateway.document import MediaType
from gateway.errors import Reason, Refusal
from gateway.fax import Fax, State
from gateway.ids import digest, new_id
from gateway.limits import Limits
from gateway.outbox.cover import Cover, Covers
from gateway.outbox.hold import hold
from gateway.outbox.policy import PREPARE, TRANSMIT, Policy
from gateway.outbox.progress import Progress
from gateway.outbox.settle import Settle
from gateway.sandbox import Outputs, Sandbox, Source
from gateway.store import faxes, jobs, mailbag
from gateway.store.blobs import Blobs, Spool
from gateway.store.database import Database, Row, Tx, one
from gateway.store.jobs import Job

__all__ = ["PREPARE", "Prepare"]
log = logs.logger(__name__)


class Prepare:
    """The job ``prepare``; its subject is the fax."""

    def __init__(
        self, db: Database, blobs: Blobs, sandbox: Sandbox, limits: Limits, settle: Settle, policy: Policy
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._sandbox = sandbox
        self._limits = limits
        self._settle = settle
        self._policy = policy
        self._covers = Covers(db, blobs, sandbox, policy)
        # A lock lives as long as somebody waits for it.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def run(self, job: Job) -> None:
        """Render the fax and queue it; a document that cannot be rendered ends it with the reason."""
        fax = await faxes.fetch(self._db, UUID(job.subject))
        if fax is None or fax.state is not State.PREPARING:
            await self._db.write(lambda tx: jobs.finish(tx, job))
            return
        with ExitStack() as files:
            try:
                self._limits.check(fax.to_number)
                rendering = await self._rendering(fax)
                cover = await self._covers.make(fax, rendering["pages"], files)
            except Refusal as refusal:
                if refusal.reason.temporary:
                    raise
                await self._refused(job, fax, refusal.reason)
                return
            crashpoint.reach("prepare.rendered")
            seals = [cover.spool.seal] if cover else []
            await self._db.write(lambda tx: self._queue(tx, job, fax, rendering, cover), before=seals)
        crashpoint.reach("prepare.queued")
        log.info("prepared", fax=str(fax.id), pages=rendering["pages"], cover=cover is not None)

    async def _rendering(self, fax: Fax) -> Row:
        key = self._key(fax)
        async with self._turns.setdefault(key, asyncio.Lock()):
            found = await one(self._db, mailbag.rendering_with(key))
            return found or await self._render(fax, key)

    def _key(self, fax: Fax) -> str:
        blobs = [document["blob"] for document in fax.documents]
        dots = [fax.quality.value, self._policy.paper, fax.monochrome, fax.black_threshold, self._policy.pad]
        options = [fax.source, fax.parts, blobs, self._policy.sight.value, *dots, self._policy.deskew]
        return digest(json.dumps(options))

    async def _render(self, fax: Fax, key: str) -> Row:
        with ExitStack() as stack:
            tiff, pdf, preview = (self._spool(stack) for _ in range(3))
            sources = [stack.enter_context(await self._blobs.opened(blob)) for blob in _blobs_of(fax)]
            outputs = Outputs(tiff.fileno(), pdf.fileno(), preview.fileno())
            with metrics.render_seconds.time():
                descriptors = [source.fileno() for source in sources]
                progress = Progress(self._db, fax.id)
                try:
                    done = await self._sandbox.render(descriptors, self._source(fax), outputs, progress)
                finally:
                    await progress.end()
            values: dict[str, Any] = {
                "id": new_id(),
                "key": key,
                "tiff_blob": tiff.key,
                "pdf_blob": pdf.key,
                "preview_blob": preview.key,
                "pages": done.pages,
            }
            seals = [tiff.seal, pdf.seal, preview.seal]
            return await self._db.write(lambda tx: _keep(tx, values), before=seals)

    def _source(self, fax: Fax) -> Source:
        return Source(
            kind="mail" if fax.message_id else "document",
            parts=tuple(fax.parts),
            quality=fax.quality,
            paper=self._policy.paper,
            names=tuple(str(document["name"]) for document in fax.documents),
            types=tuple(str(document.get("media_type") or "") for document in fax.documents),
            monochrome=fax.monochrome,
            black_threshold=fax.black_threshold,
            sight=self._policy.sight,
            pad=self._policy.pad,
            deskew=self._policy.deskew,
        )

    def _spool(self, stack: ExitStack) -> Spool:
        spool = self._blobs.spool()
        stack.callback(spool.discard)
        return spool

    def _queue(self, tx: Tx, job: Job, fax: Fax, rendering: Row, cover: Cover | None) -> None:
        jobs.finish(tx, job)
        pages = rendering["pages"] + (cover.pages if cover else 0)
        reason = self._limits.admit_pages(tx, fax, pages - (fax.pages or 0))
        ready = {
            "state": State.HELD if reason else State.QUEUED,
            "held_reason": reason,
            "rendering_id": rendering["id"],
            "pages": pages,
            "cover_blob": cover.spool.key if cover else "",
            "pages_done": None,
            "pages_to_do": None,
            "pages_blob": rendering["pdf_blob"],
            "media_type": MediaType.PDF.value,
            "deadline_at": fax.deadline_at or fax.created_at + self._policy.deadline,
        }
        if not faxes.change(tx, fax.id, [State.PREPARING], **ready):
            return
        if reason:
            hold(tx, [replace(fax, held_reason=reason)])
        else:
            announce(tx, faxes.get(tx, fax.id), Happened.MEDIA_PROCESSED)
            jobs.enqueue(tx, TRANSMIT, fax.id, keys=self._policy.lines(tx, fax))

    async def _refused(self, job: Job, fax: Fax, reason: Reason) -> None:
        def unit(tx: Tx) -> None:
            jobs.finish(tx, job)
            self._settle.fail(tx, fax.id, [State.PREPARING], reason.kind.value, reason.sentence)

        await self._db.write(unit)
        log.info("not prepared", fax=str(fax.id), reason=reason.kind.value)


def _blobs_of(fax: Fax) -> list[str]:
    """The one message of a fax that came by mail, or its documents."""
    return [fax.source] if fax.source else [str(document["blob"]) for document in fax.documents]


def _keep(tx: Tx, values: dict[str, Any]) -> Row:
    """Add the rendering and return it, or the one of a worker that was faster."""
    mailbag.insert_rendering(tx, values)
    row = mailbag.rendering_by_key(tx, values["key"])
    assert row is not None
    return row
