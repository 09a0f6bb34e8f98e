"""A request becomes a fax: what the HTTP APIs and the shell ask for, in one commit with its first job."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gateway import crashpoint, logs
from gateway.address import parse_number
from gateway.document import MAX_BYTES, MOST_DOCUMENTS
from gateway.errors import Kind, refuse
from gateway.fax import Direction, Fax, Origin, Quality, State
from gateway.ids import new_id
from gateway.intake.desk import RESERVE_BYTES
from gateway.intake.once import Once
from gateway.limits import Limits
from gateway.outbox import enter
from gateway.sandbox import Sandbox
from gateway.store import faxes, mailbag, provision, shares
from gateway.store.blobs import Blobs, Spool
from gateway.store.database import Database, Tx
from gateway.store.schema import accounts, applications

log = logs.logger(__name__)
#: What people put between the digits of a number, beside what ``parse_number`` reads.
_GROUPED = re.compile(r"[\s()/]")


@dataclass(frozen=True, slots=True)
class Supplied:
    """A file that came with the request, written to a spool of our blobs and not sealed yet."""

    spool: Spool
    media_type: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A blob that a row of ours holds already and shares (``store/shares.py``): a file in the media storage."""

    blob: str
    media_type: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file that is still to be fetched, by *method* (get or post, then with *content* as its body)."""

    url: str
    method: str = "get"
    content: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


Document = Supplied | Kept | Remote


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What shall be faxed where. ``to`` is the number as it was written; ``from_number`` is E.164 and has been found
    to be the account's by whoever asks. ``notify`` are mail addresses that are told of the end. The other fields are
    those of ``Fax``.
    """

    account_id: UUID
    application_id: int
    origin: Origin
    to: str
    from_number: str
    faxbox_id: UUID | None = None
    tries: int = 1
    quality: Quality = Quality.HIGH
    monochrome: bool = False
    black_threshold: int | None = None
    t38: bool = True
    from_name: str = ""
    to_name: str = ""
    subject: str = ""
    header: str = ""
    identity: str = ""
    timezone: str = ""
    notify: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


