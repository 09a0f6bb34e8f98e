"""What a client says of a fax: in which types it comes back, what is not his to say, and JSON that means two things."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.web.body import MAX_DEPTH
from tests import samples
from tests.integration.engines import ENGINES, store
from tests.integration.house import House, built
from tests.integration.live_house import MINE, Live, live, parts

WISH = {"to_number": "+12025550142", "from_number": MINE}
#: What only the gateway says of a fax.
OURS: dict[str, Any] = {
    "status": "completed",
    "folder": "inbox",
    "created": 1,
    "delivered": 2,
    "tx_result": {"success": True},
    "rx_result": {"success": True},
    "pages": "many",
    "pages_done": 3,
    "held_reason": "limit",
    "retry_after": 4,
    "next_attempt": 5,
    "attempts_until": 6,
    "to": "x",
    "from": "y",
    "id": "z",
    "_read_only": {},
    "pvt_account_id": "a",
}


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


@pytest.fixture
async def kazoo(house: House) -> AsyncIterator[Live]:
    async with live(house) as opened:
        yield opened


async def test_what_comes_in_a_wrong_type_comes_back_in_the_right_one(kazoo: Live) -> None:
    document = {"url": kazoo.url("/2.pdf"), "content": 5, "host": None, "mine": {"a": [1, None]}}
    made = await kazoo.create(retries="2.0", to_name=7, document=document, notifications={"email": None}, mine=1.5)
    assert (made["retries"], made["to_name"], made["mine"]) == (2, "7", 1.5)
    assert made["document"] == {"url": document["url"], "method": "get", "content": "5", "mine": {"a": [1, None]}}
    await kazoo.through()
    (row,) = await kazoo.data("/outbox")
    assert (row["retries"], row["document"]) == (2, made["document"])
    again = {"action": "resubmit", "data": {"retries": "3.0", "from_name": 8}}
    new = await kazoo.data(f"/outbox/{row['id']}", "PUT", json=again)
    assert (new["retries"], new["from_name"], new["mine"]) == (3, "8", 1.5)
    none = {"action": "resubmit", "data": {"retries": None, "attempts": None, "to_name": None}}
    new = await kazoo.data(f"/outbox/{row['id']}", "PUT", json=none)
    assert (new["retries"], new["to_name"]) == (1, "")


async def test_what_is_not_the_clients_to_say_is_not_taken(kazoo: Live) -> None:
    made = await kazoo.create(**OURS)
    assert (made["status"], made["folder"], made["delivered"], made["id"] == "z") == (
        "pending",
        "outgoing",
        "undefined",
        False,
    )
    assert made["tx_result"]["success"] is False
    assert not made.keys() & (OURS.keys() - {"status", "folder", "created", "delivered", "tx_result", "id"})
    await kazoo.through()
    (sent,) = await kazoo.data("/outbox")
    assert sent["pages"] == 2
    # Who sends back what he was shown has said nothing new.
    new = await kazoo.data(f"/outbox/{sent['id']}", "PUT", json={"action": "resubmit", "data": {**sent, **OURS}})
    assert not new.keys() & {"held_reason", "retry_after", "next_attempt", "rx_result", "to", "from"}


def _nested(levels: int) -> str:
    inner = '{"a":' * levels + "1" + "}" * levels
    return json.dumps({"data": {**WISH, "mine": None}}).replace("null", inner)


#: What is written -> what is said of it.
UNCLEAR = {
    json.dumps({"data": WISH}).replace("{", '{"to_number": "+12025550143", ', 2): "says to_number twice",
    _nested(MAX_DEPTH - 1): "nested more than",
    _nested(900): "nested more than",
    '{"data": ' * 20_000: "not valid JSON",
    json.dumps({"data": {**WISH, "mine": float("nan")}}): "not valid JSON",
    json.dumps({"data": {**WISH, "mine": 1}}).replace(": 1}", ": 1e999}"): "too large",
    json.dumps({"data": {**WISH, "mine": "a\0b"}}): "NUL",
    json.dumps({"data": {**WISH, "mine": "a\ud800b"}}): "half a surrogate pair",
}


async def test_json_that_means_two_things_or_that_no_database_takes_is_refused(kazoo: Live) -> None:
    for text, told in UNCLEAR.items():
        bodies: list[tuple[str, Any]] = [
            ("/faxes", text.encode()),
            ("/faxes", parts(("application/pdf", samples.pdf(1)), ("application/json", text))),
            ("/faxboxes", text.encode()),
        ]
        for path, body in bodies:
            status, envelope = await kazoo.ask(kazoo.base.replace("/faxes", path), "PUT", data=body)
            assert (status, envelope["message"]) == (400, "validation failed"), text[:80]
            (problem,) = envelope["data"]["json"].values()
            assert told in problem["message"]
            assert problem["target"] == "body"
    assert await kazoo.data("/outgoing") == []


async def test_json_within_the_depth_is_kept_as_it_is(kazoo: Live) -> None:
    body = parts(("application/json", _nested(MAX_DEPTH - 2)), ("application/pdf", samples.pdf(1)))
    made = await kazoo.data("", "PUT", data=body)
    depth, inner = 0, made["mine"]
    while isinstance(inner, dict):
        depth, inner = depth + 1, inner["a"]
    assert depth == MAX_DEPTH - 2


async def test_a_document_that_cannot_be_faxed_is_told_as_a_field(kazoo: Live) -> None:
    for document in (b"PK\3\4 a zip", b"", samples.encrypted_pdf(), samples.broken_pdf()):
        body = parts(("application/json", {"data": WISH}), ("application/pdf", document))
        status, envelope = await kazoo.ask("", "PUT", data=body)
        assert (status, envelope["message"], list(envelope["data"])) == (400, "validation error", ["document"])
        assert envelope["data"]["document"]["invalid"]["message"]
