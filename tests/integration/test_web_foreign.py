"""Two accounts against each other over every route of both APIs: neither sees nor changes what is the other's.

The routes come from the table that the APIs are made of; a new one is tried without a word here, unless its path has a
parameter that nobody has heard of.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web

from gateway.account import Account, Scope
from gateway.dialects import kazoo
from gateway.fax import Direction, State
from gateway.ids import new_id
from gateway.store.schema import metadata
from gateway.web.openapi import Operation
from tests.integration.kazoo_house import a_fax, keep
from tests.integration.web_house import House, opened, record

SECRET = "Erlkoenig"
STATES = {
    "outgoing": (State.QUEUED, Direction.OUTBOUND),
    "outbox": (State.DELIVERED, Direction.OUTBOUND),
    "incoming": (State.RECEIVING, Direction.INBOUND),
    "inbox": (State.RECEIVED, Direction.INBOUND),
}


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with opened(database_url, tmp_path) as house:
        yield house


@dataclass
class Estate:
    """An account with one of everything. ``ids`` maps the parameters of paths to values, where the path says which."""

    account: Account
    token: str
    faxes: dict[str, UUID]
    ids: dict[str, str]

    def path(self, operation: Operation, account: Account | None = None) -> str:
        """Return the path of *operation* about what is this account's; *account* stands in its place where named."""
        path = operation.path
        values = {**self.ids, "account_id": (account or self.account).id.hex}
        folder = next((name for name in STATES if f"/{name}" in path), "outbox")
        values["fax_id"] = self.faxes[folder].hex
        if "{id}" in path:
            kind = path.split("/")[2]
            values["id"] = str(self.faxes["outbox"]) if kind == "faxes" else self.ids[kind]
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        assert "{" not in path, f"nobody has said what to put into {operation.path}"
        return path


async def estate(house: House, realm: str, number: str) -> Estate:
    """Make an account with one of everything, each with SECRET in its name."""
    account, token = await house.account(realm)
    provisioning = house.provisioning
    fields = {"name": SECRET, "webhook_event_url": f"https://{realm}/"}
    application = await provisioning.create_application(account.id, fields)
    box = await provisioning.create_faxbox(account.id, {"name": SECRET, "application_id": application.id})
    await provisioning.assign_number(number, application.id, box.id)
    blob = await house.blobs.put_bytes(b"%PDF-1.7 " + SECRET.encode())
    faxes = {
        name: a_fax(
            account.id,
            *place,
            faxbox_id=box.id,
            application_id=application.id,
            from_name=SECRET,
            caller_id=SECRET,
            pages_blob=blob,
            media_type="application/pdf",
        )
        for name, place in STATES.items()
    }
    await keep(house, *faxes.values())
    attempt = record(account.id, subject=SECRET)
    await house.log(attempt)
    ids = {
        "faxbox_id": box.id.hex,
        "attempt_id": kazoo.dated_id(attempt.id, attempt.at),
        "fax_applications": str(application.id),
        "phone_numbers": number,
        "media_name": SECRET,
        "webhook_deliveries": str(new_id()),
    }
    mine = Estate(account, token, {name: fax.id for name, fax in faxes.items()}, ids)
    headers = {"Authorization": f"Bearer {token}"}
    data = aiohttp.FormData({"media_name": SECRET})
    data.add_field("media", b"%PDF-1.7 " + SECRET.encode(), filename="x.pdf", content_type="application/pdf")
    async with house.client.post(f"{house.origin}/v2/media", data=data, headers=headers) as response:
        assert response.status < 300, await response.text()
    return mine


def operations(house: House) -> list[Operation]:
    """The table of the APIs' routes, as the running application has it."""
    found = {id(one): one for route in house.app.router.routes() if (one := _operation(route)) is not None}
    assert len(found) > 50
    return [operation for operation in found.values() if operation.scope is not None]


def _operation(route: web.AbstractRoute) -> Operation | None:
    owner = getattr(route.handler, "__self__", None)
    return owner if isinstance(owner, Operation) else None


