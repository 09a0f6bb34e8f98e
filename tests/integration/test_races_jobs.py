"""Several workers on one queue: nothing is done twice, nothing is held twice, nothing gets stuck."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.store import claims, jobs, postgres, schema
from gateway.store.database import Database, Tx, open_database
from gateway.store.jobs import Job, Keys
from tests.integration.engines import BOTH, HANG, rows, store

KIND = "work"
WORKERS = 4


@pytest.fixture(params=BOTH)
async def machines(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[Database]]:
    """Several machines on one PostgreSQL, each with connections of its own; on SQLite one process with many tasks.

    Nothing is tried again: units that wait for each other (a deadlock) fail the test.
    """
    monkeypatch.setattr(postgres, "RETRIES", 1)
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(store(request, tmp_path))
        if db.name == "sqlite":
            yield [db] * WORKERS
            return
        others = []
        for _ in range(WORKERS):
            other = await open_database(request.getfixturevalue("postgres_server").url("house"))
            stack.push_async_callback(other.close)
            others.append(other)
        yield others


async def claim(db: Database, node: str, epoch: int, limit: int) -> list[Job]:
    def unit(tx: Tx) -> list[Job]:
        jobs.move_due(tx)
        return claims.claim(tx, node, epoch, KIND, limit)

    return await db.write(unit)


async def test_two_hundred_jobs_are_each_done_by_exactly_one_of_four_workers(machines: list[Database]) -> None:
    def fill(tx: Tx) -> None:
        for number in range(200):
            jobs.enqueue(tx, KIND, number)

    await machines[0].write(fill)
    done: Counter[str] = Counter()

    async def work(db: Database, node: str) -> None:
        epoch = await db.write(lambda tx: jobs.register(tx, node))
        while claimed := await claim(db, node, epoch, 3):
            for job in claimed:
                done[job.subject] += 1
                await db.write(lambda tx, job=job: jobs.finish(tx, job))  # type: ignore[misc]  # called at once

    async with asyncio.timeout(HANG):
        await asyncio.gather(*[work(db, str(number)) for number, db in enumerate(machines)])
    assert done == {str(number): 1 for number in range(200)}
    assert await rows(machines[0], schema.jobs) == []


async def test_lines_and_channels_are_never_used_by_more_than_may_and_everybody_has_his_turn(
    machines: list[Database],
) -> None:
    lines, owners = 3, 45
    using: Counter[str] = Counter()
    most: Counter[str] = Counter()

    def keys(number: int) -> Keys:
        return [(f"number:{number % lines}", 1), (f"app:{number % 2}", 2)]

    async def work(db: Database, worker: int) -> None:
        node = str(worker)
        epoch = await db.write(lambda tx: jobs.register(tx, node))
        for number in range(worker, owners, WORKERS):
            await db.write(lambda tx, number=number: jobs.enqueue(tx, KIND, number, keys=keys(number)))  # type: ignore[misc]  # called at once
            await use(db, await claim(db, node, epoch, 2))
        while await rows(db, schema.jobs):
            await use(db, await claim(db, node, epoch, 2))

    async def use(db: Database, claimed: list[Job]) -> None:
        for job in claimed:
            taken = [key for key, _ in keys(int(job.subject))]
            using.update(taken)
            for key in taken:
                most[key] = max(most[key], using[key])
            await asyncio.sleep(0)
            using.subtract(taken)
            await db.write(lambda tx, job=job: finish(tx, job))  # type: ignore[misc]  # called at once

    def finish(tx: Tx, job: Job) -> None:
        jobs.finish(tx, job)
        jobs.release(tx, job.subject)

    async with asyncio.timeout(HANG):
        await asyncio.gather(*[work(db, number) for number, db in enumerate(machines)])
    assert {key: most[key] for key in most if key.startswith("number")} == {f"number:{n}": 1 for n in range(lines)}
    assert all(most[f"app:{number}"] <= 2 for number in range(2))
    assert await rows(machines[0], schema.holds) == []
