"""SQLite: one thread writes in groups, aiosqlite reads.

Durability is WAL with synchronous=FULL. Units that wait together share one BEGIN IMMEDIATE, each in a savepoint of its
own, so that many mails cost one sync. After an error that is no constraint violation the whole group fails: SQLite may
have ended the transaction (SQLITE_FULL does), and what followed would have been committed alone.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError

from gateway import metrics
from gateway.errors import Kind, refuse
from gateway.store.database import NO_SPACE, WOKEN, Before, Row, closed, disk_full, shielded
from gateway.store.inserts import execute
from gateway.store.plan import Plan
from gateway.store.readers import BUSY_MS, Readers

T = TypeVar("T")
GROUP = 64


@dataclass(slots=True)
class _Waiting:
    unit: Callable[[Connection], Any]
    before: Sequence[Before]
    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop
    value: Any = None
    error: BaseException | None = None

    def report(self) -> None:
        def settle() -> None:
            if self.future.cancelled():
                return
            if self.error is None:
                self.future.set_result(self.value)
            else:
                self.future.set_exception(self.error)

        # A loop that is gone has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(settle)


class _Writer(threading.Thread):
    def __init__(self, engine: Engine, woken: Callable[[], None]) -> None:
        super().__init__(name="faxgate-writer", daemon=True)
        self._engine = engine
        self._woken = woken
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()

    def put(self, waiting: _Waiting | None) -> None:
        self._queue.put(waiting)

    def run(self) -> None:
        with self._engine.connect() as tx:
            # What undoes a savepoint: otherwise a file is made, and removed, for every group.
            execute(tx, "PRAGMA temp_store=MEMORY")
            going = True
            while going:
                group, going = self._group()
                self._write(tx, group)
                for waiting in group:
                    waiting.report()
                if tx.info.pop(WOKEN, False):
                    self._woken()

    def _group(self) -> tuple[list[_Waiting], bool]:
        group: list[_Waiting] = []
        with contextlib.suppress(queue.Empty):
            while len(group) < GROUP:
                waiting = self._queue.get() if not group else self._queue.get_nowait()
                if waiting is None:
                    return group, False
                group.append(waiting)
        return group, True

    def _write(self, tx: Connection, group: list[_Waiting]) -> None:
        for waiting in group:
            try:
                for work in waiting.before:
                    work()
            except Exception as error:
                waiting.error = translated(error)
        runnable = [waiting for waiting in group if waiting.error is None]
        if not runnable:
            return
        try:
            with metrics.db_commit_seconds.time():
                execute(tx, "BEGIN IMMEDIATE")
                for waiting in runnable:
                    _run(tx, waiting)
                execute(tx, "COMMIT")
        except Exception as error:
            with contextlib.suppress(Exception):
                execute(tx, "ROLLBACK")
            for waiting in runnable:
                waiting.error = translated(error)


def _run(tx: Connection, waiting: _Waiting) -> None:
    """Run one unit in its savepoint. Its own exceptions and constraint violations undo only it."""
    execute(tx, "SAVEPOINT unit")
    try:
        waiting.value = waiting.unit(tx)
    except IntegrityError as error:
        waiting.error = error
    except DBAPIError:
        raise
    except Exception as error:
        waiting.error = error
    if waiting.error is not None:
        execute(tx, "ROLLBACK TO unit")
    execute(tx, "RELEASE unit")


def translated(error: Exception) -> Exception:
    """Return what the caller shall see: a Refusal for a full disk or a busy database, else *error* itself."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or getattr(cause, "errno", 0) in NO_SPACE:
        full = disk_full()
        full.__cause__ = error
        return full
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        busy = refuse(Kind.STORAGE_BUSY, "the gateway's database is busy; try again later")
        busy.__cause__ = error
        return busy
    return error


