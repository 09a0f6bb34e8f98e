"""Faxes in Kazoo's folders: each is where its state puts it, in the words of the documentation, and nowhere else."""

import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.audit import Action
from gateway.dialects import kazoo
from gateway.fax import Direction, Fax, State
from gateway.store import audit, fax_lists, faxes
from gateway.store.database import Asked, Tx
from gateway.store.paging import Stretch
from gateway.store.plan import Plan
from tests.integration.kazoo_house import a_fax, ask, keep
from tests.integration.web_house import AT, House, opened

FOLDERS = ("outgoing", "outbox", "incoming", "inbox")
OUT = [state for state in State if state not in {State.RECEIVING, State.PROCESSING, State.RECEIVED}]
IN = [State.RECEIVING, State.PROCESSING, State.RECEIVED, State.FAILED]


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with opened(database_url, tmp_path) as house:
        yield house


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path) as house:
        yield house


def faxes_of(account: Any, *more: str) -> str:
    return "/".join([f"/v2/accounts/{account.id.hex}/faxes", *more])


def everywhere(account: Any) -> list[Fax]:
    return [a_fax(account.id, state) for state in OUT] + [a_fax(account.id, state, Direction.INBOUND) for state in IN]


async def test_every_state_is_in_one_folder_under_its_word(house: House) -> None:
    account, token = await house.account("a.example")
    found = everywhere(account)
    await keep(house, *found)
    seen: dict[str, tuple[str, str | None]] = {}
    for folder in FOLDERS:
        status, envelope = await ask(house, faxes_of(account, folder), token)
        assert (status, envelope["page_size"]) == (200, len(envelope["data"]))
        for row in envelope["data"]:
            assert row["id"] not in seen
            seen[row["id"]] = (folder, row.get("status"))
            assert (row["to"], row["from"], row["created"]) == (
                "+12025550123",
                "+12025550100",
                kazoo.to_gregorian(AT),
            )
    want = {}
    for fax in found:
        place = kazoo.place_of(fax.direction, fax.state)
        want[kazoo.fax_id(fax)] = (place.folder, place.status or None)
    assert seen == want


async def test_pages_that_are_ready_are_told_while_the_others_are_made(house: House) -> None:
    account, token = await house.account("a.example")
    fax = a_fax(account.id, State.PREPARING)
    await keep(house, fax)
    path, own = faxes_of(account, "outgoing"), kazoo.fax_id(fax)
    for done in (None, 100, 200):
        told: dict[str, Any] = {"pages_done": done, "pages_to_do": 300 if done else None}
        assert await house.db.write(partial(faxes.change, fax_id=fax.id, when=[State.PREPARING], **told))
        _, listed = await ask(house, path, token)
        _, single = await ask(house, f"{path}/{own}", token)
        for shown in (listed["data"][0], single["data"]):
            assert (shown.get("pages_done"), shown.get("pages_to_do")) == (done, 300 if done else None)


async def test_a_fax_is_found_by_its_id_where_it_is_and_where_it_was_followed(house: House) -> None:
    account, token = await house.account("a.example")
    found = everywhere(account)
    await keep(house, *found)
    for fax in found:
        own = kazoo.place_of(fax.direction, fax.state).folder
        followed = "outgoing" if fax.direction is Direction.OUTBOUND else "incoming"
        for folder in FOLDERS:
            for written in (fax.id.hex, str(fax.id), kazoo.dated_id(fax.id, fax.created_at)):
                status, envelope = await ask(house, faxes_of(account, folder, written), token)
                assert status == (200 if folder in {own, followed} else 404), (folder, fax.state)
            if status == 200 and folder == "outgoing":
                assert envelope["data"]["id"] == fax.id.hex
            elif status == 200:
                assert envelope["data"]["id"] == kazoo.dated_id(fax.id, AT)
            else:
                assert envelope["message"] == "bad_identifier"


