"""Kazoo's API over HTTP: who may ask, in which words it answers, and that no row of a list is lost or shown twice."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gateway.dialects import kazoo
from gateway.errors import Kind, refuse
from gateway.ids import new_id
from gateway.store import provision, smtplog
from gateway.store.schema import accounts
from gateway.web.kazoo import listing
from tests.integration.kazoo_house import ask
from tests.integration.web_house import AT, House, opened, record


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with opened(database_url, tmp_path) as house:
        yield house


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[House]:
    """A house on SQLite alone, for what has nothing to do with the database."""
    async with opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path) as house:
        yield house


def log_of(account: Any) -> str:
    return f"/v2/accounts/{account.id.hex}/faxes/smtplog"


# -- who may ask -------------------------------------------------------------------------------------------------------


async def test_a_token_is_read_wherever_kazoos_clients_put_it(lite: House) -> None:
    account, token = await lite.account("a.example")
    basic = [base64.b64encode(pair.encode()).decode() for pair in (f"user:{token}", f"{token}:")]
    places: list[dict[str, Any]] = [
        {"headers": {"X-Auth-Token": token}},
        {"params": {"auth_token": token}},
        *({"headers": {"Authorization": f"{scheme}{token}"}} for scheme in ("Bearer ", "bearer ", "Basic ", "")),
        *({"headers": {"Authorization": f"Basic {pair}"}} for pair in basic),
        {"headers": {"X-Auth-Token": token, "Authorization": "Bearer wrong"}},
    ]
    for place in places:
        status, envelope = await ask(lite, log_of(account), **place)
        assert (place, status, envelope.get("auth_token")) == (place, 200, token)


async def test_without_a_known_token_everything_is_the_same_401(house: House) -> None:
    account, token = await house.account("a.example")
    _, expired = await house.provisioning.create_token(account.id, lasts=timedelta(seconds=-1))
    deleted, deleted_secret = await house.provisioning.create_token(account.id)
    await house.provisioning.delete_token(deleted.id)
    headers = [
        {},
        *({"X-Auth-Token": bad} for bad in (expired, deleted_secret, token[:-1], "é", "x" * 4000)),
        *({"Authorization": bad} for bad in ("Bearer", "Basic", "Basic %%%", f"Digest {token}", "Bearer é")),
        {"X-Auth-Token": "wrong", "Authorization": f"Bearer {token}"},
    ]
    answers = []
    for path in (log_of(account), f"{log_of(account)}/{new_id().hex}", f"/v2/accounts/{uuid4().hex}/faxes/smtplog"):
        for shown in headers:
            status, envelope = await ask(house, path, headers=shown)
            answers.append((status, envelope["message"], envelope["data"]["message"]))
    assert set(answers) == {(401, "invalid_credentials", "invalid credentials")}


async def test_the_use_of_a_token_is_noted_once_an_hour_and_changes_no_routing(lite: House) -> None:
    account, token = await lite.account("a.example")
    revision = await provision.routing_revision(lite.db)
    assert (await ask(lite, log_of(account), token))[0] == 200
    (first,) = [row["last_used_at"] for row in await lite.rows("tokens")]
    assert datetime.now(UTC) - first < timedelta(minutes=5)
    assert (await ask(lite, log_of(account), token))[0] == 200
    assert [row["last_used_at"] for row in await lite.rows("tokens")] == [first]
    assert await provision.routing_revision(lite.db) == revision


async def test_accounts_do_not_see_each_other(house: House) -> None:
    mine, my_token = await house.account("a.example")
    other, other_token = await house.account("b.example")
    secret = record(other.id, subject="private")
    await house.log(secret, record(mine.id))
    for path in (log_of(other), f"{log_of(other)}/{kazoo.dated_id(secret.id, secret.at)}"):
        status, envelope = await ask(house, path, my_token)
        assert (status, envelope["message"], envelope["data"]) == (403, "forbidden", {"message": "forbidden"})
    # Nor does a foreign id become visible under one's own account.
    written = kazoo.dated_id(secret.id, secret.at)
    status, envelope = await ask(house, f"{log_of(mine)}/{written}", my_token)
    assert (status, envelope["message"]) == (404, "bad_identifier")
    assert envelope["data"] == {"message": "bad identifier", "cause": written}
    status, envelope = await ask(house, log_of(mine), my_token)
    assert (status, len(envelope["data"])) == (200, 1)
    assert (await ask(house, log_of(other), other_token))[0] == 200


async def test_a_parent_acts_for_those_below_it_and_nobody_for_those_above(house: House) -> None:
    top, top_token = await house.account("top.example")
    middle, middle_token = await house.account("middle.example", parent=top.id)
    low, low_token = await house.account("low.example", parent=middle.id)
    beside, beside_token = await house.account("beside.example", parent=top.id)
    everybody = {"top": (top, top_token), "middle": (middle, middle_token), "low": (low, low_token)}
    everybody["beside"] = (beside, beside_token)
    may = {
        (who, whose): (await ask(house, log_of(account), token))[0] == 200
        for who, (_, token) in everybody.items()
        for whose, (account, _) in everybody.items()
    }
    below = {
        "top": {"top", "middle", "low", "beside"},
        "middle": {"middle", "low"},
        "low": {"low"},
        "beside": {"beside"},
    }
    assert may == {(who, whose): whose in below[who] for who in everybody for whose in everybody}
    record_of_low = record(low.id)
    await house.log(record_of_low)
    assert (await ask(house, f"{log_of(low)}/{record_of_low.id.hex}", top_token))[0] == 200
    assert (await ask(house, f"{log_of(top)}/{record_of_low.id.hex}", top_token))[0] == 404


async def test_a_circle_of_parents_does_not_hang(house: House) -> None:
    one, _ = await house.account("one.example")
    two, token = await house.account("two.example", parent=one.id)
    await house.db.write(lambda tx: provision.alter(tx, accounts, one.id, {"parent_id": two.id}))
    assert (await ask(house, log_of(one), token))[0] == 200


async def test_an_account_that_does_not_exist_or_is_none_is_404_in_kazoos_words(lite: House) -> None:
    account, token = await lite.account("a.example")
    unknown = uuid4().hex
    status, envelope = await ask(lite, f"/v2/accounts/{unknown}/faxes/smtplog", token)
    assert (status, envelope["message"]) == (404, "bad_identifier")
    assert envelope["data"] == {"message": "bad identifier", "cause": unknown}
    for written in ("x", account.id.hex[:-1], account.id.hex + "0", "z" * 32):
        status, envelope = await ask(lite, f"/v2/accounts/{written}/faxes/smtplog", token)
        assert (status, envelope["message"]) == (404, "bad identifier")
        assert envelope["data"] == {"message": f"invalid account_id '{written}'"}
    for written in (account.id.hex.upper(), str(account.id)):
        assert (await ask(lite, f"/v2/accounts/{written}/faxes/smtplog", token))[0] == 200


# -- api_auth ----------------------------------------------------------------------------------------------------------


async def test_an_api_key_is_exchanged_for_a_token_that_opens_its_account_for_hours(house: House) -> None:
    account, api_key = await house.provisioning.create_account("A", "a.example")
    status, envelope = await ask(house, "/v2/api_auth", method="PUT", json={"data": {"api_key": api_key}})
    assert (status, envelope["data"]["account_id"]) == (201, account.id.hex)
    token = envelope["auth_token"]
    assert (await ask(house, log_of(account), token))[0] == 200
    (row,) = await house.rows("tokens")
    assert timedelta(hours=1) < row["expires_at"] - datetime.now(UTC) < timedelta(days=1)
    assert token not in str(row)


async def test_what_is_no_api_key_gets_no_token(house: House) -> None:
    account, api_key = await house.provisioning.create_account("A", "a.example")
    for wrong in ("", api_key[:-1], account.id.hex, "é"):
        body = {"data": {"api_key": wrong}}
        status, envelope = await ask(house, "/v2/api_auth", method="PUT", json=body)
        assert (wrong, status, envelope["message"]) == (wrong, 401, "invalid_credentials")
    assert await house.count("tokens") == 0


@pytest.mark.parametrize(
    ("body", "message", "data"),
    [
        (b"{", "validation failed", {"json": {"invalid": {"message": "the body is not valid JSON", "target": "body"}}}),
        (b"\xff", "validation failed", None),
        (b"[" * 100_000, "validation failed", None),
        (b"[]", "invalid request envelope", None),
        (b"{}", "invalid request envelope", None),
        (b'{"data": []}', "invalid request envelope", None),
        (
            b'{"data": {}}',
            "validation failed",
            {"api_key": {"required": {"message": "Field is required but missing"}}},
        ),
        (b'{"data": {"api_key": 1}}', "validation failed", None),
    ],
)
async def test_what_is_no_request_for_a_token_is_400(lite: House, body: bytes, message: str, data: Any) -> None:
    status, envelope = await ask(lite, "/v2/api_auth", method="PUT", data=body)
    assert (status, envelope["message"]) == (400, message)
    assert data is None or envelope["data"] == data


async def test_a_body_that_is_too_large_is_413_in_the_envelope(lite: House) -> None:
    status, envelope = await ask(lite, "/v2/api_auth", method="PUT", data=b" " * 300_000)
    assert (status, envelope["error"]) == (413, "413")
    assert "262,144 bytes" in envelope["data"]["file"]["maxSize"]["message"]


# -- the words of its answers ------------------------------------------------------------------------------------------


async def test_other_methods_are_405_in_kazoos_words(lite: House) -> None:
    account, token = await lite.account("a.example")
    paths = {log_of(account): "GET", f"{log_of(account)}/{new_id().hex}": "GET", "/v2/api_auth": "PUT"}
    for path, allowed in paths.items():
        for method in {"POST", "PUT", "PATCH", "DELETE", "GET"} - {allowed}:
            status, envelope = await ask(lite, path, token, method)
            assert (method, status, envelope["message"]) == (method, 405, "invalid_method")
            assert envelope["data"] == {"message": "method not allowed"}


async def test_a_path_that_does_not_exist_is_404_in_kazoos_words(lite: House) -> None:
    account, token = await lite.account("a.example")
    for tail in ("", f"/{account.id.hex}", f"/{account.id.hex}/faxes/nothing", f"/{account.id.hex}/faxes/smtplog/a/b"):
        status, envelope = await ask(lite, f"/v2/accounts{tail}", token)
        assert (status, envelope["message"], envelope["data"]) == (404, "not_found", {"message": "not found"})


async def test_the_clients_request_id_is_repeated_and_a_strange_one_replaced(lite: House) -> None:
    account, token = await lite.account("a.example")
    _, envelope = await ask(lite, log_of(account), token, headers={"X-Request-ID": "mine-1"})
    assert envelope["request_id"] == "mine-1"
    for strange in ("x" * 129, "a b", "é"):
        _, envelope = await ask(lite, log_of(account), token, headers={"X-Request-ID": strange})
        assert len(envelope["request_id"]) == 32


async def test_a_fault_of_ours_is_500_in_the_envelope_and_tells_nothing(
    lite: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    account, token = await lite.account("a.example")

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr(smtplog, "page", broken)
    status, envelope = await ask(lite, log_of(account), token)
    assert (status, envelope["error"]) == (500, "500")
    assert "secret" not in str(envelope)
    assert "a secret of ours" in caplog.text


async def test_a_database_that_cannot_be_reached_is_503_in_the_envelope(
    lite: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, token = await lite.account("a.example")

    async def refused(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "Connect call failed ('10.0.0.1', 5432)")

    monkeypatch.setattr(smtplog, "page", refused)
    status, envelope = await ask(lite, log_of(account), token)
    assert (status, envelope["message"]) == (503, "datastore_unreachable")
    assert "10.0.0.1" not in str(envelope)


async def test_a_database_that_is_closing_is_503(lite: House, monkeypatch: pytest.MonkeyPatch) -> None:
    _, api_key = await lite.provisioning.create_account("A", "a.example")

    async def closing(*_: object) -> None:
        raise refuse(Kind.SHUTTING_DOWN, "the gateway is shutting down; try again in a minute")

    monkeypatch.setattr(lite.db, "write", closing)
    status, envelope = await ask(lite, "/v2/api_auth", method="PUT", json={"data": {"api_key": api_key}})
    assert (status, envelope["message"]) == (503, "datastore_unreachable")
    assert envelope["data"] == {"message": "the gateway is shutting down; try again in a minute"}


# -- the smtplog -------------------------------------------------------------------------------------------------------


async def test_a_record_is_shown_as_a_row_and_in_full(house: House) -> None:
    account, token = await house.account("a.example")
    refused = record(account.id, errors=["550 5.7.1 no", "554 5.5.1 no"], reply="554 5.5.1 no")
    await house.log(refused)
    identity = kazoo.dated_id(refused.id, refused.at)
    _, envelope = await ask(house, log_of(account), token)
    assert envelope["data"] == [
        {
            "id": identity,
            "from": "alice@example.org",
            "to": "2025550123@fax.example.com",
            "error": "550 5.7.1 no",
            "created": kazoo.to_gregorian(AT),
        }
    ]
    assert envelope["page_size"] == 1
    assert "next_start_key" not in envelope
    assert envelope["revision"]
    _, same = await ask(house, log_of(account), token, params={"start_key": envelope["start_key"]})
    assert (same["data"], same["start_key"]) == (envelope["data"], envelope["start_key"])
    for written in (identity, refused.id.hex, str(refused.id)):
        status, shown = await ask(house, f"{log_of(account)}/{written}", token)
        assert (status, shown["data"]) == (200, kazoo.smtplog_detail(refused))
        assert "page_size" not in shown


async def test_an_id_that_names_no_record_is_404(lite: House) -> None:
    account, token = await lite.account("a.example")
    await lite.log(record(None), record(account.id))
    nobodys = next(row for row in await lite.rows("smtplog") if row["account_id"] is None)
    for written in (new_id().hex, "x", "202611-x", "0" * 32, nobodys["id"].hex, "%00", "é"):
        status, envelope = await ask(lite, f"{log_of(account)}/{written}", token)
        assert (written, status, envelope["message"]) == (written, 404, "bad_identifier")


async def walk(house: House, path: str, token: str, **params: Any) -> list[list[str]]:
    """Return the ids of all pages."""
    pages: list[list[str]] = []
    while len(pages) < 300:
        status, envelope = await ask(house, path, token, params=params)
        assert status == 200
        pages.append([row["id"] for row in envelope["data"]])
        assert envelope["page_size"] == len(pages[-1])
        if "next_start_key" not in envelope:
            break
        assert envelope["next_start_key"].replace("-", "").replace("_", "").isalnum()
        params["start_key"] = envelope["next_start_key"]
    return pages


async def test_120_rows_are_paged_newest_first_without_gaps_or_doubles(house: House) -> None:
    account, token = await house.account("a.example")
    other, _ = await house.account("b.example")
    # Four rows share each moment, so that a page ends in the middle of one.
    records = [record(account.id, AT + timedelta(microseconds=number // 4)) for number in range(120)]
    await house.log(*records, *(record(other.id, one.at) for one in records[:20]))
    records.sort(key=lambda one: (one.at, one.id), reverse=True)
    expected = [kazoo.dated_id(one.id, one.at) for one in records]
    for size, lengths in ((None, [50, 50, 20]), (7, [7] * 17 + [1]), (120, [120]), (40, [40] * 3), (501, [120])):
        pages = await walk(house, log_of(account), token, **({} if size is None else {"page_size": size}))
        assert [len(page) for page in pages] == lengths
        assert [identity for page in pages for identity in page] == expected
    status, envelope = await ask(house, log_of(account), token, params={"paginate": "false"})
    assert (status, [row["id"] for row in envelope["data"]]) == (200, expected)
    assert not {"page_size", "start_key", "next_start_key"} & envelope.keys()


async def test_rows_that_come_in_between_two_pages_disturb_nothing(lite: House) -> None:
    account, token = await lite.account("a.example")
    old = [record(account.id, AT - timedelta(seconds=number)) for number in range(10)]
    await lite.log(*old)
    _, first = await ask(lite, log_of(account), token, params={"page_size": 5})
    await lite.log(*(record(account.id, AT + timedelta(seconds=number)) for number in range(1, 9)))
    key = first["next_start_key"]
    _, second = await ask(lite, log_of(account), token, params={"page_size": 5, "start_key": key})
    assert [row["id"] for row in first["data"] + second["data"]] == [kazoo.dated_id(one.id, one.at) for one in old]
    assert second["start_key"] == key
    assert "next_start_key" not in second


async def test_a_list_without_pages_that_is_too_long_is_416(lite: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_UNPAGED", 3)
    listing._understood.cache_clear()  # what an earlier request asked for with the true number
    account, token = await lite.account("a.example")
    await lite.log(*(record(account.id) for _ in range(3)))
    assert (await ask(lite, log_of(account), token, params={"paginate": "false"}))[0] == 200
    await lite.log(record(account.id))
    status, envelope = await ask(lite, log_of(account), token, params={"paginate": "false"})
    assert (status, envelope["message"]) == (416, "range not satisfiable")


async def test_a_window_of_time_includes_the_seconds_that_it_names(house: House) -> None:
    account, token = await house.account("a.example")
    moments = [datetime(2026, 11, 1, 12, 0, second, 999_999, tzinfo=UTC) for second in range(5)]
    ages_ago = datetime(2001, 1, 1, tzinfo=UTC)
    await house.log(*(record(account.id, moment) for moment in (*moments, ages_ago)))

    async def shown(**window: int) -> list[int]:
        _, envelope = await ask(house, log_of(account), token, params=window)
        return [row["created"] for row in envelope["data"]]

    first, old = kazoo.to_gregorian(moments[0]), kazoo.to_gregorian(ages_ago)
    assert await shown() == [first + 4, first + 3, first + 2, first + 1, first, old]
    assert await shown(created_from=first + 1, created_to=first + 3) == [first + 3, first + 2, first + 1]
    assert await shown(created_from=first + 3) == [first + 4, first + 3]
    assert await shown(created_to=first) == [first, old]
    assert await shown(created_from=first + 2, created_to=first + 2) == [first + 2]
    assert await shown(created_from=first + 5) == []
    window = {"created_from": first + 1, "created_to": first + 3, "page_size": 2}
    assert [len(page) for page in await walk(house, log_of(account), token, **window)] == [2, 1]


@pytest.mark.parametrize(
    ("params", "status", "message", "field"),
    [
        ({"page_size": "0"}, 404, "faulty_request", "page size must be at least 1"),
        ({"page_size": "-3"}, 404, "faulty_request", "page size must be at least 1"),
        ({"page_size": "many"}, 404, "faulty_request", "invalid page size"),
        ({"page_size": ""}, 404, "faulty_request", "invalid page size"),
        ({"page_size": "9" * 5000}, 404, "faulty_request", "invalid page size"),
        ({"page_size": "1000000000"}, 404, "faulty_request", "page size must be at most 500"),
        ({"start_key": "x"}, 400, "validation failed", "start_key"),
        ({"start_key": "é"}, 400, "validation failed", "start_key"),
        ({"start_key": "f" + "_" * 31}, 400, "validation failed", "start_key"),
        ({"created_from": "yesterday"}, 400, "validation failed", "created_from"),
        ({"created_to": "1e9"}, 400, "validation failed", "created_to"),
        ({"created_to": "9" * 18}, 400, "validation failed", "created_to"),
        ({"created_from": "63930000001", "created_to": "63930000000"}, 400, "validation failed", "date_range"),
    ],
)
async def test_a_query_that_cannot_be_understood_is_told_so(
    lite: House, params: dict[str, str], status: int, message: str, field: str
) -> None:
    account, token = await lite.account("a.example")
    found, envelope = await ask(lite, log_of(account), token, params=params)
    assert (found, envelope["message"]) == (status, message)
    assert field in str(envelope["data"])


async def test_pages_at_the_ends_of_time_are_empty_and_no_fault(house: House) -> None:
    account, token = await house.account("a.example")
    await house.log(record(account.id))
    for at in (datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)):
        key = listing.key_of((at, new_id()))
        assert listing.position(key)[0] == at
        assert (await ask(house, log_of(account), token, params={"start_key": key}))[0] == 200
        window = {"created_from": kazoo.to_gregorian(at)}
        assert (await ask(house, log_of(account), token, params=window))[0] == 200
