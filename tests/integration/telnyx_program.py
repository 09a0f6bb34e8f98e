"""A program that uses Telnyx's API of a whole gateway, from the request to the carrier."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from telnyx import AsyncTelnyx

from gateway.archive import SCRAP
from gateway.document import MAX_BYTES
from gateway.inbox import FORWARD, RETRIEVE
from gateway.outbox import COLLECT, PREPARE, TRANSMIT
from tests import samples
from tests.integration.engines import store
from tests.integration.house import NUMBER, OFFICE, House, built
from tests.integration.telnyx_house import library

PDF = samples.pdf(2)
STATE = base64.b64encode(b"have a nice day").decode()


@dataclass
class Program:
    """A program of an account: the official library, plain requests, and a web server with its documents."""

    house: House
    sdk: AsyncTelnyx
    http: aiohttp.ClientSession
    origin: str

    @property
    def connection(self) -> str:
        return str(self.house.application.id)

    async def ask(self, method: str, path: str = "/faxes", **request: Any) -> tuple[int, Any]:
        async with self.http.request(method, f"{self.house.http}/v2{path}", **request) as response:
            body = await response.read()
            return response.status, await response.json() if body else None

    async def send(self, **fields: Any) -> str:
        """Send a fax by the library; return its id."""
        given = {"connection_id": self.connection, "from_": OFFICE, "to": NUMBER, "media_url": f"{self.origin}a.pdf"}
        made = await self.sdk.faxes.create(**(given | fields))
        assert made.data is not None
        assert made.data.id is not None
        return made.data.id

    async def shown(self, fax_id: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ask("GET", f"/faxes/{fax_id}"))[1]["data"]
        return found

    async def go(self) -> None:
        """Let everything under way come to its end."""
        await self.house.drain(SCRAP, COLLECT, PREPARE)
        while await self.house.step(TRANSMIT):  # one call to a number at a time
            await self.house.hear()
        await self.house.hear()
        await self.house.drain(RETRIEVE, FORWARD)


@asynccontextmanager
async def program(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Program]:
    async def document(asked: web.Request) -> web.Response:
        name = asked.match_info["name"]
        if name == "moved.pdf":
            raise web.HTTPFound("/a.pdf")
        if name == "large.pdf":
            return web.Response(body=b"%PDF-1.7" + bytes(MAX_BYTES))
        content = {"a.pdf": PDF, "junk.pdf": b"%PDF-1.7 junk", "long.pdf": samples.pdf(351)}
        return web.Response(body=content[name]) if name in content else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/{name}", document)
    async with store(request, folder) as db, built(db, folder) as house, TestServer(app) as server:
        _, token = await house.provisioning.create_token(house.account.id)
        headers = {"Authorization": f"Bearer {token}"}
        async with library(house.http, token) as sdk, aiohttp.ClientSession(headers=headers) as http:
            yield Program(house, sdk, http, str(server.make_url("/")))
