"""Units of work: what is committed together, what is undone alone, and what nobody can interrupt."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update

from gateway import metrics
from gateway.errors import Kind, Refusal
from gateway.store import migrate
from gateway.store.database import Database, Tx, Violation, add, changed, first, insert_new, open_database, ping
from gateway.store.schema import revisions
from tests import postgres
from tests.carriers.rawserver import unused_port
from tests.integration.engines import BOTH, HANG, rows, store

Unit = Callable[[Tx], Any]


@pytest.fixture(params=BOTH)
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with store(request, tmp_path) as db:
        yield db


@pytest.fixture(params=BOTH[:1])
async def lite(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with store(request, tmp_path) as db:
        yield db


async def together(db: Database, *units: Unit, before: Callable[[], object] | None = None) -> list[Any]:
    """Have *units* wait for the writer at the same time; return what each returned or raised."""
    writing, gate = threading.Event(), threading.Event()

    def busy(tx: Tx) -> None:
        writing.set()
        assert gate.wait(HANG)

    if db.name == "sqlite":
        first = asyncio.create_task(db.write(busy))
        assert await asyncio.to_thread(writing.wait, HANG)
    tasks = [asyncio.create_task(db.write(unit, [before] if before else [])) for unit in units]
    await asyncio.sleep(0)  # each has handed its unit over
    gate.set()
    if db.name == "sqlite":
        await first
    return await asyncio.gather(*tasks, return_exceptions=True)


def put(name: str, counter: int = 0) -> Unit:
    return lambda tx: add(tx, revisions, {"name": name, "counter": counter})


async def names(db: Database) -> list[str]:
    return [row["name"] for row in await rows(db, revisions)]


def commits() -> float:
    return metrics.registry.get_sample_value("faxgate_db_commit_seconds_count") or 0.0


async def test_a_unit_returns_its_value_and_its_rows_are_there_afterwards(db: Database) -> None:
    def unit(tx: Tx) -> str:
        put("a")(tx)
        return "value"

    assert await db.write(unit) == "value"
    assert await names(db) == ["a"]


async def test_undoing_a_unit_takes_no_file(lite: Database) -> None:
    # What was said in a group may be a number or a name: it does not belong into a folder of the system's.
    in_memory = 2  # https://sqlite.org/pragma.html#pragma_temp_store
    assert await lite.write(lambda tx: tx.execute(text("PRAGMA temp_store")).scalar()) == in_memory


async def test_units_that_wait_together_share_one_commit(lite: Database) -> None:
    before = commits()
    assert await together(lite, *[put(f"{number:02}") for number in range(64)]) == [None] * 64
    assert len(await names(lite)) == 64
    assert commits() - before == 2, "one for the unit that kept the writer busy, one for all others"


async def test_more_than_a_group_takes_a_second_commit(lite: Database) -> None:
    before = commits()
    await together(lite, *[put(f"{number:02}") for number in range(65)])
    assert len(await names(lite)) == 65
    assert commits() - before == 3


async def test_an_exception_of_a_unit_undoes_that_unit_only(db: Database) -> None:
    def fails(tx: Tx) -> None:
        put("half")(tx)
        raise LookupError("its own")

    one, two, three = await together(db, put("a"), fails, put("b"))
    assert (one, three) == (None, None)
    assert isinstance(two, LookupError)
    assert await names(db) == ["a", "b"]


async def test_a_violation_undoes_that_unit_only(db: Database) -> None:
    await db.write(put("taken"))

    def violates(tx: Tx) -> None:
        put("half")(tx)
        put("taken")(tx)

    one, two, three = await together(db, put("a"), violates, put("b"))
    assert (one, three) == (None, None)
    assert isinstance(two, Violation)
    assert await names(db) == ["a", "b", "taken"]


async def test_a_value_that_no_column_takes_undoes_that_unit_only(db: Database) -> None:
    def fails(tx: Tx) -> None:
        put("half")(tx)
        put("too large", 2**70)(tx)

    one, two, three = await together(db, put("a"), fails, put("b"))
    assert (one, three) == (None, None)
    assert isinstance(two, Exception)
    assert await names(db) == ["a", "b"]


async def test_an_operational_error_fails_the_whole_group_and_commits_nothing(lite: Database) -> None:
    one, two, three = await together(lite, put("a"), lambda tx: tx.execute(text("SELECT * FROM nowhere")), put("b"))
    assert all(isinstance(outcome, Exception) for outcome in (one, two, three))
    assert await names(lite) == []
    await lite.write(put("afterwards"))
    assert await names(lite) == ["afterwards"]


async def test_a_full_disk_fails_the_whole_group_with_a_temporary_reason_and_passes(lite: Database) -> None:
    def room(pages: int) -> Unit:
        def unit(tx: Tx) -> None:
            now = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
            tx.exec_driver_sql(f"PRAGMA max_page_count = {now + pages}")

        return unit

    def fills(tx: Tx) -> None:
        for number in range(1000):
            put(f"{number:032}")(tx)

    await lite.write(room(4))
    outcomes = await together(lite, put("a"), fills, put("b"))
    assert [type(outcome) for outcome in outcomes] == [Refusal] * 3
    assert {outcome.reason.kind for outcome in outcomes} == {Kind.STORAGE_FULL}
    assert all(outcome.reason.temporary for outcome in outcomes)
    assert await names(lite) == [], "SQLite ended the transaction by itself: what followed must not have been committed"
    await lite.write(room(1000))
    await lite.write(put("afterwards"))
    assert await names(lite) == ["afterwards"]


async def test_a_database_that_another_program_keeps_locked_is_busy_for_a_while(lite: Database, tmp_path: Path) -> None:
    await lite.write(lambda tx: tx.exec_driver_sql("PRAGMA busy_timeout = 50"))
    other = await open_database(f"sqlite:///{tmp_path}/faxgate.db")
    locked, gate = threading.Event(), threading.Event()

    def keep(tx: Tx) -> None:
        locked.set()
        gate.wait(HANG)

    keeping = asyncio.create_task(other.write(keep))
    try:
        assert await asyncio.to_thread(locked.wait, HANG)
        writing = asyncio.create_task(lite.write(put("late")))
        with pytest.raises(Refusal) as refused:
            await asyncio.wait_for(writing, HANG)
        assert refused.value.reason.kind is Kind.STORAGE_BUSY
        assert await names(lite) == [], "reading goes on meanwhile"
    finally:
        gate.set()
        await keeping
        await other.close()
    await lite.write(put("afterwards"))
    assert await names(lite) == ["afterwards"]


async def test_a_cancelled_caller_does_not_cancel_its_unit(db: Database) -> None:
    if db.name == "sqlite":
        writing, gate = threading.Event(), threading.Event()

        def busy(tx: Tx) -> None:
            writing.set()
            assert gate.wait(HANG)

        first = asyncio.create_task(db.write(busy))
        assert await asyncio.to_thread(writing.wait, HANG)
    tasks = [asyncio.create_task(db.write(put(f"{number:02}"))) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    if db.name == "sqlite":
        gate.set()
        await first
    await db.close()  # finishes what it was given
    again = await open_database(_url(db))
    try:
        assert len(await names(again)) == 20
    finally:
        await again.close()


def _url(db: Any) -> str:
    return (
        f"sqlite:///{db.path}"
        if db.name == "sqlite"
        else db._engine.url.set(drivername="postgresql").render_as_string()
    )


async def test_close_finishes_what_was_given_to_write(db: Database) -> None:
    tasks = [asyncio.create_task(db.write(put(f"{number:03}"))) for number in range(100)]
    await asyncio.sleep(0)
    await db.close()
    assert await asyncio.gather(*tasks) == [None] * 100
    again = await open_database(_url(db))
    try:
        assert len(await names(again)) == 100
    finally:
        await again.close()


async def test_a_write_after_close_is_refused_until_later(db: Database) -> None:
    await db.close()
    with pytest.raises(Refusal) as refused:
        await db.write(put("late"))
    assert refused.value.reason.kind is Kind.SHUTTING_DOWN
    assert refused.value.reason.temporary


async def test_what_must_be_durable_before_is_done_before_the_unit(db: Database) -> None:
    order: list[str] = []

    def unit(tx: Tx) -> None:
        order.append("unit")

    await db.write(unit, [lambda: order.append("first"), lambda: order.append("second")])
    assert order == ["first", "second", "unit"]


async def test_when_it_fails_its_unit_is_not_run_and_others_are(db: Database) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    good = asyncio.create_task(db.write(put("good")))
    with pytest.raises(Refusal) as refused:
        await db.write(put("bad"), [full])
    assert refused.value.reason.kind is Kind.STORAGE_FULL
    await good
    assert await names(db) == ["good"]


async def test_a_fault_in_it_is_raised_as_it_is(db: Database) -> None:
    def broken() -> None:
        raise RuntimeError("a bug of ours")

    with pytest.raises(RuntimeError, match="a bug of ours"):
        await db.write(put("bad"), [broken])
    assert await names(db) == []


async def test_no_increment_is_lost_when_the_row_is_read_under_a_lock(db: Database) -> None:
    await db.write(put("n"))

    def increment(tx: Tx) -> None:
        row = first(tx, select(revisions).where(revisions.c.name == "n").with_for_update())
        assert row is not None
        tx.execute(update(revisions).where(revisions.c.name == "n").values(counter=row["counter"] + 1))

    await _by_eight(lambda: db.write(increment))
    assert [row["counter"] for row in await rows(db, revisions)] == [400]


async def test_no_increment_is_lost_when_the_change_is_conditional(db: Database) -> None:
    await db.write(put("n"))

    async def increment() -> None:
        while True:
            counter = (await rows(db, revisions))[0]["counter"]
            mine = (revisions.c.name == "n", revisions.c.counter == counter)
            step = update(revisions).where(*mine).values(counter=counter + 1)
            if await db.write(lambda tx, step=step: changed(tx, step)):  # type: ignore[misc]
                return

    await _by_eight(increment, 10)
    assert [row["counter"] for row in await rows(db, revisions)] == [80]


async def _by_eight(work: Callable[[], Any], each: int = 50) -> None:
    async def client() -> None:
        for _ in range(each):
            await work()

    async with asyncio.timeout(HANG):
        await asyncio.gather(*[client() for _ in range(8)])


async def test_of_many_who_insert_the_same_exactly_one_does(db: Database) -> None:
    outcomes = await together(db, *[lambda tx: insert_new(tx, revisions, {"name": "one", "counter": 1})] * 8)
    assert sorted(outcomes) == [False] * 7 + [True]


async def test_a_server_that_is_not_there_is_busy_for_a_while() -> None:
    db = await open_database(f"postgresql://nobody@127.0.0.1:{unused_port()}/nothing")
    try:
        for trial in (lambda: db.write(put("late")), lambda: db.rows(select(revisions)), lambda: migrate.current(db)):
            with pytest.raises(Refusal) as refused:
                await trial()
            assert refused.value.reason.kind is Kind.STORAGE_BUSY
    finally:
        await db.close()


async def test_a_server_that_takes_no_writes_is_not_well_and_passes(postgres_server: postgres.Postgres) -> None:
    """As one does that follows another server: it answers every question."""
    name = f"follower_{uuid4().hex}"
    db = await open_database(postgres_server.create(name))
    try:
        await migrate.upgrade(db)
        await db.write(ping)
        await db.write(lambda tx: tx.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
        for unit in (ping, put("one")):
            with pytest.raises(Refusal) as refused:
                await db.write(unit)
            assert refused.value.reason.kind is Kind.STORAGE_BUSY
        assert await names(db) == []
        postgres_server.drop(name)
        for work in (db.write(put("two")), db.rows(select(revisions))):
            with pytest.raises(Refusal) as refused:
                await work
            assert refused.value.reason.kind is Kind.STORAGE_BUSY
    finally:
        await db.close()
        postgres_server.drop(name)
