"""The poller finds what webhooks did not tell, and behind NAT everything; what it finds twice counts once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.attempt import Attempt
from gateway.carrier_event import CarrierFax
from gateway.carriers.carrier import CarrierError
from gateway.events import EVENT
from gateway.fax import State
from gateway.inbox import FORWARD, RETRIEVE
from gateway.notify import DELIVER
from gateway.outbox import TRANSMIT
from gateway.store import schema
from gateway.store.events import watermark
from tests import samples
from tests.integration.between import Between
from tests.integration.engines import ENGINES, rows, store
from tests.integration.house import CLINIC, REALM, SENDER, House, built

CALLER = "+12125550199"
BUSY, UNTOLD = "+12025550001", "+12025550008"


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Behind NAT: no webhook reaches it."""
    async with store(request, tmp_path) as db, built(db, tmp_path, webhooks=False) as house:
        yield house


async def poll(house: House) -> int:
    """Let the carrier come to rest, ask it for news, and apply them; return how many there were."""
    await house.emulator.settle()
    news = await house.reconcile.poll()
    await house.drain(EVENT)
    return news


async def test_a_received_fax_is_found_fetched_and_mailed(house: House) -> None:
    await house.emulator.receive(CLINIC, CALLER, samples.pdf(2))
    assert await poll(house) == 1
    await house.drain(RETRIEVE, FORWARD, DELIVER)
    fax = await house.only_fax()
    assert (fax.state, fax.pages, fax.faxbox_id) == (State.RECEIVED, 2, house.faxbox.id)
    assert len(house.mails()) == 2
    assert await poll(house) == 0, "and found once"


async def test_a_fax_is_seen_coming_and_then_found_received(house: House) -> None:
    house.emulator.settings.pace = 0.2
    await house.emulator.receive(CLINIC, CALLER, samples.pdf(1))
    assert await house.reconcile.poll() == 1
    await house.drain(EVENT)
    assert (await house.only_fax()).state is State.RECEIVING
    assert await poll(house) == 1
    assert [row["kind"] for row in await house.jobs()] == [RETRIEVE]


async def test_a_fax_that_takes_longer_than_the_list_goes_back_is_found_received(house: House) -> None:
    """350 pages take three hours, and the list tells when a fax began."""
    house.emulator.settings.pace = 0.2
    fax = await house.emulator.receive(CLINIC, CALLER, samples.pdf(1))
    assert await house.reconcile.poll() == 1
    await house.drain(EVENT)
    fax.created_at -= timedelta(hours=3)
    assert await poll(house) == 1
    await house.drain(RETRIEVE, FORWARD, DELIVER)
    assert (await house.only_fax()).state is State.RECEIVED


async def test_a_reception_that_failed_is_found(house: House) -> None:
    await house.emulator.receive(CLINIC, CALLER, samples.pdf(1), fail_with="fax_signaling_error")
    assert await poll(house) == 1
    assert (await house.only_fax()).state is State.FAILED
    assert len(await house.told()) == 2


async def test_an_outgoing_fax_comes_to_its_end(house: House) -> None:
    fax_id = await house.queue(UNTOLD)
    await house.step(TRANSMIT)
    assert await poll(house) == 1
    assert (await house.fax(fax_id)).state is State.DELIVERED
    assert await house.told() == [("receipt", SENDER)]
    assert await poll(house) == 0


async def test_an_outgoing_fax_is_tried_again_by_what_the_list_says(house: House) -> None:
    fax_id = await house.queue(BUSY)
    for _ in range(3):
        await house.step(TRANSMIT)
        assert await poll(house) == 1
    fax = await house.fax(fax_id)
    assert (fax.state, fax.tries, fax.failure_reason) == (State.FAILED, 3, "user_busy")


async def test_what_a_webhook_told_is_not_told_again(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    request.param = "sqlite"
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        await house.emulator.receive(CLINIC, CALLER, samples.pdf(1))
        fax_id = await house.queue()
        await house.step(TRANSMIT)
        await house.hear()
        assert await poll(house) == 0
        assert (await house.fax(fax_id)).state is State.DELIVERED
        assert len(await rows(db, schema.faxes)) == 2


async def test_a_carrier_that_is_down_loses_nothing(house: House) -> None:
    await house.emulator.receive(CLINIC, CALLER, samples.pdf(1))
    for status in (503, 429, 0):
        house.emulator.faults.down_status = status
        assert await poll(house) == 0
        assert await watermark(house.db, "inbound") is None
    house.emulator.faults.down_status = None
    assert await poll(house) == 1


async def test_a_fax_that_the_carrier_cannot_show_does_not_hide_the_others(house: House) -> None:
    class Stumbles(Between):
        async def fax(self, carrier_fax_id: str) -> CarrierFax | None:
            if carrier_fax_id == broken.carrier_fax_id:
                raise CarrierError("the carrier names a fax that cannot be read", 200)
            return await super().fax(carrier_fax_id)

    first = await house.queue(UNTOLD)
    second = await house.queue("+12025550108")
    await house.step(TRANSMIT)
    broken: Attempt = (await house.attempts(first))[0]
    await house.talk_to(Stumbles(house))
    await house.emulator.receive(CLINIC, CALLER, samples.pdf(1))
    assert await poll(house) == 2
    assert (await house.fax(first)).state is State.QUEUED
    assert (await house.fax(second)).state is State.DELIVERED
    assert len(await house.jobs(RETRIEVE)) == 1


async def test_the_list_is_read_from_the_last_look_on_with_some_overlap(house: House) -> None:
    await house.emulator.receive(CLINIC, CALLER, samples.pdf(1))
    await poll(house)
    seen = await watermark(house.db, "inbound")
    assert seen is not None
    assert seen > datetime.now(UTC) - timedelta(minutes=1)
    late = await house.emulator.receive(CLINIC, CALLER, samples.pdf(1))
    late.created_at -= timedelta(minutes=50)  # the list lags, and clocks differ
    assert await poll(house) == 1


async def test_a_fax_for_nobody_is_found_too(house: House) -> None:
    await house.provisioning.delete_number(CLINIC)
    await house.provisioning.update_application(house.application.id, {"upstream_connection_id": ""})
    await house.emulator.receive(CLINIC, CALLER, samples.pdf(1))
    await poll(house)
    await house.drain(RETRIEVE)
    assert await house.told() == [("unrouted", f"operator@{REALM}")]
