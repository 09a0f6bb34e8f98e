"""The carrier's webhooks over HTTP: what is kept, what is refused, and that a refusal leaves nothing behind."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import metrics
from gateway.carriers.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, TOLERANCE, public_key
from gateway.web import webhooks
from tests.integration.web_house import PUBLIC_KEY, SEED, House, event, opened, signed

OTHER_SEED = b"\x08" * 32


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with opened(database_url, tmp_path) as house:
        yield house


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[House]:
    """A house on SQLite alone, for what has nothing to do with the database."""
    async with opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path) as house:
        yield house


async def post(house: House, raw: bytes, headers: dict[str, str] | None = None) -> int:
    """Post a webhook, signed unless *headers* say otherwise; return the status."""
    headers = signed(raw) if headers is None else headers
    async with house.client.post(f"{house.origin}/webhooks/telnyx", data=raw, headers=headers) as response:
        body = await response.json()
        assert (response.status == 200) == (body == {})
        return response.status


async def nothing_kept(house: House) -> bool:
    return await house.count("events") == 0 and await house.count("jobs") == 0


def counted(result: str) -> float:
    return metrics.registry.get_sample_value("faxgate_webhooks_total", {"result": result}) or 0.0


async def test_a_signed_event_is_stored_with_its_job_and_answered_with_an_empty_object(house: House) -> None:
    before = counted("stored")
    assert await post(house, event("first")) == 200
    assert [row["id"] for row in await house.rows("events")] == ["first"]
    assert [(row["kind"], row["subject"]) for row in await house.rows("jobs")] == [("event", "first")]
    assert counted("stored") == before + 1


async def test_an_event_that_comes_again_is_answered_200_and_kept_once(house: House) -> None:
    before = counted("repeated")
    again = event("again")
    # Each try of the carrier is signed anew.
    headers = [signed(again, at=time.time() - age) for age in (2, 1, 0)]
    assert [await post(house, again, one) for one in headers] == [200, 200, 200]
    assert await post(house, again, headers[0]) == 200
    assert (await house.count("events"), await house.count("jobs")) == (1, 1)
    assert counted("repeated") == before + 3


def forged() -> dict[str, dict[str, str]]:
    """Headers that do not go with ``event()``."""
    good, now = signed(event()), int(time.time())
    return {
        "unsigned": {},
        "another key": signed(event(), seed=OTHER_SEED),
        "another body": signed(event() + b" "),
        "no timestamp": {SIGNATURE_HEADER: good[SIGNATURE_HEADER]},
        "no signature": {TIMESTAMP_HEADER: str(now)},
        "another timestamp": good | {TIMESTAMP_HEADER: str(now - 7)},
        "timestamp is no number": good | {TIMESTAMP_HEADER: "now"},
        "signature is no base64": good | {SIGNATURE_HEADER: "%%%"},
        "signature is not ascii": good | {SIGNATURE_HEADER: "é" * 40},
        "forged and stale": signed(event(), at=0, seed=OTHER_SEED),
    }


async def test_what_the_carrier_did_not_sign_is_401_and_leaves_nothing(house: House) -> None:
    before, cases = counted("forged"), forged()
    assert {name: await post(house, event(), headers) for name, headers in cases.items()} == dict.fromkeys(cases, 401)
    assert await nothing_kept(house)
    assert counted("forged") == before + len(cases)


async def test_a_valid_signature_of_another_time_is_403_and_leaves_nothing(lite: House) -> None:
    before, ages = counted("stale"), (TOLERANCE + 60, -TOLERANCE - 60, 10**9)
    assert [await post(lite, event(), signed(event(), at=time.time() - age)) for age in ages] == [403, 403, 403]
    assert await nothing_kept(lite)
    assert counted("stale") == before + 3


MALFORMED = [
    b"",
    b"{",
    b"\xff\xfe",
    b"null",
    b"[]",
    b'"text"',
    b"{}",
    b'{"data": 1}',
    b"[" * 100_000,
    b"9" * 5000,
    json.dumps({"data": {"id": "x", "event_type": "fax.failed"}}).encode(),
    event(id=""),
    event(id=None),
    event(occurred_at="yesterday"),
    event(payload="none"),
    event(payload={}),
    event("x" * 65),
    event(payload={"fax_id": "x" * 200}),
]


async def test_what_is_signed_but_no_event_is_400_and_leaves_nothing(house: House) -> None:
    before = counted("malformed")
    assert {raw[:200]: await post(house, raw) for raw in MALFORMED} == {raw[:200]: 400 for raw in MALFORMED}
    assert await nothing_kept(house)
    assert counted("malformed") == before + len(MALFORMED)


async def test_odd_text_in_an_event_does_not_stop_it_from_being_kept(house: House) -> None:
    payload = {"fax_id": "f\0ax", "direction": "outbound", "from": "\ud800", "caller_id": "\0" * 300, "to": ["+1", 2]}
    assert await post(house, event("odd", payload=payload)) == 200
    assert await post(house, event("unknown", event_type="fax.invented")) == 200
    assert await house.count("events") == 2


async def test_without_a_public_key_every_webhook_is_401(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path, public_keys=[]) as house:
        assert await post(house, event()) == 401
        assert await nothing_kept(house)


async def test_while_the_carriers_key_changes_both_are_valid(tmp_path: Path) -> None:
    async with opened(
        f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path, public_keys=["broken", public_key(OTHER_SEED), PUBLIC_KEY]
    ) as house:
        assert await post(house, event("old"), signed(event("old"), seed=SEED)) == 200
        assert await post(house, event("new"), signed(event("new"), seed=OTHER_SEED)) == 200
        assert await post(house, event("none"), signed(event("none"), seed=b"\x09" * 32)) == 401


async def test_a_body_of_256_kib_is_read_and_a_longer_one_is_413(lite: House) -> None:
    fitting = event("big", note="x" * (webhooks.MAX_BYTES - len(event("big", note=""))))
    assert len(fitting) == webhooks.MAX_BYTES
    assert await post(lite, fitting) == 200
    assert await post(lite, fitting + b" ") == 413
    assert await lite.count("events") == 1


async def test_a_body_of_unknown_length_is_cut_off_at_the_limit(lite: House) -> None:
    head = b"POST /webhooks/telnyx HTTP/1.1\r\nHost: fax\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    answer = await lite.say(head + chunk * 5)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert await nothing_kept(lite)


async def test_a_compressed_body_is_not_unpacked_before_it_is_verified(lite: House) -> None:
    bomb = gzip.compress(b"x" * 10_000_000)
    headers = signed(b"x" * 10_000_000) | {"Content-Encoding": "gzip"}
    assert await post(lite, bomb, headers) == 401


async def test_other_methods_than_post_are_405(lite: House) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
        async with lite.client.request(method, f"{lite.origin}/webhooks/telnyx") as response:
            assert (method, response.status, response.headers["Allow"]) == (method, 405, "POST")


async def test_when_the_database_fails_the_carrier_is_asked_to_come_again(house: House) -> None:
    before = counted("failed")
    await house.db.migrate(lambda tx: tx.exec_driver_sql("ALTER TABLE events RENAME TO elsewhere"))
    async with house.client.post(f"{house.origin}/webhooks/telnyx", data=event(), headers=signed(event())) as response:
        assert response.status == 503
        assert response.headers["Retry-After"]
        assert "elsewhere" not in await response.text()
    assert counted("failed") == before + 1
    await house.db.migrate(lambda tx: tx.exec_driver_sql("ALTER TABLE elsewhere RENAME TO events"))
    assert await post(house, event()) == 200


class Hanging:
    """Events on a database that never answers."""

    async def record(self, _event: object, _source: str) -> bool:
        return await asyncio.Event().wait()


async def test_a_database_that_hangs_does_not_keep_the_carrier_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "PATIENCE", 0.1)
    async with opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path, events=Hanging()) as house:
        assert await post(house, event()) == 503
