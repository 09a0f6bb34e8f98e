"""The worker: what it takes it does or gives back, and one whose lease has passed stops."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Kind, refuse
from gateway.store import claims, jobs, schema
from gateway.store.database import Before, Database, Tx
from gateway.store.jobs import Job
from gateway.store.lease import Lease, LeaseLost, LeaseUnsure, clock
from gateway.worker import STEPS, Worker
from tests.integration.engines import ENGINES, HANG, rows, store, until

LEASE = timedelta(seconds=60)


@pytest.fixture(params=ENGINES)
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with store(request, tmp_path) as db:
        yield db


class Bench:
    """A worker with one kind of job: what it does is ``story``; ``began`` and ``done`` name the subjects."""

    def __init__(self, db: Database, lease: timedelta = LEASE, room: int = 4) -> None:
        self.db = db
        self.began: list[str] = []
        self.done: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.worker = Worker(db, "a", lease, {"work": self._do}, {"work": room})
        self.running: asyncio.Task[None] | None = None

    async def _do(self, job: Job) -> None:
        self.began.append(job.subject)
        await self.gate.wait()
        await self.story(job)
        await self.db.write(lambda tx: jobs.finish(tx, job))
        self.done.append(job.subject)

    async def story(self, job: Job) -> None:
        """What the job does."""

    async def start(self) -> None:
        await self.worker.start()
        self.running = asyncio.create_task(self.worker.run())

    async def stop(self, grace: float = HANG) -> None:
        await self.worker.stop(grace)
        assert self.running is not None
        await self.running

    async def enqueue(self, *subjects: str) -> None:
        def unit(tx: Tx) -> None:
            for subject in subjects:
                jobs.enqueue(tx, "work", subject)

        await self.db.write(unit)

    async def states(self) -> dict[str, str]:
        return {row["subject"]: row["state"] for row in await rows(self.db, schema.jobs)}


async def test_jobs_are_done_as_they_come(db: Database) -> None:
    bench = Bench(db)
    await bench.enqueue("before")
    await bench.start()
    await bench.enqueue("x", "y")
    await until(lambda: _same(sorted(bench.done), ["before", "x", "y"]), "the end of three jobs")
    assert await bench.states() == {}
    await bench.stop()


async def _same(found: Any, wanted: Any) -> bool:
    return bool(found == wanted)


async def test_no_more_are_taken_than_there_is_room_for(db: Database) -> None:
    bench = Bench(db, room=2)
    bench.gate.clear()
    await bench.enqueue(*"abcde")
    await bench.start()
    await until(lambda: _same(len(bench.began), 2), "two jobs")
    await bench.enqueue("f")
    await asyncio.sleep(0.05)
    assert len(bench.began) == 2
    assert sorted((await bench.states()).values()) == ["ready"] * 4 + ["running"] * 2
    bench.gate.set()
    await until(lambda: _same(len(bench.done), 6), "all jobs")
    await bench.stop()


async def test_a_job_that_raises_comes_again_later_and_says_why(db: Database) -> None:
    class Fails(Bench):
        async def story(self, job: Job) -> None:
            raise LookupError("no such thing")

    bench = Fails(db)
    await bench.enqueue("x", "y")
    await bench.start()
    await until(lambda: _put_back(db, 2), "two jobs put back")
    for row in await rows(db, schema.jobs):
        assert row["last_error"] == "LookupError: no such thing"
        assert row["due"] < datetime.now(UTC) + STEPS[1] * 1.2
    await bench.stop()


async def _put_back(db: Database, count: int) -> bool:
    return len([row for row in await rows(db, schema.jobs) if row["state"] == "scheduled" and row["tries"]]) == count


@pytest.mark.parametrize("moment", ["claim", "end"])
async def test_a_job_that_the_database_keeps_as_running_is_found_again(
    moment: str, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claim was committed and not answered, or it could not be put back; this node lives, so no lease ends."""
    write, failed = db.write, list[str]()

    async def unsteady(unit: Callable[[Tx], Any], before: Sequence[Before] = ()) -> Any:
        away = refuse(Kind.STORAGE_BUSY, "the database is away")
        if moment == "end" and bench.began == ["x"] and not failed:
            failed.append(moment)
            raise away
        value = await write(unit, before)
        if moment == "claim" and isinstance(value, tuple) and value[0] and not failed:
            failed.append(moment)
            raise away
        return value

    class Fails(Bench):
        async def story(self, job: Job) -> None:
            if moment == "end" and self.began == ["x"]:
                raise LookupError("no such thing")

    bench = Fails(db, lease=timedelta(seconds=1))
    await bench.enqueue("x")
    monkeypatch.setattr(db, "write", unsteady)
    await bench.start()
    await until(lambda: _same(bench.done, ["x"]), "the job")
    assert failed == [moment]
    assert await bench.states() == {}
    await bench.stop()


