"""Who waits for what: one owner's work never takes the places of all."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from gateway.intake.places import NoPlace, Places


async def test_one_owner_has_a_share_and_all_together_have_so_many() -> None:
    places = Places(3, 2, patience=0.05)
    async with AsyncExitStack() as held:
        for owner in ("slow.example", "slow.example", "law.example"):
            await held.enter_async_context(places.of(owner))
        for owner in ("slow.example", "acme.example"):
            with pytest.raises(NoPlace):
                await held.enter_async_context(places.of(owner))
    async with places.of("slow.example"), places.of("slow.example"), places.of("acme.example"):
        pass


async def test_who_waits_gets_the_place_that_becomes_free() -> None:
    places = Places(9, 1, patience=60)
    entered = asyncio.Event()

    async def wait() -> None:
        async with places.of("law.example"):
            entered.set()

    async with places.of("law.example"):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.01)
        assert not entered.is_set()
    await waiting


async def test_what_fails_in_a_place_leaves_it() -> None:
    places = Places(1, 1, patience=0.05)
    with pytest.raises(TimeoutError, match="not mine"):
        async with places.of("law.example"):
            raise TimeoutError("not mine")
    async with places.of("law.example"):
        pass
