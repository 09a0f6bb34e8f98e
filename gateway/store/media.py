"""The media table: files that clients have uploaded, each under a name of its account, until they expire."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, delete, select, update

from gateway.media import Media
from gateway.store import jobs, shares
from gateway.store.database import Database, Row, changed, first, insert_new, one
from gateway.store.schema import media

#: The job that deletes a file when its time has come; its subject is the file's id.
EXPIRE = "expire_media"


def media_from(row: Row) -> Media:
    """Make the noun of a row of ``media``."""
    return Media(**row)


def insert(tx: Connection, file: Media) -> bool:
    """Add a file unless its account has one of this name, which has not expired; return whether it was added."""
    old = first(tx, select(media).where(media.c.account_id == file.account_id, media.c.name == file.name))
    if old is not None and old["expires_at"] <= datetime.now(UTC):
        remove(tx, media_from(old))
    added = insert_new(tx, media, {name: getattr(file, name) for name in media.c.keys()})  # noqa: SIM118
    if added:
        shares.share(tx, file.blob, file.id)
        jobs.enqueue(tx, EXPIRE, file.id, due=file.expires_at, priority=jobs.LATER)
    return added


def replace(tx: Connection, file: Media) -> bool:
    """Change everything of a file but its name; return whether it was there."""
    values = {name: getattr(file, name) for name in ("blob", "content_type", "size", "updated_at", "expires_at")}
    old = get(tx, file.id)
    if old is None or not changed(tx, update(media).where(media.c.id == file.id).values(**values)):
        return False
    if old.blob != file.blob:
        shares.share(tx, file.blob, file.id)
        _let_go(tx, old)
    jobs.drop(tx, EXPIRE, file.id)
    jobs.enqueue(tx, EXPIRE, file.id, due=file.expires_at, priority=jobs.LATER)
    return True


def remove(tx: Connection, file: Media) -> bool:
    """Delete a file; return whether it was there. Its blob stays as long as a fax needs it."""
    now = get(tx, file.id)
    jobs.drop(tx, EXPIRE, file.id)
    if now is None or not changed(tx, delete(media).where(media.c.id == file.id)):
        return False
    _let_go(tx, now)
    return True


def _let_go(tx: Connection, file: Media) -> None:
    if shares.drop(tx, file.blob, file.id):
        jobs.enqueue(tx, "scrap", file.blob, priority=jobs.LATER)


def get(tx: Connection, media_id: UUID) -> Media | None:
    """Return a file inside a unit, expired or not, locked."""
    row = first(tx, select(media).where(media.c.id == media_id).with_for_update())
    return None if row is None else media_from(row)


def listing(account_id: UUID, content_types: list[str]) -> Select[Any]:
    """The files of an account that have not expired, the newest first."""
    mine = (media.c.account_id == account_id, media.c.expires_at > datetime.now(UTC))
    statement = select(media).where(*mine).order_by(media.c.created_at.desc(), media.c.id.desc())
    return statement.where(media.c.content_type.in_(content_types)) if content_types else statement


async def named(db: Database, account_id: UUID, name: str) -> Media | None:
    """Return the file of this name, None when there is none or it has expired."""
    row = await one(db, listing(account_id, []).where(media.c.name == name))
    return None if row is None else media_from(row)
