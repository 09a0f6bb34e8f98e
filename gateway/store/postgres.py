"""PostgreSQL: units run by ``AsyncConnection.run_sync`` at READ COMMITTED, through asyncpg."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.errors import ConfigurationError, Kind, refuse
from gateway.store.database import WOKEN, Before, Row, shielded

T = TypeVar("T")
RETRIES = 4
#: deadlock_detected and serialization_failure: the unit did not happen and may run again.
_AGAIN = {"40P01", "40001"}
_FULL = {"53100", "53200"}  # disk_full, out_of_memory


class Postgres:
    """A Database (see ``store.database``) on a PostgreSQL server."""

    name = "postgresql"

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing: set[asyncio.Task[Any]] = set()
        self.on_ready: Callable[[], None] | None = None

    async def write(self, unit: Callable[[Connection], T], before: Sequence[Before] = ()) -> T:
        """See Database."""
        task = asyncio.create_task(self._write(unit, before))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return await shielded(task)

    async def _write(self, unit: Callable[[Connection], T], before: Sequence[Before]) -> T:
        for work in before:
            await asyncio.to_thread(work)
        for left in reversed(range(RETRIES)):
            try:
                async with self._engine.begin() as connection:
                    value, woken = await connection.run_sync(lambda tx: (unit(tx), tx.info.pop(WOKEN, False)))
            except DBAPIError as error:
                if _state(error) not in _AGAIN or not left:
                    raise translated(error) from error
            else:
                if woken and self.on_ready is not None:
                    self.on_ready()
                return value
        raise AssertionError("the last try returns or raises")

    async def rows(self, statement: Select[Any]) -> list[Row]:
        """See Database."""
        async with self._engine.connect() as connection:
            result = await connection.execute(statement)
            return [dict(row) for row in result.mappings()]

    async def migrate(self, work: Callable[[Connection], T]) -> T:
        """See Database."""
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        """See Database."""
        if self._writing:
            await asyncio.wait(set(self._writing))
        await self._engine.dispose()


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", "") or getattr(error.orig, "pgcode", "") or "")


def translated(error: DBAPIError) -> Exception:
    """Return what the caller shall see: a Refusal for what passes by itself, else *error*."""
    state = _state(error)
    if state in _FULL:
        return refuse(Kind.STORAGE_FULL, "the gateway's database is full; try again later")
    if state in _AGAIN or state.startswith(("08", "57P")) or error.connection_invalidated:
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
    engine = create_async_engine(url.set(drivername="postgresql+asyncpg"), pool_size=10, pool_pre_ping=True)
    return Postgres(engine)
