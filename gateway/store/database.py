"""The one way to the database: a unit of work is a plain function of a transaction.

``await db.write(unit)`` runs ``unit(tx)`` in a transaction of its own and returns what it returns, after the commit.
A unit does nothing but talk to the database; it may be run again after a deadlock. Cancelling the caller does not
cancel the unit. ``await db.rows(statement)`` reads.
"""

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Executable,
    Select,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from gateway.errors import Kind, Refusal, refuse
from gateway.store import inserts

T = TypeVar("T")
#: What a unit works in.
Tx = Connection
#: A unique or foreign key stands against a change.
Violation = IntegrityError
Row = Mapping[str, Any]
#: A statement, with the values of its named parameters or None when it has none.
Asked = tuple[Select[Any], Mapping[str, Any] | None]
#: The errors of a disk that takes no more.
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
#: In ``Connection.info``: the unit made a job ready.
WOKEN = "faxgate.woken"
#: Work that must be durable before the unit's commit, such as the sync of a spooled message. Blocking.
Before = Callable[[], object]


class Database(Protocol):
    """What every engine offers. All methods raise Refusal(STORAGE_FULL or STORAGE_BUSY) for what passes."""

    name: str
    #: Called in the loop after a commit of this process that made a job ready.
    on_ready: Callable[[], None] | None

    async def write(self, unit: Callable[[Connection], T], before: Sequence[Before] = ()) -> T:
        """Run *before* and then *unit* in one transaction; return its value after the commit."""

    async def rows(self, statement: Select[Any], values: Mapping[str, Any] | None = None) -> list[Row]:
        """Return all rows, as mappings from column names. *values* are those of the statement's named parameters; a
        statement that is asked with them is made once and kept, and what it compiles to is too."""

    async def migrate(self, work: Callable[[Connection], T]) -> T:
        """Run schema work on a connection of its own, in one transaction."""

    async def look(self, work: Callable[[Connection], T]) -> T:
        """Run *work*, which only reads and may take long, on what is committed as of one moment."""

    async def snapshot(self, target: Path) -> None:
        """Write all that is committed, as of one moment, into a new SQLite file of the same schema, while others go on
        writing. Raises OSError when the disk does not take it."""

    async def close(self) -> None:
        """Finish what was given to ``write`` and close every connection."""


def disk_full() -> Refusal:
    """Return what is raised when a disk takes no more (``NO_SPACE``)."""
    return refuse(Kind.STORAGE_FULL, "the gateway's disk is full; try again later")


def closed() -> Refusal:
    """Return what ``write`` raises once the database is being closed."""
    return refuse(Kind.SHUTTING_DOWN, "the gateway is shutting down; try again in a minute")


async def one(db: Database, statement: Select[Any]) -> Row | None:
    """Return the first row or None."""
    rows = await db.rows(statement.limit(1))
    return rows[0] if rows else None


async def scalar(db: Database, statement: Select[Any]) -> Any:
    """Return the first column of the first row, or None."""
    row = await one(db, statement)
    return None if row is None else next(iter(row.values()))


async def open_database(url: str) -> Database:
    """Connect to ``sqlite:///path`` or ``postgresql://...``.

    Raises ConfigurationError when the extra package for PostgreSQL is missing.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        from gateway.store.lite import open_lite  # noqa: PLC0415 - only the engine in use is imported

        return await open_lite(parsed.database or "")
    from gateway.store.postgres import open_postgres  # noqa: PLC0415 - only the engine in use is imported

    return await open_postgres(parsed)


def older_than(at: Column[Any], identity: Column[Any], position: tuple[datetime, UUID]) -> ColumnElement[bool]:
    """The keyset condition of a list that shows the newest first: what stands behind *position*."""
    return tuple_(at, identity) < tuple_(literal(position[0], at.type), literal(position[1], identity.type))


def first(tx: Connection, statement: Select[Any]) -> Row | None:
    """Return the first row inside a unit, or None."""
    row = tx.execute(statement).mappings().first()
    return None if row is None else {str(name): value for name, value in row.items()}


def insert_new(tx: Connection, table: Any, values: Mapping[str, Any]) -> bool:
    """Insert a row unless it would violate a unique constraint; return whether it was inserted."""
    return bool(inserts.insert(tx, table, values, ignore=True))


def add(tx: Connection, table: Any, values: Mapping[str, Any]) -> None:
    """Insert a row."""
    inserts.insert(tx, table, values)


def changed(tx: Connection, statement: Executable) -> bool:
    """Execute an UPDATE or DELETE and return whether it met exactly one row."""
    return int(tx.execute(statement).rowcount) == 1


def ping(tx: Connection) -> None:
    """Ask the database something that it can always answer. Raises Refusal for one that takes no writes: a PostgreSQL
    server that follows another one answers all questions."""
    tx.execute(select(1))
    if tx.dialect.name == "postgresql" and tx.exec_driver_sql("SHOW transaction_read_only").scalar() != "off":
        raise refuse(Kind.STORAGE_BUSY, "the gateway's database takes no writes at the moment; try again later")


def lock_keys(tx: Connection, keys: Sequence[str]) -> None:
    """Serialise the units that decide over *keys*, until the transaction ends. SQLite has one writer anyway."""
    if tx.dialect.name != "postgresql":
        return
    for key in sorted(set(keys)):
        tx.execute(func.pg_advisory_xact_lock(func.hashtextextended(key, 0)).select())


def shielded(task: "asyncio.Future[T]") -> "asyncio.Future[T]":
    """Return *task* so that a cancelled awaiter leaves it running, and its late failure is not reported as lost."""
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return asyncio.shield(task)
