"""Webhooks to programs: which events, with what, where to, signed, and again until somebody takes them."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import telnyx
from sqlalchemy import update

from gateway import courier
from gateway.carriers.emulator import Connection, numbers
from gateway.courier import WEBHOOK, signing_key
from gateway.inbox import FORWARD, RETRIEVE
from gateway.outbox import TRANSMIT
from gateway.store import schema, secrets
from gateway.store.database import Tx
from tests import telnyx_samples
from tests.integration.engines import ENGINES, store, until
from tests.integration.house import CLINIC, NUMBER, OFFICE, House, built
from tests.integration.receiver import Receiver, receiving
from tests.integration.telnyx_house import library

OUTBOUND = ["fax.sending.started", "fax.delivered"]
INBOUND = ["fax.receiving.started", "fax.media.processing.started", "fax.received"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture(params=ENGINES)
async def both(request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        await listen(house, receiver)
        yield house


@pytest.fixture(params=["sqlite"])
async def house(request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        await listen(house, receiver)
        yield house


async def listen(house: House, receiver: Receiver, **more: Any) -> None:
    fields = {"webhook_event_url": receiver.url(), **more}
    await house.provisioning.update_application(house.application.id, fields)


async def send(house: House, number: str = NUMBER, **changes: Any) -> str:
    fax_id = await house.queue(number, **changes)
    await house.step(TRANSMIT)
    await house.hear()
    return str(fax_id)


async def age(house: House, by: timedelta) -> None:
    """Let the first tries of every event be older."""

    def unit(tx: Tx) -> None:
        table = schema.webhook_deliveries
        for row in tx.execute(table.select()).mappings().all():
            attempts = [{**one, "started_at": "2020-01-01T00:00:00Z"} for one in row["attempts"]]
            tx.execute(update(table).where(table.c.id == row["id"]).values(attempts=attempts))

    assert by
    await house.db.write(unit)


async def deliveries(house: House) -> list[dict[str, Any]]:
    table = schema.webhook_deliveries
    return [dict(row) for row in await house.db.rows(table.select().order_by(table.c.created_at))]


def sdk(key: str) -> telnyx.Telnyx:
    return telnyx.Telnyx(api_key="k", public_key=key)


async def test_a_sent_and_a_received_fax_tell_their_events_signed_as_telnyx_does(
    both: House, receiver: Receiver
) -> None:
    sent = await send(both, CLINIC, extra={"client_state": "c3RhdGU=", "media_url": "https://x.example/a.pdf"})
    await both.drain(RETRIEVE, FORWARD, WEBHOOK)
    outbound = {taken.event_type: taken for taken in receiver.taken if taken.body["data"]["payload"]["fax_id"] == sent}
    inbound = {taken.event_type: taken for taken in receiver.taken if taken.event_type not in outbound}
    assert (sorted(outbound), sorted(inbound)) == (sorted(OUTBOUND), sorted(INBOUND))
    key = await signing_key(both.db)
    for taken in receiver.taken:
        body = taken.body
        assert sdk(key).webhooks.unwrap(taken.raw.decode(), headers=taken.headers)
        with pytest.raises(ValueError, match="ignature"):
            sdk(key).webhooks.unwrap(taken.raw.decode() + " ", headers=taken.headers)
        assert body["meta"] == {"attempt": 1, "delivered_to": receiver.url()}
        assert body["data"]["occurred_at"].endswith("Z")
        assert body["data"]["payload"]["user_id"] == str(both.account.id)
        assert taken.headers["Content-Type"] == "application/json"
    delivered = outbound["fax.delivered"].body["data"]["payload"]
    assert (delivered["page_count"], delivered["client_state"], delivered["status"]) == (1, "c3RhdGU=", "delivered")
    assert delivered["original_media_url"] == "https://x.example/a.pdf"
    assert isinstance(delivered["call_duration_secs"], int)
    for name in INBOUND:
        assert telnyx_samples.missing(telnyx_samples.EVENTS[name], inbound[name].body) == []
    received = inbound["fax.received"].body["data"]["payload"]
    assert (received["from"], received["to"], received["partial_content"]) == (OFFICE, CLINIC, False)
    document = bytearray()
    await both.fetcher.fetch(received["media_url"], document.extend)
    assert document.startswith(b"%PDF")


async def test_a_failure_tells_the_carriers_own_word_whether_known_or_not(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(numbers.BEHAVIOURS, "0033", numbers.Behaviour(fails_with="a_word_of_tomorrow"))
    for last in ("0004", "0033"):
        await send(house, NUMBER[:-4] + last, tries_allowed=1)
    await house.drain(WEBHOOK)
    failed = [taken.body["data"]["payload"] for taken in receiver.taken if taken.event_type == "fax.failed"]
    words = sorted(payload["failure_reason"] for payload in failed)
    assert words == ["a_word_of_tomorrow", "receiver_unallocated_number"]
    assert all("page_count" not in payload for payload in failed)


async def test_a_busy_line_ends_with_one_final_event_whatever_was_tried_before(
    house: House, receiver: Receiver
) -> None:
    await house.queue(NUMBER[:-4] + "0005")
    for _ in range(2):
        await house.step(TRANSMIT)
        await house.hear()
    await house.drain(WEBHOOK)
    assert receiver.types().count("fax.delivered") == 1
    assert "fax.failed" not in receiver.types()
    assert receiver.types().count("fax.sending.started") == 1


async def test_the_url_of_a_fax_goes_before_its_applications_and_the_failover_takes_what_it_does_not(
    house: House, receiver: Receiver
) -> None:
    await listen(house, receiver, webhook_event_failover_url=receiver.url("/failover"))
    receiver.status = {"/own": 302}
    await send(house, extra={"webhook_url": receiver.url("/own")})
    await house.drain(WEBHOOK)
    first = [taken for taken in receiver.taken if taken.event_type == "fax.delivered"]
    assert [(taken.path, taken.body["meta"]["attempt"]) for taken in first] == [("/own", 1), ("/failover", 2)]
    assert first[0].body["data"] == first[1].body["data"]
    (row,) = [row for row in await deliveries(house) if row["event_type"] == "fax.delivered"]
    assert (row["state"], row["tries"]) == ("delivered", 2)
    assert [one["status"] for one in row["attempts"]] == ["delivered", "failed"]
    assert row["attempts"][1]["errors"] == [75499]
    assert row["attempts"][1]["http"]["response"]["status"] == 302


async def test_a_receiver_that_is_down_for_a_day_gets_everything_and_each_try_is_signed_anew(
    both: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.status = {"/hook": 503}
    await send(both)
    for _ in range(len(courier.STEPS) + 2):
        await both.step(WEBHOOK)
    assert [row["state"] for row in await deliveries(both)] == ["waiting", "waiting"]
    receiver.status, receiver.taken = {}, []
    later = time.time() + 86_400
    with monkeypatch.context() as patched:
        patched.setattr("gateway.courier.time.time", lambda: later)
        await both.step(WEBHOOK)
    assert sorted(receiver.types()) == sorted(OUTBOUND)
    assert {row["state"] for row in await deliveries(both)} == {"delivered"}
    for taken in receiver.taken:
        assert taken.headers["telnyx-timestamp"] == str(int(later))
        assert taken.body["meta"]["attempt"] == len(courier.STEPS) + 3
    assert await both.jobs(WEBHOOK) == []
    assert await both.db.rows(schema.holds.select().where(schema.holds.c.key.like("hook:%"))) == []


async def test_rounds_grow_apart_and_end_after_three_days(house: House, receiver: Receiver) -> None:
    receiver.status = {"/hook": 500}
    await send(house)
    distances: list[float] = []
    for _ in courier.STEPS:
        await house.step(WEBHOOK)
        (job, *_) = await house.jobs(WEBHOOK)
        distances.append((job["due"] - datetime.now(UTC)).total_seconds())
    assert distances == sorted(distances)
    assert (distances[0] < 15, distances[-1] > 4 * 3600) == (True, True)
    await age(house, timedelta(days=4))
    await house.step(WEBHOOK)
    assert {row["state"] for row in await deliveries(house)} == {"failed"}
    assert await house.jobs(WEBHOOK) == []


async def test_one_that_hangs_delays_nobody_else(house: House, receiver: Receiver) -> None:
    other = await house.provisioning.create_application(
        house.account.id, {"name": "other", "webhook_event_url": receiver.url("/quick"), "webhook_timeout_secs": 30}
    )
    async with receiving() as hanging:
        hanging.open.clear()
        await listen(house, hanging, webhook_timeout_secs=30)
        for index in range(12):
            await house.queue(f"+1202555{1000 + index}")
        for index in range(3):
            await house.queue(f"+1202555{2000 + index}", application_id=other.id)
        await house.step(TRANSMIT)
        await house.hear()
        async with house.working():

            async def told() -> bool:
                return receiver.types().count("fax.delivered") == 3

            await until(told, "the events of the other application")
            assert len(hanging.taken) <= 4
            hanging.open.set()

            async def all_told() -> bool:
                return hanging.types().count("fax.delivered") == 12

            await until(all_told, "the events of the one that hung")


async def test_private_addresses_and_dead_hosts_get_nothing_and_leave_a_reason(
    house: House, receiver: Receiver
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for url in ("http://10.11.12.13/x", f"http://127.0.0.1:{port}/x", "http://nobody.invalid/x"):
        await listen(house, receiver, webhook_event_url=url)
        await send(house)
        await house.step(WEBHOOK)
    assert receiver.taken == []
    rows = await deliveries(house)
    assert {row["state"] for row in rows} == {"waiting"}
    assert any("not on the public internet" in row["attempts"][-1]["detail"] for row in rows)
    assert all(row["attempts"][-1]["http"]["response"] is None for row in rows)


async def test_an_application_without_a_url_tells_nothing_and_one_that_rests_tells_later(
    house: House, receiver: Receiver
) -> None:
    await listen(house, receiver, webhook_event_url="")
    await send(house)
    assert await deliveries(house) == []
    await listen(house, receiver)
    house.emulator.settings.connections = [Connection("77", f"{house.http}/webhooks/telnyx", "", [OFFICE, CLINIC])]
    await send(house)
    await listen(house, receiver, active=False)
    await house.step(WEBHOOK)
    assert receiver.taken == []
    await listen(house, receiver, active=True)
    await house.step(WEBHOOK)
    assert sorted(receiver.types()) == sorted(OUTBOUND)


async def test_the_signing_key_is_made_once_however_many_ask_at_once(both: House) -> None:
    keys = await asyncio.gather(*(secrets.shared(both.db, "webhooks") for _ in range(20)))
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32


async def test_the_deliveries_are_listed_with_their_attempts_and_filtered(both: House, receiver: Receiver) -> None:
    receiver.status = {"/hook": 404}
    await send(both)
    await both.step(WEBHOOK)
    receiver.status = {}
    await both.step(WEBHOOK)
    receiver.status = {"/hook": 500}
    await send(both, NUMBER[:-4] + "0004", extra={"client_state": "bWFyaw=="})
    await both.step(WEBHOOK)
    _, token = await both.provisioning.create_token(both.account.id)
    async with library(both.http, token) as client:
        listed = [each async for each in client.webhook_deliveries.list(page_size=1)]
        assert [each.status for each in listed] == ["failed", "delivered", "delivered"]
        assert listed[0].webhook is not None
        assert listed[0].webhook.event_type == "fax.failed"
        found = (await client.webhook_deliveries.retrieve(str(listed[-1].id))).data
        assert found is not None
        assert found.attempts is not None
        assert [each.status for each in found.attempts] == ["delivered", "failed"]
        assert found.attempts[1].errors == [75499]
        assert found.webhook is not None
        assert found.webhook.id == found.id
        now = datetime.now(UTC)
        wishes: list[tuple[Any, int]] = [
            ({"status": {"eq": "failed"}}, 1),
            ({"status": {"eq": "delivered"}}, 2),
            ({"event_type": "fax.failed,fax.delivered"}, 2),
            ({"webhook": {"contains": "bWFyaw=="}}, 1),
            ({"attempts": {"contains": "with status 404"}}, 2),
            ({"started_at": {"gte": now.isoformat()}}, 0),
            ({"finished_at": {"lte": now.isoformat()}}, 2),
        ]
        for wish, count in wishes:
            assert len((await client.webhook_deliveries.list(filter=wish)).data or []) == count, wish
        with pytest.raises(telnyx.NotFoundError):
            await client.webhook_deliveries.retrieve("x")
        lost: Any = {"status": {"eq": "lost"}}
        with pytest.raises(telnyx.BadRequestError):
            await client.webhook_deliveries.list(filter=lost)


async def test_an_erased_fax_leaves_no_number_in_what_was_told(house: House, receiver: Receiver) -> None:
    receiver.status = {"/hook": 500}
    fax_id = await house.queue()
    await house.step(TRANSMIT)
    await house.hear()
    await house.drain("deliver")
    await house.step(WEBHOOK)
    assert await deliveries(house)
    await house.db.write(lambda tx: house.archive.erase(tx, fax_id))
    assert await deliveries(house) == []
    assert await house.jobs(WEBHOOK) == []
