"""What the tests of Telnyx's API share: the server, an account, and the official library pointed at it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from telnyx import AsyncTelnyx

from gateway.account import Account
from tests.integration.web_house import House, opened


@dataclass
class Desk:
    """An account, its token, and two ways to ask: ``sdk`` and (for what no library sends) ``ask``."""

    house: House
    account: Account
    token: str
    sdk: AsyncTelnyx

    async def ask(self, method: str, path: str, *, token: str | None = None, **request: Any) -> tuple[int, Any]:
        """Make one request below /v2 and return its status and the JSON of its answer (None for an empty one)."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        url = f"{self.house.origin}/v2{path}"
        async with self.house.client.request(method, url, headers=headers, **request) as response:
            body = await response.read()
            return response.status, await response.json() if body else None


@asynccontextmanager
async def desk(database_url: str, folder: Path, **changes: Any) -> AsyncIterator[Desk]:
    """The server with an account, and a client of the official library."""
    async with opened(database_url, folder, **changes) as house:
        account, token = await house.account("acme.example")
        async with library(house.origin, token) as sdk:
            yield Desk(house, account, token, sdk)


@asynccontextmanager
async def library(origin: str, token: str) -> AsyncIterator[AsyncTelnyx]:
    """The official library against a server of ours, as an application sets it up."""
    sdk = AsyncTelnyx(api_key=token, base_url=f"{origin}/v2", max_retries=0)
    try:
        yield sdk
    finally:
        await sdk.close()
        await asyncio.sleep(0)


def pointers(body: dict[str, Any]) -> list[str]:
    """Return the JSON pointers of an answer's errors."""
    return [error.get("source", {}).get("pointer", "") for error in body["errors"]]


def form(**fields: Any) -> aiohttp.FormData:
    """Return a multipart form; a pair (name, bytes, type) is a file."""
    made = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        if isinstance(value, tuple):
            made.add_field(name, value[1], filename=value[0], content_type=value[2])
        else:
            made.add_field(name, value)
    return made
