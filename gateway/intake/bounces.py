"""Mails of ours that come back: a mail server took one, could not deliver it, and reports that to our own address.

The report must name the Message-ID of the mail, which is made with a key (``notify``): who has not had the mail cannot
invent its bounce. One mail comes back once, and the word to the operator that makes comes back without another: so no
stranger can flood him, and nothing goes round. It makes no mail to whoever sent it.
"""

from datetime import UTC, datetime

from gateway import logs
from gateway.address import parse_mailbox
from gateway.document import Report
from gateway.errors import Kind, refuse
from gateway.notify import Notify
from gateway.sandbox import Sandbox
from gateway.store import faxes, smtplog
from gateway.store.database import Database, Tx
from gateway.transaction import Spooled, Transaction

log = logs.logger(__name__)


class Bounces:
    """*address* is the sender of our mails (``[smarthost] sender``), "" to take none back."""

    def __init__(self, db: Database, sandbox: Sandbox, notify: Notify, address: str) -> None:
        self._db = db
        self._sandbox = sandbox
        self._notify = notify
        self._address = parse_mailbox(address)

    def meant(self, path: str) -> bool:
        """Whether a null sender's mail to *path* can be a bounce of ours."""
        mailbox = parse_mailbox(path)
        if mailbox is None or self._address is None:
            return False
        same_host = mailbox.domain.casefold() == self._address.domain.casefold()
        return same_host and mailbox.local.casefold() == self._address.local.casefold()

    async def take(self, transaction: Transaction, message: Spooled) -> str:
        """Note what a report says, with its record, and return the text of the 250. Raises Refusal for what is no
        report about a mail of ours."""
        report = await self._sandbox.report(message.fileno(), message.size)
        found = bool(report.message_id) and await self._db.write(lambda tx: self._note(tx, transaction, report))
        if not found:
            raise refuse(
                Kind.BOUNCE, "this is no report about a mail of this gateway; nobody reads mail at its address"
            )
        log.info("report taken", transaction=str(transaction.id), about=report.message_id, failed=report.failed)
        return _text(report)

    def _note(self, tx: Tx, transaction: Transaction, report: Report) -> bool:
        found = self._notify.returned(tx, report)
        if found is None:
            return False
        fax = faxes.get(tx, found.fax_id) if found.fax_id else None
        transaction.message_id, transaction.account_id = report.message_id, fax.account_id if fax else None
        transaction.reply = f"250 2.0.0 {_text(report)}"
        smtplog.insert(tx, *smtplog.records_of(transaction, datetime.now(UTC)))
        return True


def _text(report: Report) -> str:
    return "the mail is noted as undeliverable" if report.failed else "nothing follows from this report"
