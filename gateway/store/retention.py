"""What has passed its time: which faxes, and the records that go without further ado."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, Text, and_, cast, delete, exists, or_, select, update

from gateway.fax import FINAL, Direction
from gateway.store.database import changed
from gateway.store.schema import attempts, events, faxes, outgoing, smtplog, submissions, tokens
from gateway.telling import Tale, TellingState

AT_ONCE = 500
_ENDED = [state.value for state in FINAL]
#: A token that is worth nothing any more is still shown for this long.
_TOKENS = timedelta(days=30)
_DAY = timedelta(days=1)
Whose = tuple[str, Sequence[UUID]]  # "of" these accounts, or of all "but" these


def _owned(whose: Whose) -> ColumnElement[bool]:
    """A fax that nobody owns waits for a person, however old it is."""
    which, accounts = whose
    mine = faxes.c.account_id.in_(accounts)
    return mine if which == "of" else and_(faxes.c.account_id.is_not(None), ~mine)


def _has_documents() -> ColumnElement[bool]:
    listed = cast(faxes.c.documents, Text) != "[]"
    return or_(faxes.c.pages_blob != "", faxes.c.source != "", faxes.c.rendering_id.is_not(None), listed)


def _told(*where: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(outgoing.c.id).where(outgoing.c.fax_id == faxes.c.id, *where))


def _undelivered() -> ColumnElement[bool]:
    """A received fax that somebody should have and has not, even if he was told of it: what becomes of it is for a
    person to decide."""
    missed = _told(outgoing.c.tale == Tale.RECEIVED.value, outgoing.c.state != TellingState.SENT.value)
    return and_(faxes.c.direction == Direction.INBOUND.value, missed)


def _expired(whose: Whose, before: datetime, after: tuple[datetime, UUID] | None) -> Select[Any]:
    ended = (faxes.c.state.in_(_ENDED), faxes.c.erased_at.is_(None), faxes.c.finished_at < before)
    return _behind(after).where(*ended, _owned(whose))


def _behind(after: tuple[datetime, UUID] | None) -> Select[Any]:
    """Faxes in the order of their ends, those behind *after*."""
    wanted = select(faxes.c.id, faxes.c.finished_at)
    if after is not None:
        ended_at, fax_id = faxes.c.finished_at, faxes.c.id
        wanted = wanted.where(or_(ended_at > after[0], and_(ended_at == after[0], fax_id > after[1])))
    return wanted.order_by(faxes.c.finished_at, faxes.c.id).limit(AT_ONCE)


def documents(whose: Whose, before: datetime, after: tuple[datetime, UUID] | None) -> Select[Any]:
    """Faxes that ended before *before* and still have documents, those behind *after* in the order of their ends."""
    return _expired(whose, before, after).where(_has_documents(), ~_undelivered())


def passed_on(whose: Whose, before: datetime, after: tuple[datetime, UUID] | None) -> Select[Any]:
    """The same, of those whose documents everybody has who shall have them: a received fax was taken by a mail server
    for each of its recipients, of a sent one each receipt; one that told nobody counts if it was sent."""
    waiting = _told(outgoing.c.state != TellingState.SENT.value)
    mailed = _told(outgoing.c.tale == Tale.RECEIVED.value)
    sent = faxes.c.direction == Direction.OUTBOUND.value
    return documents(whose, before, after).where(~waiting, or_(sent, mailed))


def records(whose: Whose, before: datetime, after: tuple[datetime, UUID] | None) -> Select[Any]:
    """Faxes that ended before *before* and are not erased yet."""
    return _expired(whose, before, after)


def at_the_carrier(whose: Whose, before: datetime, after: tuple[datetime, UUID] | None) -> Select[Any]:
    """Faxes that the carrier still has: those that ended before *before* and whose mails are taken, whoever owns them,
    and those that were erased."""
    waiting = _told(outgoing.c.state == TellingState.WAITING.value)
    over = or_(faxes.c.erased_at.is_not(None), and_(faxes.c.finished_at < before, ~waiting))
    there = (faxes.c.carrier_fax_id != "", ~faxes.c.carrier_forgets)
    return _behind(after).where(faxes.c.finished_at.is_not(None), *there, over)


def carrier_forgets(tx: Connection, fax_id: UUID) -> bool:
    """Note that a fax is deleted at the carrier; False when that was noted before."""
    mine = (faxes.c.id == fax_id, ~faxes.c.carrier_forgets)
    return changed(tx, update(faxes).where(*mine).values(carrier_forgets=True))


def carrier_ids(tx: Connection, fax_id: UUID) -> set[str]:
    """Return the ids under which the carrier knows a fax."""
    tried = select(attempts.c.carrier_fax_id).where(attempts.c.fax_id == fax_id)
    own = select(faxes.c.carrier_fax_id).where(faxes.c.id == fax_id)
    return {*tx.execute(tried).scalars(), *tx.execute(own).scalars()} - {""}


def forget_mails(tx: Connection, whose: Whose, before: datetime) -> int:
    """Delete lines of the log of mails."""
    which, accounts = whose
    mine = smtplog.c.account_id.in_(accounts)
    other = or_(smtplog.c.account_id.is_(None), ~mine)
    return _deleted(tx, smtplog, smtplog.c.at < before, mine if which == "of" else other)


def forget_events(tx: Connection, before: datetime) -> int:
    """Delete what the carrier said of faxes that are at their end, or of none of ours."""
    under_way = exists(select(faxes.c.id).where(faxes.c.id == events.c.fax_id, faxes.c.state.not_in(_ENDED)))
    return _deleted(tx, events, events.c.received_at < before, events.c.handled_at.is_not(None), ~under_way)


def forget_what_is_over(tx: Connection, now: datetime) -> int:
    """Delete claims of mails that cannot come again, tokens that have expired, and mails that are about no fax."""
    old = (outgoing.c.fax_id.is_(None), outgoing.c.state != TellingState.WAITING.value)
    return (
        _deleted(tx, submissions, submissions.c.until < now - _DAY)
        + _deleted(tx, tokens, tokens.c.expires_at < now - _TOKENS)
        + _deleted(tx, outgoing, outgoing.c.created_at < now - _TOKENS, *old)
    )


def _deleted(tx: Connection, table: Any, *where: ColumnElement[bool]) -> int:
    key = next(iter(table.primary_key.columns))
    old = list(tx.execute(select(key).where(*where).limit(AT_ONCE)).scalars())
    return int(tx.execute(delete(table).where(key.in_(old))).rowcount) if old else 0