async def test_a_queued_fax_looks_as_documented(lite: House) -> None:
    account, token = await lite.account("a.example")
    fax = a_fax(account.id, State.QUEUED, from_name="Test Fax", to_name="To Name")
    await keep(lite, fax)
    _, envelope = await ask(lite, faxes_of(account, "outgoing", fax.id.hex), token)
    nothing = {"error_message": "", "fax_bad_rows": 0, "fax_error_correction": False, "fax_receiver_id": ""}
    assert envelope["data"]["tx_result"] == {
        **nothing,
        "fax_speed": 0,
        "pages_sent": 0,
        "success": False,
        "time_elapsed": 0,
    }
    documented = {"attempts": 0, "delivered": "undefined", "fax_timezone": "undefined", "retries": 3}
    assert envelope["data"].items() >= (documented | {"from_name": "Test Fax", "to_name": "To Name"}).items()
    assert {"revision", "request_id", "auth_token"} <= envelope.keys()


@pytest.mark.parametrize(
    ("changes", "code", "text", "cause"),
    [
        ({"state": State.DELIVERED, "pages_sent": 3}, 0, "OK", "NORMAL_CLEARING"),
        ({"state": State.FAILED, "failure_reason": "user_busy"}, 486, "USER_BUSY", "USER_BUSY"),
        (
            {"state": State.FAILED, "failure_reason": "receiver_call_dropped", "pages_sent": 1},
            49,
            "The call dropped prematurely",
            "NORMAL_CLEARING",
        ),
        (
            {
                "state": State.FAILED,
                "failure_reason": "file_download_failed",
                "failure_text": "could not retrieve file, HTTP response 404",
            },
            0,
            "could not retrieve file, HTTP response 404",
            "",
        ),
        ({"state": State.CANCELED, "failure_reason": "canceled"}, 487, "canceled", "ORIGINATOR_CANCEL"),
        ({"state": State.FAILED, "failure_reason": "never_heard_of"}, 500, "NORMAL_TEMPORARY_FAILURE", None),
        ({"state": State.QUEUED, "failure_reason": "user_busy", "tries": 1}, 486, "USER_BUSY", "USER_BUSY"),
    ],
)
async def test_a_result_has_both_families_of_names(
    lite: House, changes: dict[str, Any], code: int, text: str, cause: str | None
) -> None:
    account, token = await lite.account("a.example")
    fax = a_fax(account.id, **changes)
    await keep(lite, fax)
    _, envelope = await ask(lite, faxes_of(account, "outgoing", fax.id.hex), token)
    told = envelope["data"]["tx_result"]
    assert (told["result_code"], told["result_text"]) == (code, text)
    assert cause in {None, told["result_cause"]}
    success = fax.state is State.DELIVERED
    assert (told["success"], bool(told["error_message"])) == (success, not success)
    sent = fax.pages_sent or 0
    assert (told["pages_sent"], told["transferred_pages"], told["total_pages"]) == (sent, sent, 3)
    assert told["time_elapsed"] == (0 if fax.state is State.QUEUED else 75)


async def test_a_received_fax_has_its_own_words(lite: House) -> None:
    account, token = await lite.account("a.example")
    about = {"caller_id": "Dr. Who", "carrier_fax_id": "f-1", "media_type": "image/tiff", "partial": True}
    fax = a_fax(account.id, State.RECEIVED, Direction.INBOUND, **about)
    await keep(lite, fax)
    _, envelope = await ask(lite, faxes_of(account, "inbox", kazoo.fax_id(fax)), token)
    shown = envelope["data"]
    assert shown["name"] == "fax message received at 2026-11-01 12:00:00 UTC"
    assert (shown["from_name"], shown["call_id"], shown["media_type"]) == ("Dr. Who", "f-1", "tiff")
    assert (shown["rx_result"]["success"], shown["rx_result"]["result_text"]) == (True, "partial pages received")
    assert "status" not in shown
    assert shown["_read_only"] == {"created": kazoo.to_gregorian(AT)}