class Lite:
    """A Database (see ``store.database``) in one SQLite file."""

    name = "sqlite"

    def __init__(self, path: str, engine: Engine) -> None:
        self.path = path
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._writer = _Writer(engine, self._wake)
        self.on_ready: Callable[[], None] | None = None
        self._readers = Readers(path)
        self._closed = False
        # Statements that are asked with values live as long as the process: there are a few dozen.
        self._plans: dict[Select[Any], Plan] = {}

    async def start(self) -> None:
        """Open the readers and start the writer."""
        await asyncio.to_thread(self._first_connection)
        await self._readers.start()
        self._writer.start()

    def _wake(self) -> None:
        if self.on_ready is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.on_ready)

    def _first_connection(self) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")

    async def write(self, unit: Callable[[Connection], T], before: Sequence[Before] = ()) -> T:
        """See Database."""
        if self._closed:
            raise closed()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._writer.put(_Waiting(unit, before, future, loop))
        return await shielded(future)

    async def rows(self, statement: Select[Any], values: Mapping[str, Any] | None = None) -> list[Row]:
        """See Database."""
        if self._closed:
            raise closed()
        plan = self._plan(statement, values)
        try:
            raw = await self._readers.fetch(plan.sql, plan.parameters(values or {}))
        except sqlite3.Error as error:
            told = translated(error)
            raise told from told.__cause__
        return plan.read(raw)

    def _plan(self, statement: Select[Any], values: Mapping[str, Any] | None) -> Plan:
        """Return the plan of a statement; that of one which is asked with *values* is kept."""
        if values is None:
            return Plan(statement)
        plan = self._plans.get(statement)
        if plan is None:
            plan = self._plans[statement] = Plan(statement)
        return plan

    async def migrate(self, work: Callable[[Connection], T]) -> T:
        """See Database."""

        def run() -> T:
            with self._engine.connect() as tx, _without_foreign_keys(tx):
                tx.exec_driver_sql("BEGIN IMMEDIATE")
                try:
                    value = work(tx)
                    _check_foreign_keys(tx)
                except BaseException:
                    tx.exec_driver_sql("ROLLBACK")
                    raise
                tx.exec_driver_sql("COMMIT")
                return value

        return await asyncio.to_thread(run)

    async def look(self, work: Callable[[Connection], T]) -> T:
        """See Database."""

        def run() -> T:
            with self._engine.connect() as tx:
                tx.exec_driver_sql("BEGIN")
                try:
                    return work(tx)
                finally:
                    tx.exec_driver_sql("ROLLBACK")

        return await asyncio.to_thread(run)

    async def snapshot(self, target: Path) -> None:
        """See Database. In one step: who reads a WAL keeps no writer waiting, and whoever came back for more would
        begin anew after each commit."""

        def work() -> None:
            with (
                contextlib.closing(sqlite3.connect(self.path)) as source,
                contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy,
            ):
                copy.execute("PRAGMA synchronous=FULL")
                source.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")

        await asyncio.to_thread(work)

    async def close(self) -> None:
        """See Database."""
        if self._closed:
            return
        self._closed = True
        if self._writer.is_alive():
            self._writer.put(None)
            await asyncio.to_thread(self._writer.join)
        await self._readers.close()
        self._engine.dispose()


@contextlib.contextmanager
def _without_foreign_keys(tx: Connection) -> Iterator[None]:
    """A table that is made anew under its old name is dropped in between, and whatever refers to its rows would go with
    them (ON DELETE CASCADE). Within a transaction this cannot be said: https://sqlite.org/lang_altertable.html."""
    tx.exec_driver_sql("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        tx.exec_driver_sql("PRAGMA foreign_keys=ON")


def _check_foreign_keys(tx: Connection) -> None:
    broken = tx.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise RuntimeError(f"rows of {broken[0]} refer to rows of {broken[2]} that are not there; nothing was changed")


async def open_lite(path: str) -> Lite:
    """Open (and make) the SQLite file at *path*."""
    engine = create_engine(
        f"sqlite:///{path}",
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": BUSY_MS / 1000},
        hide_parameters=True,  # errors are logged; numbers and names are not theirs to tell
    )
    _configure(engine)
    lite = Lite(path, engine)
    try:
        await lite.start()
    except BaseException:
        await lite.close()
        raise
    return lite


def _configure(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def pragmas(connection: Any, _record: object) -> None:
        for pragma in ("synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")
