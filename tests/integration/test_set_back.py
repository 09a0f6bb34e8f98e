"""A clock that ran ahead and is set right delays nothing, and hides nothing that came meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.events import EVENT
from gateway.fax import State
from gateway.store import carriers, faxes, jobs, schema
from gateway.store.database import Tx
from gateway.store.events import set_watermark
from gateway.store.set_back import set_back
from gateway.worker import Worker
from tests import samples
from tests.integration.engines import ENGINES, rows, store, until
from tests.integration.house import CLINIC, House, built

DAY = timedelta(days=1)


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path, webhooks=False) as house:
        yield house


async def test_what_was_planned_by_a_clock_a_day_ahead_comes_a_day_sooner(house: House) -> None:
    fax_id, soon = await house.queue(), timedelta(minutes=1)
    ahead = datetime.now(UTC) + DAY
    rest = carriers.Breaker(failures=1, rest=DAY + soon, longest=2 * DAY)

    def plan(tx: Tx) -> None:
        faxes.change(tx, fax_id, [State.QUEUED], next_try_at=ahead + soon)
        for subject, due in (("past", -soon), ("soon", DAY + soon), ("far", 3 * DAY)):
            jobs.enqueue(tx, "work", subject, due=datetime.now(UTC) + due)
        carriers.failed(tx, house.carrier.name, rest)

    await house.db.write(plan)
    before = {row["subject"]: row["due"] for row in await rows(house.db, schema.jobs, kind="work")}
    assert await house.db.write(lambda tx: set_back(tx, DAY)) >= 2
    after = {row["subject"]: row["due"] for row in await rows(house.db, schema.jobs, kind="work")}
    assert after == {"past": before["past"], "soon": before["soon"] - DAY, "far": before["far"] - DAY}
    assert (await house.fax(fax_id)).next_try_at == ahead + soon - DAY
    (row,) = await rows(house.db, schema.carriers)
    assert row["open_until"] < datetime.now(UTC) + 2 * soon


async def test_a_worker_sets_back_what_its_clock_has_put_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(job: jobs.Job) -> None:
        await house.db.write(lambda tx: jobs.finish(tx, job))

    ahead = {"seconds": 0.0}
    monkeypatch.setattr("gateway.worker._ahead", lambda: ahead["seconds"])
    worker = Worker(house.db, "w", timedelta(seconds=2), {"work": story}, {"work": 1})
    await worker.start()
    await house.db.write(lambda tx: jobs.enqueue(tx, "work", "x", due=datetime.now(UTC) + DAY))
    ahead["seconds"] = -DAY.total_seconds()
    running = asyncio.create_task(worker.run())
    await until(lambda: _done(house), "the job that was a day away")
    await worker.stop(5)
    await running


async def _done(house: House) -> bool:
    return not await rows(house.db, schema.jobs, kind="work")


async def test_a_node_whose_clock_jumps_does_not_take_itself_for_dead(house: House) -> None:
    epoch = await house.db.write(lambda tx: jobs.register(tx, "w"))
    long_ago = datetime.now(UTC) - DAY

    def unit(tx: Tx) -> None:
        tx.execute(schema.nodes.update().values(seen=long_ago))
        jobs.take_over(tx, timedelta(seconds=60), "w")

    await house.db.write(unit)
    assert await house.db.write(lambda tx: jobs.beat(tx, "w", epoch))


async def test_a_fax_that_came_while_the_clock_was_ahead_is_found_afterwards(house: House) -> None:
    """Its webhooks were refused, being of another time."""
    await house.db.write(lambda tx: set_watermark(tx, "inbound", datetime.now(UTC) + DAY))
    fax = await house.emulator.receive(CLINIC, "+12125550199", samples.pdf(1))
    await house.emulator.settle()
    assert await house.reconcile.poll() == 1
    await house.drain(EVENT)
    assert (await house.only_fax()).carrier_fax_id == fax.id
    (row,) = await rows(house.db, schema.watermarks, name="inbound")
    assert row["at"] == fax.created_at, "how far it was read is told by the carrier's clock"