async def call(house: House, operation: Operation, path: str, token: str = "") -> tuple[int, str]:
    """Call *operation* with a body that means something to whoever may."""
    body = {"data": {"name": "taken", "action": "resubmit"}, "action": "resubmit", "name": "taken"}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    json = None if operation.method in {"GET", "DELETE"} else body
    async with house.client.request(operation.method, f"{house.origin}{path}", json=json, headers=headers) as response:
        return response.status, await response.text()


async def everything(house: House) -> dict[str, Any]:
    """All that is in the database, but when tokens were used."""
    tables = {name: await house.rows(name) for name in metadata.tables}
    tables["tokens"] = [{**row, "last_used_at": None} for row in tables["tokens"]]
    return tables


async def test_without_a_token_nothing_is_shown_and_nothing_changes(house: House) -> None:
    mine = await estate(house, "a.example", "+12025550171")
    before = await everything(house)
    for operation in operations(house):
        status, text = await call(house, operation, mine.path(operation))
        assert (operation.method, operation.path, status) == (operation.method, operation.path, 401)
        assert SECRET not in text
    assert await everything(house) == before


async def test_a_strangers_token_opens_nothing_of_mine(house: House) -> None:
    mine = await estate(house, "a.example", "+12025550171")
    _, stranger = await house.account("b.example")
    before = await everything(house)
    made = []
    for operation in operations(house):
        status, text = await call(house, operation, mine.path(operation), stranger)
        assert SECRET not in text, (operation.method, operation.path)
        if "{account_id}" in operation.path:
            assert status == 403, (operation.method, operation.path)
        elif "{" in operation.path:
            assert status == 404, (operation.method, operation.path, status, text)
        elif status < 300 and operation.method != "GET":
            made.append(operation.path)  # his own
    after = await everything(house)
    tables = {path.split("/")[2] for path in made}
    renamed = {"fax_applications": "applications", "phone_numbers": "numbers"}
    touched = {renamed.get(name, name) for name in tables} | ({"audit", "revisions"} if made else set())
    touched.add("secrets")  # the key of our links is made when it is first needed
    for name, rows in before.items():
        if name not in touched:
            assert after[name] == rows, name
        elif name not in {"audit", "revisions"}:
            assert [row for row in after[name] if row in rows] == rows, name


async def test_my_ids_are_unknown_under_another_account(house: House) -> None:
    mine = await estate(house, "a.example", "+12025550171")
    other, stranger = await house.account("b.example")
    before = await everything(house)
    for operation in operations(house):
        if operation.path.count("{") < 2:
            continue
        status, text = await call(house, operation, mine.path(operation, other), stranger)
        assert (operation.method, operation.path, status) == (operation.method, operation.path, 404)
        assert SECRET not in text
    assert await everything(house) == before


async def test_a_child_does_not_act_for_its_parent(house: House) -> None:
    mine = await estate(house, "a.example", "+12025550171")
    _, child = await house.account("b.example", parent=mine.account.id)
    before = await everything(house)
    for operation in operations(house):
        if "{account_id}" in operation.path:
            status, text = await call(house, operation, mine.path(operation), child)
            assert (operation.method, operation.path, status) == (operation.method, operation.path, 403)
            assert SECRET not in text
    assert await everything(house) == before


@pytest.mark.parametrize("scope", list(Scope))
async def test_a_token_opens_what_its_scope_says_and_no_more(house: House, scope: Scope) -> None:
    mine = await estate(house, "a.example", "+12025550171")
    _, token = await house.provisioning.create_token(mine.account.id, scopes=[scope.value])
    before = await everything(house)
    for operation in operations(house):
        if operation.scope is scope:
            continue
        status, text = await call(house, operation, mine.path(operation), token)
        assert (operation.method, operation.path, status) == (operation.method, operation.path, 403)
        assert SECRET not in text
    assert await everything(house) == before


async def test_the_owner_sees_what_the_others_do_not(house: House) -> None:
    """So that the tests above do not pass because nothing is there."""
    mine = await estate(house, "a.example", "+12025550171")
    for operation in operations(house):
        if operation.method == "GET" and "webhook" not in operation.path:
            status, _ = await call(house, operation, mine.path(operation), mine.token)
            assert (operation.path, status) == (operation.path, 200)
