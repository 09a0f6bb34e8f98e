"""The decisions table: one-time links by which somebody decides about a fax. Of a token only the digest is kept."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select, update

from gateway.ids import digest, new_id
from gateway.store.database import Database, Row, add, changed, first, one
from gateway.store.schema import decisions

#: How long a link is good.
LASTS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Decision:
    """A link. ``action`` is what was decided by it, "" while nothing was; ``only`` the one answer that it is good for,
    "" for any."""

    id: UUID
    fax_id: UUID
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    action: str = ""
    only: str = ""

    @property
    def expired(self) -> bool:
        """Whether it is too old."""
        return self.expires_at <= datetime.now(UTC)


def insert(tx: Connection, token: str, fax_id: UUID, only: str = "") -> UUID:
    """Make *token* good for deciding about a fax (*only* in this way, if one is given); return the decision's id."""
    now, identity = datetime.now(UTC), new_id()
    row = {"id": identity, "digest": digest(token), "fax_id": fax_id, "created_at": now, "expires_at": now + LASTS}
    add(tx, decisions, row | {"only": only})
    return identity


async def fetch(db: Database, token: str) -> Decision | None:
    """Return what a link is for, or None when it was never given out."""
    return _from(await one(db, select(decisions).where(decisions.c.digest == digest(token))))


def get(tx: Connection, token: str) -> Decision | None:
    """The same inside a unit, locked."""
    return _from(first(tx, select(decisions).where(decisions.c.digest == digest(token)).with_for_update()))


def use(tx: Connection, decision: Decision, action: str) -> bool:
    """Note what was decided; False when the link was used before or is too old."""
    unused = (decisions.c.id == decision.id, decisions.c.used_at.is_(None), decisions.c.expires_at > datetime.now(UTC))
    return changed(tx, update(decisions).where(*unused).values(used_at=datetime.now(UTC), action=action))


def _from(row: Row | None) -> Decision | None:
    return None if row is None else Decision(**{name: value for name, value in row.items() if name != "digest"})
