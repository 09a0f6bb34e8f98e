"""The engines that stored things are tested on: an empty, migrated database of each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table

from gateway.store import migrate, schema
from gateway.store.database import Database, Row, Tx, open_database
from gateway.store.events import set_watermark
from gateway.store.schema.trail import KEPT_SINCE

#: Both, where the engine itself is what is tested.
BOTH = ["sqlite", "postgresql"]
#: The second one takes as long again: what is tested with it is rather the story than the engine.
ENGINES: list[Any] = ["sqlite", pytest.param("postgresql", marks=pytest.mark.full)]
#: Ends a test that would never end, in seconds.
HANG = 30

_template: dict[str, bytes | str] = {}


@asynccontextmanager
async def store(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Database]:
    """An empty, migrated database of the engine ``request.param``. Migrations run once in a session for each engine."""
    url = await (_sqlite(folder) if request.param == "sqlite" else _postgres(request))
    db = await open_database(url)
    try:
        yield db
    finally:
        await db.close()


async def _sqlite(folder: Path) -> str:
    if "sqlite" not in _template:
        await _migrate(f"sqlite:///{folder}/template.db")
        _template["sqlite"] = (folder / "template.db").read_bytes()
    content = _template["sqlite"]
    assert isinstance(content, bytes)
    (folder / "faxgate.db").write_bytes(content)
    return f"sqlite:///{folder}/faxgate.db"


async def _postgres(request: pytest.FixtureRequest) -> str:
    server = request.getfixturevalue("postgres_server")
    if "postgresql" not in _template:
        _template["postgresql"] = server.create("house")
        await _migrate(server.url("house"))
    url = _template["postgresql"]
    assert isinstance(url, str)
    await _empty(url)
    return url


async def _migrate(url: str) -> None:
    db = await open_database(url)
    try:
        await migrate.upgrade(db)
    finally:
        await db.close()


async def _empty(url: str) -> None:
    def unit(tx: Tx) -> None:
        set_watermark(tx, KEPT_SINCE, datetime.now(UTC) + timedelta(days=9999))  # even the audit trail may go
        tx.execute(schema.audit.delete())
        for table in reversed(schema.metadata.sorted_tables):
            tx.execute(table.delete())  # six times as fast as TRUNCATE where there is little

    db = await open_database(url)
    try:
        await db.write(unit)
    finally:
        await db.close()


async def rows(db: Database, table: Table, **equal: Any) -> list[Row]:
    """All rows of *table* in the order of its primary key, those that *equal* says."""
    wanted = [table.c[name] == value for name, value in equal.items()]
    return await db.rows(table.select().where(*wanted).order_by(*table.primary_key.columns))


async def until(true: Callable[[], Awaitable[object]], what: str) -> None:
    """Wait until *true* holds; fail after the hang limit."""
    try:
        async with asyncio.timeout(HANG):
            while not await true():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{what} did not come") from None
