"""A mail that was read becomes faxes: one for each number, and once, however often the mail comes."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from gateway.audit import Action, Actor
from gateway.document import Reading
from gateway.fax import Direction, Fax, Origin, Quality, State
from gateway.faxbox import Faxbox
from gateway.ids import digest, new_id
from gateway.intake.evidence import CLOCKS_DIFFER, SIGNED_FOR
from gateway.limits import Limits
from gateway.notify import distinct
from gateway.outbox import enter
from gateway.store import audit, mailbag, smtplog
from gateway.store.database import Tx
from gateway.transaction import Recipient, Spooled, Transaction

#: How long the same mail again is no other: with a Message-ID, without one, and a stranger's, who may have signed it.
SAME_MAIL = timedelta(hours=48)
SAME_BODY = timedelta(minutes=5)
SAME_LETTER = SIGNED_FOR + 2 * CLOCKS_DIFFER


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that will be taken: how it came, what was found in it, where it lies, and the faxbox that sends it."""

    transaction: Transaction
    reading: Reading
    message: Spooled
    box: Faxbox

    def faxes(self, tries: int, delay_notice: timedelta | None) -> list[Fax]:
        """Return one fax per number, whichever way and however often it was written. *tries* hold where the faxbox says
        nothing; after *delay_notice* its people are told that it still waits."""
        numbers: dict[str, Recipient] = {}
        for recipient in self.transaction.accepted:
            numbers.setdefault(recipient.number, recipient)
        mail = new_id()
        return [self._fax(recipient, mail, tries, delay_notice) for recipient in numbers.values()]

    def _fax(self, recipient: Recipient, mail: UUID, tries: int, delay_notice: timedelta | None) -> Fax:
        box, now = self.box, datetime.now(UTC)
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
            subject=self.reading.subject,
            quality=Quality(str(box.extra.get("quality") or Quality.HIGH)),
            message_id=mail,
            source=self.message.key,
            parts=[part.index for part in self.reading.parts if part.used],
            pages=self.reading.pages,
            tries_allowed=max(1, box.retries) if box.retries is not None else tries,
            user=self.transaction.login.name if self.transaction.login else "",
            notify=distinct([self.transaction.author, *box.outbound_emails]),
            delay_at=now + delay_notice if delay_notice else None,
        )

    def keep(self, tx: Tx, limits: Limits, new: list[Fax]) -> int:
        """Write message, faxes, jobs and the smtplog row, and the reply; return how many of *new* are really new."""
        transaction = self.transaction
        owners = [self._first(tx, fax) for fax in new]
        fresh = [fax for fax, owner in zip(new, owners, strict=True) if owner == fax.id]
        held = 0
        if fresh:
            mailbag.insert_message(tx, self._row(fresh[0].message_id))
            entered = enter(tx, limits, fresh)
            held = sum(fax.state is State.HELD for fax in entered)
        transaction.fax_ids = owners
        transaction.reply = f"250 2.0.0 {_thanks(owners, len(fresh), held)}"
        smtplog.insert(tx, *smtplog.records_of(transaction, datetime.now(UTC)))
        for fax in fresh:
            actor = Actor("mail", transaction.author, transaction.peer)
            user = {"user": fax.user} if fax.user else {}
            audit.note(tx, actor, Action.SENT, account_id=fax.account_id, fax_id=fax.id, **user)
        return len(fresh)

    def _first(self, tx: Tx, fax: Fax) -> UUID:
        """Return the fax that the same mail was made into before, or *fax*.

        Mails are the same by account, sender, number, text, and the Message-ID if there is one. Who sends a stranger's
        mail on may change a Message-ID that is not signed, and blanks in the text: those are the same by their letter,
        for as long as a signature counts, and whatever became of it.
        """
        whose = f"{fax.account_id}\n{self.transaction.author.casefold()}\n{fax.to_number}"
        if letter := self.transaction.letter:
            return mailbag.first_fax(tx, digest(f"{whose}\n{letter}"), fax.id, SAME_LETTER, unless=())
        message_id, lasts = self.reading.message_id, SAME_MAIL if self.reading.message_id else SAME_BODY
        return mailbag.first_fax(tx, digest(f"{whose}\n{self.reading.body_digest}\n{message_id}"), fax.id, lasts)

    def _row(self, message_id: UUID | None) -> dict[str, object]:
        return {
            "id": message_id,
            "account_id": self.transaction.account_id,
            "blob": self.message.key,
            "size": self.message.size,
            "sha256": self.reading.body_digest,
            "message_id": self.reading.message_id,
            "sender": self.transaction.author,
            "subject": self.reading.subject,
            "parts": self.transaction.found,
            "received_at": datetime.now(UTC),
        }


def _thanks(owners: list[UUID], fresh: int, held: int) -> str:
    listed = " ".join(str(owner) for owner in owners[:8]) + (" ..." if len(owners) > 8 else "")
    if not fresh:
        return f"this mail was taken before as {listed}"
    if held:
        return f"taken as {listed}; {'' if held == len(owners) else f'{held} of them '}held until approved"
    return f"taken as {listed}"
