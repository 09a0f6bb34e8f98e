"""The operator's mail has a link to a page, and only the button there decides about a fax: once."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from gateway.fax import State
from gateway.notify import DELIVER
from gateway.outbox import TRANSMIT
from gateway.store import faxes, schema
from gateway.store.database import Tx
from gateway.telling import Tale
from gateway.web.decide import MAX_FORM
from tests.integration.engines import ENGINES, rows, store
from tests.integration.house import OPERATOR, SENDER, House, built

WHY = "More than 100 pages today."


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


@pytest.fixture
async def web() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def held(house: House, state: State = State.HELD) -> UUID:
    fax_id = await house.queue()

    def unit(tx: Tx) -> None:
        house.command.hold(tx, fax_id, WHY)
        faxes.change(tx, fax_id, [State.HELD], state=state)
        fax = faxes.get(tx, fax_id)
        assert fax is not None
        house.notify.about(tx, fax, Tale.HELD, fax.notify)
        house.notify.operator(tx, fax, "A fax waits for your approval.", f"faxgate queue release {fax_id}")

    await house.db.write(unit)
    return fax_id


async def link(house: House) -> str:
    """Mail what is to be mailed, and return the link of the newest mail to the operator."""
    await house.drain(DELIVER)
    body = house.mails(OPERATOR)[-1].parsed.get_body(("plain",))
    assert body is not None
    (found,) = re.findall(r"https?://\S+/decide/[\w-]+", body.get_content())
    return str(found)


async def test_the_button_of_the_page_releases_the_fax_once(house: House, web: aiohttp.ClientSession) -> None:
    fax_id = await held(house)
    url = await link(house)
    for _ in range(3):  # those who scan mails follow links
        async with web.get(url) as response:
            page = await response.text()
            assert response.status == 200
            assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert response.headers["Cache-Control"] == "no-store"
        async with web.head(url) as response:
            assert response.status == 200
    assert WHY in page
    assert '<button name="answer" value="release">' in page
    assert '<input type="hidden" name="seen" value="held 0">' in page
    assert "<script" not in page
    assert (await house.fax(fax_id)).state is State.HELD
    async with web.post(url, data={"answer": "release", "seen": "held 0"}) as response:
        assert response.status == 200
        assert "goes on" in await response.text()
    assert (await house.fax(fax_id)).state is State.QUEUED
    assert [job["kind"] for job in await house.jobs(TRANSMIT)] == [TRANSMIT]
    for answer in ("release", "cancel"):
        async with web.post(url, data={"answer": answer, "seen": "held 0"}) as response:
            assert response.status == 409
    async with web.get(url) as response:
        assert response.status == 410
        assert "It was used to send the fax" in await response.text()
    assert (await house.fax(fax_id)).state is State.QUEUED
    noted = [row for row in await rows(house.db, schema.audit) if row["actor_kind"] == "link"]
    assert [row["action"] for row in noted] == [*["viewed"] * 6, "released", "viewed"]
    assert {(row["fax_id"], row["peer"]) for row in noted} == {(fax_id, "127.0.0.1")}


async def test_of_two_who_press_at_once_one_decides(house: House, web: aiohttp.ClientSession) -> None:
    fax_id = await held(house)
    url = await link(house)

    async def press(answer: str) -> int:
        async with web.post(url, data={"answer": answer, "seen": "held 0"}) as response:
            return response.status

    statuses = await asyncio.gather(*(press(answer) for answer in ("release", "cancel") * 3))
    assert sorted(statuses) == [200, 409, 409, 409, 409, 409]
    assert (await house.fax(fax_id)).state in {State.QUEUED, State.CANCELED}


async def test_a_fax_of_unknown_outcome_can_be_canceled(house: House, web: aiohttp.ClientSession) -> None:
    fax_id = await held(house, State.UNKNOWN)
    url = await link(house)
    async with web.get(url) as response:
        page = await response.text()
    assert "arrive twice" in page
    assert "Send it again" in page
    async with web.post(url, data={"answer": "cancel", "seen": "unknown 0"}) as response:
        assert response.status == 200
    assert (await house.fax(fax_id)).state is State.CANCELED


async def test_a_link_is_worthless_when_it_is_old_or_the_fax_does_not_wait_any_more(
    house: House, web: aiohttp.ClientSession
) -> None:
    fax_id = await held(house)
    url = await link(house)
    async with web.post(url, data={"answer": "burn"}) as response:
        assert response.status == 400
    await house.db.write(lambda tx: house.command.release(tx, fax_id))
    async with web.get(url) as response:
        assert (response.status, "<form" in await response.text()) == (200, False)
    async with web.post(url, data={"answer": "cancel", "seen": "held 0"}) as response:
        assert response.status == 409
        assert "the fax is queued" in (await response.text()).lower()

    def old(tx: Tx) -> None:
        tx.execute(schema.decisions.update().values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))

    await house.db.write(old)
    await house.db.write(lambda tx: house.command.hold(tx, fax_id))
    async with web.get(url) as response:
        assert response.status == 410
    async with web.post(url, data={"answer": "cancel", "seen": "held 0"}) as response:
        assert response.status == 409
    assert (await house.fax(fax_id)).state is State.HELD


async def test_a_page_that_was_left_open_decides_nothing_that_it_did_not_show(
    house: House, web: aiohttp.ClientSession
) -> None:
    """It asked whether a held fax shall be sent. That was said elsewhere since, and nobody knows what came of it."""
    fax_id = await held(house)
    url = await link(house)
    now: dict[str, Any] = {"state": State.UNKNOWN, "tries": 1}
    await house.db.write(lambda tx: faxes.change(tx, fax_id, [State.HELD], **now))
    for answer in ("release", "cancel"):
        for seen in ({"seen": "held 0"}, {"seen": "unknown 0"}, {}):
            async with web.post(url, data={"answer": answer, **seen}) as response:
                assert response.status == 409
                assert "The fax is unknown now; open the link of the mail once more" in await response.text()
    assert (await house.fax(fax_id)).state is State.UNKNOWN
    async with web.get(url) as response:
        page = await response.text()
    assert "arrive twice" in page
    (shown,) = re.findall(r'name="seen" value="([^"]*)"', page)
    async with web.post(url, data={"answer": "release", "seen": shown}) as response:
        assert response.status == 200
    assert (await house.fax(fax_id)).state is State.QUEUED


async def test_what_no_page_sends_decides_nothing(house: House, web: aiohttp.ClientSession) -> None:
    fax_id = await held(house)
    url = await link(house)
    form, parts = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
    for kind, body in (
        (form, b"\xff\xfe%%%"),
        (form + "; charset=none", b"answer=release&seen=held+0"),
        (form, b"answer=release&answer=cancel&seen=held+0"),
        (parts, b"no parts"),
        (parts, b'--x\r\nContent-Disposition: form-data; name="answer"\r\n\r\nrel'),
        ("multipart/form-data", b""),
        ("application/json", b'{"answer": "release", "seen": "held 0"}'),
    ):
        async with web.post(url, data=body, headers={"Content-Type": kind}) as response:
            assert response.status == 400, (kind, body)
            assert "Nothing was done" in await response.text()
    assert (await house.fax(fax_id)).state is State.HELD


async def test_a_form_that_is_none_is_not_read_to_its_end(
    house: House, web: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    fax_id = await held(house)
    url = await link(house)
    async with web.post(url, data={"answer": "release", "seen": "x" * MAX_FORM}) as response:
        assert response.status == 413
    monkeypatch.setattr("gateway.web.body.FIRST_SECONDS", 0.1)
    path = url.removeprefix(house.http)
    head = f"POST {path} HTTP/1.1\r\nHost: fax\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    reader, writer = await asyncio.open_connection(*house.http.removeprefix("http://").split(":"))
    writer.write(f"{head}Content-Length: 100\r\n\r\nanswer=rel".encode())
    assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.1 408 ")
    writer.close()
    assert (await house.fax(fax_id)).state is State.HELD


async def test_a_made_up_link_leads_nowhere(house: House, web: aiohttp.ClientSession) -> None:
    for ask in (web.get, web.post):
        async with ask(f"{house.http}/decide/{'x' * 43}", data={"answer": "release"}) as response:
            assert response.status == 404
            assert "not known" in await response.text()


async def test_only_the_operator_is_given_a_link_and_its_token_is_not_kept(house: House) -> None:
    await held(house)
    url = await link(house)
    token = url.rpartition("/")[2]
    for mail in house.mails(SENDER):
        assert b"/decide/" not in mail.content
    (row,) = await rows(house.db, schema.decisions)
    assert token not in str(row)
    assert token not in str(await rows(house.db, schema.outgoing))
