"""Faxes that come in at the emulator: from outside, and from its own connections."""

import asyncio
import base64

import aiohttp
import pytest

from gateway.carrier_event import Happened
from gateway.carriers.emulator import Emulator
from gateway.carriers.telnyx import Telnyx
from gateway.fax import Direction
from gateway.fetch import Fetcher, FetchError
from tests.carriers.conftest import FROM, OURS, Receiver, order
from tests.samples import pdf, tiff

FAR = "+12125550133"


async def fetch(url: str) -> bytes:
    fetcher = Fetcher(["127.0.0.0/8"])
    content = bytearray()
    try:
        await fetcher.fetch(url, content.extend)
    finally:
        await fetcher.close()
    return bytes(content)


async def test_a_fax_from_outside_is_told_step_by_step_and_can_be_fetched(
    emulator: Emulator, receiver: Receiver, client: Telnyx
) -> None:
    fax = await emulator.receive(OURS, FAR, pdf(3), caller_id="Dr. Who")
    await emulator.settle()
    assert receiver.told(fax) == ["fax.receiving.started", "fax.media.processing.started", "fax.received"]
    [received] = [event for event in receiver.events if event.happened is Happened.RECEIVED]
    assert (received.direction, received.from_number, received.to_number) == (Direction.INBOUND, FAR, OURS)
    assert (received.pages, received.partial, received.caller_id) == (3, False, "Dr. Who")
    assert (received.connection_id, received.client_state) == ("1", "")
    assert await fetch(received.media_url) == pdf(3)
    shown = await client.fax(fax.id)
    assert shown is not None
    assert (shown.status, shown.media_url) == (Happened.RECEIVED, received.media_url)
    assert receiver.all_signed_by(emulator.public_key)


async def test_a_fax_to_our_own_number_comes_back_with_the_same_bytes(
    emulator: Emulator, receiver: Receiver, client: Telnyx
) -> None:
    await client.hand_over(order(f"{receiver.origin}/m/two-pages", OURS))
    await emulator.settle()
    outbound, inbound = emulator.faxes
    assert (outbound.status, inbound.status) == ("delivered", "received")
    assert (inbound.from_number, inbound.to_number, inbound.client_state) == (FROM, OURS, "")
    assert inbound.sha256 == outbound.sha256
    assert await fetch(inbound.media_url) == pdf(2)


async def test_a_call_that_drops_fails_at_the_other_end_too(
    emulator: Emulator, receiver: Receiver, client: Telnyx
) -> None:
    emulator.settings.connections[0].numbers.append("+12025550003")
    await client.hand_over(order(f"{receiver.origin}/m/two-pages", "+12025550003"))
    await emulator.settle()
    outbound, inbound = emulator.faxes
    assert (outbound.failure_reason, inbound.failure_reason) == ("receiver_call_dropped", "sender_call_dropped")
    assert receiver.told(inbound) == ["fax.receiving.started", "fax.failed"]


async def test_a_fax_that_is_canceled_while_it_is_sent_fails_at_both_ends(
    emulator: Emulator, receiver: Receiver, client: Telnyx
) -> None:
    emulator.settings.pace = 0.1
    await client.hand_over(order(f"{receiver.origin}/m/two-pages", OURS))
    while emulator.faxes[0].status != "sending":
        await asyncio.sleep(0.01)
    assert await client.cancel(emulator.faxes[0].id)
    await emulator.settle()
    assert [fax.failure_reason for fax in emulator.faxes] == ["sender_canceled", "sender_canceled"]


async def test_an_incoming_fax_can_fail_or_be_partial(emulator: Emulator, receiver: Receiver) -> None:
    failed = await emulator.receive(OURS, FAR, pdf(), fail_with="sender_call_dropped")
    partial = await emulator.receive(OURS, FAR, tiff(2), partial=True)
    await emulator.settle()
    assert receiver.told(failed) == ["fax.receiving.started", "fax.failed"]
    assert [event.failure_reason for event in receiver.events if event.failure_reason] == ["sender_call_dropped"]
    [received] = [event for event in receiver.events if event.happened is Happened.RECEIVED]
    assert (received.carrier_fax_id, received.partial, received.pages) == (partial.id, True, 2)
    assert partial.document is not None
    assert partial.document.media_type == "image/tiff"


async def test_an_expired_link_is_renewed_by_refresh(emulator: Emulator, client: Telnyx) -> None:
    emulator.faults.expire_links = True
    fax = await emulator.receive(OURS, FAR, pdf())
    await emulator.settle()
    with pytest.raises(FetchError) as raised:
        await fetch(fax.media_url)
    assert raised.value.status == 403
    await client.refresh(fax.id)
    shown = await client.fax(fax.id)
    assert shown is not None
    assert await fetch(shown.media_url) == pdf()


async def test_a_link_lives_as_long_as_the_settings_say(emulator: Emulator) -> None:
    emulator.settings.link_seconds = 0
    fax = await emulator.receive(OURS, FAR, pdf())
    await emulator.settle()
    with pytest.raises(FetchError):
        await fetch(fax.media_url)


async def test_nobody_receives_at_a_number_that_is_not_ours(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="no connection owns"):
        await emulator.receive(FAR, OURS, pdf())
    with pytest.raises(ValueError, match="file_format_invalid"):
        await emulator.receive(OURS, FAR, b"what")
    assert emulator.faxes == []


async def test_other_programs_let_faxes_in_over_http(emulator: Emulator, http: aiohttp.ClientSession) -> None:
    fields = {"to": OURS, "from": FAR, "document": base64.b64encode(pdf(2)).decode(), "partial": True}
    async with http.post("/emulator/inbound", json=fields) as response:
        assert response.status == 202
    form = aiohttp.FormData({"to": OURS, "from": FAR, "fail_with": "sender_canceled"})
    form.add_field("document", pdf(), filename="a.pdf")
    async with http.post("/emulator/inbound", data=form) as response:
        assert response.status == 202
    await emulator.settle()
    first, second = emulator.faxes
    assert (first.status, first.partial, second.failure_reason) == ("received", True, "sender_canceled")
    for wrong in ({"to": FAR}, {"document": "%%%"}, {"document": 5}, {"to": None}):
        async with http.post("/emulator/inbound", json=fields | wrong) as response:
            assert response.status == 422
