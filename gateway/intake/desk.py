"""The reception behind the SMTP door: decides over each address, and takes the whole mail or none of it."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from gateway import crashpoint, logs
from gateway.address import parse_mailbox, shown
from gateway.audit import Action, Actor
from gateway.document import Automatic, Reading, Signature
from gateway.errors import Kind, Refusal, refuse
from gateway.fax import Direction, Fax, Origin, Quality, State
from gateway.faxbox import Faxbox
from gateway.ids import digest, new_id
from gateway.intake.bounces import Bounces
from gateway.intake.evidence import Evidence
from gateway.intake.routing import Route, Routing
from gateway.limits import Limits
from gateway.notify import distinct
from gateway.outbox import enter
from gateway.sandbox import Sandbox
from gateway.store import audit, mailbag, provision, smtplog
from gateway.store.blobs import Blobs, Spool
from gateway.store.database import Database, Tx
from gateway.transaction import Recipient, Spooled, Transaction

log = logs.logger(__name__)
#: The mode of listeners whose clients are strangers (``smtp.listener``).
MX = "mx"
_ANOTHER = "this number belongs to another faxbox; send it in a mail of its own"
#: The disk must still take this much beside a message, so that what was accepted can be finished.
RESERVE_BYTES = 256 * 1024 * 1024
SAME_MAIL = timedelta(hours=48)
SAME_BODY = timedelta(minutes=5)

_AUTOMATIC = {
    Automatic.REPLY: "its header marks this mail as an automatic reply (Auto-Submitted, Precedence or the like); "
    "a program that sends faxes must leave that field out",
    Automatic.LIST: "this is list or bulk mail; only mails that are meant as a fax are sent",
    Automatic.OURS: "this mail was made by a fax gateway; it is not faxed again",
    Automatic.REPORT: "this is a delivery report; it is not sent as a fax",
    Automatic.LOOP: "this mail has gone round in a loop; it is not sent as a fax",
}


class Intake:
    """Serves ``smtp.reception.Reception``. ``tries`` and ``quality`` hold where the faxbox says nothing; who waits for
    ``delay_notice`` is told so (None: nobody). Without *evidence* nobody is believed who comes over a listener of mode
    mx, without *bounces* none is taken."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        sandbox: Sandbox,
        limits: Limits,
        *,
        tries: int,
        max_recipients: int,
        delay_notice: timedelta | None = None,
        evidence: Evidence | None = None,
        bounces: Bounces | None = None,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._sandbox = sandbox
        self._limits = limits
        self._tries = tries
        self._max_recipients = max_recipients
        self._delay_notice = delay_notice
        self._evidence = evidence
        self._bounces = bounces
        self.routing = Routing()

    async def refresh(self) -> bool:
        """Read the routing anew if it has changed; return whether it had."""
        if self.routing.hosts and await provision.routing_revision(self._db) == self.routing.revision:
            return False
        self.routing = await Routing.load(self._db)
        return True

    # -- the dialogue --------------------------------------------------------------------------------------------------

    def sender(self, transaction: Transaction, path: str) -> None:
        """MAIL. The null path passes here; what it is for is known at RCPT."""
        transaction.sender = path
        transaction.author = "" if transaction.mode == MX else path
        if path and parse_mailbox(path) is None:
            raise refuse(Kind.SENDER_INVALID, f"{shown(path)} is not a mail address; correct the sender", path)
        if path and transaction.login is not None and not transaction.login.owns(path):
            raise refuse(
                Kind.SENDER_NOT_PERMITTED,
                f"{shown(path)} is not an address of the user who has logged in; send as your own, "
                "or ask your administrator to add it",
                path,
            )

    async def recipient(self, transaction: Transaction, path: str) -> None:
        """RCPT: everything about the address and the sender's right to it is decided here."""
        recipient = Recipient(written=path)
        transaction.recipients.append(recipient)
        try:
            self._admit(transaction, recipient, path)
        except Refusal:
            if not await self.refresh():
                raise
            # What was refused may have been allowed a moment ago, maybe at another machine.
            recipient.refusal = ""
            self._admit(transaction, recipient, path)

    def _admit(self, transaction: Transaction, recipient: Recipient, path: str) -> None:
        account = self.routing.account_of(path)
        if account is not None:
            recipient.account_id = account.id
            transaction.account_id = transaction.account_id or account.id
        if not transaction.sender:
            if self._bounces is None or not self._bounces.meant(path):
                raise refuse(
                    Kind.BOUNCE, "bounces are not sent as faxes; this address only takes mail to be faxed", path
                )
            recipient.accepted = True
            return
        try:
            self._decide(transaction, recipient)
        except Refusal as refusal:
            recipient.refusal = refusal.reason.sentence
            raise
        recipient.accepted = True

    def _decide(self, transaction: Transaction, recipient: Recipient) -> None:
        route = self.routing.route(recipient.written)
        recipient.number, recipient.domain = route.number, route.domain
        self._limits.check(route.number)
        transaction.account_id = recipient.account_id = route.account.id
        if transaction.mode == MX:
            self._same_host(transaction, route)
        else:
            self._assign(transaction, recipient, self.routing.choose(transaction.sender, route, transaction.login))
        if len(transaction.accepted) >= self._max_recipients:
            raise refuse(
                Kind.TOO_MANY_RECIPIENTS, f"one mail takes {self._max_recipients} numbers; send the rest again"
            )

    def _assign(self, transaction: Transaction, recipient: Recipient, box: Faxbox) -> None:
        if transaction.accepted and transaction.faxbox_id != box.id:
            raise refuse(Kind.ANOTHER_FAXBOX, _ANOTHER)
        transaction.faxbox_id = recipient.faxbox_id = box.id

    def _same_host(self, transaction: Transaction, route: Route) -> None:
        """Who sends is known when the mail is here; then one host leads to one faxbox."""
        if any(earlier.domain != route.domain for earlier in transaction.accepted):
            raise refuse(Kind.ANOTHER_FAXBOX, _ANOTHER)

    def spool(self, declared_size: int) -> Spool:
        """DATA: a file for the message, unless the disk is nearly full."""
        if self._blobs.free_bytes() < RESERVE_BYTES + declared_size:
            raise refuse(Kind.STORAGE_FULL, "the gateway's disk is nearly full; try again later")
        return self._blobs.spool()

    async def prove(self, transaction: Transaction, message: Spooled) -> None:
        """A mail of a stranger: its From field must be of somebody who may send here, and proved by DKIM or SPF."""
        if not transaction.sender:
            return  # a bounce proves itself by what it names
        if self._evidence is None:
            raise refuse(Kind.SENDER_NOT_PERMITTED, "mail from strangers is not taken here")
        offers = await self._evidence.offers(transaction, message)
        for recipient in transaction.accepted:
            route = self.routing.route(recipient.written)
            recipient.faxbox_id = transaction.faxbox_id = self.routing.choose(offers.header_from, route).id
        proof = await self._evidence.prove(transaction, message, offers, lambda one: self._names(one, transaction))
        transaction.author, transaction.certain_id = offers.header_from, proof.certain_id
        log.info("sender proved", transaction=str(transaction.id), peer=transaction.peer, by=proof.by)

    def _names(self, signature: Signature, transaction: Transaction) -> bool:
        """Say whether the To and Cc fields that a signature covers name every number that the mail is for."""
        wanted = {(recipient.domain, recipient.number) for recipient in transaction.accepted}
        domains = tuple(f"@{domain}" for domain, _ in wanted)
        found = set()
        for address in signature.addressed:
            if address.lower().endswith(domains):  # to read hundreds of others as numbers would hold up everybody
                with contextlib.suppress(Refusal):
                    route = self.routing.route(address)
                    found.add((route.domain, route.number))
        return wanted <= found

    # -- the mail ------------------------------------------------------------------------------------------------------

    async def take(self, transaction: Transaction, message: Spooled) -> str:
        """Read the mail, write everything in one unit, and return the text of the 250."""
        if not transaction.sender and self._bounces is not None:
            return await self._bounces.take(transaction, message)
        reading = await self._sandbox.read_mail(message.fileno(), message.size, self._box(transaction).body)
        crashpoint.reach("intake.read")
        self._note(transaction, reading)
        self._accept(reading)
        new = self._faxes(transaction, reading, message)
        before: list[Callable[[], object]] = [message.seal, lambda: crashpoint.reach("intake.sealed")]
        kept = await self._db.write(lambda tx: self._keep(tx, transaction, reading, message, new), before)
        crashpoint.reach("intake.committed")
        if not kept:
            await self._blobs.removed(message.key)
        log.info(
            "mail taken",
            transaction=str(transaction.id),
            peer=transaction.peer,
            faxes=[str(fax_id) for fax_id in transaction.fax_ids],
            new=kept,
            pages=reading.pages,
            size=message.size,
        )
        return transaction.reply.removeprefix("250 2.0.0 ")

    async def refused(self, transaction: Transaction) -> None:
        """Write the smtplog row of a transaction that ended without being taken."""
        records = smtplog.records_of(transaction, datetime.now(UTC))
        try:
            await self._db.write(lambda tx: smtplog.insert(tx, *records))
        except Exception:
            log.exception("the smtplog row of a refused mail was not written", transaction=str(transaction.id))

    def _note(self, transaction: Transaction, reading: Reading) -> None:
        transaction.message_id = reading.message_id
        transaction.subject = reading.subject
        transaction.found = [part.facts() for part in reading.parts]

    def _accept(self, reading: Reading) -> None:
        if reading.automatic is not Automatic.NO:
            raise refuse(Kind.AUTOMATIC_MAIL, _AUTOMATIC[reading.automatic])
        if reading.refusal is not None:
            raise Refusal(reading.refusal)

    def _faxes(self, transaction: Transaction, reading: Reading, message: Spooled) -> list[Fax]:
        """One fax per number, whichever way and however often it was written."""
        box = self._box(transaction)
        numbers: dict[str, Recipient] = {}
        for recipient in transaction.accepted:
            numbers.setdefault(recipient.number, recipient)
        mail = new_id()
        return [self._fax(transaction, recipient, box, reading, message, mail) for recipient in numbers.values()]

    def _box(self, transaction: Transaction) -> Faxbox:
        _, boxes = self.routing.hosts[transaction.accepted[0].domain]
        return next(box for box in boxes if box.id == transaction.faxbox_id)

    def _fax(
        self,
        transaction: Transaction,
        recipient: Recipient,
        box: Faxbox,
        reading: Reading,
        message: Spooled,
        mail: UUID,
    ) -> Fax:
        now = datetime.now(UTC)
        return Fax(
            id=new_id(),
            account_id=box.account_id,
            application_id=box.application_id,
            faxbox_id=box.id,
            direction=Direction.OUTBOUND,
            origin=Origin.MAIL,
            state=State.PREPARING,
            from_number=box.caller_id,
            to_number=recipient.number,
            created_at=now,
            updated_at=now,
            to_written=recipient.written,
            from_name=box.caller_name,
            subject=reading.subject,
            quality=Quality(str(box.extra.get("quality") or Quality.HIGH)),
            message_id=mail,
            source=message.key,
            parts=[part.index for part in reading.parts if part.used],
            pages=reading.pages,
            tries_allowed=max(1, box.retries) if box.retries is not None else self._tries,
            user=transaction.login.name if transaction.login else "",
            notify=distinct([transaction.author, *box.outbound_emails]),
            delay_at=now + self._delay_notice if self._delay_notice else None,
        )

    def _keep(self, tx: Tx, transaction: Transaction, reading: Reading, message: Spooled, new: list[Fax]) -> int:
        """Write message, faxes, jobs and the smtplog row; return how many faxes are really new."""
        owners = [mailbag.first_fax(tx, *self._same(transaction, reading, fax)) for fax in new]
        fresh = [fax for fax, owner in zip(new, owners, strict=True) if owner == fax.id]
        held = 0
        if fresh:
            self._insert_message(tx, transaction, reading, message, fresh[0].message_id)
            entered = enter(tx, self._limits, fresh)
            held = sum(fax.state is State.HELD for fax in entered)
        transaction.fax_ids = owners
        transaction.reply = f"250 2.0.0 {_thanks(owners, len(fresh), held)}"
        smtplog.insert(tx, *smtplog.records_of(transaction, datetime.now(UTC)))
        for fax in fresh:
            actor = Actor("mail", transaction.author, transaction.peer)
            user = {"user": fax.user} if fax.user else {}
            audit.note(tx, actor, Action.SENT, account_id=fax.account_id, fax_id=fax.id, **user)
        return len(fresh)

    def _same(self, transaction: Transaction, reading: Reading, fax: Fax) -> tuple[str, UUID, timedelta]:
        """What makes two mails the same: account, sender, number, text, and the Message-ID if there is one.

        One that others may have changed does not make it another mail: who has it could fax it over and over.
        """
        message_id = reading.message_id if transaction.certain_id else ""
        key = "\n".join(
            [
                str(fax.account_id),
                transaction.author.casefold(),
                fax.to_number,
                reading.body_digest,
                message_id,
            ]
        )
        lasts = SAME_MAIL if message_id or not transaction.certain_id else SAME_BODY
        return digest(key), fax.id, lasts

    def _insert_message(
        self, tx: Tx, transaction: Transaction, reading: Reading, message: Spooled, message_id: UUID | None
    ) -> None:
        values = {
            "id": message_id,
            "account_id": transaction.account_id,
            "blob": message.key,
            "size": message.size,
            "sha256": reading.body_digest,
            "message_id": reading.message_id,
            "sender": transaction.author,
            "subject": reading.subject,
            "parts": transaction.found,
            "received_at": datetime.now(UTC),
        }
        mailbag.insert_message(tx, values)


def _thanks(owners: list[UUID], fresh: int, held: int) -> str:
    listed = " ".join(str(owner) for owner in owners[:8]) + (" ..." if len(owners) > 8 else "")
    if not fresh:
        return f"this mail was taken before as {listed}"
    if held:
        return f"taken as {listed}; {'' if held == len(owners) else f'{held} of them '}held until approved"
    return f"taken as {listed}"
