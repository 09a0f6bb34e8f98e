"""Probes, measurements and the page at /, and what every answer carries."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.web.app import metrics_app
from gateway.web.server import HttpServer
from tests.integration.web_house import House, event, opened, signed


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path) as house:
        yield house


async def test_the_process_is_alive_even_when_its_parts_are_not(house: House) -> None:
    house.well["database"] = "does not answer"
    async with house.client.get(f"{house.origin}/livez") as response:
        assert (response.status, await response.json()) == (200, {"alive": True})


async def test_readiness_is_that_of_every_part(house: House) -> None:
    async with house.client.get(f"{house.origin}/readyz") as response:
        assert (response.status, await response.json()) == (200, {"ready": True, "parts": {"database": ""}})
    house.well["database"] = "does not answer"
    async with house.client.get(f"{house.origin}/readyz") as response:
        assert response.status == 503
        assert await response.json() == {"ready": False, "parts": {"database": "does not answer"}}


async def test_parts_that_cannot_be_asked_are_not_ready_and_nothing_internal_is_told(tmp_path: Path) -> None:
    async def broken() -> dict[str, str]:
        raise RuntimeError("a secret of ours")

    async with (
        opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path, ready=broken) as house,
        house.client.get(f"{house.origin}/readyz") as response,
    ):
        assert response.status == 503
        assert "secret" not in await response.text()


async def test_what_was_counted_is_shown_to_prometheus(house: House) -> None:
    async with house.client.post(f"{house.origin}/webhooks/telnyx", data=event(), headers=signed(event())) as response:
        assert response.status == 200
    async with house.client.get(f"{house.origin}/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert 'faxgate_webhooks_total{result="stored"}' in await response.text()


async def test_measurements_with_an_address_of_their_own_are_nowhere_else(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path, metrics_here=False) as house:
        assert await _status(house.client, f"{house.origin}/metrics") == 404
        async with house.client.get(f"{house.origin}/") as response:
            assert "/metrics" not in await response.text()
        server = HttpServer(metrics_app(_well), "127.0.0.1:0")
        await server.start()
        try:
            origin = "http://{}:{}".format(*server.address)
            assert await _status(house.client, f"{origin}/metrics") == 200
            assert await _status(house.client, f"{origin}/readyz") == 200
            assert await _status(house.client, f"{origin}/v2/faxes") == 404
        finally:
            await server.stop(0)


async def test_the_page_leads_on_and_loads_nothing(house: House) -> None:
    async with house.client.get(f"{house.origin}/") as response:
        text = await response.text()
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert response.headers["Content-Security-Policy"] == "default-src 'none'"
    for path in ("/livez", "/readyz", "/metrics"):
        assert f'<a href="{path}">' in text
        assert await _status(house.client, f"{house.origin}{path}") == 200
    assert "https://fax.example.com/webhooks/telnyx" in text
    assert "src=" not in text


async def test_the_page_says_when_the_carrier_cannot_reach_the_gateway(tmp_path: Path) -> None:
    async with (
        opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path, public_url="") as house,
        house.client.get(f"{house.origin}/") as response,
    ):
        assert "cannot reach" in await response.text()


async def test_every_answer_has_an_id_and_tells_no_versions(house: House) -> None:
    for path in ("/", "/livez", "/nothing", "/m/none", "/webhooks/telnyx", "/v2/accounts/x/faxes/smtplog"):
        async with house.client.get(f"{house.origin}{path}") as response:
            assert response.headers["X-Request-ID"]
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Server"] == "faxgate"


async def test_an_unknown_path_outside_the_apis_is_404_in_plain_words(house: House) -> None:
    for path in ("/nothing", "/v2", "/v2/accountsx", "/m", "/webhooks", "/webhooks/other"):
        async with house.client.get(f"{house.origin}{path}") as response:
            assert (path, response.status) == (path, 404)
            assert await response.json() == {"error": "there is nothing at this address"}


async def test_the_log_names_routes_and_never_tokens(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    attempt = await house.attempt()
    account, token = await house.account("a.example")
    path = f"/v2/accounts/{account.id.hex}/faxes/smtplog"
    assert await _status(house.client, f"{house.origin}/m/{attempt.handle}") == 200
    assert await _status(house.client, f"{house.origin}{path}?auth_token={token}") == 200
    assert await _status(house.client, f"{house.origin}/wrong/{token}?auth_token={token}") == 404
    assert "/m/{token}" in caplog.text
    assert "/v2/accounts/{account_id}/faxes/smtplog" in caplog.text
    assert attempt.handle not in caplog.text
    assert token not in caplog.text


async def _well() -> dict[str, str]:
    return {"database": ""}


async def _status(client: aiohttp.ClientSession, url: str) -> int:
    async with client.get(url) as response:
        return response.status
