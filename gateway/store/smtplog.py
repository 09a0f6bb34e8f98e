"""The smtplog: one row for every SMTP transaction, taken or refused."""

from dataclasses import fields, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, select, update

from gateway.ids import new_id
from gateway.store.database import Database, Row, add, one
from gateway.store.paging import Position, Stretch, stretched
from gateway.store.schema import smtplog
from gateway.transaction import SmtpRecord, Transaction

#: Between the making of a fax and the record of its mail lies no more than this.
_NEAR = timedelta(hours=1)

_NAMES = tuple(field.name for field in fields(SmtpRecord))
_VALUES = attrgetter(*_NAMES)


def record_from(row: Row) -> SmtpRecord:
    """Make the noun of a row of ``smtplog``."""
    return SmtpRecord(**row)


def records_of(transaction: Transaction, at: datetime) -> list[SmtpRecord]:
    """Make the records of a transaction that has ended *at*: one for each account that it spoke to.

    An account whose numbers were only asked for, and refused because the mail is another's, sees its own recipients
    and what they were answered; nothing of the mail.
    """
    others = {recipient.account_id for recipient in transaction.recipients} - {None, transaction.account_id}
    foreign = [_foreign(transaction, account_id, at) for account_id in sorted(others, key=str) if account_id]
    answered = {error for record in foreign for error in record.errors}
    own = _record(
        transaction,
        at,
        faxbox_id=transaction.faxbox_id,
        recipients=[_recipient(each) for each in transaction.recipients if each.account_id not in others],
        size=transaction.size,
        message_id=transaction.message_id,
        subject=transaction.subject,
        found=list(transaction.found),
        errors=[error for error in transaction.errors if error not in answered],
        reply=transaction.reply,
        fax_ids=[str(fax_id) for fax_id in transaction.fax_ids],
    )
    return [own, *foreign]


def _foreign(transaction: Transaction, account_id: UUID, at: datetime) -> SmtpRecord:
    asked = [each for each in transaction.recipients if each.account_id == account_id]
    sentences = tuple(each.refusal for each in asked if each.refusal)
    errors = [error for error in transaction.errors if sentences and error.endswith(sentences)]
    recipients = [_recipient(each) for each in asked]
    reply = errors[-1] if errors else ""
    record = _record(transaction, at, recipients=recipients, errors=errors, reply=reply)
    return replace(record, id=new_id(), account_id=account_id)


def _record(transaction: Transaction, at: datetime, **more: Any) -> SmtpRecord:
    facts: dict[str, Any] = {"faxbox_id": None, "size": 0, "message_id": "", "subject": "", "found": [], "fax_ids": []}
    return SmtpRecord(
        id=transaction.id,
        account_id=transaction.account_id,
        at=at,
        listener=transaction.listener,
        peer=transaction.peer,
        helo=transaction.helo[:255],
        tls=transaction.tls,
        user=transaction.user[:255],
        sender=transaction.sender[:512],
        **{**facts, **more},
    )


def _recipient(recipient: Any) -> dict[str, str]:
    return {"written": recipient.written, "number": recipient.number, "domain": recipient.domain}


def insert(tx: Connection, *records: SmtpRecord) -> None:
    """Add the records of a transaction."""
    for record in records:
        add(tx, smtplog, dict(zip(_NAMES, _VALUES(record), strict=True)))


def listing(
    account_id: UUID | None = None,
    before: Position | None = None,
    limit: int = 50,
    since: datetime | None = None,
    until: datetime | None = None,
    ascending: bool = False,
) -> Select[Any]:
    """A stretch of the log, of one account or of all; *before* is the (at, id) of the last row seen."""
    statement = select(smtplog)
    if account_id is not None:
        statement = statement.where(smtplog.c.account_id == account_id)
    return stretched(statement, smtplog.c.at, smtplog.c.id, Stretch(limit, before, since, until, ascending))


def erase(tx: Connection, account_id: UUID, message_id: str, at: datetime, number: str) -> None:
    """Scrub a number, and what the mail was, from the records of the mail that a fax was made of.

    *message_id* is the mail's; *at* is when the fax was made, and *number* its E.164.
    """
    near = (smtplog.c.at >= at - _NEAR, smtplog.c.at <= at + _NEAR)
    wanted = (smtplog.c.account_id == account_id, smtplog.c.message_id == message_id, *near)
    for row in tx.execute(select(smtplog.c.id, smtplog.c.recipients).where(*wanted)).all():
        kept = [each for each in row.recipients if each["number"] != number]
        values = {"recipients": kept, "subject": "", "found": []}
        tx.execute(update(smtplog).where(smtplog.c.id == row.id).values(**values))


async def page(db: Database, **criteria: Any) -> list[SmtpRecord]:
    """Return one page of ``listing``."""
    return [record_from(row) for row in await db.rows(listing(**criteria))]


async def fetch(db: Database, record_id: UUID) -> SmtpRecord | None:
    """Return a record, or None."""
    row = await one(db, select(smtplog).where(smtplog.c.id == record_id))
    return None if row is None else record_from(row)
