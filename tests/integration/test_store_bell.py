"""Several processes on one PostgreSQL: they wake each other, and none that stands still keeps the others waiting."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from gateway.store import jobs, migrate, postgres
from gateway.store.database import Database, Tx, lock_keys, open_database
from gateway.store.jobs import Job
from gateway.worker import Worker
from tests.integration.engines import HANG
from tests.postgres import Postgres


@pytest.fixture
async def pair(postgres_server: Postgres) -> AsyncIterator[tuple[Database, Database]]:
    """One database as two processes see it."""
    url = postgres_server.create("bells")
    async with AsyncExitStack() as stack:
        stack.callback(postgres_server.drop, "bells")
        one, other = [await open_database(url) for _ in range(2)]
        for each in (one, other):
            stack.push_async_callback(each.close)
        await migrate.upgrade(one)
        yield one, other


async def _heard(ringing: Database, listening: Database, unit: object) -> bool:
    """Whether *listening* is woken when *ringing* has run *unit*."""
    rung = asyncio.Event()
    listening.on_ready = rung.set
    try:
        async with asyncio.timeout(HANG):
            while not rung.is_set():
                await ringing.write(unit)  # type: ignore[arg-type] # one of the lambdas below
                await asyncio.sleep(0.1)
    except TimeoutError:
        return False
    return True


async def test_a_job_of_one_process_wakes_the_workers_of_another(pair: tuple[Database, Database]) -> None:
    one, other = pair
    assert await _heard(one, other, lambda tx: jobs.enqueue(tx, "work", "x"))


async def test_a_lost_connection_is_made_again(
    pair: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.bell.AGAIN", 0.1)
    one, other = pair
    assert await _heard(one, other, lambda tx: jobs.enqueue(tx, "work", "x"))
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'NOTIFY%' OR query LIKE 'LISTEN%'"
    await one.migrate(lambda tx: tx.exec_driver_sql(kill).all())
    assert await _heard(one, other, lambda tx: jobs.enqueue(tx, "work", "x"))


async def test_however_many_ring_at_once_a_worker_looks_a_few_times(pair: tuple[Database, Database]) -> None:
    one, other = pair
    assert await _heard(one, other, lambda tx: jobs.enqueue(tx, "work", "x"))
    heard: list[float] = []
    other.on_ready = lambda: heard.append(time.monotonic())
    await one.migrate(lambda tx: [tx.exec_driver_sql(f"NOTIFY faxgate_jobs, 'process {n}'") for n in range(200)])
    async with asyncio.timeout(HANG):
        while not heard:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)  # so long that all have been heard of
    assert len(heard) < 50


async def test_a_process_that_stands_still_in_a_unit_loses_its_locks(
    pair: tuple[Database, Database], postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert postgres.SESSION["idle_in_transaction_session_timeout"] == "10s"
    monkeypatch.setitem(postgres.SESSION, "idle_in_transaction_session_timeout", "300ms")
    holding, going_on = threading.Event(), threading.Event()
    failed: list[Exception] = []

    def stands_still(tx: Tx) -> None:
        lock_keys(tx, ["holds"])
        holding.set()
        going_on.wait(HANG)
        jobs.enqueue(tx, "work", "written too late")

    async def another_process() -> None:
        db = await open_database(postgres_server.url("bells"))
        try:
            await db.write(stands_still)
        except Exception as error:
            failed.append(error)
        finally:
            await db.close()

    thread = threading.Thread(target=lambda: asyncio.run(another_process()))
    thread.start()
    assert await asyncio.to_thread(holding.wait, HANG)
    began = time.monotonic()
    await asyncio.wait_for(pair[0].write(lambda tx: lock_keys(tx, ["holds"])), HANG)
    assert time.monotonic() - began > 0.1, "it was not held at all"
    going_on.set()
    await asyncio.to_thread(thread.join, HANG)
    assert failed, "what it did afterwards was committed"
    assert await pair[0].rows(jobs.of_subject("written too late")) == []


async def test_a_ring_that_is_lost_costs_time_and_nothing_else(
    pair: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.bell.Bell.ring", lambda _: None)
    one, other = pair
    done = asyncio.Event()

    async def story(job: Job) -> None:
        await other.write(lambda tx: jobs.finish(tx, job))
        done.set()

    worker = Worker(other, "other", timedelta(seconds=60), {"work": story}, {"work": 1})
    await worker.start()
    working = asyncio.create_task(worker.run())
    try:
        await one.write(lambda tx: jobs.enqueue(tx, "work", "unheard"))
        await asyncio.wait_for(done.wait(), HANG)
    finally:
        await worker.stop(HANG)
        await working
