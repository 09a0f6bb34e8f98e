"""The emulator's API, as Telnyx documents it: encodings, validation, errors, lists, media; and its controls."""

import io
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.carriers.carrier import CarrierError, Unknown
from gateway.carriers.emulator import Connection, Emulator, EmulatorSettings
from gateway.carriers.telnyx import Telnyx
from tests.carriers.conftest import API_KEY, FROM, OURS, Receiver, order, state
from tests.samples import encrypted_pdf, pdf, png

TO = "+12025550100"


@pytest.fixture
def fields(receiver: Receiver) -> dict[str, Any]:
    """A fax that is accepted."""
    return {"connection_id": "1", "to": TO, "from": FROM, "media_url": f"{receiver.origin}/m/two-pages"}


async def errors_of(response: aiohttp.ClientResponse) -> tuple[int, str, str]:
    """Return status, code and pointer of an error; its code is a string and its type JSON."""
    assert response.content_type == "application/json"
    [error] = (await response.json())["errors"]
    assert isinstance(error["code"], str)
    assert error["title"]
    return response.status, error["code"], error.get("source", {}).get("pointer", "")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", API_KEY, "Basic " + API_KEY, "Bearer é"])
async def test_without_the_key_every_api_path_is_401(emulator: Emulator, header: str) -> None:
    async with aiohttp.ClientSession(emulator.origin, headers={"Authorization": header}) as session:
        for path in ("/v2/faxes", "/v2/faxes/1", "/v2/media", "/v2/webhook_deliveries", "/v2/nothing"):
            async with session.get(path) as response:
                assert await errors_of(response) == (401, "10009", "")


async def test_a_fax_is_shown_as_documented(
    http: aiohttp.ClientSession, emulator: Emulator, fields: dict[str, Any]
) -> None:
    async with http.post("/v2/faxes", json=fields | {"client_state": state("a")}) as response:
        assert response.status == 202
        created = (await response.json())["data"]
    assert created["record_type"] == "fax"
    assert (created["status"], created["direction"], created["client_state"]) == ("queued", "outbound", state("a"))
    assert (created["failure_reason"], created["quality"], created["store_media"]) == (None, "high", False)
    assert not {"page_count", "call_duration_secs"} & set(created)
    await emulator.settle()
    async with http.get(f"/v2/faxes/{created['id']}") as response:
        assert (await response.json())["data"]["status"] == "delivered"


async def test_forms_are_taken_like_json(
    http: aiohttp.ClientSession, emulator: Emulator, fields: dict[str, Any]
) -> None:
    async with http.post("/v2/faxes", data=fields | {"store_media": "true"}) as response:
        assert response.status == 202
    multipart = aiohttp.FormData({name: fields[name] for name in ("connection_id", "to", "from")})
    multipart.add_field("contents", png(), filename="a.png", content_type="image/png")
    async with http.post("/v2/faxes", data=multipart) as response:
        assert response.status == 202
    await emulator.settle()
    urlencoded, uploaded = emulator.faxes
    assert (urlencoded.status, urlencoded.store_media) == ("delivered", True)
    assert uploaded.document is not None
    assert (uploaded.status, uploaded.document.content) == ("delivered", png())


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"connection_id": None}, "/connection_id"),
        ({"connection_id": "9"}, "/connection_id"),
        ({"to": "12025550100"}, "/to"),
        ({"to": "+1 202 555"}, "/to"),
        ({"to": 12025550100}, "/to"),
        ({"from": ""}, "/from"),
        ({"media_url": None}, "/media_url"),
        ({"media_url": "file:///etc/passwd"}, "/media_url"),
        ({"media_url": ["http://a/1", "http://a/2"]}, "/media_url"),
        ({"media_name": "a"}, "/media_url"),
        ({"media_url": None, "media_name": "unknown"}, "/media_name"),
        ({"client_state": "not base64!"}, "/client_state"),
        ({"client_state": 5}, "/client_state"),
        ({"quality": "best"}, "/quality"),
        ({"from_display_name": "a@b"}, "/from_display_name"),
        ({"from_display_name": "a" * 129}, "/from_display_name"),
        ({"webhook_url": "hook"}, "/webhook_url"),
        ({"store_media": "maybe"}, "/store_media"),
    ],
)
async def test_a_wrong_field_is_422_with_a_pointer(
    http: aiohttp.ClientSession, emulator: Emulator, fields: dict[str, Any], changes: dict[str, Any], pointer: str
) -> None:
    async with http.post("/v2/faxes", json=fields | changes) as response:
        assert await errors_of(response) == (422, "422", pointer)
    assert emulator.faxes == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"a"'])
