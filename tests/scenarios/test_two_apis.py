"""One fax is one fax, however it came: seen through Kazoo's API and through Telnyx's, with one token."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.ids import parse_id
from tests import samples
from tests.integration.engines import until
from tests.scenarios.installation import CLINIC, OFFICE, SENDER, Installation, installed

pytestmark = pytest.mark.full
NUMBER = "+12025550142"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Installation]:
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house, house.serving():
        yield house


async def ask(house: Installation, method: str, path: str, **request: Any) -> Any:
    """Make a request that is not refused; return its data."""
    status, body = await answer(house, method, path, **request)
    assert status < 300, body
    return json.loads(body)["data"] if body else None


async def answer(house: Installation, method: str, path: str, **request: Any) -> tuple[int, bytes]:
    """Make a request with the one token, in the header that both APIs know."""
    headers = {"Authorization": f"Bearer {house.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.request(method, f"{house.http}/v2{path}", **request) as response,
    ):
        return response.status, await response.read()


def faxes(house: Installation, rest: str) -> str:
    return f"/accounts/{house.account_id.hex}/faxes/{rest}"


async def by_kazoo(house: Installation) -> None:
    form = aiohttp.MultipartWriter("mixed")
    form.append_json({"data": {"from_number": OFFICE, "to_number": NUMBER, "subject": "one"}})
    form.append(samples.pdf(2), {"Content-Type": "application/pdf"})
    with form:
        await ask(house, "PUT", faxes(house, "outgoing"), data=form)


async def by_telnyx(house: Installation) -> None:
    form = aiohttp.FormData({"connection_id": str(house.application.id), "from": OFFICE, "to": NUMBER})
    form.add_field("contents", samples.pdf(2), content_type="application/pdf", filename="a.pdf")
    await ask(house, "POST", "/faxes", data=form)


async def by_mail(house: Installation) -> None:
    await house.mail(NUMBER.removeprefix("+"), pages=2)
    await house.until(lambda: house.mails(SENDER, "receipt"), "the receipt")


@pytest.mark.parametrize("send", [by_kazoo, by_telnyx, by_mail])
async def test_what_is_sent_is_one_fax_in_both(house: Installation, send: Any) -> None:
    await send(house)
    (listed,) = await ask(house, "GET", "/faxes")
    identity = parse_id(listed["id"])
    assert identity is not None

    async def ended() -> bool:
        return bool((await ask(house, "GET", f"/faxes/{identity}"))["status"] == "delivered")

    await until(ended, "the end")
    (fax,) = await house.faxes()
    assert fax.id == identity
    shown = await ask(house, "GET", f"/faxes/{identity}")
    (row,) = await ask(house, "GET", faxes(house, "outbox"))
    details = await ask(house, "GET", faxes(house, f"outbox/{row['id']}"))
    assert parse_id(row["id"]) == identity
    assert await ask(house, "GET", faxes(house, "outgoing")) == []
    assert (shown["direction"], shown["from"], shown["to"]) == ("outbound", OFFICE, NUMBER)
    assert (details["from_number"], details["to_number"], row["status"]) == (OFFICE, NUMBER, "completed")
    assert (details["tx_result"]["success"], details["tx_result"]["pages_sent"]) == (True, 2)
    assert len(house.sent()) == 1
    await ask(house, "DELETE", f"/faxes/{identity}")
    assert await ask(house, "GET", faxes(house, "outbox")) == await ask(house, "GET", "/faxes") == []


async def test_what_is_received_is_one_fax_in_both(house: Installation) -> None:
    form = aiohttp.FormData({"to": CLINIC, "from": NUMBER})
    form.add_field("document", samples.pdf(3), content_type="application/pdf", filename="a.pdf")
    emulator = house.emulator.base_url.removesuffix("/v2")
    async with aiohttp.ClientSession() as http, http.post(f"{emulator}/emulator/inbound", data=form) as response:
        assert response.status < 300

    async def there() -> bool:
        return bool(await ask(house, "GET", faxes(house, "inbox")))

    await until(there, "the fax")
    (row,) = await ask(house, "GET", faxes(house, "inbox"))
    (listed,) = await ask(house, "GET", "/faxes")
    assert parse_id(row["id"]) == parse_id(listed["id"])
    assert (listed["direction"], listed["status"]) == ("inbound", "received")
    assert (listed["from"], listed["to"]) == (NUMBER, CLINIC)
    details = await ask(house, "GET", faxes(house, f"inbox/{row['id']}"))
    assert (row["from"], row["to"], details["rx_result"]["total_pages"]) == (NUMBER, CLINIC, 3)
    async with aiohttp.ClientSession() as anybody, anybody.get(listed["media_url"]) as response:
        assert (await response.read()).startswith(b"%PDF")

    async def deleted() -> bool:  # it stays until its mails have gone out
        return (await answer(house, "DELETE", faxes(house, f"inbox/{row['id']}")))[0] < 300

    await until(deleted, "the end of its mails")
    assert await ask(house, "GET", "/faxes") == []
