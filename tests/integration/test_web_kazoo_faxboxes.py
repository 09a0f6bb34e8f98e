"""Kazoo's faxboxes over HTTP: every field comes back, what is wrong is named, and a new one works for mail at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.account import Account
from gateway.intake.routing import Routing
from gateway.store import audit
from tests.integration.kazoo_house import ask
from tests.integration.web_house import House, opened

#: Every field of Kazoo's schema, and one of a client's own.
WHOLE: dict[str, Any] = {
    "name": "Ward 3",
    "caller_name": "St. Mary",
    "caller_id": "+12025550100",
    "fax_header": "St. Mary's Hospital",
    "fax_identity": "+1 202 555 0100",
    "fax_timezone": "Europe/Dublin",
    "retries": 3,
    "attempts": 0,
    "custom_smtp_email_address": "ward3.example",
    "smtp_permission_list": ["a@a.example", r".*@ward\.example"],
    "flags": ["fax"],
    "media": {"fax_option": True},
    "notifications": {
        "inbound": {
            "email": {"send_to": "one@a.example"},
            "sms": {"send_to": ["+12025550199"]},
            "callback": {"url": "https://a.example/in", "method": "post", "type": "json"},
        },
        "outbound": {"email": {"send_to": ["one@a.example", "two@a.example"]}},
    },
    "owner_id": "31d28cbf10d2408a8d2d4f4b4d6f8d67",
    "colour": {"of": ["the", "door"]},
}


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with opened(database_url, tmp_path) as house:
        yield house


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path) as house:
        yield house


def boxes_of(account: Account) -> str:
    return f"/v2/accounts/{account.id.hex}/faxboxes"


async def made(house: House, account: Account, token: str, **fields: Any) -> dict[str, Any]:
    status, envelope = await ask(house, boxes_of(account), token, "PUT", json={"data": {"name": "box", **fields}})
    assert status == 201, envelope
    data: dict[str, Any] = envelope["data"]
    return data


async def test_every_field_comes_back_and_those_that_are_not_known_are_kept(house: House) -> None:
    account, token = await house.account("a.example")
    box = await made(house, account, token, **WHOLE)
    assert {name: box[name] for name in WHOLE} == WHOLE
    assert box["smtp_email_address"].endswith(".fax.example.com")
    status, envelope = await ask(house, f"{boxes_of(account)}/{box['id']}", token)
    assert (status, envelope["data"]) == (200, box)
    assert envelope["metadata"] == {"custom_smtp_address": box["smtp_email_address"]}
    (row,) = await house.rows("faxboxes")
    assert row["permit"] == WHOLE["smtp_permission_list"]
    assert row["inbound_emails"] == ["one@a.example"]
    assert row["outbound_emails"] == ["one@a.example", "two@a.example"]


async def test_a_patch_changes_what_it_names_and_a_post_everything(house: House) -> None:
    account, token = await house.account("a.example")
    box = await made(house, account, token, **WHOLE)
    path = f"{boxes_of(account)}/{box['id']}"
    some = {"custom": "value", "colour": None, "media": {"more": 1}, "fax_identity": None, "id": "other"}
    status, envelope = await ask(house, path, token, "PATCH", json={"data": some})
    want = {name: value for name, value in box.items() if name not in {"colour", "fax_identity"}}
    assert (status, envelope["data"]) == (200, want | {"custom": "value", "media": {"fax_option": True, "more": 1}})
    status, envelope = await ask(house, path, token, "POST", json={"data": {"name": "bare", "retries": "2"}})
    assert status == 200
    bare = {"id": box["id"], "smtp_email_address": box["smtp_email_address"], "name": "bare", "retries": 2}
    empty = {"attempts": 0, "flags": [], "media": {}, "smtp_permission_list": [], "notifications": {}}
    assert envelope["data"] == bare | empty
    (row,) = await house.rows("faxboxes")
    assert (row["caller_id"], row["inbound_emails"], row["custom_host"]) == ("", [], None)


async def test_who_writes_back_the_shown_retries_has_not_asked_for_one_try(lite: House) -> None:
    account, token = await lite.account("a.example")
    box = await made(lite, account, token)
    path = f"{boxes_of(account)}/{box['id']}"
    assert box["retries"] == 1
    for method, data, tries in (
        ("PATCH", {"caller_name": "x"}, None),
        ("POST", box, None),
        ("PATCH", {"retries": 1}, 1),
        ("POST", box, 1),
        ("PATCH", {"retries": None}, None),
    ):
        _, envelope = await ask(lite, path, token, method, json={"data": data})
        assert envelope["data"]["retries"] == 1
        assert [row["retries"] for row in await lite.rows("faxboxes")] == [tries], (method, data)


async def test_patches_of_different_fields_at_once_are_both_kept(house: House) -> None:
    account, token = await house.account("a.example")
    box = await made(house, account, token)
    path = f"{boxes_of(account)}/{box['id']}"
    names = [f"field{number}" for number in range(8)]
    await asyncio.gather(*(ask(house, path, token, "PATCH", json={"data": {name: 1}}) for name in names))
    _, envelope = await ask(house, path, token)
    assert envelope["data"].keys() >= set(names)


async def test_a_new_faxbox_takes_mail_at_once(house: House) -> None:
    account, token = await house.account("a.example")
    box = await made(house, account, token, smtp_permission_list=["a@a.example"], caller_id="2025550100")
    assert box["caller_id"] == "+12025550100"
    routing = await Routing.load(house.db)
    found = routing.route(f"12025550123@{box['smtp_email_address']}")
    assert routing.choose("a@a.example", found).id.hex == box["id"]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": None}, {"name": "required"}),
        ({"name": ""}, {"name": "minLength"}),
        ({"name": "x" * 129}, {"name": "maxLength"}),
        ({"retries": 7}, {"retries": "maximum"}),
        ({"retries": -1, "flags": "x"}, {"retries": "minimum", "flags": "type"}),
        ({"retries": "many"}, {"retries": "type"}),
        ({"smtp_permission_list": ["("]}, {"smtp_permission_list": "wrong_format"}),
        ({"caller_id": "bedside"}, {"caller_id": "wrong_format"}),
        ({"fax_timezone": "Mars/Olympus"}, {"fax_timezone": "wrong_format"}),
        ({"custom_smtp_email_address": "no host"}, {"custom_smtp_email_address": "wrong_format"}),
        (
            {"notifications": {"inbound": {"email": {"send_to": "nobody"}}}},
            {"notifications.inbound.email.send_to": "wrong_format"},
        ),
        ({"notifications": {"inbound": {"email": {"send_to": 5.5}}}}, {}),
        (
            {"notifications": {"outbound": {"callback": {"url": "ftp://x"}}}},
            {"notifications.outbound.callback.url": "pattern"},
        ),
    ],
)
async def test_what_is_wrong_is_named_by_its_path_and_its_rule(
    lite: House, fields: dict[str, Any], problem: dict[str, str]
) -> None:
    account, token = await lite.account("a.example")
    wanted = {name: value for name, value in {"name": "box", **fields}.items() if value is not None}
    status, envelope = await ask(lite, boxes_of(account), token, "PUT", json={"data": wanted})
    assert (status, envelope["error"], envelope["message"]) == (400, "400", "validation failed")
    told = {path: next(iter(rules)) for path, rules in envelope["data"].items()}
    assert told == problem if problem else told
    assert all(rule["message"] for rules in envelope["data"].values() for rule in rules.values())
    assert await lite.count("faxboxes") == 0


async def test_a_custom_host_has_one_owner_and_a_number_one_account(house: House) -> None:
    mine, token = await house.account("a.example")
    other, other_token = await house.account("b.example")
    my_application = next(row["id"] for row in await house.rows("applications") if row["account_id"] == mine.id)
    await house.provisioning.assign_number("+12025550177", my_application)
    await made(house, mine, token, custom_smtp_email_address="Fax.One.example", caller_id="+12025550177")
    foreign = {"data": {"name": "x", "caller_id": "+12025550177"}}
    status, envelope = await ask(house, boxes_of(other), other_token, "PUT", json=foreign)
    assert (status, list(envelope["data"])) == (400, ["caller_id"])
    taken = {"data": {"name": "x", "custom_smtp_email_address": "fax.one.example"}}
    status, envelope = await ask(house, boxes_of(other), other_token, "PUT", json=taken)
    unique = {"unique": {"message": "email address must be unique"}}
    assert (status, envelope["data"]) == (400, {"custom_smtp_email_address": unique})
    assert await house.count("faxboxes") == 1


async def test_a_deleted_faxbox_is_gone_unless_a_number_leads_to_it(house: House) -> None:
    account, token = await house.account("a.example")
    box = await made(house, account, token)
    (row,) = await house.rows("faxboxes")
    await house.provisioning.assign_number("+12025550177", row["application_id"], row["id"])
    path = f"{boxes_of(account)}/{box['id']}"
    status, envelope = await ask(house, path, token, "DELETE")
    assert (status, envelope["message"]) == (409, "datastore_conflict")
    assert await house.count("faxboxes") == 1
    await house.provisioning.delete_number("+12025550177")
    status, envelope = await ask(house, path, token, "DELETE")
    assert (status, envelope["data"]["_read_only"]) == (200, {"deleted": True})
    for method in ("GET", "DELETE"):
        status, envelope = await ask(house, path, token, method)
        assert (status, envelope["message"]) == (404, "bad_identifier")


async def test_a_list_is_paged_turned_and_filtered(house: House) -> None:
    account, token = await house.account("a.example")
    names = [f"box{number}" for number in range(7)]
    for number, name in enumerate(names):
        await made(house, account, token, name=name, **({"flags": ["odd"]} if number % 2 else {"colour": {"of": "x"}}))

    async def listed(query: str) -> list[str]:
        seen: list[str] = []
        key = ""
        while True:
            _, envelope = await ask(house, f"{boxes_of(account)}?page_size=2&start_key={key}&{query}", token)
            seen += [row["name"] for row in envelope["data"]]
            assert envelope["page_size"] == len(envelope["data"]) <= 2
            if not (key := envelope.get("next_start_key", "")):
                return seen

    assert await listed("") == names[::-1]
    assert await listed("ascending=true") == names
    assert await listed("descending=false") == names
    assert await listed("filter_name=box3") == ["box3"]
    assert await listed("filter_colour.of=x&ascending=true") == names[::2]
    assert await listed("filter_not_colour.of=x&ascending=true") == names[1::2]
    assert await listed("has_key=colour&ascending=true") == names[::2]
    assert await listed("key_missing=colour&ascending=true") == names[1::2]
    assert await listed("missing_value=flags&ascending=true") == names[::2]
    assert await listed("modified_from=63000000000&modified_to=63000000001") == []


async def test_a_token_does_what_its_scopes_say(house: House) -> None:
    account, _ = await house.account("a.example")
    path = boxes_of(account)
    for scope, may_read, may_make in (("read", 200, 403), ("manage", 403, 201), ("send", 403, 403)):
        _, token = await house.provisioning.create_token(account.id, scopes=[scope])
        assert (scope, (await ask(house, path, token))[0]) == (scope, may_read)
        status, envelope = await ask(house, path, token, "PUT", json={"data": {"name": "x"}})
        assert (scope, status) == (scope, may_make)
        if status == 403:
            assert envelope["message"] == "forbidden"


async def test_changes_are_in_the_audit_trail_under_their_token(house: House) -> None:
    account, _ = await house.account("a.example")
    token, secret = await house.provisioning.create_token(account.id)
    box = await made(house, account, secret)
    path = f"{boxes_of(account)}/{box['id']}"
    await ask(house, path, secret, "PATCH", json={"data": {"caller_name": "St. Mary"}})
    await ask(house, path, secret, "DELETE")
    lines = [line for line in await audit.page(house.db) if line.subject.startswith("faxbox:")]
    assert [line.details["did"] for line in lines] == ["deleted", "updated", "created"]
    assert {(line.actor_kind, line.actor, line.peer) for line in lines} == {("token", str(token.id), "127.0.0.1")}
    assert all(line.account_id == account.id for line in lines)


async def test_a_token_may_be_in_the_envelope(lite: House) -> None:
    account, token = await lite.account("a.example")
    body = {"data": {"name": "x"}, "auth_token": token}
    assert (await ask(lite, boxes_of(account), "", "PUT", json=body))[0] == 201
    assert (await ask(lite, boxes_of(account), "", "PUT", json={**body, "auth_token": ["x"]}))[0] == 401
    assert (await ask(lite, boxes_of(account), "", "PUT", data=b"{"))[0] == 401
    proxy = {"headers": {"Authorization": "Basic of-a-proxy"}}
    assert (await ask(lite, boxes_of(account), "", "PUT", json=body, **proxy))[0] == 201


async def test_a_body_in_pieces_that_is_too_large_is_413_wherever_the_token_is(lite: House) -> None:
    account, token = await lite.account("a.example")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield bytes(100_000)

    headers = {"Authorization": f"Bearer {token}"}
    status, envelope = await ask(lite, boxes_of(account), "", "PUT", data=pieces(), headers=headers)
    assert (status, envelope["message"]) == (413, "request_entity_too_large")


async def test_a_list_or_a_box_that_has_not_changed_is_304(lite: House) -> None:
    account, token = await lite.account("a.example")
    await made(lite, account, token)
    headers = {"X-Auth-Token": token}
    async with lite.client.get(f"{lite.origin}{boxes_of(account)}", headers=headers) as response:
        etag = response.headers["ETag"]
    async with lite.client.get(
        f"{lite.origin}{boxes_of(account)}", headers=headers | {"If-None-Match": etag}
    ) as response:
        assert (response.status, await response.read()) == (304, b"")