async def test_a_body_that_is_no_object_is_400(http: aiohttp.ClientSession, body: bytes) -> None:
    async with http.post("/v2/faxes", data=body, headers={"Content-Type": "application/json"}) as response:
        assert (await errors_of(response))[0] == 400


async def test_unknown_ids_are_404(http: aiohttp.ClientSession) -> None:
    for method, path in (
        ("GET", "/v2/faxes/none"),
        ("DELETE", "/v2/faxes/none"),
        ("POST", "/v2/faxes/none/actions/cancel"),
        ("POST", "/v2/faxes/none/actions/refresh"),
        ("GET", "/v2/media/none"),
        ("PUT", "/v2/media/none"),
        ("DELETE", "/v2/media/none"),
        ("GET", "/v2/media/none/download"),
    ):
        async with http.request(method, path) as response:
            assert await errors_of(response) == (404, "404", "")


async def test_an_unknown_path_or_method_is_an_error_in_the_envelope(http: aiohttp.ClientSession) -> None:
    async with http.get("/v2/nothing") as response:
        assert await errors_of(response) == (404, "10015", "")
    async with http.put("/v2/faxes") as response:
        assert await errors_of(response) == (405, "10015", "")


async def test_a_deleted_fax_is_gone(http: aiohttp.ClientSession, emulator: Emulator, fields: dict[str, Any]) -> None:
    async with http.post("/v2/faxes", json=fields) as response:
        path = f"/v2/faxes/{(await response.json())['data']['id']}"
    async with http.delete(path) as response:
        assert (response.status, await response.read()) == (204, b"")
    async with http.get(path) as response:
        assert response.status == 404
    await emulator.settle()


async def test_lists_have_pages_with_integers_and_an_empty_one_beyond_the_end(
    http: aiohttp.ClientSession, client: Telnyx, receiver: Receiver
) -> None:
    for _ in range(3):
        await client.hand_over(order(f"{receiver.origin}/m/two-pages"))
    query = {"page[size]": "2", "page[number]": "2"}
    async with http.get("/v2/faxes", params=query) as response:
        answer = await response.json()
    assert answer["meta"] == {"page_number": 2, "page_size": 2, "total_pages": 2, "total_results": 3}
    assert len(answer["data"]) == 1
    async with http.get("/v2/faxes", params=query | {"page[number]": "3"}) as response:
        assert (await response.json())["data"] == []
    async with http.get("/v2/faxes", params={"page[size]": "9999"}) as response:
        assert (await response.json())["meta"]["page_size"] == 250
    for wrong in ({"page[number]": "x"}, {"filter[created_at][gte]": "yesterday"}):
        async with http.get("/v2/faxes", params=wrong) as response:
            assert response.status == 400


