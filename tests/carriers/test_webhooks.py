"""The emulator's webhooks: their shape, signature, retries, records and faults."""

import aiohttp
import pytest

from gateway.carriers.emulator import Emulator
from gateway.carriers.telnyx import Telnyx
from gateway.dialects.telnyx import event
from tests.carriers.conftest import FROM, Receiver, order, state
from tests.carriers.rawserver import unused_port


@pytest.fixture
async def sent(client: Telnyx, receiver: Receiver) -> Telnyx:
    """Hand over one fax, and leave it to the test to wait for its end."""
    await client.hand_over(order(f"{receiver.origin}/m/two-pages"))
    return client


async def test_a_webhook_has_the_documented_shape_and_a_valid_signature(
    sent: Telnyx, emulator: Emulator, receiver: Receiver
) -> None:
    await emulator.settle()
    body = receiver.bodies[0]
    assert body["meta"] == {"attempt": 1, "delivered_to": f"{receiver.origin}/hook"}
    assert body["data"]["record_type"] == "event"
    assert body["data"]["event_type"] == "fax.queued"
    assert body["data"]["payload"] == {
        "connection_id": "1",
        "direction": "outbound",
        "fax_id": emulator.faxes[0].id,
        "from": FROM,
        "to": "+12025550100",
        "status": "queued",
        "user_id": emulator.settings.user_id,
        "client_state": state("+12025550100"),
        "original_media_url": f"{receiver.origin}/m/two-pages",
    }
    assert receiver.all_signed_by(emulator.public_key)


async def test_a_refused_webhook_is_tried_again_and_then_at_the_failover_url(
    client: Telnyx, emulator: Emulator, receiver: Receiver
) -> None:
    emulator.settings.connections[0].failover_url = f"{receiver.origin}/second"
    receiver.answers = {"/hook": 500}
    receiver.documents.clear()
    await client.hand_over(order(f"{receiver.origin}/m/gone"))
    await emulator.settle()
    queued = [(path, body) for (path, _, _), body in zip(receiver.received, receiver.bodies, strict=True)]
    queued = [(path, body) for path, body in queued if body["data"]["event_type"] == "fax.queued"]
    assert [path for path, _ in queued] == ["/hook", "/hook", "/second"]
    assert [body["meta"]["attempt"] for _, body in queued] == [1, 2, 3]
    assert len({event(body).id for _, body in queued}) == 1
    assert receiver.all_signed_by(emulator.public_key)
    assert [delivery.status for delivery in emulator.deliveries] == ["delivered", "delivered"]


async def test_a_redirect_is_no_delivery_and_is_given_up(sent: Telnyx, emulator: Emulator, receiver: Receiver) -> None:
    receiver.answers = {"/hook": 301}
    await emulator.settle()
    assert {delivery.status for delivery in emulator.deliveries} == {"failed"}
    assert {len(delivery.attempts) for delivery in emulator.deliveries} == {2}


async def test_a_receiver_that_is_not_there_is_on_record_as_an_error(
    client: Telnyx, emulator: Emulator, receiver: Receiver
) -> None:
    emulator.settings.connections[0].webhook_url = f"http://127.0.0.1:{unused_port()}/hook"
    await client.hand_over(order(f"{receiver.origin}/m/gone"))
    await emulator.settle()
    attempts = [attempt for delivery in emulator.deliveries for attempt in delivery.attempts]
    assert [attempt["errors"] for attempt in attempts] == [[{"code": "75001"}]] * 4


async def test_the_url_of_a_fax_is_used_instead_of_its_connections(
    client: Telnyx, emulator: Emulator, receiver: Receiver
) -> None:
    url = f"{receiver.origin}/m/two-pages"
    await client.hand_over(order(url, connection_id="2", webhook_url=f"{receiver.origin}/second"))
    await emulator.settle()
    assert {path for path, _, _ in receiver.received} == {"/second"}


async def test_a_connection_without_a_url_gets_no_webhooks(
    client: Telnyx, emulator: Emulator, receiver: Receiver
) -> None:
    await client.hand_over(order(f"{receiver.origin}/m/two-pages", connection_id="2"))
    await emulator.settle()
    assert receiver.received == []
    assert emulator.faxes[0].status == "delivered"


async def test_deliveries_are_on_record(
    sent: Telnyx, emulator: Emulator, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    await emulator.settle()

    async def found(**filters: str) -> list[str]:
        query = {f"filter[{name.replace('__', '][')}]": value for name, value in filters.items()}
        async with http.get("/v2/webhook_deliveries", params=query) as response:
            return [each["webhook"]["event_type"] for each in (await response.json())["data"]]

    assert sorted(await found()) == ["fax.delivered", "fax.media.processed", "fax.queued", "fax.sending.started"]
    assert sorted(await found(event_type="fax.queued,fax.delivered")) == ["fax.delivered", "fax.queued"]
    assert await found(status__eq="failed") == []
    assert len(await found(webhook__contains=state("+12025550100"))) == 4
    assert await found(started_at__gte="2999-01-01T00:00:00Z") == []
    async with http.get(f"/v2/webhook_deliveries/{emulator.deliveries[0].id}") as response:
        [attempt] = (await response.json())["data"]["attempts"]
    assert attempt["status"] == "delivered"
    async with http.get("/v2/webhook_deliveries/none") as response:
        assert response.status == 404


async def test_dropped_webhooks_leave_the_fax_as_it_is(client: Telnyx, emulator: Emulator, receiver: Receiver) -> None:
    emulator.faults.drop_webhooks = True
    await client.hand_over(order(f"{receiver.origin}/m/two-pages"))
    await emulator.settle()
    assert receiver.received == []
    assert emulator.faxes[0].status == "delivered"


async def test_shuffled_webhooks_come_once_each_at_the_end(
    client: Telnyx, emulator: Emulator, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.shuffle", lambda items: items.reverse())
    emulator.faults.shuffle_webhooks = True
    await client.hand_over(order(f"{receiver.origin}/m/two-pages"))
    await emulator.settle()
    types = [body["data"]["event_type"] for body in receiver.bodies]
    assert types == ["fax.delivered", "fax.sending.started", "fax.media.processed", "fax.queued"]
