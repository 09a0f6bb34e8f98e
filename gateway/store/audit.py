"""The audit trail: lines are added and never changed, which the database sees to (``schema/trail.py``); each carries a
digest of itself and of the line before it."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, delete, func, select

from gateway.audit import Action, Actor, Entry
from gateway.store.database import Database, Row, add, lock_keys
from gateway.store.events import set_watermark
from gateway.store.prepared import Prepared
from gateway.store.schema import audit
from gateway.store.schema.trail import KEPT_SINCE

#: The digest before the first line.
BEGINNING = "0" * 64
AT_ONCE = 1000
_NEWEST = select(func.max(audit.c.id)).scalar_subquery()
_LAST = Prepared(select(audit.c.id, audit.c.digest).where(audit.c.id == _NEWEST))


def note(
    tx: Connection,
    actor: Actor,
    action: Action,
    *,
    account_id: UUID | None = None,
    fax_id: UUID | None = None,
    subject: str = "",
    **details: Any,
) -> None:
    """Add a line to the audit trail, in the unit that does what it says.

    *actor* is who acts: ``Actor("token", str(token.id), peer)``, ``Actor("account", str(account.id), peer)`` for an
    api_key, ``Actor("link", id, peer)`` for a one-time link of a mail, ``Actor("shell", user)`` for a command. *fax_id*
    names the fax that it is about; *subject* anything else, as ``faxbox:ID``. *details* are JSON values that help to
    understand it, such as ``state="unknown"`` or ``fields=["permit"]``; no secrets and nothing out of a document.

    Lines are chained one after the other, so on PostgreSQL the units that add some wait for each other from here to
    their commit: call it last.
    """
    lock_keys(tx, ["audit"])
    before: Row = next(iter(_LAST.rows(tx)), {"id": 0, "digest": BEGINNING})
    values: dict[str, Any] = {
        "id": before["id"] + 1,
        "at": datetime.now(UTC),
        "actor_kind": actor.kind,
        "actor": actor.name[:255],
        "peer": actor.peer[:64],
        "action": action.value,
        "account_id": account_id,
        "fax_id": fax_id,
        "subject": subject[:128],
        "details": details,
        "previous": before["digest"],
    }
    add(tx, audit, {**values, "digest": digest_of(values)})


def digest_of(line: Row) -> str:
    """Return the SHA-256, in hex, of all of a line but its own digest."""
    parts = [
        line["id"],
        line["at"].astimezone(UTC).isoformat(timespec="microseconds"),
        *(line[name] for name in ("actor_kind", "actor", "peer", "action")),
        *(str(line[name] or "") for name in ("account_id", "fax_id")),
        *(line[name] for name in ("subject", "details", "previous")),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def listing(
    *, fax_id: UUID | None = None, account_id: UUID | None = None, actor: str = "", action: str = "", limit: int = 50
) -> Select[Any]:
    """The newest lines first, those about one fax or account or of one actor or action."""
    wanted = select(audit).order_by(audit.c.id.desc()).limit(limit)
    for column, value in ((audit.c.fax_id, fax_id), (audit.c.account_id, account_id)):
        wanted = wanted if value is None else wanted.where(column == value)
    for column, text in ((audit.c.actor, actor), (audit.c.action, action)):
        wanted = wanted.where(column == text) if text else wanted
    return wanted


async def page(db: Database, **criteria: Any) -> list[Entry]:
    """Return the lines of a ``listing``."""
    return [Entry(**row) for row in await db.rows(listing(**criteria))]


async def verify(db: Database) -> tuple[int, int | None, str]:
    """Read the whole trail; return how many lines there are, the id of the first one that does not fit (None when all
    do), and the digest of the last. Lines that have passed the retention are gone from the beginning, which is no
    break. That lines were taken off the end shows only against an older value of the last digest."""
    count, previous, position = 0, "", 0
    while lines := await db.rows(select(audit).where(audit.c.id > position).order_by(audit.c.id).limit(AT_ONCE)):
        broken = _break(lines, previous, position)
        if broken is not None:
            return count, broken, previous
        count += len(lines)
        previous, position = lines[-1]["digest"], lines[-1]["id"]
    return count, None, previous


def _break(lines: Sequence[Row], previous: str, position: int) -> int | None:
    for line in lines:
        first = not position
        fits = first or (line["previous"] == previous and line["id"] == position + 1)
        if not fits or line["digest"] != digest_of(line):
            return int(line["id"])
        previous, position = line["digest"], line["id"]
    return None


def forget(tx: Connection, before: datetime, limit: int = AT_ONCE) -> int:
    """Delete lines from the beginning that are older than *before*; the last line always stays. Return how many."""
    newest = tx.execute(select(audit.c.id).order_by(audit.c.id.desc()).limit(1)).scalar()
    first_kept = select(audit.c.id).where(audit.c.at >= before).order_by(audit.c.id).limit(1)
    kept = tx.execute(first_kept).scalar() or newest
    if kept is None:
        return 0
    set_watermark(tx, KEPT_SINCE, before)
    old = select(audit.c.id).where(audit.c.id < kept).order_by(audit.c.id).limit(limit)
    return int(tx.execute(delete(audit).where(audit.c.id.in_(list(tx.execute(old).scalars())))).rowcount)
