"""A file becomes a fax: what ``faxgate send`` asks for, by somebody who may read the database anyway."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from gateway.address import shown
from gateway.audit import GATEWAY, Action, Actor
from gateway.document import FAXABLE_NAMES, MAX_BYTES, SNIFFED_BYTES, claimed, recognised
from gateway.errors import Kind, refuse
from gateway.fax import Fax, Origin, Quality
from gateway.faxbox import Faxbox
from gateway.intake.desk import RESERVE_BYTES
from gateway.intake.submit import Submission, Submit, Supplied
from gateway.limits import Limits
from gateway.notify import distinct
from gateway.store import audit, provision
from gateway.store.blobs import Blobs, Spool
from gateway.store.database import Database, Tx
from gateway.store.schema import applications, faxboxes

_CHUNK = 1 << 20


async def send_document(
    db: Database,
    blobs: Blobs,
    limits: Limits,
    *,
    faxbox_id: UUID,
    number: str,
    document: Path | bytes,
    tries: int,
    quality: Quality = Quality.HIGH,
    subject: str = "",
    delay_notice: timedelta | None = None,
    actor: Actor = GATEWAY,
) -> Fax:
    """Store *document* and make a fax of it to *number* through a faxbox; return the fax.

    *tries* and *quality* hold where the faxbox says nothing; who waits for *delay_notice* is told so; *actor* is who
    asks for it, for the audit trail. Raises Refusal for a number, a document or a faxbox that cannot be used; OSError
    when *document* cannot be read.
    """
    box = await _usable(db, faxbox_id)
    spool = blobs.spool()
    try:
        await asyncio.to_thread(_copy, document, spool, blobs.free_bytes())
    except BaseException:
        spool.discard()
        raise
    name = shown(document.name) if isinstance(document, Path) else ""
    wish = Submission(
        account_id=box.account_id,
        application_id=box.application_id,
        faxbox_id=box.id,
        origin=Origin.SHELL,
        to=number,
        from_number=box.caller_id,
        tries=tries if box.retries is None else box.retries,
        quality=Quality(str(box.extra.get("quality") or quality)),
        from_name=box.caller_name,
        subject=subject,
        notify=tuple(distinct(box.outbound_emails)),
    )

    def note(tx: Tx, fax: Fax) -> None:
        audit.note(tx, actor, Action.SENT, account_id=fax.account_id, fax_id=fax.id)

    return await Submit(db, blobs, limits, delay_notice=delay_notice).take(
        wish, [Supplied(spool, name=name, media_type=claimed("", name) or "")], note
    )


async def _usable(db: Database, faxbox_id: UUID) -> Faxbox:
    """Return a faxbox that may send."""
    row = await provision.fetch(db, faxboxes, faxbox_id)
    if row is None:
        raise refuse(Kind.NOT_FOUND, f"there is no faxbox {faxbox_id}", str(faxbox_id))
    box = provision.faxbox_from(row)
    application = await provision.fetch(db, applications, box.application_id)
    assert application is not None
    if not application["active"]:
        raise refuse(
            Kind.APPLICATION_INACTIVE,
            f"sending is switched off for the faxbox {box.name}; activate its application {application['id']}",
        )
    if not box.caller_id:
        raise refuse(
            Kind.CALLER_ID_MISSING, f"the faxbox {box.name} has no number to send from; give it a caller id first"
        )
    return box


def _copy(document: Path | bytes, spool: Spool, free: int) -> None:
    """Write *document* into *spool* if it can be faxed and there is room for it. Blocking."""
    size = len(document) if isinstance(document, bytes) else document.stat().st_size
    if size > MAX_BYTES:
        raise refuse(
            Kind.DOCUMENT_TOO_LARGE,
            f"the document has {size:,} bytes, and a fax at most {MAX_BYTES:,}; send it in parts",
        )
    if free < RESERVE_BYTES + size:
        raise refuse(Kind.STORAGE_FULL, "the gateway's disk is nearly full; make room and try again")
    if isinstance(document, bytes):
        _check(document[:SNIFFED_BYTES], "the document")
        spool.write(document)
        return
    with document.open("rb") as file:
        _check(file.read(SNIFFED_BYTES), shown(document.name))
        file.seek(0)
        while chunk := file.read(_CHUNK):
            spool.write(chunk)


def _check(head: bytes, name: str) -> None:
    if recognised(head, claimed("", name)) is None:
        raise refuse(
            Kind.NOTHING_TO_FAX, f"{name} cannot be faxed: it is no {FAXABLE_NAMES}; convert it to one of them", name
        )