async def test_media_is_stored_described_replaced_and_removed(http: aiohttp.ClientSession, receiver: Receiver) -> None:
    wanted = {"media_url": f"{receiver.origin}/m/two-pages", "media_name": "a", "ttl_secs": 60}
    async with http.post("/v2/media", json=wanted) as response:
        assert response.status == 201
        assert (await response.json())["data"]["content_type"] == "application/pdf"
    async with http.post("/v2/media", json=wanted) as response:
        assert await errors_of(response) == (422, "422", "/media_name")
    async with http.get("/v2/media/a/download") as response:
        assert (response.content_type, await response.read()) == ("application/octet-stream", pdf(2))
    async with http.put("/v2/media/a", data={"media": io.BytesIO(pdf(3))}) as response:
        assert response.status == 200
    async with http.get("/v2/media/a/download") as response:
        assert await response.read() == pdf(3)
    async with http.get("/v2/media") as response:
        assert [each["media_name"] for each in (await response.json())["data"]] == ["a"]
    async with http.delete("/v2/media/a") as response:
        assert response.status == 204
    async with http.get("/v2/media/a") as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [({"media_url": 5}, "/media_url"), ({"media_url": "/m/gone"}, "/media_url"), ({"ttl_secs": -1}, "/ttl_secs")],
)
async def test_media_that_cannot_be_stored_is_422(
    http: aiohttp.ClientSession, receiver: Receiver, changes: dict[str, Any], pointer: str
) -> None:
    wanted = {"media_url": f"{receiver.origin}/m/two-pages"} | changes
    async with http.post("/v2/media", json=wanted) as response:
        assert await errors_of(response) == (422, "422", pointer)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"what is this", "file_format_invalid"),
        (b"%PDF-1.7 what is this", "file_format_invalid"),
        (encrypted_pdf(), "file_format_invalid"),
        (pdf(351), "page_count_limit_exceeded"),
        (b"%PDF-" + bytes(50 * 1024 * 1024), "file_size_limit_exceeded"),
        (None, "file_download_failed"),
    ],
)
async def test_a_document_that_cannot_be_faxed_fails_before_it_is_processed(
    client: Telnyx, emulator: Emulator, receiver: Receiver, document: bytes | None, reason: str
) -> None:
    if document is not None:
        receiver.documents["a"] = document
    await client.hand_over(order(f"{receiver.origin}/m/a"))
    await emulator.settle()
    [fax] = emulator.faxes
    assert [status for _, status in fax.history] == ["queued", "failed"]
    assert fax.failure_reason == reason


async def test_redirects_to_a_document_are_not_followed(client: Telnyx, emulator: Emulator, receiver: Receiver) -> None:
    await client.hand_over(order(f"{receiver.origin}/m/elsewhere"))
    await emulator.settle()
    assert emulator.faxes[0].failure_reason == "file_download_failed"
    assert receiver.fetches == ["elsewhere"]


async def test_a_carrier_that_is_down_does_nothing(
    client: Telnyx, http: aiohttp.ClientSession, emulator: Emulator, receiver: Receiver, fields: dict[str, Any]
) -> None:
    async with http.put("/emulator/faults", json={"down_status": 429}) as response:
        assert (await response.json())["data"]["down_status"] == 429
    async with http.post("/v2/faxes", json=fields) as response:
        assert await errors_of(response) == (429, "10011", "")
        assert response.headers["Retry-After"] == "1"
    emulator.faults.down_status = 0
    with pytest.raises(aiohttp.ClientError):
        await http.post("/v2/faxes", json=fields)
    emulator.faults.down_status = None
    async with http.put("/emulator/faults", json={"fail_before_accept": 1}) as response:
        assert response.status == 200
    statuses = []
    for _ in range(2):
        async with http.post("/v2/faxes", json=fields) as response:
            statuses.append(response.status)
    assert statuses == [503, 202]
    assert len(emulator.faxes) == 1


@pytest.mark.parametrize(
    "wrong", [{"nothing": 1}, {"drop_webhooks": 1}, {"fail_before_accept": "1"}, {"ambiguous_rate": None}]
)
async def test_a_fault_that_does_not_exist_is_422(http: aiohttp.ClientSession, wrong: dict[str, Any]) -> None:
    async with http.put("/emulator/faults", json=wrong) as response:
        assert response.status == 422


async def test_an_ambiguous_carrier_accepts_and_resets_by_chance(
    client: Telnyx, emulator: Emulator, receiver: Receiver
) -> None:
    emulator.faults.ambiguous_rate = 1
    await client.hand_over(order(f"{receiver.origin}/m/two-pages"))
    assert len(emulator.faxes) == 1


