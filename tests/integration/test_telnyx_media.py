"""``/v2/media`` with Telnyx's own library and with forms, and what must not come of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest
import telnyx
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import update

from gateway.expiry import Expiry
from gateway.store import claims, jobs, schema
from gateway.store.database import Tx
from gateway.web.telnyx.media import MOST_FETCHED
from tests import samples, telnyx_samples
from tests.carriers.rawserver import HANG, raw_server
from tests.integration.telnyx_house import Desk, desk, form, pointers

PATH = "/media"
PDF = samples.pdf(1)


@pytest.fixture
async def both(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(database_url, tmp_path) as found:
        yield found


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(f"sqlite:///{tmp_path}/web.db", tmp_path) as found:
        yield found


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    """A server of the client, with a document, a redirect, an error, and more than may be stored."""

    async def document(_: web.Request) -> web.Response:
        return web.Response(body=PDF, content_type="application/pdf")

    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPFound("/letter.pdf")

    async def huge(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 20_000_001)

    app = web.Application()
    app.add_routes([web.get("/letter.pdf", document), web.get("/elsewhere", elsewhere), web.get("/huge", huge)])
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def test_a_file_is_fetched_from_its_url_listed_changed_downloaded_and_deleted(both: Desk, origin: str) -> None:
    sdk = both.sdk.media
    made = await sdk.upload(media_url=f"{origin}letter.pdf", media_name="my letter ö.pdf", ttl_secs=60)
    assert made.data is not None
    assert (made.data.media_name, made.data.content_type) == ("my letter ö.pdf", "application/pdf")
    listed = (await sdk.list(filter={"content_type": ["application/pdf"]})).data
    assert listed is not None
    assert [each.media_name for each in listed] == ["my letter ö.pdf"]
    assert not (await sdk.list(filter={"content_type": ["image/tiff"]})).data
    found = await sdk.retrieve("my letter ö.pdf")
    assert found.data is not None
    assert all(time.endswith("Z") for time in telnyx_samples.times(found.data.model_dump(mode="json")))
    assert await (await sdk.download("my letter ö.pdf")).read() == PDF
    before = (await both.house.rows("media"))[0]
    await sdk.update("my letter ö.pdf", media_url=f"{origin}letter.pdf", ttl_secs=600)
    (row,) = await both.house.rows("media")
    assert row["blob"] != before["blob"]
    assert row["expires_at"] > before["expires_at"]
    await sdk.delete("my letter ö.pdf")
    with pytest.raises(telnyx.NotFoundError):
        await sdk.retrieve("my letter ö.pdf")
    scrapped = {job["subject"] for job in await both.house.rows("jobs") if job["kind"] == "scrap"}
    assert (scrapped, await both.house.count("jobs")) == ({before["blob"], row["blob"]}, 2)


async def test_a_file_comes_in_a_form_and_gets_a_name_and_two_days(both: Desk) -> None:
    status, body = await both.ask("POST", PATH, data=form(media=("letter.pdf", PDF, "application/pdf")))
    assert status == 201
    lives = datetime.fromisoformat(body["data"]["expires_at"]) - datetime.fromisoformat(body["data"]["created_at"])
    assert lives == timedelta(days=2)
    name = body["data"]["media_name"]
    named = form(media=("x", PDF + b"2", "strange type"), media_name=name, ttl_secs="60")
    status, body = await both.ask("POST", PATH, data=named)
    assert (status, pointers(body)) == (422, ["/media_name"])
    again = form(media=("x", PDF + b"2", "strange type"))
    status, body = await both.ask("PUT", f"{PATH}/{name}", data=again)
    assert (status, body["data"]["content_type"]) == (200, "application/octet-stream")
    assert await (await both.sdk.media.download(name)).read() == PDF + b"2"


async def test_a_file_is_gone_when_its_time_has_come(both: Desk) -> None:
    await both.ask("POST", PATH, data=form(media=("a", PDF, "application/pdf"), media_name="a"))
    past = datetime.now(UTC) - timedelta(seconds=1)

    def age(tx: Tx) -> list[jobs.Job]:
        tx.execute(update(schema.media).values(expires_at=past))
        tx.execute(update(schema.jobs).values(due=past))
        jobs.move_due(tx)
        return claims.claim(tx, "n", jobs.register(tx, "n"), "expire_media", 9)

    (job,) = await both.house.db.write(age)
    assert (await both.ask("GET", f"{PATH}/a"))[0] == 404
    status, _ = await both.ask("POST", PATH, data=form(media=("a", PDF, "application/pdf"), media_name="a"))
    assert status == 201
    await Expiry(both.house.db).media(job)
    assert [row["name"] for row in await both.house.rows("media")] == ["a"]
    assert (await both.ask("GET", f"{PATH}/a"))[0] == 200


async def test_what_is_no_file_is_refused_with_its_field_and_leaves_nothing(lite: Desk, origin: str) -> None:
    for fields, pointer in (
        ({}, "/media_url"),
        ({"media_url": "http://10.0.0.1/x"}, "/media_url"),
        ({"media_url": "file:///etc/passwd"}, "/media_url"),
        ({"media_url": f"{origin}elsewhere"}, "/media_url"),
        ({"media_url": f"{origin}missing"}, "/media_url"),
        ({"media_url": f"{origin}huge"}, "/media_url"),
        ({"media_url": 7}, "/media_url"),
        ({"media_url": f"{origin}letter.pdf", "media_name": "a/b"}, "/media_name"),
        ({"media_url": f"{origin}letter.pdf", "media_name": ".."}, "/media_name"),
        ({"media_url": f"{origin}letter.pdf", "ttl_secs": 0}, "/ttl_secs"),
        ({"media_url": f"{origin}letter.pdf", "ttl_secs": 630720001}, "/ttl_secs"),
    ):
        status, body = await lite.ask("POST", PATH, json=fields)
        assert (status, pointers(body)) == (422, [pointer]), fields
    status, body = await lite.ask("POST", PATH, data=form(media=("x", b"", "application/pdf")))
    assert (status, pointers(body)) == (422, ["/media_url"])
    large = form(media=("x", BytesIO(b"x" * 20_000_001), "application/pdf"))
    status, body = await lite.ask("POST", PATH, data=large)
    assert (status, pointers(body)) == (422, ["/media"])
    for content_type in ("multipart/form-data", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        async with lite.house.client.post(
            f"{lite.house.origin}/v2/media",
            data=b"no form",
            headers={"Content-Type": content_type, "Authorization": f"Bearer {lite.token}"},
        ) as response:
            assert response.status in (400, 422), content_type
    assert await lite.house.count("media") == 0
    assert list(lite.house.blobs.incoming.iterdir()) == []


async def test_an_account_whose_server_hangs_holds_few_connections(lite: Desk, origin: str) -> None:
    _, other = await lite.house.account("other.example")
    async with raw_server(HANG) as server:
        url = {"media_url": f"{server.base_url}/a.pdf"}
        asking = [asyncio.create_task(lite.ask("POST", PATH, json=url)) for _ in range(MOST_FETCHED)]
        async with asyncio.timeout(30):
            while len(server.requests) < MOST_FETCHED:
                await asyncio.sleep(0.01)
        letter = {"media_url": f"{origin}letter.pdf"}
        assert (await lite.ask("POST", PATH, json=letter))[0] == 429
        assert (await lite.ask("POST", PATH, json=letter, token=other))[0] == 201
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    async with asyncio.timeout(30):
        while (await lite.ask("POST", PATH, json=letter))[0] != 201:
            await asyncio.sleep(0.05)


async def test_files_are_their_accounts_own(lite: Desk) -> None:
    _, foreign = await lite.house.account("other.example")
    await lite.ask("POST", PATH, data=form(media=("a", PDF, "application/pdf"), media_name="a"))
    for path in (f"{PATH}/a", f"{PATH}/a/download"):
        assert (await lite.ask("GET", path, token=foreign))[0] == 404
    assert (await lite.ask("DELETE", f"{PATH}/a", token=foreign))[0] == 404
    assert (await lite.ask("GET", f"{PATH}/{quote('a/../a', safe='')}"))[0] == 404
    assert (await lite.ask("GET", PATH, token=foreign))[1]["data"] == []
