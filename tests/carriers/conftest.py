"""The carrier's side on loopback, a client for it, and a receiver of its webhooks."""

import base64
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.attempt import Handle
from gateway.carrier_event import CarrierEvent
from gateway.carriers.carrier import Order
from gateway.carriers.emulator import Connection, EmulatedFax, Emulator, EmulatorSettings
from gateway.carriers.telnyx import SIGNATURE_HEADER, TIMESTAMP_HEADER, Signature, Telnyx, verify
from gateway.dialects.telnyx import event
from tests.samples import pdf

API_KEY = "KEY0123456789"
OURS = "+12025550199"
FROM = "+12025550111"


@dataclass
class Receiver:
    """Our side: hosts documents under /m/NAME, takes webhooks at /hook and /second, and answers them as told."""

    origin: str = ""
    documents: dict[str, bytes] = field(default_factory=dict)
    fetches: list[str] = field(default_factory=list)
    received: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)

    async def document(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.fetches.append(name)
        if name == "elsewhere":
            raise web.HTTPFound("/m/there")
        if name not in self.documents:
            raise web.HTTPGone
        return web.Response(body=self.documents[name], content_type="application/pdf")

    async def hook(self, request: web.Request) -> web.Response:
        self.received.append((request.path, dict(request.headers), await request.read()))
        return web.Response(status=self.answers.get(request.path, 200))

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(raw) for _, _, raw in self.received]

    @property
    def events(self) -> list[CarrierEvent]:
        return [event(body) for body in self.bodies]

    def told(self, fax: EmulatedFax) -> list[str]:
        """The event types told of *fax*, in the order in which they happened."""
        mine = [body["data"] for body in self.bodies if body["data"]["payload"]["fax_id"] == fax.id]
        return [each["event_type"] for each in sorted(mine, key=lambda each: str(each["occurred_at"]))]

    def all_signed_by(self, public_key: str) -> bool:
        return all(
            verify(public_key, headers[SIGNATURE_HEADER], headers[TIMESTAMP_HEADER], raw, time.time())
            is Signature.VALID
            for _, headers, raw in self.received
        )


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    ours = Receiver(documents={"two-pages": pdf(2)})
    app = web.Application()
    app.router.add_get("/m/{name}", ours.document)
    app.router.add_post("/hook", ours.hook)
    app.router.add_post("/second", ours.hook)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ours.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield ours
    await runner.cleanup()


@pytest.fixture
async def emulator(receiver: Receiver) -> AsyncIterator[Emulator]:
    """Connection 1 has webhooks and a number, connection 2 has neither (as behind NAT)."""
    usual = Connection("1", f"{receiver.origin}/hook", numbers=[OURS])
    carrier = Emulator(
        EmulatorSettings(API_KEY, [usual, Connection("2")], pace=0.01, webhook_backoff=0.01, webhook_tries=2)
    )
    await carrier.start()
    yield carrier
    await carrier.stop()


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[Telnyx]:
    telnyx = Telnyx(emulator.base_url, API_KEY)
    yield telnyx
    await telnyx.close()


@pytest.fixture
async def http(emulator: Emulator) -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client with the key, for what our own client never does."""
    headers = {"Authorization": f"Bearer {API_KEY}"}
    async with aiohttp.ClientSession(emulator.origin, headers=headers) as session:
        yield session


def state(text: str) -> str:
    """A client_state: any text in Base64."""
    return base64.b64encode(text.encode()).decode()


def order(
    handle: str,
    to: str = "+12025550100",
    *,
    client_state: str = "",
    kind: Handle = Handle.TOKEN,
    connection_id: str = "1",
    from_name: str = "",
    webhook_url: str = "",
) -> Order:
    """An order like the gateway's own."""
    token = client_state or state(to)
    return Order(connection_id, to, FROM, token, kind, handle, from_name=from_name, webhook_url=webhook_url)
