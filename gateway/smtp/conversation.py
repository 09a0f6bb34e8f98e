"""What one client wants, transaction after transaction: the Reception's decisions as replies, and nothing forgotten.

A transaction begins with MAIL. It ends either taken (``Reception.take`` returned) or refused, and a refused one is
told to ``Reception.refused`` exactly once, whatever ended it: a reply, RSET, a new EHLO, silence, or a lost connection.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway import logs, metrics
from gateway.account import SmtpUser
from gateway.address import shown
from gateway.errors import Kind, refuse
from gateway.ids import new_id
from gateway.smtp import paths, replies
from gateway.smtp.content import Content
from gateway.smtp.door import Door
from gateway.smtp.listener import MX, Listener, peer_address
from gateway.transaction import Recipient, Spooled, Transaction

log = logs.logger(__name__)


@dataclass(slots=True, eq=False)
class _Open:
    """A transaction that has not ended. ``announced`` is its size in octets (0: not said), ``refused_for`` the kind of
    the last refusal."""

    transaction: Transaction
    announced: int = 0
    spool: Spooled | None = None
    content: Content | None = None
    refused_for: Kind | None = None


class Conversation:
    """The transactions of one connection. Methods that answer a command return its reply line."""

    def __init__(self, door: Door, listener: Listener, peer: str) -> None:
        self._door = door
        self._listener = listener
        self._peer = peer
        self._open: _Open | None = None
        self.helo = ""
        self.tls = ""
        self.login: SmtpUser | None = None
        self.begun = 0
        self.taken = 0
        #: Mails that the client began and gave up, since one was taken.
        self.given_up = 0

    @property
    def open(self) -> bool:
        """True from MAIL until the transaction ends."""
        return self._open is not None

    async def mail(self, argument: str) -> str:
        """MAIL: begin a transaction."""
        if self._open is not None:
            return "503 5.5.1 a mail is being sent already; send RSET first"
        self.begun += 1
        self._open = mail = _Open(self._transaction(argument))
        try:
            reverse = paths.read_mail(argument, self._door.max_message_bytes)
            mail.transaction.sender = reverse.path
            mail.announced = reverse.size
            self._door.reception.sender(mail.transaction, reverse.path)
        except Exception as error:
            return await self._refuse(mail, error)
        return "250 2.1.0 sender ok"

    def _transaction(self, argument: str) -> Transaction:
        return Transaction(
            id=new_id(),
            started_at=datetime.now(UTC),
            listener=self._listener.address,
            mode=self._listener.mode,
            login=self.login,
            user=self.login.name if self.login else "",
            peer=self._peer,
            helo=self.helo,
            tls=self.tls,
            sender=shown(argument.partition(":")[2].strip()),  # for the record, until it has been read
        )

    async def recipient(self, argument: str) -> str:
        """RCPT: add a recipient to the transaction."""
        mail = self._open
        if mail is None:
            return "503 5.5.1 send MAIL first"
        try:
            path = self._recipient_path(mail.transaction, argument)
            await self._door.reception.recipient(mail.transaction, path)
        except Exception as error:
            reply = self._reply_to(error, mail)
            if mail.transaction.errors[-1:] != [reply]:  # hundreds of recipients may be too many
                mail.transaction.errors.append(reply)
            return reply
        return "250 2.1.5 recipient ok"

    def _recipient_path(self, transaction: Transaction, argument: str) -> str:
        limit = self._door.limits.recipients
        if len(transaction.accepted) >= limit:
            raise refuse(
                Kind.TOO_MANY_RECIPIENTS, f"one mail goes to {limit} recipients at most; send the others another"
            )
        try:
            return paths.read_recipient(argument)
        except replies.Rejection:
            transaction.recipients.append(Recipient(written=shown(argument.partition(":")[2].strip())))
            raise

    async def begin_message(self) -> Content | str:
        """DATA: return where the message goes, or the reply that refuses it."""
        mail = self._open
        if mail is None:
            return "503 5.5.1 send MAIL and RCPT first"
        if not mail.transaction.accepted:
            return await self.abandon("554 5.5.1 no recipient has been accepted")
        try:
            mail.spool = self._door.reception.spool(mail.announced)
        except Exception as error:
            return await self._refuse(mail, error)
        mends = self._listener.mends(peer_address(self._peer))
        mail.content = Content(mail.spool.write, self._door.max_message_bytes, mends=mends)
        return mail.content

    async def end_message(self) -> str:
        """The final dot has come: have the message taken. The work goes on even when the client leaves."""
        mail, self._open = self._open, None
        assert mail is not None
        return await self._door.keep(self._settle(mail))

    async def _settle(self, mail: _Open) -> str:
        try:
            text = await self._take(mail)
        except (Exception, asyncio.CancelledError) as error:  # nobody cancels this task; a part of the house did
            await self._end(mail, self._reply_to(error, mail), "refused")
        else:
            self.taken += 1
            self.given_up = 0
            mail.transaction.reply = replies.one_line(f"250 2.0.0 {text}")
            _discard(mail)
            metrics.smtp_transactions.labels("accepted", "").inc()
        return mail.transaction.reply

    async def _take(self, mail: _Open) -> str:
        assert mail.spool is not None
        assert mail.content is not None
        mail.transaction.size = mail.content.size
        if mail.content.error is not None:
            raise mail.content.error
        with logs.bind(transaction=mail.transaction.id):
            if self._listener.mode == MX:  # before its turn: name servers of strangers take as long as they like
                await self._door.prove(self._door.reception.prove(mail.transaction, mail.spool))
            async with self._door.turn:
                return await self._door.reception.take(mail.transaction, mail.spool)

    async def abandon(self, reply: str = "") -> str:
        """End the transaction, if there is one, without a mail: *reply* refuses it, "" when the client gave it up."""
        mail, self._open = self._open, None
        if mail is not None:
            self.given_up += not reply
            refused = mail.refused_for is not None and not mail.transaction.accepted
            await self._door.keep(self._end(mail, reply, "refused" if refused else "aborted"))
        return reply

    async def _refuse(self, mail: _Open, error: Exception) -> str:
        self._open = None
        reply = self._reply_to(error, mail)
        await self._door.keep(self._end(mail, reply, "refused"))
        return reply

    async def _end(self, mail: _Open, reply: str, outcome: str) -> None:
        transaction = mail.transaction
        _discard(mail)
        if mail.content is not None:
            transaction.size = mail.content.size
        if reply:
            transaction.errors.append(reply)
        transaction.reply = transaction.errors[-1] if transaction.errors else ""
        metrics.smtp_transactions.labels(outcome, mail.refused_for or "").inc()
        code = transaction.reply[:9]  # the sentence behind it may name a number
        log.info("mail not taken", transaction=str(transaction.id), peer=self._peer, reply=code)
        try:
            await self._door.reception.refused(transaction)
        except Exception:
            log.exception("a refused mail was not recorded", transaction=str(transaction.id))

    def _reply_to(self, error: BaseException, mail: _Open) -> str:
        mail.refused_for = replies.kind_of(error)
        if replies.is_fault(error):
            log.error("a mail failed", transaction=str(mail.transaction.id), peer=self._peer, exc_info=error)
        return replies.reply_to(error)


def _discard(mail: _Open) -> None:
    try:
        if mail.spool is not None:
            mail.spool.discard()
    except OSError:
        log.exception("a message was left behind", transaction=str(mail.transaction.id))
