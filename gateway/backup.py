"""A copy of everything that a gateway keeps, made while it works, and the way back.

A backup is a folder: ``faxgate.db``, an SQLite file of one moment whatever database the gateway has; ``blobs/``, every
message and document that a row of it names; and ``backup.json``, written last. Blobs are durable before their row and
never change, so a copy of the database and then of the blobs is complete. Made again into the same folder, it takes
only what is new.

What a restored gateway does not know is what happened after the moment of its backup: ``gateway.restored`` finds out,
and nothing is sent before.
"""

import asyncio
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from gateway.audit import Actor
from gateway.errors import ConfigurationError, Kind, Refusal
from gateway.store import migrate, restoring
from gateway.store.blobs import Blobs
from gateway.store.database import Database, Tx, open_database
from gateway.store.folder import Folder
from gateway.store.references import referenced
from gateway.store.transfer import copy_rows, lone_file, require_empty

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Backup:
    """What ``backup.json`` says. ``at`` is before the moment of the database; ``missing`` counts documents that were
    removed while the backup was made."""

    at: datetime
    schema: str
    blobs: int
    new_blobs: int = 0
    missing: int = 0
    without_blobs: bool = False


# -- there -------------------------------------------------------------------------------------------------------------


async def back_up(db: Database, blobs: Blobs, target: Path, *, with_blobs: bool = True) -> Backup:
    """Make a backup in the folder *target*, which is made or holds an earlier backup. Raises ConfigurationError for a
    folder of something else, ConfigurationError or OSError for a disk that does not take it."""
    _check_target(target, with_blobs=with_blobs)
    at = datetime.now(UTC)
    fresh = target / "faxgate.db.new"
    fresh.unlink(missing_ok=True)
    try:
        with _said_of(f"the database cannot be copied to {fresh}"):
            await db.snapshot(fresh)
        return await asyncio.to_thread(_finish, fresh, blobs, target, at, with_blobs)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


@contextmanager
def _said_of(what: str) -> Iterator[None]:
    """Say of an SQLite file that cannot be read or written *what* could not be done; what it says itself names none."""
    try:
        yield
    except (sqlite3.Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(cause, sqlite3.Error):
            raise
        raise ConfigurationError(f"{what}: {cause}") from error


def _check_target(target: Path, *, with_blobs: bool) -> None:
    known = {"faxgate.db", "faxgate.db.new", "blobs", "backup.json"}
    if target.is_dir() and (strange := {path.name for path in target.iterdir()} - known):
        raise ConfigurationError(f"{target} has other things in it ({sorted(strange)[0]}); name an empty folder")
    if not with_blobs and any(True for _ in Folder(target / "blobs").names()):
        raise ConfigurationError(
            f"{target} has the documents of an earlier backup, and would lose them; name another folder, or leave out "
            "--without-blobs"
        )
    target.mkdir(parents=True, exist_ok=True, mode=0o700)


def _finish(fresh: Path, blobs: Blobs, target: Path, at: datetime, with_blobs: bool) -> Backup:
    with lone_file(fresh) as tx:
        schema = migrate.revision(tx)
        keys = set(referenced(tx)) if with_blobs else set()
        sure = set(referenced(tx, surely=True)) if with_blobs else set()
    kept = Folder(target / "blobs")
    kept.prepare()
    kept.sweep_incoming()
    have = {key for key, _ in kept.names()}
    new = {key for key in sorted(keys - have) if _taken(kept, blobs, key)}
    os.replace(fresh, target / "faxgate.db")
    for key in have - keys:
        kept.remove(key)
    whole = (have & keys) | new
    made = Backup(at, schema, len(whole), len(new), len(sure - whole), not with_blobs)
    _write(target / "backup.json", made)
    return made


def _taken(kept: Folder, blobs: Blobs, key: str) -> bool:
    """Copy a blob; False when there is none of this name: it was removed meanwhile, or what looks like a key is not."""
    try:
        if isinstance(blobs, Folder):
            kept.adopt(key, blobs.path(key))
        else:
            with blobs.open(key) as file:
                kept.keep(key, file)
    except FileNotFoundError:
        return False
    except Refusal as refusal:
        if refusal.reason.kind is not Kind.NOT_FOUND:
            raise
        return False
    return True


def _write(path: Path, made: Backup) -> None:
    facts = {"format": FORMAT, "at": made.at.isoformat(), "schema": made.schema, "blobs": made.blobs}
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="utf-8") as file:
        json.dump({**facts, "without_blobs": made.without_blobs}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


# -- and back ----------------------------------------------------------------------------------------------------------


def read(source: Path) -> Backup:
    """Return what a backup says of itself. Raises ConfigurationError when the folder is none, or not a whole one."""
    try:
        facts = json.loads((source / "backup.json").read_text(encoding="utf-8"))
        at, left_out = datetime.fromisoformat(facts["at"]), bool(facts["without_blobs"])
        made = Backup(at, facts["schema"], facts["blobs"], without_blobs=left_out)
    except (OSError, ValueError, KeyError):
        raise ConfigurationError(f"{source} is no finished backup: it has no backup.json that can be read") from None
    if facts["format"] != FORMAT or not (source / "faxgate.db").is_file():
        raise ConfigurationError(f"{source} is no backup that this release can read")
    return made


async def restore_blobs(source: Path, blobs: Blobs) -> int:
    """Put the documents of a backup back where they are missing; return how many there are."""
    return await copy_blobs(Folder(source / "blobs"), blobs)


async def copy_blobs(source: Folder, target: Blobs) -> int:
    """Copy what *target* lacks; return how many blobs *source* has."""

    def work() -> int:
        target.prepare()
        there = {key for key, _ in target.names()}
        keys = {key for key, _ in source.names()}
        for key in keys - there:
            with source.open(key) as file:
                target.keep(key, file)
        return len(keys)

    return await asyncio.to_thread(work)


async def copy_database(source: Path, db: Database) -> dict[str, int]:
    """Copy all rows of the SQLite file *source*, which nobody writes meanwhile, into *db*, which is empty: all of them
    or none. Both must have this release's schema. Return how many rows each table had."""

    def unit(tx: Tx) -> dict[str, int]:
        require_empty(tx)
        with _said_of(f"{source} cannot be copied to where [database] url says"), lone_file(source) as rows:
            found, needed = migrate.revision(rows), migrate.newest()
            if found != needed:
                raise ConfigurationError(
                    f"{source} has schema {found or 'none'} and this release needs {needed}; run faxgate migrate with "
                    "its own settings first"
                )
            return copy_rows(rows, tx)

    return await db.migrate(unit)


async def restored_file(source: Path, target: Path, actor: Actor) -> None:
    """Make *target*, a new SQLite file, of a backup: of this release's schema, and marked as restored."""
    made = read(source)
    await asyncio.to_thread(shutil.copyfile, source / "faxgate.db", target)
    with _said_of(f"the database of {source} cannot be restored to {target}"):
        db = await open_database(f"sqlite:///{target}")
        try:
            await migrate.upgrade(db)
            await db.write(lambda tx: restoring.mark_by(tx, made.at, actor))
        finally:
            await db.close()
    with target.open("rb") as file:
        os.fsync(file.fileno())


async def restore_rows(source: Path, db: Database, scratch: Path, actor: Actor) -> None:
    """Fill an empty database with the rows of a backup, in one transaction; *scratch* is a file that may be made for
    it."""
    await restored_file(source, scratch, actor)
    await migrate.upgrade(db)
    await copy_database(scratch, db)
