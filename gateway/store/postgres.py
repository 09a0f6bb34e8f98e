"""PostgreSQL: units run by ``AsyncConnection.run_sync`` at READ COMMITTED, through asyncpg."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sqlalchemy import URL, Column, Connection, MetaData, Select, String, Table, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.errors import ConfigurationError, Kind, refuse
from gateway.store.bell import Bell
from gateway.store.database import NO_SPACE, WOKEN, Before, Row, closed, disk_full, shielded
from gateway.store.schema import metadata
from gateway.store.transfer import at_one_moment, copy_rows, lone_file

T = TypeVar("T")
#: Where Alembic keeps which schema it is.
_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
RETRIES = 4
#: A process that is stopped, or a machine that has gone, in the middle of a unit must not keep its locks: the others
#: would wait for it.
SESSION = {
    "application_name": "faxgate",
    "idle_in_transaction_session_timeout": "10s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
#: deadlock_detected and serialization_failure: the unit did not happen and may run again.
_AGAIN = {"40P01", "40001"}
_FULL = {"53100", "53200"}  # disk_full, out_of_memory
#: connection_exception, operator_intervention (shutdown, a query that was stopped), too_many_connections,
#: idle_in_transaction_session_timeout, read_only_sql_transaction (it follows another server), a database that takes no
#: connections, or is not there or not open to us (while it is restored, or moved).
_AWAY = ("08", "57", "53300", "25P03", "25006", "55000", "3D000", "28")
#: What comes of talking to the server: asyncpg passes the errors of the network on as they are.
_TROUBLE = (DBAPIError, PoolTimeout, OSError)


class Postgres:
    """A Database (see ``store.database``) on a PostgreSQL server."""

    name = "postgresql"

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._bell = Bell(engine, self._woken)
        self._on_ready: Callable[[], None] | None = None

    @property
    def on_ready(self) -> Callable[[], None] | None:
        """See Database; called for commits of other processes too."""
        return self._on_ready

    @on_ready.setter
    def on_ready(self, call: Callable[[], None] | None) -> None:
        self._on_ready = call
        if call is not None:
            self._bell.listen()

    def _woken(self) -> None:
        if self._on_ready is not None:
            self._on_ready()

    async def write(self, unit: Callable[[Connection], T], before: Sequence[Before] = ()) -> T:
        """See Database."""
        if self._closed:
            raise closed()
        task = asyncio.create_task(self._write(unit, before))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return await shielded(task)

    async def _write(self, unit: Callable[[Connection], T], before: Sequence[Before]) -> T:
        for work in before:
            try:
                await asyncio.to_thread(work)
            except OSError as error:
                if error.errno in NO_SPACE:
                    raise disk_full() from error
                raise
        for left in reversed(range(RETRIES)):
            try:
                async with self._engine.begin() as connection:
                    value, woken = await connection.run_sync(lambda tx: (unit(tx), tx.info.pop(WOKEN, False)))
            except _TROUBLE as error:
                if _state(error) not in _AGAIN or not left:
                    _tell(translated(error), error)
            else:
                if woken:
                    self._woken()
                    self._bell.ring()
                return value
        raise AssertionError("the last try returns or raises")

    async def rows(self, statement: Select[Any], values: Mapping[str, Any] | None = None) -> list[Row]:
        """See Database."""
        if self._closed:
            raise closed()
        try:
            async with self._engine.connect() as connection:
                found = await connection.execute(statement, values)
                return [dict(row) for row in found.mappings()]
        except _TROUBLE as error:
            _tell(translated(error), error)

    async def migrate(self, work: Callable[[Connection], T]) -> T:
        """See Database."""
        try:
            async with self._engine.begin() as connection:
                await connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
                return await connection.run_sync(work)
        except _TROUBLE as error:
            _tell(translated(error), error)

    async def look(self, work: Callable[[Connection], T]) -> T:
        """See Database."""

        def read(tx: Connection) -> T:
            at_one_moment(tx)
            return work(tx)

        try:
            async with self._engine.connect() as connection:
                return await connection.run_sync(read)
        except _TROUBLE as error:
            _tell(translated(error), error)

    async def snapshot(self, target: Path) -> None:
        """See Database."""

        def work(source: Connection) -> None:
            with lone_file(target) as copy:
                metadata.create_all(copy)
                _VERSION.create(copy)
                copy.execute(insert(_VERSION), [dict(row) for row in source.execute(select(_VERSION)).mappings()])
                copy_rows(source, copy)

        await self.look(work)

    async def close(self) -> None:
        """See Database."""
        self._closed = True
        if self._writing:
            await asyncio.wait(set(self._writing))
        await self._bell.stop()
        await self._engine.dispose()


def _state(error: Exception) -> str:
    cause = getattr(error, "orig", None)
    return str(getattr(cause, "sqlstate", "") or getattr(cause, "pgcode", "") or "")


def _tell(told: Exception, error: Exception) -> NoReturn:
    if told is error:
        raise error
    raise told from error


def translated(error: Exception) -> Exception:
    """Return what the caller shall see: a Refusal for what passes by itself, else *error*."""
    state = _state(error)
    if state in _FULL:
        return refuse(Kind.STORAGE_FULL, "the gateway's database is full; try again later")
    lost = not isinstance(error, DBAPIError) or error.connection_invalidated
    if lost or state in _AGAIN or state.startswith(_AWAY):
        return refuse(Kind.STORAGE_BUSY, "the gateway's database is not available; try again later")
    return error


async def open_postgres(url: URL) -> Postgres:
    """Connect to the server at *url* (``postgresql://``)."""
    try:
        import asyncpg  # noqa: F401, PLC0415 - an extra: its absence is the operator's to mend
    except ImportError:
        raise ConfigurationError(
            "[database] url names PostgreSQL, but its driver is not installed; "
            "install it with: pip install 'faxgate[postgres]'"
        ) from None
    engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=10,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"server_settings": SESSION},
    )
    return Postgres(engine)
