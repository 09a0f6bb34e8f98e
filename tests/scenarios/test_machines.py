"""A worker that stands still for longer than its lease: another takes its work over, and it does no harm afterwards."""

import asyncio
import signal
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.carriers.emulator.faxes import EmulatedFax
from gateway.fax import State
from gateway.store import schema
from gateway.store.database import open_database
from tests import postgres
from tests.scenarios.installation import HANG, Installation, installed

pytestmark = pytest.mark.full
NUMBER = "+12025550123"


@pytest.mark.parametrize(
    ("point", "asked"),
    [
        # Before the attempt, and before the last look at the clock: it asks for nothing.
        ("transmit.sealed", 1),
        ("transmit.intended", 1),
        # Behind that look: its request comes after all, finds its document withdrawn, and sends nothing.
        ("transmit.asking", 2),
        # The carrier has it, and nobody was told so: the other one finds it at the carrier.
        ("transmit.answered", 1),
        # With the receipt in its hands, which the other one mails.
        ("deliver.composed", 1),
    ],
)
@pytest.mark.parametrize("behind_nat", [False, True], ids=["by its address", "by the carrier's storage"])
async def test_the_fax_of_a_worker_that_stood_still_is_sent_once(
    tmp_path: Path, postgres_server: postgres.Postgres, point: str, asked: int, behind_nat: bool
) -> None:
    url = postgres_server.create(f"test_{uuid4().hex}")
    async with installed(tmp_path, url, behind_nat=behind_nat) as house:
        front = await house.start(only="smtp,http")
        still = await house.start(environment={"FAXGATE_STOP_AT": point}, only="worker")
        await house.mail(NUMBER)
        await house.until(lambda: _stands_still(still.process.pid), "the worker's standing still")
        other = await house.start(only="worker")
        await house.until(lambda: _delivered(house), "the fax by the other worker")
        await house.until(lambda: house.mails(tale="receipt"), "the receipt")
        async with asyncio.timeout(HANG):
            while not await _taken_over(url):
                await asyncio.sleep(0.1)
        still.process.send_signal(signal.SIGCONT)
        assert await still.ended() == 1, "its lease has passed: it ends, to be started anew"
        await house.emulator.settle()
        assert len(_delivered(house)) == 1
        # A document that is not in the carrier's own storage any more makes no fax there at all.
        assert len(house.sent(NUMBER)) == (1 if behind_nat else asked)
        assert len(house.mails(tale="receipt")) == 1
        (fax,) = await house.faxes()
        assert fax.state is State.DELIVERED
        await _stopped(house, front, other)


async def _taken_over(url: str) -> bool:
    """Whether the lease of a node has passed."""
    db = await open_database(url)
    try:
        return any(row["epoch"] > 1 for row in await db.rows(schema.nodes.select()))
    finally:
        await db.close()


def _delivered(house: Installation) -> list[EmulatedFax]:
    return [fax for fax in house.sent(NUMBER) if fax.status == "delivered"]


async def _stopped(house: Installation, *running: object) -> None:
    for each in house.runs:
        if each in running:
            assert await each.stop() == 0


def _stands_still(pid: int) -> bool:
    """Whether a process is stopped by a signal (proc(5): the state is behind the name in parentheses)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
