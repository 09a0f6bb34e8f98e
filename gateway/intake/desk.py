"""The reception behind the SMTP door: decides over each address, and takes the whole mail or none of it."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from gateway import crashpoint, logs
from gateway.address import parse_mailbox, shown
from gateway.document import Automatic, Reading, Signature
from gateway.errors import Kind, Refusal, refuse
from gateway.faxbox import Faxbox
from gateway.ids import digest
from gateway.intake.bounces import Bounces
from gateway.intake.evidence import Evidence
from gateway.intake.mail import Mail
from gateway.intake.routing import Route, Routing
from gateway.limits import Limits
from gateway.sandbox import Sandbox
from gateway.store import provision, smtplog
from gateway.store.blobs import Blobs, Spool
from gateway.store.database import Database
from gateway.transaction import Recipient, Spooled, Transaction

log = logs.logger(__name__)
#: The mode of listeners whose clients are strangers (``smtp.listener``).
MX = "mx"
_ANOTHER = "this number belongs to another faxbox; send it in a mail of its own"
#: The disk must still take this much beside a message, so that what was accepted can be finished.
RESERVE_BYTES = 256 * 1024 * 1024

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
        transaction.author = offers.header_from
        if offers.written_at:
            transaction.letter = digest(f"{offers.written_at} {offers.body_digest}")
        log.info("sender proved", transaction=str(transaction.id), peer=transaction.peer, by=proof)

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
        box = self._still_permitted(transaction)
        reading = await self._sandbox.read_mail(message.fileno(), message.size, box.body)
        crashpoint.reach("intake.read")
        self._note(transaction, reading)
        self._accept(reading)
        mail = Mail(transaction, reading, message, box)
        new = mail.faxes(self._tries, self._delay_notice)
        before: list[Callable[[], object]] = [message.seal, lambda: crashpoint.reach("intake.sealed")]
        kept = await self._db.write(lambda tx: mail.keep(tx, self._limits, new), before)
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

    def _still_permitted(self, transaction: Transaction) -> Faxbox:
        """Return the faxbox that the mail goes through, if its author may send all of it now as he might at RCPT:
        hours can lie between the two."""
        for recipient in transaction.accepted:
            route = self.routing.route(recipient.written)
            box = self.routing.choose(transaction.author, route, transaction.login)
            if (route.number, box.id) != (recipient.number, transaction.faxbox_id):
                raise refuse(Kind.SETTINGS_CHANGED, "the faxbox was changed while the mail came; send it again")
        return box
