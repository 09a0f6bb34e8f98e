"""A program that takes webhooks, or does not."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass(frozen=True)
class Taken:
    """One request: the path, the headers and the body as it came."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw)
        return found

    @property
    def event_type(self) -> str:
        return str(self.body["data"]["event_type"])


@dataclass
class Receiver:
    """Answers *status* (by path, else 200), after ``open`` was set."""

    server: TestServer = field(init=False)
    taken: list[Taken] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/hook") -> str:
        return str(self.server.make_url(path))

    def types(self) -> list[str]:
        return [taken.event_type for taken in self.taken]

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append(Taken(request.path, dict(request.headers), await request.read()))
        await self.open.wait()
        status = self.status.get(request.path, 200)
        return web.Response(status=status, headers={"Location": "/elsewhere"} if 300 <= status < 400 else {})


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on the loopback."""
    receiver = Receiver()
    receiver.open.set()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    receiver.server = TestServer(app)
    await receiver.server.start_server()
    try:
        yield receiver
    finally:
        receiver.open.set()
        await receiver.server.close()
