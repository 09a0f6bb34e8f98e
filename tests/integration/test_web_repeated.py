"""A program that got no answer asks again: one fax comes of it, with Telnyx's own library and with a key."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from gateway.archive import SCRAP
from gateway.fax import Fax
from gateway.store import faxes, schema
from tests import samples
from tests.integration.engines import ENGINES, HANG, rows, store
from tests.integration.house import NUMBER, OFFICE, House, built
from tests.integration.telnyx_house import library

KEY = {"Idempotency-Key": "ward 3, letter 17"}
OTHER = "+12025550143"


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


@asynccontextmanager
async def relay(origin: str, lost: int) -> AsyncIterator[str]:
    """A way to *origin* on which the answers of the first *lost* connections get lost."""
    url = URL(origin)
    under_way: list[asyncio.Task[None]] = []

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        swallow = len(under_way) < lost
        under_way.append(asyncio.current_task())  # type: ignore[arg-type]  # inside of one
        up_reader, up_writer = await asyncio.open_connection(url.host, url.port)
        forth = asyncio.create_task(pumped(reader, up_writer))
        while (answer := await up_reader.read(1 << 16)) and not swallow:
            writer.write(answer)
        if swallow:
            writer.transport.abort()
        forth.cancel()
        for each in (writer, up_writer):
            each.close()
            with contextlib.suppress(OSError):
                await each.wait_closed()

    server = await asyncio.start_server(passed, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()
        async with asyncio.timeout(HANG):
            await asyncio.gather(*under_way, return_exceptions=True)


async def pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1 << 16):
        writer.write(chunk)
    writer.close()


async def token_of(house: House) -> str:
    return (await house.provisioning.create_token(house.account.id))[1]


async def kept(house: House) -> list[Fax]:
    return await faxes.page(house.db)


def wish(house: House, **more: Any) -> dict[str, Any]:
    return {"connection_id": str(house.application.id), "from_": OFFICE, "to": NUMBER} | more


async def test_the_library_gets_its_fax_although_two_answers_were_lost(house: House) -> None:
    async with relay(house.http, lost=2) as way, library(way, await token_of(house)) as sdk:
        made = await sdk.with_options(max_retries=2).faxes.create(**wish(house), media_url="https://x.example/a.pdf")
    assert made.data is not None
    assert [str(fax.id) for fax in await kept(house)] == [made.data.id]


async def test_the_library_repeats_a_file_too_and_its_bytes_are_kept_once(house: House) -> None:
    async with relay(house.http, lost=1) as way, library(way, await token_of(house)) as sdk:
        files = {"contents": ("a.pdf", samples.pdf(1), "application/pdf")}
        body = {key.rstrip("_"): value for key, value in wish(house).items()}
        multipart: Any = {"headers": {"Content-Type": "multipart/form-data"}}
        once_more = sdk.with_options(max_retries=1)
        made = await once_more.post("/faxes", cast_to=object, body=body, files=files, options=multipart)
    assert made is not None
    (fax,) = await kept(house)
    await house.drain(SCRAP)
    named = {key for key, _ in house.blobs.names()}
    assert fax.documents[0]["blob"] in named


async def test_the_library_sends_the_same_twice_when_it_is_asked_twice(house: House) -> None:
    async with library(house.http, await token_of(house)) as sdk:
        for _ in range(2):
            await sdk.faxes.create(**wish(house), media_url="https://x.example/a.pdf")
    assert len(await kept(house)) == 2


async def test_a_first_try_that_was_overtaken_by_its_repetition_is_one_fax(house: House) -> None:
    held, go = asyncio.Event(), asyncio.Event()
    headers = {"Authorization": f"Bearer {await token_of(house)}"}
    body = {"connection_id": str(house.application.id), "from": OFFICE, "to": NUMBER}
    body["media_url"] = "https://x.example/a.pdf"
    async with aiohttp.ClientSession(headers=headers) as http:

        async def tried(count: int, data: Any) -> str:
            said = {"X-Stainless-Retry-Count": str(count), "Content-Type": "application/json"}
            async with http.post(f"{house.http}/v2/faxes", data=data, headers=said) as response:
                assert response.status == 202
                found: str = (await response.json())["data"]["id"]
                return found

        async def slowly() -> AsyncIterator[bytes]:
            raw = json.dumps(body).encode()
            yield raw[:20]
            held.set()
            await go.wait()
            yield raw[20:]

        first = asyncio.create_task(tried(0, slowly()))
        await held.wait()
        second = await tried(1, json.dumps(body))
        go.set()
        assert await first == second
    assert len(await kept(house)) == 1


async def test_a_key_makes_one_fax_of_all_that_carry_it_in_both_apis(house: House) -> None:
    headers = {"X-Auth-Token": await token_of(house), **KEY}
    theirs = {"connection_id": str(house.application.id), "from": OFFICE, "media_url": "https://x.example/a.pdf"}
    ours = {"from_number": OFFICE, "document": {"url": "https://x.example/a.pdf"}}
    async with aiohttp.ClientSession(headers=headers) as http:

        async def telnyx(to: str, **more: str) -> tuple[int, Any]:
            async with http.post(f"{house.http}/v2/faxes", json=theirs | {"to": to}, headers=more) as response:
                return response.status, await response.json()

        async def kazoo(to: str, **more: str) -> tuple[int, Any]:
            url = f"{house.http}/v2/accounts/{house.account.id.hex}/faxes"
            async with http.put(url, json={"data": ours | {"to_number": to}}, headers=more) as response:
                return response.status, await response.json()

        first = await telnyx(NUMBER)
        assert first[0] == 202
        again = await asyncio.gather(*[telnyx(NUMBER) for _ in range(3)])
        assert [(status, body["data"]["id"]) for status, body in again] == [(202, first[1]["data"]["id"])] * 3
        assert (await kazoo(NUMBER))[0] == 201
        assert len(await kept(house)) == 1
        status, wrong = await telnyx(OTHER)
        assert (status, wrong["errors"][0]["detail"]) == (
            422,
            "this key was used for a fax to another number; give every fax a key of its own",
        )
        assert (await kazoo(OTHER))[0] == 400
        assert (await telnyx(OTHER, **{"Idempotency-Key": "x" * 256}))[0] == 422
        assert (await kazoo(OTHER, **{"Idempotency-Key": "\u00fc"}))[0] == 400
        assert len(await kept(house)) == 1
        assert (await kazoo(OTHER, **{"Idempotency-Key": "another"}))[0] == 201
    assert len(await kept(house)) == 2


async def test_a_fax_that_failed_is_the_answer_to_its_key_too(house: House) -> None:
    headers = {"X-Auth-Token": await token_of(house), **KEY}
    wanted = {"data": {"from_number": OFFICE, "to_number": NUMBER, "document": {"url": "https://x.example/a.pdf"}}}
    url = f"{house.http}/v2/accounts/{house.account.id.hex}/faxes"
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.put(url, json=wanted) as response:
            first = (await response.json())["data"]["id"]
        (fax,) = await kept(house)
        await house.db.write(lambda tx: house.command.cancel(tx, fax.id))
        async with http.put(url, json=wanted) as response:
            again = (await response.json())["data"]["id"]
    assert again.endswith(first)  # behind the month, once a fax has ended


async def test_a_key_makes_one_fax_of_what_is_sent_again_twice(house: House) -> None:
    wanted = {"data": {"from_number": OFFICE, "to_number": NUMBER, "document": {"url": "https://x.example/a.pdf"}}}
    url = f"{house.http}/v2/accounts/{house.account.id.hex}/faxes"
    async with aiohttp.ClientSession(headers={"X-Auth-Token": await token_of(house)}) as http:
        async with http.put(url, json=wanted) as response:
            first = (await response.json())["data"]["id"]
        (fax,) = await kept(house)
        await house.db.write(lambda tx: house.command.cancel(tx, fax.id))

        async def again(key: str) -> tuple[int, str]:
            headers = {"Idempotency-Key": key}
            async with http.put(f"{url}/outbox/{first}", json={"action": "resubmit"}, headers=headers) as response:
                return response.status, (await response.json())["data"]["id"]

        found = set(await asyncio.gather(*(again("one") for _ in range(3))))
        assert [status for status, _ in found] == [201]
        assert len(await kept(house)) == 2
        assert await again("another") not in found
    assert len(await kept(house)) == 3
    noted = [row for row in await rows(house.db, schema.audit) if row["action"] == "resent"]
    assert [row["fax_id"] for row in noted] == [fax.id] * 2