async def test_the_lists_of_a_faxbox_hold_its_faxes_alone(house: House) -> None:
    account, token = await house.account("a.example")
    one, two = [await house.provisioning.create_faxbox(account.id, {"name": name}) for name in ("one", "two")]
    mine = a_fax(account.id, State.DELIVERED, faxbox_id=one.id)
    await keep(house, mine, a_fax(account.id, State.DELIVERED, faxbox_id=two.id), a_fax(account.id, State.DELIVERED))
    base = f"/v2/accounts/{account.id.hex}/faxboxes"
    _, envelope = await ask(house, f"{base}/{one.id.hex}/faxes/outbox", token)
    assert [row["id"] for row in envelope["data"]] == [kazoo.fax_id(mine)]
    assert envelope["data"][0]["faxbox_id"] == one.id.hex
    for box, expected in ((one, 200), (two, 404)):
        path = f"{base}/{box.id.hex}/faxes/outbox/{kazoo.fax_id(mine)}"
        assert (await ask(house, path, token))[0] == expected
    _, envelope = await ask(house, f"{base}/{'0' * 32}/faxes/outbox", token)
    assert envelope["message"] == "bad_identifier"
    _, envelope = await ask(house, faxes_of(account, f"outbox?filter_faxbox_id={two.id.hex}"), token)
    assert [row["faxbox_id"] for row in envelope["data"]] == [two.id.hex]


async def test_a_walk_through_the_pages_meets_every_fax_once_whatever_comes_in_between(house: House) -> None:
    account, token = await house.account("a.example")
    found = [a_fax(account.id, State.DELIVERED, created_at=AT + timedelta(seconds=n // 3)) for n in range(25)]
    await keep(house, *found)
    seen: list[str] = []
    key = ""
    while True:
        status, envelope = await ask(house, faxes_of(account, f"outbox?page_size=4&start_key={key}"), token)
        assert status == 200
        seen += [row["id"] for row in envelope["data"]]
        await keep(house, a_fax(account.id, State.DELIVERED, created_at=AT + timedelta(hours=1)))
        if not (key := envelope.get("next_start_key", "")):
            break
    ordered = sorted(found, key=lambda fax: (fax.created_at, fax.id), reverse=True)
    assert seen == [kazoo.fax_id(fax) for fax in ordered]


async def test_who_looked_at_a_fax_is_in_the_audit_trail(house: House) -> None:
    account, _ = await house.account("a.example")
    token, secret = await house.provisioning.create_token(account.id)
    fax = a_fax(account.id, State.RECEIVED, Direction.INBOUND)
    await keep(house, fax)
    await ask(house, faxes_of(account, "inbox", fax.id.hex), secret)
    (line,) = await audit.page(house.db, fax_id=fax.id)
    assert (line.action, line.actor, line.account_id) == (Action.VIEWED.value, str(token.id), account.id)


async def test_the_lists_are_read_by_their_index_without_sorting(lite: House) -> None:
    account, _ = await lite.account("a.example")
    stretches = (Stretch(50), Stretch(50, (AT, account.id)), Stretch(50, None, AT, AT), Stretch(50, ascending=True))
    wanted: list[tuple[str, Asked]] = [(name, (fax_lists.length(name, account.id), {})) for name in FOLDERS]
    for name, stretch, asked in itertools.product(FOLDERS, stretches, (fax_lists.places, fax_lists.whole)):
        wanted.append((name, asked(name, account.id, stretch)))
    for name, (statement, values) in wanted:
        plan = Plan(statement)

        def explained(tx: Tx, plan: Plan = plan, values: Any = values) -> str:
            found = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {plan.sql}", plan.parameters(values))
            return " ".join(row[3] for row in found)

        said = await lite.db.write(explained)
        assert f"ix_faxes_{name}" in said
        assert "B-TREE" not in said


async def test_a_row_follows_its_fax(house: House) -> None:
    account, token = await house.account("a.example")
    fax = a_fax(account.id, State.QUEUED)
    await keep(house, fax)
    for state, status in ((State.CALLING, "processing"), (State.QUEUED, "pending")):
        for _ in range(2):
            assert await house.db.write(partial(faxes.change, fax_id=fax.id, when=list(State), state=state))
            _, envelope = await ask(house, faxes_of(account, "outgoing"), token)
            assert [row["status"] for row in envelope["data"]] == [status]
    await house.db.write(lambda tx: faxes.erase(tx, fax.id))
    _, envelope = await ask(house, faxes_of(account, "outgoing"), token)
    assert envelope["data"] == []
