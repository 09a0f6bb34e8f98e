"""Telling people: each telling is a row of ``outgoing`` written with what it is about, and a job that mails it."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from functools import lru_cache
from typing import Any
from uuid import UUID

from gateway import crashpoint, logs, metrics
from gateway.document import Part, Report
from gateway.errors import Refusal
from gateway.fax import Direction, Fax, State
from gateway.ids import keyed_digest, new_id, new_token
from gateway.mail.compose import Attachment, ComposedMail, NotSent, compose
from gateway.mail.facts import Facts, facts_about
from gateway.mail.smarthost import Smarthost
from gateway.retry import MAIL_PATIENCE, MAIL_STEPS, spread, step
from gateway.store import attempts, decisions, faxes, jobs, mailbag, outgoing, provision, secrets
from gateway.store.blobs import Blobs
from gateway.store.database import Database, Tx, first, one
from gateway.store.jobs import Job
from gateway.store.schema import accounts, applications, faxboxes
from gateway.telling import Tale, Telling, TellingState

log = logs.logger(__name__)
DELIVER = "deliver"
#: The key of the enclosed document's blob, beside the facts that the text is made of.
ENCLOSED = "enclosed_blob"
#: Beside them too: true for a mail that goes without its document, with which a mail server refused it as too large.
BARE = "bare"
#: Beside them too: what the mail gets a link for, by which its reader decides about the fax ("" for none).
DECIDE = "decide"
#: A link that is good for any answer, as older versions have written it; and one that is good for this answer only.
ANYTHING, ONLY_CANCEL = True, "cancel"
MISSING = "The document of a received fax is missing from the blobs; look for it in a backup or the carrier's portal"
#: Tales for which no other is told where they cannot be delivered: the operator has it himself then, or what follows
#: is told as well.
_UNMISSED = frozenset({Tale.OPERATOR, Tale.UNROUTED, Tale.DELAYED})


@dataclass(frozen=True, slots=True)
class Sender:
    """Who our mails come from, how much they may carry, who is told of what needs a hand ("" for nobody), how long a
    mail that could not be sent waits the first time, and where our pages are ("" if nobody can reach them)."""

    address: str
    max_attachment_bytes: int
    operator: str = ""
    retry_delay: timedelta = timedelta(minutes=1)
    public_url: str = ""

    @property
    def host(self) -> str:
        """The right side of our Message-IDs."""
        return self.address.rpartition("@")[2]


class Notify:
    """Writes tellings inside units (the methods that take a ``tx``) and mails them as jobs (``deliver``)."""

    def __init__(self, db: Database, blobs: Blobs, smarthost: Smarthost, sender: Sender) -> None:
        self._db = db
        self._blobs = blobs
        self._smarthost = smarthost
        self._sender = sender

    # -- inside units --------------------------------------------------------------------------------------------------

    def about(self, tx: Tx, fax: Fax, tale: Tale, to: Iterable[str], enclosed: str = "", **more: Any) -> int:
        """Tell each address in *to* (one named twice is told once) about *fax*; return how many mails that makes.

        *enclosed* is the blob of the document that goes with it; *more* are keys of ``Facts`` that the fax itself
        does not know.
        """
        facts = replace(self._facts(tx, fax), **more)
        beside = {ENCLOSED: enclosed, DECIDE: _decision(fax, tale)}
        return sum(self._tell(tx, fax.id, tale, address, facts, beside=beside) for address in distinct(to))

    def operator(self, tx: Tx, fax: Fax, note: str, command: str = "", tale: Tale = Tale.OPERATOR) -> None:
        """Tell the operator that *fax* needs his hand; without an operator the log has to do."""
        log.warning("needs the operator", fax=str(fax.id), note=note, command=command)
        if self._sender.operator:
            self.about(tx, fax, tale, [self._sender.operator], note=note, command=command)

    def operator_without_fax(self, tx: Tx, note: str, command: str, serial: str, advice: str = "") -> None:
        """Tell the operator of something that is about no fax; once for each *serial*."""
        log.warning("needs the operator", note=note, command=command)
        if self._sender.operator:
            facts = Facts(note=note, command=command, advice=advice)
            self._tell(tx, None, Tale.OPERATOR, self._sender.operator, facts, serial)

    def returned(self, tx: Tx, report: Report) -> Telling | None:
        """A mail has come back that was taken before: note it as undeliverable, and tell the operator, if that is what
        the *report* says. Return what it was about, None when it is no mail of ours."""
        telling = outgoing.by_message_id(tx, report.message_id)
        if telling is not None and report.failed:
            why = f"It was taken, and came back later: {report.why or 'no reason was given'}"
            if outgoing.returned(tx, telling.id, why):
                jobs.drop(tx, DELIVER, telling.id)
                metrics.outgoing_mails.labels("returned").inc()
                log.warning("returned", fax=str(telling.fax_id), tale=telling.tale.value, why=report.why)
                self._undeliverable(tx, telling, why)
        return telling

    def trial(self, tx: Tx, to: str) -> None:
        """Mail a trial to *to*."""
        self._tell(tx, None, Tale.TRIAL, to, Facts(note="This mail was sent to try the way out."), str(new_id()))

    def _facts(self, tx: Tx, fax: Fax) -> Facts:
        box = provision.look(tx, faxboxes, fax.faxbox_id)
        application = provision.look(tx, applications, fax.application_id)
        account = provision.look(tx, accounts, fax.account_id)
        message = first(tx, mailbag.message(fax.message_id)) if fax.message_id else None
        return facts_about(
            fax,
            timezone=(box and box["timezone"]) or (account and account["timezone"]) or "UTC",
            parts=[Part(**part) for part in message["parts"]] if message else [],
            in_reply_to=message["message_id"] if message else "",
            faxbox_name=box["name"] if box else "",
            application_name=application["name"] if application else "",
        )

    def _tell(
        self,
        tx: Tx,
        fax_id: UUID | None,
        tale: Tale,
        address: str,
        facts: Facts,
        serial: str = "",
        beside: Mapping[str, Any] | None = None,
    ) -> bool:
        """One mail is one row: its Message-ID is made of what it tells, so telling it twice changes nothing; and of a
        key, so that only who has had the mail can say that it came back."""
        what = f"{tale.value}.{facts.note}" if tale is Tale.OPERATOR else tale.value
        which = serial or ("" if tale is Tale.DELAYED else facts.tries)  # that it is late is told once, whatever comes
        key = f"{fax_id.hex if fax_id else serial}.{which}.{what}.{address.casefold()}"
        identity = keyed_digest(secrets.within(tx, secrets.MAILS), key)[:32]
        telling = Telling(
            id=new_id(),
            fax_id=fax_id,
            tale=tale,
            recipient=address,
            message_id=f"<{tale.value}.{identity}@{self._sender.host}>",
            state=TellingState.WAITING,
            created_at=datetime.now(UTC),
            facts={**facts.to_json(), **(beside or {})},
        )
        told = outgoing.insert(tx, telling)
        if told:
            jobs.enqueue(tx, DELIVER, telling.id)
        return told

    # -- the job -------------------------------------------------------------------------------------------------------

    async def deliver(self, job: Job) -> None:
        """Mail one telling; after five days or a final refusal the operator is told and the fax stays."""
        telling = await outgoing.fetch(self._db, UUID(job.subject))
        if telling is None or telling.state is not TellingState.WAITING:
            await self._db.write(lambda tx: jobs.finish(tx, job))
            return
        try:
            mail = await self.composed(await self._with_link(telling))
            crashpoint.reach("deliver.composed")
            job.lease.require()
            await self._smarthost.send(mail)
        except NotSent as error:
            await self._deferred(job, telling, error)
            return
        crashpoint.reach("deliver.sent")

        def unit(tx: Tx) -> None:
            outgoing.sent(tx, telling.id, left_behind=mail.left_behind)
            jobs.finish(tx, job)

        await self._db.write(unit)
        metrics.outgoing_mails.labels("sent").inc()
        log.info("mailed", fax=str(telling.fax_id), tale=telling.tale.value, message_id=telling.message_id)

    async def _with_link(self, telling: Telling) -> Telling:
        """Give the mail a one-time link if it asks for a decision. The link is made for each try anew: of its token
        nothing is kept but the digest, and a mail whose try was lost may have arrived with the earlier one."""
        fax_id = telling.fax_id
        if not telling.facts.get(DECIDE) or not self._sender.public_url or fax_id is None:
            return telling
        token = new_token()
        only = ONLY_CANCEL if telling.facts[DECIDE] == ONLY_CANCEL else ""
        await self._db.write(lambda tx: decisions.insert(tx, token, fax_id, only))
        link = f"{self._sender.public_url.rstrip('/')}/decide/{token}"
        return replace(telling, facts=telling.facts | {"link": link})

    async def composed(self, telling: Telling) -> ComposedMail:
        """Return the mail of a telling with its documents. Raises NotSent for an impossible address."""
        fax = await faxes.fetch(self._db, telling.fax_id) if telling.fax_id else None
        attachments = [] if fax is None else await self._attachments(telling, fax)
        # A large document takes a second to encode, which the event loop has not got.
        return await asyncio.to_thread(
            compose,
            telling,
            sender=self._sender.address,
            attachments=attachments,
            max_attachment_bytes=None if telling.facts.get(BARE) else self._sender.max_attachment_bytes,
        )

    async def _attachments(self, telling: Telling, fax: Fax) -> list[Attachment]:
        if telling.tale is Tale.RECEIVED:
            found = await self._read(telling.facts.get(ENCLOSED, ""), telling.facts["media_type"], inline=False)
            if not found:
                await self._db.write(lambda tx: self.operator(tx, fax, MISSING, f"faxgate inbox show {fax.id}"))
            return found
        if telling.tale is Tale.RECEIPT:
            return await self._read(await self._preview(fax), "image/png", inline=True)
        return []

    async def _preview(self, fax: Fax) -> str:
        """Return the picture of the first page as it was sent last, or was going to be; "" when there is none."""
        tried = await attempts.of_fax(self._db, fax.id)
        if tried and tried[-1].preview_blob:
            return tried[-1].preview_blob
        rendering = await one(self._db, mailbag.rendering(fax.rendering_id)) if fax.rendering_id else None
        return rendering["preview_blob"] if rendering else ""

    async def _read(self, blob: str, media_type: str, *, inline: bool) -> list[Attachment]:
        if not blob:
            return []
        try:
            return [Attachment("", media_type, await self._blobs.read(blob), inline=inline)]
        except Refusal as refusal:
            if refusal.reason.temporary:
                raise
            return []  # the mail goes without it, and says so

    async def _deferred(self, job: Job, telling: Telling, error: NotSent) -> None:
        bare = error.too_large and telling.tale is Tale.RECEIVED and not telling.facts.get(BARE)
        given_up = not bare and (error.permanent or datetime.now(UTC) - telling.created_at > MAIL_PATIENCE)
        metrics.outgoing_mails.labels("failed" if given_up else "deferred").inc()
        log.warning("not mailed", fax=str(telling.fax_id), tale=telling.tale.value, why=error.message, final=given_up)

        def unit(tx: Tx) -> None:
            outgoing.failed(tx, telling.id, error.message, final=given_up)
            if bare:  # that a fax has come can be told all the same, and where it is
                outgoing.add(tx, telling.id, {BARE: True})
                jobs.again(tx, job, datetime.now(UTC), error.message)
                return
            if not given_up:
                wait = spread(step(MAIL_STEPS, job.tries) * self._sender.retry_delay)
                jobs.again(tx, job, datetime.now(UTC) + wait, error.message)
                return
            jobs.finish(tx, job)
            self._undeliverable(tx, telling, error.message)

        await self._db.write(unit)

    def _undeliverable(self, tx: Tx, telling: Telling, why: str) -> None:
        """The operator takes the place of who cannot be told; a mail to him that fails makes no other."""
        fax = faxes.get(tx, telling.fax_id) if telling.fax_id else None
        if fax is not None and telling.tale not in _UNMISSED:
            note = f"A mail about this fax to {telling.recipient} could not be delivered: {why}"
            self.operator(tx, fax, note, f"faxgate {_place(fax)} show {fax.id}")


def _place(fax: Fax) -> str:
    """The command that knows *fax*."""
    return "inbox" if fax.direction is Direction.INBOUND else "queue"


def _decision(fax: Fax, tale: Tale) -> bool | str:
    if tale is Tale.DELAYED:
        return ONLY_CANCEL
    return ANYTHING if tale is Tale.OPERATOR and fax.state in {State.HELD, State.UNKNOWN} else ""


def distinct(addresses: Iterable[str]) -> list[str]:
    """Return the addresses of a list, each once however it is capitalised, display names left out, in order."""
    seen: dict[str, str] = {}
    for text in addresses:
        if address := _plain(text):
            seen.setdefault(address.casefold(), address)
    return list(seen.values())


@lru_cache(4096)
def _plain(text: str) -> str:
    """Return the address in *text* without a display name, "" when there is none: every mail asks for the same ones."""
    return parseaddr(text)[1]