async def test_a_silent_carrier_accepts_or_is_down_and_answers_nothing(emulator: Emulator, receiver: Receiver) -> None:
    client = Telnyx(emulator.base_url, API_KEY, timeout=0.3)
    emulator.faults.silent, emulator.faults.reset_after_accept = True, 1
    assert isinstance(await client.hand_over(order(f"{receiver.origin}/m/two-pages")), Unknown)
    assert [fax.unanswered for fax in emulator.faxes] == [True]
    emulator.faults.down_status = 503
    with pytest.raises(CarrierError, match="TimeoutError"):
        await client.check()
    emulator.faults.down_status = None
    assert "accepts the API key" in await client.check()
    await client.close()


async def test_other_programs_see_what_was_sent(
    client: Telnyx, http: aiohttp.ClientSession, emulator: Emulator, receiver: Receiver
) -> None:
    await client.hand_over(order(f"{receiver.origin}/m/two-pages", client_state=state("a")))
    await client.hand_over(order(f"{receiver.origin}/m/two-pages", OURS))
    await emulator.settle()
    async with http.get("/emulator/faxes", params={"to": TO}) as response:
        [record] = (await response.json())["data"]
    assert (record["client_state"], record["page_count"], record["status"]) == (state("a"), 2, "delivered")
    assert record["sha256"] == emulator.faxes[0].sha256
    assert record["history"][0][1] == "queued"
    async with http.get(f"/emulator/faxes/{record['id']}/document") as response:
        assert (response.content_type, await response.read()) == ("application/pdf", pdf(2))
    async with http.get("/emulator/faxes/none/document") as response:
        assert response.status == 404
    async with http.get("/emulator/public_key") as response:
        assert (await response.json())["data"]["public_key"] == emulator.public_key


async def test_a_text_message_is_recorded(http: aiohttp.ClientSession, emulator: Emulator) -> None:
    async with http.post("/v2/messages", json={"from": FROM, "to": TO, "text": "Fax has come"}) as response:
        assert response.status == 200
    async with http.post("/v2/messages", json={"from": FROM, "to": TO}) as response:
        assert await errors_of(response) == (422, "422", "/text")
    async with http.get("/emulator/messages") as response:
        [message] = (await response.json())["data"]
    assert (message["text"], message["to"][0]["phone_number"]) == ("Fax has come", TO)
    assert emulator.messages == [message]


async def test_the_log_tells_each_step_of_an_accepted_fax(receiver: Receiver, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    emulator = Emulator(EmulatorSettings(API_KEY, [Connection("1", numbers=[OURS])], pace=0, log=log))
    await emulator.start()
    client = Telnyx(emulator.base_url, API_KEY)
    emulator.faults.fail_before_accept = 1
    for _ in range(2):
        await client.hand_over(order(f"{receiver.origin}/m/two-pages", OURS, client_state=state("a")))
    await emulator.settle()
    await client.close()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    await emulator.stop()
    outbound, inbound = emulator.faxes
    sent = [line for line in lines if line["direction"] == "outbound"]
    assert [(line["status"], line["sha256"], line["pages"]) for line in sent] == [
        ("queued", "", None),
        ("queued", outbound.sha256, 2),
        ("delivered", outbound.sha256, 2),
    ]
    assert {(line["id"], line["to"], line["client_state"]) for line in sent} == {(outbound.id, OURS, state("a"))}
    came = [(line["id"], line["status"], line["sha256"]) for line in lines if line["direction"] == "inbound"]
    assert came == [(inbound.id, "receiving", ""), (inbound.id, "received", outbound.sha256)]


async def test_it_can_be_stopped_and_started_on_the_same_port(client: Telnyx, emulator: Emulator) -> None:
    port, key = emulator.port, emulator.public_key
    await emulator.stop()
    await emulator.start(port=port)
    assert (emulator.port, emulator.public_key) == (port, key)
    assert "accepts the API key" in await client.check()
