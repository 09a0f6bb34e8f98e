"""The requests of Kazoo's documentation, made by curl as they stand there: method, headers and body."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.fax import Direction, State
from gateway.store import faxes, smtplog
from gateway.store.database import Tx
from tests import samples
from tests.integration.engines import store
from tests.integration.house import CLINIC, KINDS, House, built
from tests.integration.kazoo_house import a_fax
from tests.integration.live_house import Live, live
from tests.integration.web_house import record

pytestmark = pytest.mark.full
_FAX = (
    '{"data":{"document":{"url":"http://myserver.com/fax.pdf","method":"get"},"retries":3,"from_name":"Test Fax",'
    '"from_number":"18884732963","to_name":"To Name","to_number":"18884732963"}}'
)
TOKEN = ("-H", "X-Auth-Token: {AUTH_TOKEN}")
PARTS = ("-F", "content=@fax.json; type=application/json", "-F", "content=@fax.pdf; type=application/pdf")
#: What curl is given, the path below the account, and the status of the answer.
REQUESTS: dict[str, tuple[tuple[str, ...], str, int]] = {
    "create by url": (("-X", "PUT", *TOKEN, "-d", _FAX), "faxes", 201),
    "create by parts": (("-X", "PUT", "-H", "Content-Type: multipart/mixed", *PARTS, *TOKEN), "faxes", 201),
    "create (alias) without a body": (("-X", "PUT", *TOKEN), "faxes/outgoing", 400),
    "outgoing": (("-X", "GET", *TOKEN), "faxes/outgoing", 200),
    "outgoing, one": (("-X", "GET", *TOKEN), "faxes/outgoing/{FAX_JOB_ID}", 200),
    "outbox": (("-X", "GET", *TOKEN), "faxes/outbox", 200),
    "outbox, one": (("-X", "GET", *TOKEN), "faxes/outbox/{FAX_ID}", 200),
    "resubmit": (
        ("-X", "PUT", *TOKEN, "-d", '{"action": "resubmit", "data": {}}'),
        "faxes/outbox/{FAX_ID}",
        201,
    ),
    "outbox, payload": (("-X", "GET", *TOKEN), "faxes/outbox/{FAX_ID}/attachment", 200),
    "smtplog": (("-X", "GET", *TOKEN), "faxes/smtplog", 200),
    "smtplog, one": (("-X", "GET", *TOKEN), "faxes/smtplog/{ATTEMPT_ID}", 200),
    "inbox": (("-X", "GET", *TOKEN), "faxes/inbox", 200),
    "inbox, one": (("-X", "GET", *TOKEN), "faxes/inbox/{INBOX_ID}", 200),
    "inbox, payload": (("-X", "GET", *TOKEN), "faxes/inbox/{INBOX_ID}/attachment", 200),
    "incoming, one": (("-X", "GET", *TOKEN), "faxes/incoming/{INCOMING_ID}", 200),
    "outbox, remove the payload": (("-X", "DELETE", *TOKEN), "faxes/outbox/{FAX_ID}/attachment", 200),
    "outbox, remove": (("-X", "DELETE", *TOKEN), "faxes/outbox/{FAX_ID}", 200),
    "inbox, remove the payload": (("-X", "DELETE", *TOKEN), "faxes/inbox/{INBOX_ID}/attachment", 200),
    "inbox, remove": (("-X", "DELETE", *TOKEN), "faxes/inbox/{INBOX_ID}", 200),
}


@pytest.fixture
async def kazoo(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Live]:
    request.param = "sqlite"
    async with (
        store(request, tmp_path) as db,
        built(db, tmp_path, kinds=[*KINDS, "toll_free"]) as house,
        live(house) as opened,
    ):
        yield opened


async def _ids(kazoo: Live) -> dict[str, str]:
    """Have one fax in each folder."""
    house: House = kazoo.house
    await kazoo.create()
    await house.emulator.receive(CLINIC, "+12125550199", samples.pdf(1))
    await kazoo.through()
    folders = await kazoo.folders()
    waiting = await kazoo.create()
    coming = a_fax(house.account.id, State.RECEIVING, Direction.INBOUND)
    log = record(house.account.id)

    def unit(tx: Tx) -> None:
        faxes.insert(tx, coming)
        smtplog.insert(tx, log)

    await house.db.write(unit)
    return {
        "AUTH_TOKEN": kazoo.token,
        "FAX_JOB_ID": waiting["id"],
        "FAX_ID": folders["outbox"][0],
        "INBOX_ID": folders["inbox"][0],
        "INCOMING_ID": coming.id.hex,
        "ATTEMPT_ID": log.id.hex,
    }


def _filled(text: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        text = text.replace(f"{{{name}}}", value)
    return text


async def _curl(folder: Path, *arguments: str) -> tuple[int, bytes]:
    process = await asyncio.create_subprocess_exec(
        *("curl", "-sS", "-w", "\n%{http_code}", *arguments),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
    )
    body, _, status = (await process.communicate())[0].rpartition(b"\n")
    return int(status), body


async def test_curl_is_answered_as_documented(kazoo: Live, tmp_path: Path) -> None:
    (tmp_path / "fax.json").write_text(json.dumps({"data": json.loads(_FAX)["data"] | {"document": None}}))
    (tmp_path / "fax.pdf").write_bytes(samples.pdf(2))
    ids = await _ids(kazoo)
    account = f"{kazoo.origin}/v2/accounts/{kazoo.house.account.id.hex}"
    for name, (arguments, path, expected) in REQUESTS.items():
        filled = [_filled(one, ids) for one in arguments]
        status, body = await _curl(tmp_path, *filled, f"{account}/{_filled(path, ids)}")
        assert (name, status) == (name, expected), body[:500]
        if path.endswith("attachment") and "GET" in arguments:
            assert body.startswith(b"%PDF-")
            continue
        envelope = json.loads(body)
        assert {"data", "request_id", "status"} <= envelope.keys()
        assert envelope["status"] == ("success" if expected < 400 else "error")
        assert expected >= 400 or (envelope["auth_token"], bool(envelope["revision"])) == (kazoo.token, True)
