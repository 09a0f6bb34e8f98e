"""The smtplog: one row for every SMTP transaction, taken or refused."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, select

from gateway.store.database import Database, Row, add, older_than, one
from gateway.store.schema import smtplog
from gateway.transaction import SmtpRecord, Transaction


def record_from(row: Row) -> SmtpRecord:
    """Make the noun of a row of ``smtplog``."""
    return SmtpRecord(**row)


def record_of(transaction: Transaction, at: datetime) -> SmtpRecord:
    """Make the record of a transaction that has ended *at*."""
    return SmtpRecord(
        id=transaction.id,
        account_id=transaction.account_id,
        faxbox_id=transaction.faxbox_id,
        at=at,
        listener=transaction.listener,
        peer=transaction.peer,
        helo=transaction.helo[:255],
        tls=transaction.tls,
        user=transaction.user[:255],
        sender=transaction.sender[:512],
        recipients=[_recipient(recipient) for recipient in transaction.recipients],
        size=transaction.size,
        message_id=transaction.message_id,
        subject=transaction.subject,
        found=list(transaction.found),
        errors=list(transaction.errors),
        reply=transaction.reply,
        fax_ids=[str(fax_id) for fax_id in transaction.fax_ids],
    )


def _recipient(recipient: Any) -> dict[str, str]:
    return {"written": recipient.written, "number": recipient.number, "domain": recipient.domain}


def insert(tx: Connection, record: SmtpRecord) -> None:
    """Add a record."""
    add(tx, smtplog, asdict(record))


def listing(
    account_id: UUID | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Select[Any]:
    """Newest first; *before* is the (at, id) of the last row seen (keyset paging). *since* and *until* are included."""
    statement = select(smtplog).order_by(smtplog.c.at.desc(), smtplog.c.id.desc()).limit(limit)
    if account_id is not None:
        statement = statement.where(smtplog.c.account_id == account_id)
    if before is not None:
        statement = statement.where(older_than(smtplog.c.at, smtplog.c.id, before))
    if since is not None:
        statement = statement.where(smtplog.c.at >= since)
    if until is not None:
        statement = statement.where(smtplog.c.at <= until)
    return statement


async def page(db: Database, **criteria: Any) -> list[SmtpRecord]:
    """Return one page of ``listing``."""
    return [record_from(row) for row in await db.rows(listing(**criteria))]


async def fetch(db: Database, record_id: UUID) -> SmtpRecord | None:
    """Return a record, or None."""
    row = await one(db, select(smtplog).where(smtplog.c.id == record_id))
    return None if row is None else record_from(row)
