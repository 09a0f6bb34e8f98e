"""What a program of Telnyx's API is told of its faxes, from the request to the end, and what an application that is
switched off means for both directions."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import telnyx

from gateway.courier import WEBHOOK
from gateway.fax import State
from gateway.ids import parse_id
from gateway.inbox import FORWARD, RETRIEVE
from gateway.outbox import COLLECT, PREPARE, TRANSMIT
from tests import telnyx_samples
from tests.integration.engines import ENGINES, until
from tests.integration.house import CLINIC, NUMBER, REALM
from tests.integration.receiver import Receiver, Taken, receiving
from tests.integration.telnyx_program import PDF, STATE, Program, program

BUSY, GONE = NUMBER[:-4] + "0001", NUMBER[:-4] + "0004"
INBOX = f"inbox@{REALM}"
OUTBOUND = ["fax.queued", "fax.media.processed", "fax.sending.started"]
INBOUND = ["fax.receiving.started", "fax.media.processing.started"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture(params=ENGINES)
async def both(request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver) -> AsyncIterator[Program]:
    async with program(request, tmp_path) as found:
        await change(found, webhook_event_url=receiver.url())
        yield found


@pytest.fixture(params=["sqlite"])
async def lite(request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver) -> AsyncIterator[Program]:
    async with program(request, tmp_path) as found:
        await change(found, webhook_event_url=receiver.url())
        yield found


async def change(at: Program, **fields: Any) -> None:
    status, body = await at.ask("PATCH", f"/fax_applications/{at.connection}", json=fields)
    assert status == 200, body


def of(receiver: Receiver, fax_id: str) -> dict[str, Taken]:
    """Return what was told of a fax, by type, in the order in which it was told."""
    mine = [taken for taken in receiver.taken if taken.body["data"]["payload"]["fax_id"] == fax_id]
    assert len({taken.event_type for taken in mine}) == len(mine)
    return {taken.event_type: taken for taken in mine}


async def received(at: Program) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await at.ask("GET", params={"filter[direction][eq]": "inbound"}))[1]["data"]
    return found


async def test_every_event_of_the_documents_comes_with_their_fields(both: Program, receiver: Receiver) -> None:
    delivered, failed = [await both.send(to=number, client_state=STATE) for number in (NUMBER, GONE)]
    await both.house.emulator.receive(CLINIC, NUMBER, PDF)
    await both.go()
    await both.house.emulator.receive(CLINIC, NUMBER, PDF, fail_with="sender_call_dropped")
    await both.go()
    await both.house.drain(WEBHOOK)
    lost, taken = [fax["id"] for fax in await received(both)]
    told = {fax_id: of(receiver, fax_id) for fax_id in (delivered, failed, taken, lost)}
    assert {fax_id: sorted(events) for fax_id, events in told.items()} == {
        delivered: sorted([*OUTBOUND, "fax.delivered"]),
        failed: sorted([*OUTBOUND[:2], "fax.failed"]),
        taken: sorted([*INBOUND, "fax.received"]),
        lost: sorted([*INBOUND[:1], "fax.failed"]),
    }
    for fax_id, events in told.items():
        shown = await both.shown(fax_id)
        for event_type, event in events.items():
            payload = event.body["data"]["payload"]
            assert set(payload) == telnyx_samples.PAYLOADS[(shown["direction"], event_type)]
            assert (payload["from"], payload["to"]) == (shown["from"], shown["to"])
            assert (payload["connection_id"], payload["direction"]) == (shown["connection_id"], shown["direction"])
    payloads = [event.body["data"]["payload"] for events in told.values() for event in events.values()]
    words = [payload["status"] for payload in payloads if payload["fax_id"] == delivered]
    assert words == ["queued", "media.processed", "sending", "delivered"]
    assert {payload.get("client_state") for payload in payloads} == {STATE, None}
    assert told[lost]["fax.failed"].body["data"]["payload"]["failure_reason"] == "sender_call_dropped"
    assert told[failed]["fax.failed"].body["data"]["payload"]["failure_reason"] == "receiver_unallocated_number"


async def test_who_is_slower_than_his_application_says_is_told_at_the_other_url(
    lite: Program, receiver: Receiver
) -> None:
    async with receiving() as hanging:
        hanging.open.clear()
        await change(
            lite,
            webhook_event_url=hanging.url("/slow"),
            webhook_event_failover_url=receiver.url("/failover"),
            webhook_timeout_secs=1,
        )
        fax_id = await lite.send(media_url="http://10.0.0.1/a.pdf")
        await lite.house.step(WEBHOOK)
        hanging.open.set()
    (queued,) = of(receiver, fax_id).values()
    assert (queued.path, queued.body["meta"]["attempt"]) == ("/failover", 2)
    assert queued.body["meta"]["delivered_to"] == receiver.url("/failover")
    _, body = await lite.ask("GET", "/webhook_deliveries")
    (delivery,) = body["data"]
    assert [attempt["status"] for attempt in delivery["attempts"]] == ["delivered", "failed"]
    assert "took too long" in delivery["attempts"][1]["detail"]


async def test_an_application_that_is_switched_off_sends_nothing_and_keeps_what_comes(
    both: Program, receiver: Receiver
) -> None:
    waiting = await both.send()
    await both.house.drain(COLLECT, PREPARE)
    await change(both, active=False)
    with pytest.raises(telnyx.UnprocessableEntityError, match="switched off"):
        await both.send()
    await both.house.emulator.receive(CLINIC, NUMBER, PDF)
    await both.house.hear()
    await both.house.drain(RETRIEVE)
    for _ in range(2):
        for kind in (TRANSMIT, FORWARD, WEBHOOK):
            await both.house.step(kind)
    assert (both.house.sent(), both.house.mails(), receiver.taken) == ([], [], [])
    identity = parse_id(waiting)
    assert identity is not None
    fax = await both.house.fax(identity)
    assert (fax.state, fax.tries, fax.next_try_at is not None) == (State.QUEUED, 0, True)
    (kept,) = await received(both)
    assert (kept["status"], bool(kept["media_url"])) == ("received", True)
    await change(both, active=True)
    async with both.house.working():

        async def ended() -> bool:
            return {"fax.received", "fax.delivered"} <= set(receiver.types()) and bool(both.house.mails(INBOX))

        await until(ended, "what waited")
    assert len(both.house.sent()) == 1
    assert (await both.shown(waiting))["status"] == "delivered"
    assert len(both.house.mails(INBOX)) == 1
    assert receiver.types().count("fax.received") == 1
    assert receiver.types().count("fax.delivered") == 1


async def test_a_fax_of_one_that_is_switched_off_keeps_nobody_from_its_number(lite: Program) -> None:
    await lite.send()
    status, body = await lite.ask(
        "POST", "/fax_applications", json={"application_name": "other", "webhook_event_url": "https://example.com/x"}
    )
    assert status == 201
    other = await lite.send(connection_id=body["data"]["id"])
    await lite.house.drain(COLLECT, PREPARE)
    await change(lite, active=False)
    for _ in range(3):
        await lite.house.step(TRANSMIT)
        await lite.house.hear()
    assert (await lite.shown(other))["status"] == "delivered"
    assert len(lite.house.sent()) == 1
