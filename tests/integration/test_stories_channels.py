"""Channels: how many calls an application may have at once, also when that changes while faxes wait."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest

from gateway.fax import State
from gateway.outbox import TRANSMIT
from tests.integration.engines import ENGINES, HANG, store
from tests.integration.house import House, built

NUMBERS = [f"+1202555016{number}" for number in range(5)]


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as found:
        yield found


async def limit(house: House, channels: int | None) -> None:
    await house.provisioning.update_application(house.application.id, {"channel_limit": channels})


async def ended(house: House, ids: Sequence[UUID]) -> None:
    async with asyncio.timeout(HANG):
        while not all([(await house.fax(fax_id)).finished_at for fax_id in ids]):
            await asyncio.sleep(0.02)
    assert {(await house.fax(fax_id)).state for fax_id in ids} == {State.DELIVERED}


def most_at_once(house: House) -> int:
    calls = [(fax.history[0][0], fax.history[-1][0]) for fax in house.emulator.faxes]
    return max(sum(start <= begin < end for start, end in calls) for begin, _ in calls)


async def test_a_new_limit_counts_for_faxes_that_wait_already(house: House) -> None:
    ids = [await house.queue(number) for number in NUMBERS]
    await limit(house, 2)
    async with house.working():
        await ended(house, ids)
    assert most_at_once(house) <= 2
    assert len(house.emulator.faxes) == len(ids)


async def test_a_limit_that_is_lifted_keeps_nobody_waiting(house: House) -> None:
    await limit(house, 1)
    ids = [await house.queue(number) for number in NUMBERS[:3]]
    assert sorted(row["state"] for row in await house.jobs(TRANSMIT)) == ["blocked", "blocked", "ready"]
    await limit(house, None)
    async with house.working():
        await ended(house, ids)
