"""A long rendering says how far it is, to everybody who asks the database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.plan import plan
from gateway.cli.queue import _progress
from gateway.document import RenderedDocument
from gateway.fax import State
from gateway.outbox import PREPARE
from gateway.outbox.progress import Progress
from gateway.sandbox import Outputs, Source
from gateway.store import faxes, jobs
from tests import samples
from tests.integration.engines import ENGINES, store
from tests.integration.house import House, built
from tests.integration.open_sandbox import OpenSandbox


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


class Slow(OpenSandbox):
    """Tells of 300 pages, and waits after each hundred until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Semaphore(0)
        self.go_on = asyncio.Semaphore(0)

    async def render(
        self,
        source_fds: Sequence[int],
        source: Source,
        outputs: Outputs,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> RenderedDocument:
        assert on_progress is not None
        for done in (100, 200):
            on_progress(done, 300)
            self.reached.release()
            await self.go_on.acquire()
        return await super().render(source_fds, source, outputs)


async def test_a_long_rendering_tells_how_far_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Progress.__init__, "__defaults__", (0.0,))
    house.sandbox = slow = Slow()
    house.connect()
    document = await house.blobs.put_bytes(samples.pdf(1))
    about: dict[str, Any] = {"state": State.PREPARING, "rendering_id": None, "pages": None, "pages_blob": ""}
    fax_id = await house.queue(**about, documents=[{"blob": document, "media_type": "", "name": ""}])
    await house.db.write(lambda tx: jobs.drop(tx, "transmit", fax_id))
    await house.db.write(lambda tx: jobs.enqueue(tx, PREPARE, fax_id))
    working = asyncio.create_task(house.step(PREPARE))
    for done in (100, 200):
        await slow.reached.acquire()
        fax = await house.fax(fax_id)
        while fax.pages_done != done:
            await asyncio.sleep(0.01)
            fax = await house.fax(fax_id)
        assert fax.pages_to_do == 300
        assert fax.pages is None
        assert f"{done} of 300 are ready" in plan(fax, await house.db.rows(jobs.of_subject(fax_id)))
        assert f"{done}/300" in _progress(fax)
        slow.go_on.release()
    await working
    fax = await house.fax(fax_id)
    assert (fax.state, fax.pages, fax.pages_done, fax.pages_to_do) == (State.QUEUED, 1, None, None)


async def test_a_short_one_writes_nothing(house: House) -> None:
    fax_id = await house.queue(state=State.PREPARING)
    noted = Progress(house.db, fax_id)
    noted(1, 2)
    await noted.end()
    assert (await house.fax(fax_id)).pages_done is None


async def test_what_comes_late_changes_nothing(house: House) -> None:
    fax_id = await house.queue(state=State.PREPARING)
    noted = Progress(house.db, fax_id, 0.0)
    await house.db.write(lambda tx: faxes.change(tx, fax_id, [State.PREPARING], state=State.CANCELED))
    noted(1, 2)
    await noted.end()
    assert (await house.fax(fax_id)).pages_done is None


async def test_a_database_that_does_not_answer_does_not_end_the_rendering(house: House) -> None:
    fax_id = await house.queue(state=State.PREPARING)
    noted = Progress(house.db, fax_id, 0.0)

    async def fails(*_: object) -> None:
        raise ConnectionError

    noted._db = type("Gone", (), {"write": staticmethod(fails)})()
    noted(1, 2)
    await noted.end()
    assert (await house.fax(fax_id)).state is State.PREPARING
