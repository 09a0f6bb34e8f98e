"""A file becomes a fax: what ``faxgate send`` asks for, by somebody who may read the database anyway."""

import asyncio
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from gateway import logs
from gateway.account import Account
from gateway.address import parse_number, shown
from gateway.audit import GATEWAY, Action, Actor
from gateway.document import MAX_BYTES
from gateway.errors import Kind, Refusal, refuse
from gateway.fax import Direction, Fax, Origin, Quality, State
from gateway.faxbox import Faxbox
from gateway.ids import new_id
from gateway.intake.desk import PREPARE, RESERVE_BYTES
from gateway.limits import Limits
from gateway.notify import distinct
from gateway.store import audit, faxes, jobs, provision
from gateway.store.blobs import Blobs, Spool
from gateway.store.database import Database, Tx
from gateway.store.schema import accounts, applications, faxboxes

log = logs.logger(__name__)
#: Readers of PDF take a header within the first 1024 bytes (ISO 32000-1, appendix H); BigTIFF is a TIFF as well.
_SNIFFED = 1024
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
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
    actor: Actor = GATEWAY,
) -> Fax:
    """Store *document*, a PDF or a TIFF, and make a fax of it to *number* through a faxbox; return the fax.

    *tries* and *quality* hold where the faxbox says nothing; *actor* is who asks for it, for the audit trail. Raises
    Refusal for a number, a document or a faxbox that cannot be used; OSError when *document* cannot be read.
    """
    box, account = await _usable(db, faxbox_id)
    to_number = parse_number(re.sub(r"[\s()/]", "", number), account.country)
    limits.check(to_number)
    spool = blobs.spool()
    fax = _fax(box, to_number, number, spool.key, tries, quality, subject)
    try:
        await asyncio.to_thread(_copy, document, spool, blobs.free_bytes())
        await db.write(lambda tx: _keep(tx, fax, actor), before=[spool.seal])
    except BaseException:
        with suppress(Refusal):  # what cannot be removed now is swept later
            await blobs.removed(spool.key)
        raise
    finally:
        spool.discard()
    log.info("document taken", fax=str(fax.id), size=spool.size)
    return fax


async def _usable(db: Database, faxbox_id: UUID) -> tuple[Faxbox, Account]:
    """Return a faxbox that may send, and its account."""
    row = await provision.fetch(db, faxboxes, faxbox_id)
    if row is None:
        raise refuse(Kind.NOT_FOUND, f"there is no faxbox {faxbox_id}", str(faxbox_id))
    box = provision.faxbox_from(row)
    account = await provision.fetch(db, accounts, box.account_id)
    application = await provision.fetch(db, applications, box.application_id)
    assert account is not None
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
    return box, provision.account_from(account)


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
        _check(document[:_SNIFFED], "the document")
        spool.write(document)
        return
    with document.open("rb") as file:
        _check(file.read(_SNIFFED), shown(document.name))
        file.seek(0)
        while chunk := file.read(_CHUNK):
            spool.write(chunk)


def _check(head: bytes, name: str) -> None:
    if not head.startswith(_TIFF) and b"%PDF-" not in head:
        raise refuse(Kind.NOTHING_TO_FAX, f"{name} is neither a PDF nor a TIFF; convert it to one of them first", name)


def _fax(box: Faxbox, to_number: str, written: str, source: str, tries: int, quality: Quality, subject: str) -> Fax:
    now = datetime.now(UTC)
    return Fax(
        id=new_id(),
        account_id=box.account_id,
        application_id=box.application_id,
        faxbox_id=box.id,
        direction=Direction.OUTBOUND,
        origin=Origin.SHELL,
        state=State.PREPARING,
        from_number=box.caller_id,
        to_number=to_number,
        created_at=now,
        updated_at=now,
        to_written=written,
        from_name=box.caller_name,
        subject=subject,
        quality=Quality(str(box.extra.get("quality") or quality)),
        source=source,
        tries_allowed=max(1, tries if box.retries is None else box.retries),
        notify=distinct(box.outbound_emails),
    )


def _keep(tx: Tx, fax: Fax, actor: Actor) -> None:
    faxes.insert(tx, fax)
    jobs.enqueue(tx, PREPARE, fax.id)
    audit.note(tx, actor, Action.SENT, account_id=fax.account_id, fax_id=fax.id)