async def test_what_another_worker_has_taken_over_is_left_to_it(db: Database) -> None:
    class Loses(Bench):
        async def story(self, job: Job) -> None:
            raise LeaseLost(job.subject)

    bench = Loses(db)
    await bench.enqueue("x")
    await bench.start()
    await until(lambda: _same(bench.began, ["x"]), "the job")
    assert await bench.states() == {"x": "running"}, "not put back, which would be a write about somebody else's job"
    await bench.stop()


async def test_stopping_lets_jobs_end(db: Database) -> None:
    bench = Bench(db)
    bench.gate.clear()
    await bench.enqueue("x")
    await bench.start()
    await until(lambda: _same(bench.began, ["x"]), "the job")
    stopping = asyncio.create_task(bench.stop())
    await asyncio.sleep(0)
    await bench.enqueue("y")
    bench.gate.set()
    await stopping
    assert bench.done == ["x"]
    assert await bench.states() == {"y": "ready"}


async def test_stopping_gives_back_what_takes_too_long(db: Database) -> None:
    bench = Bench(db)
    bench.gate.clear()
    await bench.enqueue("x")
    await bench.start()
    await until(lambda: _same(bench.began, ["x"]), "the job")
    await bench.stop(grace=0.01)
    assert bench.done == []
    assert await bench.states() == {"x": "ready"}


async def test_what_is_claimed_while_it_stops_is_done_before_it_has_stopped(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not given back and then done all the same, by a worker that is no more."""
    write, claimed, gate = db.write, asyncio.Event(), asyncio.Event()

    async def slow(unit: Callable[[Tx], Any], before: Sequence[Before] = ()) -> Any:
        value = await write(unit, before)
        if isinstance(value, tuple) and value[0]:
            claimed.set()
            await gate.wait()
        return value

    bench = Bench(db)
    await bench.enqueue("x")
    monkeypatch.setattr(db, "write", slow)
    await bench.start()
    await asyncio.wait_for(claimed.wait(), HANG)
    stopping = asyncio.create_task(bench.worker.stop(HANG))
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert not stopping.done()
    gate.set()
    await stopping
    assert bench.running is not None
    await bench.running
    assert (bench.done, await bench.states()) == (["x"], {})


async def test_a_worker_whose_lease_has_passed_takes_nothing_more_and_says_so(db: Database) -> None:
    bench = Bench(db, lease=timedelta(seconds=0.2))
    await bench.start()
    await db.write(lambda tx: jobs.register(tx, "a"))  # another process under this name
    await asyncio.wait_for(bench.worker.lost.wait(), HANG)
    await bench.enqueue("x")
    await asyncio.sleep(0.05)
    assert bench.began == []
    await bench.stop()


async def test_jobs_of_a_worker_that_fell_silent_are_taken_over(db: Database) -> None:
    silent = await db.write(lambda tx: jobs.register(tx, "silent"))
    bench = Bench(db, lease=timedelta(seconds=1))
    await bench.enqueue("x")
    assert await db.write(lambda tx: claims.claim(tx, "silent", silent, "work", 1))
    await bench.start()
    await until(lambda: _same(bench.done, ["x"]), "the job of the silent one")
    await bench.stop()


async def test_a_worker_that_could_not_say_that_it_lives_sends_nothing_and_gives_the_job_back(db: Database) -> None:
    sent: list[int] = []

    class Sends(Bench):
        async def story(self, job: Job) -> None:
            if job.tries == 0:
                bench.worker._held.renewed(clock() - LEASE.total_seconds())  # as if it had stood still
            job.lease.require()
            sent.append(job.tries)

    bench = Sends(db)
    await bench.enqueue("x")
    await bench.start()
    await until(lambda: _put_back(db, 1), "the job put back")
    assert sent == []
    (row,) = await rows(db, schema.jobs)
    assert row["last_error"].startswith("LeaseUnsure")
    assert (row["raised"], row["crashes"]) == (0, 0), "it is nobody's fault"
    bench.worker._held.renewed(clock())
    await db.write(lambda tx: jobs.hasten(tx, "work", "x"))
    await until(lambda: _same(bench.done, ["x"]), "the second run")
    assert sent == [1]
    await bench.stop()


def test_a_lease_is_over_before_anybody_else_may_take_the_jobs() -> None:
    lease = Lease(timedelta(seconds=60))
    with pytest.raises(LeaseUnsure):
        lease.require()
    lease.renewed(clock() - 44)
    lease.require()
    lease.renewed(clock() - 46)
    with pytest.raises(LeaseUnsure):
        lease.require()
