"""Readers of SQLite: what is asked together goes to one of them together, and nobody pays for another's mistake."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from gateway.store.readers import READERS, TOGETHER, Readers

#: Counts for so long that whoever waits for it is late.
LONG = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000000) SELECT count(*) FROM n"


@pytest.fixture
async def readers(tmp_path: Path) -> AsyncIterator[Readers]:
    made = Readers(str(tmp_path / "some.db"))
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each time that somebody goes to a reader's thread and back."""
    made: list[None] = []
    original = aiosqlite.Connection._execute

    async def counted(self: aiosqlite.Connection, *arguments: Any) -> Any:
        made.append(None)
        return await original(self, *arguments)  # type: ignore[no-untyped-call]  # aiosqlite's own

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    return made


async def one(readers: Readers, sql: str, **parameters: Any) -> Any:
    ((value,),) = await readers.fetch(sql, parameters)
    return value


async def test_what_is_asked_in_one_turn_goes_there_together(readers: Readers, ways: list[None]) -> None:
    found = await asyncio.gather(*(one(readers, "SELECT :n", n=n) for n in range(TOGETHER)))
    assert found == list(range(TOGETHER))
    assert len(ways) == 1


async def test_many_more_are_all_answered(readers: Readers, ways: list[None]) -> None:
    count = 10 * TOGETHER + 1
    found = await asyncio.gather(*(one(readers, "SELECT :n", n=n) for n in range(count)))
    assert found == list(range(count))
    assert len(ways) == 11


async def test_a_mistake_is_that_of_one_who_made_it(readers: Readers) -> None:
    asked = ("SELECT 1", "SELECT nothing", "SELECT :n", "SELECT 4")
    found = await asyncio.gather(*(one(readers, sql) for sql in asked), return_exceptions=True)
    assert found[0] == 1
    assert found[3] == 4
    assert isinstance(found[1], sqlite3.OperationalError)
    assert isinstance(found[2], sqlite3.ProgrammingError)


async def test_who_ends_the_transaction_disturbs_nobody(readers: Readers) -> None:
    # As SQLite does by itself when the disk fails.
    ended, found = await asyncio.gather(readers.fetch("ROLLBACK", {}), one(readers, "SELECT 1"))
    assert (ended, found) == ([], 1)
    assert await one(readers, "SELECT 2") == 2


async def test_nobody_waits_for_a_reader_that_cannot_read(readers: Readers) -> None:
    for reader in readers._all:
        await reader.close()
    for _ in range(READERS + 1):
        with pytest.raises(ValueError):
            await one(readers, "SELECT 1")


async def test_what_was_asked_before_the_end_is_read(tmp_path: Path) -> None:
    readers = Readers(str(tmp_path / "some.db"))
    await readers.start()
    waiting = [asyncio.create_task(one(readers, "SELECT :n", n=n)) for n in range(3 * READERS * TOGETHER)]
    await asyncio.sleep(0)
    await readers.close()
    assert await asyncio.gather(*waiting) == list(range(len(waiting)))


async def test_while_one_counts_the_next_are_read(readers: Readers) -> None:
    ended: list[str] = []

    async def ask(name: str, sql: str) -> None:
        await one(readers, sql)
        ended.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(ask("long", LONG))
        await asyncio.sleep(0.01)
        for _ in range(3):
            group.create_task(ask("short", "SELECT 1"))
    assert ended == ["short"] * 3 + ["long"]


async def test_who_waits_while_all_count_is_read_when_one_is_free(readers: Readers) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(READERS):
            group.create_task(one(readers, LONG))
            await asyncio.sleep(0.01)
        assert await one(readers, "SELECT 1") == 1
        left = group.create_task(one(readers, "SELECT 2"))
        await asyncio.sleep(0)
        left.cancel()
        assert await one(readers, "SELECT 3") == 3


async def test_what_is_read_together_is_of_one_moment(readers: Readers, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "some.db") as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE t (n)")
        other.execute("INSERT INTO t VALUES (1)")
    asked = [asyncio.create_task(one(readers, sql)) for sql in ("SELECT n FROM t", LONG, "SELECT n FROM t")]
    await asyncio.sleep(0.05)
    with other:
        other.execute("UPDATE t SET n = 2")
    other.close()
    before, _, after = await asyncio.gather(*asked)
    assert before == after
    assert await one(readers, "SELECT n FROM t") == 2
