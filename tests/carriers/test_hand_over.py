"""hand_over makes one request, never raises, and says exactly what is known after it."""

import json
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import trustme

from gateway.attempt import Handle
from gateway.carriers.carrier import Accepted, Rejected, Throttled, Unknown
from gateway.carriers.emulator import Emulator
from gateway.carriers.telnyx import Telnyx
from gateway.dialects.telnyx import outcome
from gateway.errors import ConfigurationError
from gateway.retry import Outcome
from tests.carriers.conftest import Receiver, order
from tests.carriers.rawserver import HANG, RESET, Answer, answer, raw_server, unused_port

URL = "https://gateway.example/m/secret-token"


async def hand_over(*answers: Answer, timeout: float = 60) -> tuple[object, list[str]]:
    """Hand one fax to a server that answers so; return the outcome and the requests that were made."""
    async with raw_server(*answers) as server:
        client = Telnyx(server.base_url, "key", timeout=timeout)
        result = await client.hand_over(order(URL))
        await client.close()
        return result, server.requests


async def test_an_accepted_fax_has_the_carriers_id(client: Telnyx, emulator: Emulator, receiver: Receiver) -> None:
    result = await client.hand_over(order(f"{receiver.origin}/m/two-pages"))
    assert result == Accepted(emulator.faxes[0].id)


async def test_any_2xx_with_an_id_is_accepted() -> None:
    assert (await hand_over(answer(200, {"data": {"id": "f1"}})))[0] == Accepted("f1")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"data": []}', b'{"data": {"id": ""}}', b"[" * 5000])
async def test_a_2xx_without_a_readable_id_is_unknown(body: bytes) -> None:
    assert isinstance((await hand_over(answer(202, body)))[0], Unknown)


async def test_a_2xx_whose_body_ends_early_is_unknown() -> None:
    whole = answer(202, {"data": {"id": "f1"}})
    assert isinstance((await hand_over(whole[:-4]))[0], Unknown)


@pytest.mark.parametrize("status", [301, 302, 307, 405, 408, 409, 410, 413, 500, 502, 503, 504])
async def test_an_answer_that_proves_nothing_is_unknown_and_not_asked_again(status: int) -> None:
    result, requests = await hand_over(answer(status, b"", Location="/elsewhere"))
    assert isinstance(result, Unknown)
    assert len(requests) == 1


async def test_a_reset_connection_is_unknown_and_not_tried_again() -> None:
    result, requests = await hand_over(RESET)
    assert isinstance(result, Unknown)
    assert len(requests) == 1


async def test_a_reset_after_the_carrier_accepted_is_unknown(
    client: Telnyx, emulator: Emulator, receiver: Receiver
) -> None:
    emulator.faults.reset_after_accept = 1
    assert isinstance(await client.hand_over(order(f"{receiver.origin}/m/two-pages")), Unknown)
    assert len(emulator.faxes) == 1


async def test_no_answer_in_time_is_unknown() -> None:
    assert isinstance((await hand_over(HANG, timeout=0.2))[0], Unknown)


async def test_no_connection_is_a_passing_rejection() -> None:
    client = Telnyx(f"http://127.0.0.1:{unused_port()}/v2", "key")
    result = await client.hand_over(order(URL))
    await client.close()
    assert isinstance(result, Rejected)
    assert (result.failure_reason, result.passing) == ("carrier_unreachable", True)


async def test_an_unknown_host_is_a_passing_rejection() -> None:
    client = Telnyx("http://carrier.invalid/v2", "key")
    result = await client.hand_over(order(URL))
    await client.close()
    assert isinstance(result, Rejected)
    assert result.passing


async def test_a_server_without_tls_is_a_passing_rejection(emulator: Emulator) -> None:
    client = Telnyx(emulator.base_url.replace("http:", "https:"), "key")
    result = await client.hand_over(order(URL))
    await client.close()
    assert isinstance(result, Rejected)
    assert (result.failure_reason, result.passing) == ("carrier_unreachable", True)


async def test_a_tls_handshake_that_takes_too_long_is_a_passing_rejection() -> None:
    async with raw_server(HANG) as server:
        client = Telnyx(server.base_url.replace("http:", "https:"), "key", connect_timeout=0.2)
        result = await client.hand_over(order(URL))
        await client.close()
    assert isinstance(result, Rejected)
    assert (result.failure_reason, result.passing) == ("carrier_unreachable", True)
    assert server.requests == []


