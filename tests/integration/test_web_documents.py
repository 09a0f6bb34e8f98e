"""Documents for the carrier over HTTP: that a fetch is noted before a byte is served, ranges, and when it is over."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import crashpoint
from gateway.attempt import Attempt, AttemptState, Handle
from gateway.store import attempts
from gateway.web import documents
from gateway.web.connection import HttpLimits
from tests.integration.web_house import DOCUMENT, HANG, House, opened

SIZE = len(DOCUMENT)


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with opened(database_url, tmp_path) as house:
        yield house


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[House]:
    """A house on SQLite alone, for what has nothing to do with the database."""
    async with opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path) as house:
        yield house


def url(house: House, attempt: Attempt) -> str:
    return f"{house.origin}/m/{attempt.handle}"


async def status(house: House, attempt: Attempt, method: str = "GET") -> int:
    async with house.client.request(method, url(house, attempt)) as response:
        return response.status


async def test_the_document_of_an_open_attempt_is_served_whole_and_the_fetch_is_noted(house: House) -> None:
    attempt = await house.attempt()
    async with house.client.get(url(house, attempt)) as response:
        assert response.status == 200
        assert await response.read() == DOCUMENT
        assert response.headers["Content-Type"] == "application/pdf"
        assert response.headers["Content-Length"] == str(SIZE)
        assert response.headers["Accept-Ranges"] == "bytes"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["ETag"].strip('"')
        assert attempt.document_blob not in str(response.headers)
    assert await house.fetches(attempt) == 1


async def test_every_get_is_counted_and_the_first_ones_time_stays(lite: House) -> None:
    attempt = await lite.attempt(state=AttemptState.INTENT)
    assert await status(lite, attempt) == 200
    first = await attempts.fetch(lite.db, attempt.id)
    assert await status(lite, attempt) == 200
    second = await attempts.fetch(lite.db, attempt.id)
    assert first is not None
    assert second is not None
    assert (second.fetches, second.fetched_at) == (2, first.fetched_at)


async def test_the_fetch_is_committed_before_the_first_byte(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = await house.attempt()

    def die(name: str) -> None:
        assert name == "document.fetched"
        raise RuntimeError("the process ends here")

    monkeypatch.setattr(crashpoint, "reach", die)
    async with house.client.get(url(house, attempt)) as response:
        assert response.status == 500
        assert DOCUMENT[:8] not in await response.read()
    assert await house.fetches(attempt) == 1


async def test_without_the_note_nothing_is_served(house: House) -> None:
    attempt = await house.attempt()
    await house.db.migrate(lambda tx: tx.exec_driver_sql("ALTER TABLE attempts RENAME TO elsewhere"))
    for method in ("GET", "HEAD"):
        async with house.client.request(method, url(house, attempt)) as response:
            assert response.status == 503
            assert DOCUMENT[:8] not in await response.read()
    await house.db.migrate(lambda tx: tx.exec_driver_sql("ALTER TABLE elsewhere RENAME TO attempts"))
    assert await house.fetches(attempt) == 0
    assert await status(house, attempt) == 200


async def test_a_note_that_cannot_be_written_stops_the_document(lite: House, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = await lite.attempt()

    async def hang(_unit: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(lite.db, "write", hang)
    monkeypatch.setattr(documents, "PATIENCE", 0.1)
    async with lite.client.get(url(lite, attempt)) as response:
        assert response.status == 503
        assert DOCUMENT[:8] not in await response.read()


async def test_a_head_says_what_a_get_would_and_is_no_fetch(lite: House) -> None:
    attempt = await lite.attempt()
    async with lite.client.head(url(lite, attempt)) as looked:
        assert looked.status == 200
        assert looked.headers["Content-Length"] == str(SIZE)
    assert await lite.fetches(attempt) == 0
    async with lite.client.get(url(lite, attempt)) as got:
        assert got.headers["ETag"] == looked.headers["ETag"]
        assert got.headers["Content-Type"] == looked.headers["Content-Type"]


async def test_a_token_that_was_never_given_out_is_404(lite: House) -> None:
    attempt = await lite.attempt()
    media = await lite.attempt(handle_kind=Handle.MEDIA, handle="faxgate-media")
    for token in (attempt.handle[:-1], attempt.handle + "x", "x" * 65, "%00", media.handle, "a%2Fb", "-", "'"):
        for method in ("GET", "HEAD"):
            async with lite.client.request(method, f"{lite.origin}/m/{token}") as response:
                assert (token, response.status) == (token, 404)
    assert await lite.fetches(media) == 0


async def test_a_document_is_gone_when_its_attempt_has_ended(house: House) -> None:
    for state in AttemptState:
        attempt = await house.attempt(state=state)
        is_open = state in {AttemptState.INTENT, AttemptState.ACCEPTED, AttemptState.UNKNOWN}
        assert (state, await status(house, attempt, "HEAD")) == (state, 200 if is_open else 410)
        assert (state, await status(house, attempt)) == (state, 200 if is_open else 410)
        assert await house.fetches(attempt) == (1 if is_open else 0)


async def test_a_document_is_gone_when_it_was_withdrawn(house: House) -> None:
    attempt = await house.attempt(state=AttemptState.UNKNOWN, revoked_at=datetime.now(UTC))
    assert await status(house, attempt) == 410
    assert await status(house, attempt, "HEAD") == 410
    assert await house.fetches(attempt) == 0


async def test_a_document_that_is_withdrawn_between_the_look_and_the_note_is_gone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await house.attempt(state=AttemptState.UNKNOWN)
    record = attempts.record_fetch

    def withdraw_first(tx: object, token: str) -> Attempt | None:
        attempts.change(tx, attempt.id, [AttemptState.UNKNOWN], revoked_at=datetime.now(UTC))  # type: ignore[arg-type]
        return record(tx, token)  # type: ignore[arg-type]

    monkeypatch.setattr(attempts, "record_fetch", withdraw_first)
    assert await status(house, attempt) == 410
    assert await house.fetches(attempt) == 0


async def test_an_open_attempt_whose_document_was_removed_is_gone(lite: House) -> None:
    attempt = await lite.attempt()
    lite.blobs.remove(attempt.document_blob)
    assert await status(lite, attempt) == 410
    assert await status(lite, attempt, "HEAD") == 410


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-", 0, SIZE - 1),
        ("bytes=5-9", 5, 9),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
        ("bytes=-5", SIZE - 5, SIZE - 1),
        (f"bytes=-{SIZE * 2}", 0, SIZE - 1),
        ("bytes=100-999999999999", 100, SIZE - 1),
        ("BYTES=1-2", 1, 2),
        (f"bytes=262140-{262150}", 262140, 262150),
    ],
)
async def test_a_range_is_206_with_exactly_its_bytes(lite: House, asked: str, first: int, last: int) -> None:
    attempt = await lite.attempt()
    async with lite.client.get(url(lite, attempt), headers={"Range": asked}) as response:
        assert response.status == 206
        assert response.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
        assert response.headers["Content-Length"] == str(last - first + 1)
        assert await response.read() == DOCUMENT[first : last + 1]
    assert await lite.fetches(attempt) == 1


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 9}-{SIZE + 99}", "bytes=-0"])
async def test_a_range_behind_the_end_is_416_and_names_the_size(lite: House, asked: str) -> None:
    attempt = await lite.attempt()
    async with lite.client.get(url(lite, attempt), headers={"Range": asked}) as response:
        assert response.status == 416
        assert response.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("asked", ["bytes=9-5", "bytes=-", "bytes=0-1,3-4", "pages=1-2", "bytes", "", "bytes=a-b"])
async def test_what_is_no_single_range_of_bytes_is_answered_with_the_whole(lite: House, asked: str) -> None:
    attempt = await lite.attempt()
    async with lite.client.get(url(lite, attempt), headers={"Range": asked}) as response:
        assert response.status == 200
        assert await response.read() == DOCUMENT


async def test_a_range_of_another_version_of_the_document_is_answered_with_the_whole(lite: House) -> None:
    attempt = await lite.attempt()
    async with lite.client.head(url(lite, attempt)) as response:
        etag = response.headers["ETag"]
    for version, expected in ((etag, 206), ('"another"', 200), ("Sun, 01 Nov 2026 00:00:00 GMT", 200)):
        async with lite.client.get(url(lite, attempt), headers={"Range": "bytes=0-9", "If-Range": version}) as response:
            assert response.status == expected


async def test_a_document_comes_only_if_it_is_still_wanted(lite: House) -> None:
    attempt = await lite.attempt()
    async with lite.client.head(url(lite, attempt)) as response:
        etag = response.headers["ETag"]
    for name, tags, expected in (
        ("If-None-Match", etag, 304),
        ("If-None-Match", f'"another", W/{etag}', 304),
        ("If-None-Match", "*", 304),
        ("If-None-Match", '"another"', 200),
        ("If-None-Match", "no tag", 200),
        ("If-Match", etag, 200),
        ("If-Match", "*", 200),
        ("If-Match", '"another"', 412),
        ("If-Match", f"W/{etag}", 412),
    ):
        async with lite.client.get(url(lite, attempt), headers={name: tags}) as response:
            assert response.status == expected, (name, tags)
            assert await response.read() == DOCUMENT or expected != 200
            assert expected == 412 or response.headers["ETag"] == etag


async def test_the_empty_document_has_no_range(lite: House) -> None:
    attempt = await lite.attempt(document_blob=await lite.blobs.put_bytes(b""))
    async with lite.client.get(url(lite, attempt), headers={"Range": "bytes=0-"}) as response:
        assert response.status == 416
    async with lite.client.get(url(lite, attempt)) as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_other_methods_than_get_and_head_are_405(lite: House) -> None:
    attempt = await lite.attempt()
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert await status(lite, attempt, method) == 405
    assert await lite.fetches(attempt) == 0


async def test_a_client_that_leaves_in_the_middle_costs_no_error_in_the_log(
    lite: House, caplog: pytest.LogCaptureFixture
) -> None:
    attempt = await lite.attempt(document_blob=await lite.blobs.put_bytes(b"x" * 40_000_000))
    reader, writer = await lite.connect()
    writer.write(f"GET /m/{attempt.handle} HTTP/1.1\r\nHost: fax\r\n\r\n".encode())
    await asyncio.wait_for(reader.readexactly(1000), HANG)
    writer.transport.abort()
    async with asyncio.timeout(HANG):
        while lite.server.connections:
            await asyncio.sleep(0.01)
    assert [line for line in caplog.records if line.levelname in {"ERROR", "CRITICAL"}] == []
    assert await lite.fetches(attempt) == 1


async def test_a_client_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    limits = HttpLimits(write_seconds=0.3)
    async with opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path, limits) as house:
        attempt = await house.attempt(document_blob=await house.blobs.put_bytes(b"x" * 40_000_000))
        _, writer = await house.connect()
        try:
            writer.write(f"GET /m/{attempt.handle} HTTP/1.1\r\nHost: fax\r\n\r\n".encode())
            await writer.drain()
            async with asyncio.timeout(HANG):
                while not await house.fetches(attempt) or house.server.connections:
                    await asyncio.sleep(0.02)
        finally:
            writer.transport.abort()
