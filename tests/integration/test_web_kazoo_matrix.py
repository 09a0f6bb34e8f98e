"""Which method Kazoo takes at which path, and how it refuses the others."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.fax import Direction, State
from tests.integration.kazoo_house import a_fax, ask, keep
from tests.integration.web_house import House, opened, record

#: DELETE comes last: what it is about is gone then.
METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")
#: Below /v2/accounts/{account_id}: path -> what is taken there.
MATRIX = {
    "/faxes": {"PUT"},
    "/faxes/outgoing": {"GET", "PUT"},
    "/faxes/outgoing/{outgoing}": {"GET", "PUT", "DELETE"},
    "/faxes/outbox": {"GET"},
    "/faxes/outbox/{outbox}": {"GET", "PUT", "DELETE"},
    "/faxes/outbox/{outbox}/attachment": {"GET", "DELETE"},
    "/faxes/inbox": {"GET"},
    "/faxes/inbox/{inbox}": {"GET", "PUT", "DELETE"},
    "/faxes/inbox/{inbox}/attachment": {"GET", "DELETE"},
    "/faxes/incoming": {"GET"},
    "/faxes/incoming/{incoming}": {"GET"},
    "/faxes/smtplog": {"GET"},
    "/faxes/smtplog/{smtplog}": {"GET"},
    "/faxboxes": {"GET", "PUT"},
    "/faxboxes/{box}": {"GET", "POST", "PATCH", "DELETE"},
}
NOWHERE = ("/faxes/anythingelse", "/faxes/outgoing/{outgoing}/attachment", "/faxes/inbox/{inbox}/more", "/users")


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with opened(database_url, tmp_path) as house:
        yield house


async def _ids(house: House, account_id: object) -> dict[str, str]:
    (account,) = await house.rows("accounts")
    blob = await house.blobs.put_bytes(b"%PDF-1.7")
    found = {
        name: a_fax(account["id"], state, way, pages_blob=blob, media_type="application/pdf")
        for name, state, way in (
            ("outgoing", State.QUEUED, Direction.OUTBOUND),
            ("outbox", State.DELIVERED, Direction.OUTBOUND),
            ("inbox", State.RECEIVED, Direction.INBOUND),
            ("incoming", State.RECEIVING, Direction.INBOUND),
        )
    }
    await keep(house, *found.values())
    log = record(account["id"])
    await house.log(log)
    box = await house.provisioning.create_faxbox(account["id"], {"name": "box"})
    return {name: fax.id.hex for name, fax in found.items()} | {"smtplog": log.id.hex, "box": box.id.hex}


@pytest.mark.parametrize("path", MATRIX)
async def test_each_path_takes_its_methods_and_names_them_when_it_refuses(house: House, path: str) -> None:
    account, token = await house.account("a.example")
    whole = f"/v2/accounts/{account.id.hex}{path.format(**await _ids(house, account.id))}"
    for method in METHODS:
        if method not in MATRIX[path]:
            await _refused(house, whole, token, method, MATRIX[path])
        elif "attachment" in path and method == "GET":
            async with house.client.get(f"{house.origin}{whole}", headers={"X-Auth-Token": token}) as response:
                assert (response.status, response.content_type) == (200, "application/pdf")
        else:
            await _taken(house, whole, token, method)


async def _refused(house: House, path: str, token: str, method: str, allowed: set[str]) -> None:
    status, envelope = await ask(house, path, token, method, json={"data": {}})
    told = (status, envelope["message"], envelope["data"])
    assert told == (405, "invalid_method", {"message": "method not allowed"}), (method, path)
    async with house.client.request(method, f"{house.origin}{path}", headers={"X-Auth-Token": token}) as response:
        assert set(response.headers["Allow"].split(",")) - {"HEAD"} == allowed


async def _taken(house: House, path: str, token: str, method: str) -> None:
    body: dict[str, Any] = {} if method in {"GET", "DELETE"} else {"json": {"data": {}}}
    status, envelope = await ask(house, path, token, method, **body)
    # A body of nothing is refused for what is missing in it, and by nothing else.
    assert status == (400 if method in {"PUT", "POST"} else 200), (method, path, envelope)
    assert status == 200 or envelope["message"] in {"validation failed", "validation error"}


async def test_there_is_nothing_elsewhere(house: House) -> None:
    account, token = await house.account("a.example")
    ids = await _ids(house, account.id)
    for path in NOWHERE:
        status, envelope = await ask(house, f"/v2/accounts/{account.id.hex}{path.format(**ids)}", token)
        assert (status, envelope["message"], envelope["data"]) == (404, "not_found", {"message": "not found"})
