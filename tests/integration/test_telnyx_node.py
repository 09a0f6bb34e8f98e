"""Telnyx's own library for Node: every call, pages, errors and webhooks, in one run of it."""

import asyncio
import base64
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.courier import WEBHOOK, signing_key
from gateway.inbox import FORWARD, RETRIEVE
from gateway.store import faxes
from tests import samples, telnyx_samples
from tests.integration.engines import HANG, store
from tests.integration.house import CLINIC, NUMBER, House, built
from tests.integration.receiver import Receiver, receiving

ROOT = Path(__file__).parents[2]
#: Where ``make test-all`` installs the library.
HOME = ROOT / ".venv" / "node"
STATE = base64.b64encode(b"from node").decode()

pytestmark = pytest.mark.full


@pytest.fixture(params=["sqlite"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as found:
        yield found


async def test_every_call_of_the_library_means_the_same_here(house: House) -> None:
    if not (shutil.which("node") and (HOME / "node_modules" / "telnyx").is_dir()):
        pytest.skip("node and its package telnyx are not there: make test-all installs it")
    async with receiving() as receiver:
        told = await _told(house, receiver)
    assert telnyx_samples.missing(telnyx_samples.APPLICATION, told["app"]) == []
    assert told["changed"]["tags"] == ["a"]
    assert told["apps"] == ["node 2", "main", "Acme (default)"]
    assert (told["contains"], told["retrieved"], told["numbers"]) == (1, "node 2", [CLINIC])
    assert (told["moved"], told["deleted"]) == ("node 2", True)
    assert told["used"] == ["UnprocessableEntityError", 422, None]
    assert (told["media"], told["stored"], told["type"]) == ("letter", ["letter"], "application/pdf")
    assert told["bytes"] == len(samples.pdf(1))
    assert telnyx_samples.missing(telnyx_samples.FAX, told["fax"]) == []
    assert (told["shown"], told["attached"], told["listed"]) == (STATE, "queued", 3)
    assert told["notYet"] == told["late"] == ["UnprocessableEntityError", 422, None]
    assert (told["canceled"], told["ended"], told["refreshed"]) == ("ok", "canceled", "ok")
    assert told["gone"] == ["NotFoundError", 404, None]
    assert told["wrong"] == ["UnprocessableEntityError", 422, "/to"]
    assert told["stranger"] == ["AuthenticationError", 401, None]
    assert told["event"] == "fax.received"
    assert told["forged"][0] == "TelnyxWebhookVerificationError"
    assert ["delivered", "fax.received"] in told["deliveries"]
    assert told["delivery"] in (0, 1)


async def _told(house: House, receiver: Receiver) -> dict[str, Any]:
    """Run the library against the house and return what it says."""
    hook = {"webhook_event_url": receiver.url()}
    await house.provisioning.update_application(house.application.id, hook)
    await house.emulator.receive(CLINIC, NUMBER, samples.pdf(1))
    await house.hear()
    await house.drain(RETRIEVE, FORWARD, WEBHOOK)
    taken = next(one for one in receiver.taken if one.event_type == "fax.received")
    (received,) = await faxes.page(house.db)
    _, token = await house.provisioning.create_token(house.account.id)

    async def document(_: web.Request) -> web.Response:
        return web.Response(body=samples.pdf(1), content_type="application/pdf")

    app = web.Application()
    app.router.add_get("/a.pdf", document)
    async with TestServer(app) as server:
        given = {
            "home": str(HOME),
            "origin": house.http,
            "token": token,
            "key": await signing_key(house.db),
            "hook": receiver.url(),
            "document": str(server.make_url("/a.pdf")),
            "pdf": base64.b64encode(samples.pdf(1)).decode(),
            "connection": str(house.application.id),
            "from": CLINIC,
            "to": NUMBER,
            "state": STATE,
            "received": str(received.id),
            "webhook": {"body": taken.raw.decode(), "headers": taken.headers},
        }
        return await _run(given)


async def _run(given: dict[str, Any]) -> dict[str, Any]:
    script = ROOT / "tests" / "integration" / "telnyx_node.mjs"
    process = await asyncio.create_subprocess_exec(
        "node",
        *(str(script), json.dumps(given)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await asyncio.wait_for(process.communicate(), HANG)
    assert process.returncode == 0, errors.decode()
    told: dict[str, Any] = json.loads(printed)
    return told