async def test_an_untrusted_certificate_is_a_passing_rejection() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with raw_server(answer(202, {"data": {"id": "f1"}}), tls=context) as server:
        client = Telnyx(server.base_url, "key")
        result = await client.hand_over(order(URL))
        await client.close()
    assert isinstance(result, Rejected)
    assert (result.failure_reason, result.passing) == ("carrier_unreachable", True)
    assert server.requests == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_definite_refusal_is_rejected_with_the_carriers_own_words(status: int) -> None:
    errors = [{"code": "10015", "title": "Bad", "detail": "to is wrong", "source": {"pointer": "/to"}}]
    result, _ = await hand_over(answer(status, {"errors": errors}))
    assert isinstance(result, Rejected)
    assert result.detail == f"{status} /to: to is wrong"
    assert not result.passing
    assert outcome(result.failure_reason) is Outcome.REFUSED


async def test_a_wrong_api_key_has_a_reason_of_its_own(emulator: Emulator) -> None:
    client = Telnyx(emulator.base_url, "wrong")
    result = await client.hand_over(order(URL))
    await client.close()
    assert isinstance(result, Rejected)
    assert result.failure_reason == "carrier_authentication_failed"


async def test_a_definite_refusal_stays_one_when_its_body_is_broken() -> None:
    result, _ = await hand_over(answer(422, {"errors": "what"})[:-3])
    assert result == Rejected("rejected_by_carrier", "422")


async def test_the_detail_shows_no_handle_and_no_key() -> None:
    result, _ = await hand_over(answer(422, {"errors": [{"detail": f"{'x' * 290} {URL} is wrong\n\x00"}]}))
    assert isinstance(result, Rejected)
    assert "secret" not in result.detail
    assert result.detail.isprintable()


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": 7}, timedelta(seconds=7)),
        ({"Retry-After": 0}, timedelta(seconds=1)),
        ({"Retry-After": 86400}, timedelta(minutes=10)),
        ({"Retry-After": format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)}, timedelta(minutes=10)),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 -0000"}, timedelta(seconds=1)),
        ({"x_ratelimit_reset": "12.5"}, timedelta(seconds=12.5)),
        ({"Retry-After": "soon", "x_ratelimit_reset": 9}, timedelta(seconds=9)),
        ({"Retry-After": "-5"}, timedelta(seconds=30)),
        ({}, timedelta(seconds=30)),
    ],
)
async def test_too_many_requests_says_how_long_to_wait(headers: dict[str, object], wait: timedelta) -> None:
    assert (await hand_over(answer(429, b"", **headers)))[0] == Throttled(wait)


async def test_the_request_is_what_telnyx_documents() -> None:
    _, [request] = await hand_over(answer(202, {"data": {"id": "f1"}}))
    head, _, body = request.partition("\r\n\r\n")
    assert head.startswith("POST /faxes HTTP/1.1\r\n")
    assert "Authorization: Bearer key" in head
    assert "Content-Type: application/json" in head
    assert json.loads(body) == {
        "connection_id": "1",
        "to": "+12025550100",
        "from": "+12025550111",
        "client_state": "KzEyMDI1NTUwMTAw",
        "quality": "high",
        "media_url": URL,
        "store_media": False,
    }


async def test_stored_media_is_named_without_store_media(client: Telnyx, emulator: Emulator) -> None:
    async with raw_server(answer(202, {"data": {"id": "f1"}})) as server:
        client = Telnyx(server.base_url, "key")
        wanted = order(
            "name", kind=Handle.MEDIA, from_name="Jörg  Müller & Söhne (Büro)", webhook_url="https://h.example/"
        )
        await client.hand_over(wanted)
        await client.close()
    body = json.loads(server.requests[0].partition("\r\n\r\n")[2])
    assert body["media_name"] == "name"
    assert body["from_display_name"] == "Jorg Muller Sohne Buro"
    assert body["webhook_url"] == "https://h.example/"
    assert not {"media_url", "store_media"} & set(body)


@pytest.mark.parametrize("base_url", ["", "api.telnyx.com/v2", "ftp://x/", "http://[", "https:///v2", "http://x/?a=1"])
def test_a_base_url_that_is_none_is_a_configuration_error(base_url: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        Telnyx(base_url, "key")
