"""A whole house, with its carrier and its mail server, asked through Kazoo's API."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from gateway.events import EVENT
from gateway.inbox import FORWARD, RETRIEVE
from gateway.notify import DELIVER
from gateway.outbox import CANCEL, COLLECT, PREPARE, TEXT, TRANSMIT
from tests import samples
from tests.integration.house import House
from tests.integration.kazoo_house import ask

MINE = "+12025550100"


@dataclass
class Live:
    """A house, and a client of its API. ``site`` serves documents to fax; ``asked`` are the requests that it got."""

    house: House
    client: aiohttp.ClientSession
    token: str
    site: BaseTestServer
    asked: list[tuple[str, dict[str, str], bytes]]

    @property
    def origin(self) -> str:
        return self.house.http

    @property
    def base(self) -> str:
        return f"/v2/accounts/{self.house.account.id.hex}/faxes"

    def url(self, path: str) -> str:
        """The URL of a document of the site: pages as a number, or a status to answer with."""
        return str(self.site.make_url(path))

    async def ask(self, path: str, method: str = "GET", **request: Any) -> tuple[int, Any]:
        """Ask for a path below ``faxes``, or for a whole one; return status and envelope."""
        whole = path if path.startswith("/v2") else f"{self.base}{path}"
        return await ask(self, whole, self.token, method, **request)

    async def data(self, path: str, method: str = "GET", **request: Any) -> Any:
        """Ask for what must work, and return its data."""
        status, envelope = await self.ask(path, method, **request)
        assert status in {200, 201}, envelope
        return envelope["data"]

    async def create(self, path: str = "", **fields: Any) -> Any:
        """Send a fax by a URL (of two pages, unless ``document`` says another) and return its data."""
        wish = {"to_number": "+12025550142", "from_number": MINE, "document": {"url": self.url("/2.pdf")}, **fields}
        return await self.data(path, "PUT", json={"data": wish})

    async def folders(self) -> dict[str, list[str]]:
        """Return the ids in each folder, as the lists show them."""
        names = ("outgoing", "outbox", "incoming", "inbox")
        return {name: [row["id"] for row in await self.data(f"/{name}")] for name in names}

    async def through(self) -> None:
        """Do everything that there is to do, until there is nothing more."""
        await self.house.drain(COLLECT, PREPARE, TRANSMIT)
        await self.house.hear()
        await self.house.drain(RETRIEVE, FORWARD, CANCEL, DELIVER, TEXT, EVENT)


def parts(*parts: tuple[str, bytes | str | dict[str, Any] | io.BytesIO], **headers: str) -> aiohttp.MultipartWriter:
    """Return a multipart body: each part a media type and a content (a dict becomes JSON)."""
    writer = aiohttp.MultipartWriter("mixed")
    for media_type, content in parts:
        raw = json.dumps(content) if isinstance(content, dict) else content
        writer.append(raw, {"Content-Type": media_type, **headers})
    return writer


@asynccontextmanager
async def live(house: House) -> AsyncIterator[Live]:
    """Open *house* to a client."""
    asked: list[tuple[str, dict[str, str], bytes]] = []

    async def document(request: web.Request) -> web.Response:
        asked.append((request.method, dict(request.headers), await request.read()))
        name = request.match_info["name"]
        if name.endswith(".pdf"):
            return web.Response(body=samples.pdf(int(name[:-4])), content_type="application/pdf")
        headers = {"Location": "http://127.0.0.1:1/"} if name.startswith("3") else {}
        return web.Response(status=int(name), headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{name}", document)
    _, token = await house.provisioning.create_token(house.account.id)
    async with TestServer(app) as site, aiohttp.ClientSession() as client:
        yield Live(house, client, token, site, asked)
