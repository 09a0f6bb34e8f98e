"""Everything but hand_over: lists to their end, single faxes, media; CarrierError for all that goes wrong."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway.attempt import Handle
from gateway.carrier_event import Happened
from gateway.carriers.carrier import Accepted, CarrierError
from gateway.carriers.emulator import Emulator
from gateway.carriers.telnyx import Telnyx
from gateway.errors import Kind, Refusal
from gateway.fax import Direction
from tests.carriers.conftest import FROM, OURS, Receiver, order, state
from tests.carriers.rawserver import HANG, RESET, Answer, answer, raw_server, unused_port
from tests.samples import pdf

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def listed(*ids: int, **meta: object) -> bytes:
    """A page of the list; without *meta* it has none."""
    data = [{"id": f"f{number}", "status": "queued", "created_at": "2024-01-01T00:00:00"} for number in ids]
    return answer(200, {"data": data, "meta": meta} if meta else {"data": data})


async def ids_of(*answers: Answer) -> tuple[list[str], list[str]]:
    """Read the list of a server that answers so; return the ids and the requests that were made."""
    async with raw_server(*answers) as server:
        client = Telnyx(server.base_url, "key")
        try:
            found = [fax.id async for fax in client.faxes(Direction.OUTBOUND, LONG_AGO)]
        finally:
            await client.close()
        return found, server.requests


async def test_the_list_is_read_to_the_end_of_its_pages(
    client: Telnyx, emulator: Emulator, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.carriers.telnyx.PAGE_SIZE", 2)
    url = f"{receiver.origin}/m/two-pages"
    accepted = [await client.hand_over(order(url, client_state=state(str(number)))) for number in range(5)]
    found = [fax async for fax in client.faxes(Direction.OUTBOUND, LONG_AGO)]
    assert [Accepted(fax.id) for fax in reversed(found)] == accepted
    assert {fax.client_state for fax in found} == {state(str(number)) for number in range(5)}


async def test_the_list_is_narrowed_by_direction_time_and_numbers(
    client: Telnyx, emulator: Emulator, receiver: Receiver
) -> None:
    url = f"{receiver.origin}/m/two-pages"
    await client.hand_over(order(url, "+12025550121"))
    await client.hand_over(order(url, "+12025550122"))
    await emulator.receive(OURS, "+12025550133", pdf())
    between = emulator.faxes[1].created_at

    async def numbers(direction: Direction, since: datetime, to: str = "", from_: str = "") -> list[str]:
        return [fax.to_number async for fax in client.faxes(direction, since, to, from_)]

    assert await numbers(Direction.OUTBOUND, LONG_AGO) == ["+12025550122", "+12025550121"]
    assert await numbers(Direction.OUTBOUND, between) == ["+12025550122"]
    assert await numbers(Direction.OUTBOUND, LONG_AGO, to="+12025550121", from_=FROM) == ["+12025550121"]
    assert await numbers(Direction.OUTBOUND, LONG_AGO, from_="+12025550133") == []
    assert await numbers(Direction.INBOUND, LONG_AGO) == [OURS]


async def test_a_fax_that_moves_to_the_next_page_meanwhile_is_listed_once() -> None:
    first = listed(3, 2, page_number=1, total_pages=2, total_results=4)
    second = listed(2, 1, page_number=2, total_pages=2, total_results=4)
    found, _ = await ids_of(first, second, listed())
    assert found == ["f3", "f2", "f1"]


async def test_without_meta_the_list_is_read_until_a_page_is_empty() -> None:
    found, requests = await ids_of(listed(1, 2), listed(3), listed())
    assert found == ["f1", "f2", "f3"]
    assert len(requests) == 3


async def test_a_page_count_that_contradicts_the_number_of_faxes_is_not_believed() -> None:
    meta = {"page_number": 1, "total_pages": 1, "total_results": 3}
    found, _ = await ids_of(listed(1, 2, **meta), listed(3, **meta))
    assert found == ["f1", "f2", "f3"]


async def test_a_server_that_ignores_page_numbers_is_an_error_and_no_endless_loop() -> None:
    with pytest.raises(CarrierError, match="repeats"):
        await ids_of(listed(1, 2))


async def test_a_list_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.carriers.telnyx._MAX_PAGES", 3)
    with pytest.raises(CarrierError, match="does not end"):
        await ids_of(*[listed(number) for number in range(9)])


async def test_an_answer_larger_than_any_list_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.carriers.telnyx._MAX_ANSWER", 100)
    with pytest.raises(CarrierError, match="without the JSON"):
        await ids_of(listed(*range(9), page_number=1, total_pages=1))


@pytest.mark.parametrize(
    "broken", [RESET, answer(503), answer(200, b"what"), answer(200, {"data": None}), answer(200, {"data": [{}]})]
)
async def test_a_list_that_breaks_off_is_an_error(broken: Answer) -> None:
    with pytest.raises(CarrierError):
        await ids_of(listed(1, page_number=1, total_pages=2), broken)


async def test_one_fax_is_shown_and_an_unknown_one_is_none(
    client: Telnyx, emulator: Emulator, receiver: Receiver
) -> None:
    accepted = await client.hand_over(order(f"{receiver.origin}/m/two-pages", client_state=state("mine")))
    assert isinstance(accepted, Accepted)
    await emulator.settle()
    fax = await client.fax(accepted.carrier_fax_id)
    assert fax is not None
    assert (fax.status, fax.client_state, fax.connection_id) == (Happened.DELIVERED, state("mine"), "1")
    assert await client.fax("no-such-fax") is None
    assert await client.fax("../faxes") is None
    assert await client.fax("") is None


async def test_a_fax_can_be_canceled_until_it_is_too_late(
    client: Telnyx, emulator: Emulator, receiver: Receiver
) -> None:
    emulator.settings.pace = 60
    accepted = await client.hand_over(order(f"{receiver.origin}/m/two-pages"))
    assert isinstance(accepted, Accepted)
    assert await client.cancel(accepted.carrier_fax_id)
    await emulator.settle()
    assert not await client.cancel(accepted.carrier_fax_id)
    assert not await client.cancel("no-such-fax")
    fax = await client.fax(accepted.carrier_fax_id)
    assert fax is not None
    assert (fax.status, fax.failure_reason) == (Happened.FAILED, "sender_canceled")


async def test_an_uploaded_document_is_what_is_faxed(client: Telnyx, emulator: Emulator) -> None:
    name = "attempt/1 + ä.pdf"
    await client.upload(name, pdf(1), "application/pdf")
    await client.upload(name, pdf(3), "application/pdf")
    accepted = await client.hand_over(order(name, kind=Handle.MEDIA, connection_id="2"))
    assert isinstance(accepted, Accepted)
    await emulator.settle()
    [fax] = emulator.faxes
    assert fax.document is not None
    assert fax.document.content == pdf(3)
    assert (fax.pages_sent, fax.media_name) == (3, name)


async def test_a_removed_document_is_not_faxed_any_more(client: Telnyx, emulator: Emulator) -> None:
    await client.upload("name", pdf(1), "application/pdf")
    emulator.settings.pace = 1
    await client.hand_over(order("name", kind=Handle.MEDIA))
    await client.remove("name")
    await client.remove("name")
    await emulator.settle()
    assert emulator.faxes[0].failure_reason == "file_download_failed"


async def test_uploaded_documents_expire_after_days(client: Telnyx, emulator: Emulator) -> None:
    await client.upload("name", pdf(1), "application/pdf")
    stored = emulator.media.get("name")
    assert stored is not None
    assert stored.expires_at - stored.created_at == timedelta(days=3)


async def test_a_document_over_20_mb_is_refused_before_anything_is_sent() -> None:
    client = Telnyx(f"http://127.0.0.1:{unused_port()}", "key")
    with pytest.raises(Refusal) as refused:
        await client.upload("name", bytes(20_000_001), "application/pdf")
    assert refused.value.reason.kind is Kind.DOCUMENT_TOO_LARGE
    await client.close()


async def test_an_upload_refused_for_another_reason_raises_that_reason() -> None:
    refusal = answer(422, {"errors": [{"detail": "media is encrypted"}]})
    async with raw_server(refusal, answer(404)) as server:
        client = Telnyx(server.base_url, "key")
        with pytest.raises(CarrierError, match="media is encrypted") as raised:
            await client.upload("name", pdf(), "application/pdf")
        await client.close()
    assert raised.value.status == 422


@pytest.mark.parametrize(("broken", "status"), [(RESET, 0), (HANG, 0), (answer(500), 500), (answer(302), 302)])
async def test_all_calls_say_what_the_carrier_did(broken: Answer, status: int) -> None:
    async with raw_server(broken) as server:
        client = Telnyx(server.base_url, "key", timeout=0.2 if broken is HANG else 20)
        for call in (client.fax("x"), client.cancel("x"), client.refresh("x"), client.remove("x"), client.check()):
            with pytest.raises(CarrierError) as raised:
                await call
            assert raised.value.status == status
        await client.close()


async def test_check_tells_a_wrong_key_from_a_right_one(client: Telnyx, emulator: Emulator) -> None:
    assert "accepts the API key" in await client.check()
    wrong = Telnyx(emulator.base_url, "wrong")
    with pytest.raises(CarrierError, match="does not accept the API key") as raised:
        await wrong.check()
    await wrong.close()
    assert raised.value.status == 401


async def test_refresh_of_an_unknown_fax_is_an_error(client: Telnyx) -> None:
    with pytest.raises(CarrierError) as raised:
        await client.refresh("no-such-fax")
    assert raised.value.status == 404


@pytest.mark.parametrize("raw", [b"", b"what", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b'{"a": NaN}'])
async def test_a_malformed_event_is_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError):
        Telnyx("https://api.telnyx.com/v2", "key").event(raw)


async def test_an_event_is_read_from_its_bytes() -> None:
    payload = {"fax_id": "f1", "direction": "outbound", "status": "queued"}
    data = {"id": "e1", "event_type": "fax.queued", "occurred_at": "2024-01-01T00:00:00Z", "payload": payload}
    event = Telnyx("https://api.telnyx.com/v2", "key").event(json.dumps({"data": data}).encode())
    assert (event.id, event.happened, event.carrier_fax_id) == ("e1", Happened.QUEUED, "f1")