class Submit:
    """Takes submissions. Without a *sandbox* (in a command) files are not looked into before they are taken. Who waits
    for *delay_notice* is told so; None: nobody."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        limits: Limits,
        sandbox: Sandbox | None = None,
        delay_notice: timedelta | None = None,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._limits = limits
        self._sandbox = sandbox
        self._delay_notice = delay_notice

    async def take(
        self,
        wish: Submission,
        documents: Sequence[Document],
        also: Callable[[Tx, Fax], None] | None = None,
        once: Once | None = None,
    ) -> Fax:
        """Make a fax of *documents*, joined in their order, and return it after the commit; *also* runs in its unit.
        When *once* says that the request was taken before, its fax is returned and nothing is stored.

        Spools of *documents* are sealed or, when this raises, dropped. Raises Refusal: NUMBER_INVALID,
        DESTINATION_NOT_ALLOWED, APPLICATION_INACTIVE, NOTHING_TO_FAX, what is wrong with a file, STORAGE_FULL or
        STORAGE_BUSY; nothing is stored then.
        """
        spools = [document.spool for document in documents if isinstance(document, Supplied)]
        try:
            made = await self._fax(wish, [await self._checked(document) for document in documents])
            before: list[Callable[[], object]] = [spool.seal for spool in spools]
            kept = [document for document in documents if isinstance(document, Kept)]
            fax = await self._db.write(lambda tx: self._keep(tx, made, kept, also, once), before)
        finally:
            # What was sealed for a unit that then failed is not removed: whether it did fail is not always known.
            for spool in spools:
                spool.discard()
        if fax.id != made.id:
            for spool in spools:
                await self._blobs.removed(spool.key)
            log.info("request repeated", fax=str(fax.id), origin=fax.origin.value)
            return fax
        crashpoint.reach("submit.committed")
        log.info("request taken", fax=str(fax.id), origin=fax.origin.value, documents=len(documents))
        return fax

    async def _checked(self, document: Document) -> dict[str, Any]:
        """Return *document* as an entry of ``Fax.documents``."""
        if isinstance(document, Remote):
            fetch = {"url": document.url, "method": document.method, "content": document.content}
            return {**fetch, "headers": dict(document.headers), "name": document.name}
        if isinstance(document, Kept):
            return {"blob": document.blob, "media_type": document.media_type, "name": document.name}
        return await self._looked_into(document)

    async def _looked_into(self, document: Supplied) -> dict[str, Any]:
        if document.spool.size > MAX_BYTES:
            raise refuse(
                Kind.DOCUMENT_TOO_LARGE,
                f"the document has {document.spool.size:,} bytes, and a fax at most {MAX_BYTES:,}; send it in parts",
            )
        media_type = document.media_type
        if self._sandbox is not None:
            found = await self._sandbox.inspect(document.spool.fileno(), document.name, media_type)
            media_type = found.media_type
        return {"blob": document.spool.key, "media_type": media_type, "name": document.name}

    async def _fax(self, wish: Submission, documents: list[dict[str, Any]]) -> Fax:
        if not 1 <= len(documents) <= MOST_DOCUMENTS:
            raise refuse(Kind.NOTHING_TO_FAX, f"a fax is made of 1 to {MOST_DOCUMENTS} documents, not {len(documents)}")
        if self._blobs.free_bytes() < RESERVE_BYTES:
            raise refuse(Kind.STORAGE_FULL, "the gateway's disk is nearly full; try again later")
        account = await provision.fetch(self._db, accounts, wish.account_id)
        application = await provision.fetch(self._db, applications, wish.application_id)
        if account is None or application is None or application["account_id"] != wish.account_id:
            raise refuse(Kind.NOT_FOUND, f"there is no application {wish.application_id}", str(wish.application_id))
        if not application["active"]:
            raise refuse(
                Kind.APPLICATION_INACTIVE,
                f"sending is switched off for the application {application['name']}; activate it first",
                str(wish.application_id),
            )
        to_number = parse_number(_GROUPED.sub("", wish.to), account["country"])
        self._limits.check(to_number)
        fax = _made(wish, to_number, documents)
        return replace(fax, delay_at=fax.created_at + self._delay_notice if self._delay_notice else None)

    def _keep(
        self, tx: Tx, fax: Fax, kept: Sequence[Kept], also: Callable[[Tx, Fax], None] | None, once: Once | None
    ) -> Fax:
        if (earlier := taken_before(tx, fax, once)) is not None:
            return earlier
        (entered,) = enter(tx, self._limits, [fax])
        for document in kept:
            shares.share(tx, document.blob, fax.id)
        if also is not None:
            also(tx, entered)
        return entered


def taken_before(tx: Tx, fax: Fax, once: Once | None) -> Fax | None:
    """Return the fax of the same request as that which asks for *fax*; None when there is none, or nothing says which
    requests are the same. Raises Refusal(INVALID) for one to another number."""
    if once is None:
        return None
    owner = mailbag.first_fax(tx, once.key, fax.id, once.lasts, since=once.since, unless=())
    earlier = faxes.get(tx, owner) if owner != fax.id else None
    if earlier is not None and earlier.to_number != fax.to_number:
        sentence = "this key was used for a fax to another number; give every fax a key of its own"
        raise refuse(Kind.INVALID, sentence, "Idempotency-Key")
    return earlier


def _made(wish: Submission, to_number: str, documents: list[dict[str, Any]]) -> Fax:
    now = datetime.now(UTC)
    return Fax(
        id=new_id(),
        account_id=wish.account_id,
        application_id=wish.application_id,
        faxbox_id=wish.faxbox_id,
        direction=Direction.OUTBOUND,
        origin=wish.origin,
        state=State.PREPARING,
        from_number=wish.from_number,
        to_number=to_number,
        created_at=now,
        updated_at=now,
        to_written=wish.to,
        from_name=wish.from_name,
        to_name=wish.to_name,
        subject=wish.subject,
        quality=wish.quality,
        documents=documents,
        monochrome=wish.monochrome,
        black_threshold=wish.black_threshold,
        t38=wish.t38,
        header=wish.header,
        identity=wish.identity,
        timezone=wish.timezone,
        tries_allowed=max(1, wish.tries),
        notify=list(wish.notify),
        extra=dict(wish.extra),
    )
