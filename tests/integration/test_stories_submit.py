"""A request becomes a fax: of files that came with it, of files behind URLs, of files that are here already."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.errors import Kind, Refusal
from gateway.fax import Direction, Fax, Origin, State
from gateway.intake.submit import Kept, Remote, Submission, Supplied
from gateway.outbox import COLLECT, PREPARE, TRANSMIT, collect
from gateway.outbox.policy import FETCHES_OF_HOST
from gateway.store import schema
from gateway.store.database import Tx
from gateway.web.server import HttpServer
from tests import samples
from tests.integration.engines import ENGINES, rows, store, until
from tests.integration.house import NUMBER, OFFICE, House, built
from tests.integration.receiver import receiving


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


class Shelf:
    """A web server with documents; it answers what the test puts on it, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.asked: list[tuple[str, str, str, str]] = []
        app = web.Application()
        app.router.add_route("*", "/{name}", self._answer)
        self.server = HttpServer(app, "127.0.0.1:0")

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.asked.append((request.method, request.headers["Host"], request.headers.get("Referer", ""), body))
        return self.answers.pop(0)

    def url(self, name: str) -> str:
        host, port = self.server.address
        return f"http://{host}:{port}/{name}"


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    shelf = Shelf()
    await shelf.server.start()
    yield shelf
    await shelf.server.stop(1.0)


def wish(house: House, **changes: Any) -> Submission:
    facts: dict[str, Any] = {
        "account_id": house.account.id,
        "application_id": house.application.id,
        "origin": Origin.KAZOO,
        "to": NUMBER,
        "from_number": OFFICE,
    }
    return Submission(**(facts | changes))


def supplied(house: House, data: bytes, name: str = "") -> Supplied:
    spool = house.blobs.spool()
    spool.write(data)
    return Supplied(spool, name=name)


def found(data: bytes, content_type: str = "application/pdf") -> web.Response:
    return web.Response(body=data, content_type=content_type)


async def sent(house: House, fax: Fax) -> Fax:
    """See a fax through to its end."""
    await house.drain(COLLECT, PREPARE, TRANSMIT)
    await house.hear()
    return await house.fax(fax.id)


async def test_files_that_came_with_the_request_are_one_fax_in_their_order(house: House) -> None:
    files = [supplied(house, samples.pdf(2), "first.pdf"), supplied(house, samples.pdf(1), "second.pdf")]
    fax = await house.submit.take(wish(house, to="(202) 555-0142", extra={"mine": [1]}), files)
    assert (fax.state, fax.to_number, fax.to_written, fax.extra) == (
        State.PREPARING,
        NUMBER,
        "(202) 555-0142",
        {"mine": [1]},
    )
    assert fax.delay_at == fax.created_at + house.policy.delay_notice
    done = await sent(house, fax)
    assert (done.state, done.pages, done.direction) == (State.DELIVERED, 3, Direction.OUTBOUND)
    assert [each.pages for each in house.sent()] == [3]


async def test_a_document_behind_a_url_is_fetched_as_it_was_asked_for(house: House, shelf: Shelf) -> None:
    shelf.answers = [found(samples.pdf(1)), found(samples.pdf(2))]
    asked = Remote(shelf.url("a"), "post", "give me", {"Host": "docs.example", "Referer": "https://acme.example/"})
    done = await sent(house, await house.submit.take(wish(house), [asked, Remote(shelf.url("b"))]))
    assert (done.state, done.pages) == (State.DELIVERED, 3)
    assert shelf.asked[0] == ("POST", "docs.example", "https://acme.example/", "give me")
    assert shelf.asked[1][0] == "GET"


async def test_what_the_server_refuses_for_good_ends_the_fax_at_once(house: House, shelf: Shelf) -> None:
    shelf.answers = [web.Response(status=404)]
    fax = await house.submit.take(wish(house), [Remote(shelf.url("gone"))])
    await house.drain(COLLECT)
    failed = await house.fax(fax.id)
    assert (failed.state, failed.failure_reason) == (State.FAILED, "file_download_failed")
    assert failed.failure_text == "could not retrieve file, HTTP response 404"
    assert await house.jobs() == []


async def test_trouble_that_passes_is_tried_again_and_what_is_here_not_fetched_again(
    house: House, shelf: Shelf
) -> None:
    shelf.answers = [found(samples.pdf(1)), web.Response(status=503), found(samples.pdf(1))]
    fax = await house.submit.take(wish(house), [Remote(shelf.url("a")), Remote(shelf.url("b"))])
    assert await house.step(COLLECT) == 1
    assert (await house.fax(fax.id)).state is State.PREPARING
    assert (await sent(house, fax)).state is State.DELIVERED
    assert len(shelf.asked) == 3


async def test_the_documents_of_a_fax_together_may_be_as_large_as_one(
    house: House, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = samples.pdf(1)
    monkeypatch.setattr(collect, "MAX_BYTES", 2 * len(document) - 1)
    shelf.answers = [found(document), web.Response(status=503), found(document)]
    fax = await house.submit.take(wish(house), [Remote(shelf.url("a")), Remote(shelf.url("b"))])
    await house.step(COLLECT)
    assert (await house.fax(fax.id)).state is State.PREPARING
    await house.step(COLLECT)
    failed = await house.fax(fax.id)
    assert (failed.state, failed.failure_reason) == (State.FAILED, "file_size_limit_exceeded")


async def test_a_server_that_stays_down_ends_the_fax_after_four_tries(house: House, shelf: Shelf) -> None:
    shelf.answers = [web.Response(status=503) for _ in range(9)]
    fax = await house.submit.take(wish(house), [Remote(shelf.url("a"))])
    await house.drain(COLLECT)
    failed = await house.fax(fax.id)
    assert (failed.state, failed.failure_text) == (State.FAILED, "could not retrieve file, HTTP response 503")
    assert len(shelf.asked) == 4


@pytest.mark.parametrize("url", ["http://10.0.0.1/a.pdf", "http://[::1]:1/a.pdf", "ftp://acme.example/a.pdf"])
async def test_a_private_address_is_not_asked(house: House, url: str) -> None:
    fax = await house.submit.take(wish(house), [Remote(url)])
    await house.drain(COLLECT)
    failed = await house.fax(fax.id)
    assert failed.state is State.FAILED
    assert failed.failure_text.startswith("could not retrieve file: ")


async def test_a_host_that_hangs_delays_its_own_documents_only(house: House, shelf: Shelf) -> None:
    async with receiving() as hanging:
        hanging.open.clear()
        for index in range(12):
            await house.submit.take(wish(house), [Remote(hanging.url(f"/{index}"), "post", "please")])
        shelf.answers.append(web.Response(body=samples.pdf(1)))
        elsewhere = shelf.url("a.pdf").replace("127.0.0.1", "localhost")
        quick = await house.submit.take(wish(house), [Remote(elsewhere)])
        async with house.working():

            async def fetched() -> bool:
                return "blob" in (await house.fax(quick.id)).documents[0]

            await until(fetched, "the document of the other host")
            assert len(hanging.taken) <= FETCHES_OF_HOST
            hanging.open.set()

            async def all_asked() -> bool:
                return len({taken.path for taken in hanging.taken}) == 12

            await until(all_asked, "the documents of the one that hung")
    assert (await house.fax(quick.id)).state is not State.FAILED


async def test_a_kept_blob_is_shared(house: House) -> None:
    blob = await house.blobs.put_bytes(samples.pdf(1))
    fax = await house.submit.take(wish(house), [Kept(blob, "application/pdf")])
    assert [(row["blob"], row["owner"]) for row in await rows(house.db, schema.shares)] == [(blob, str(fax.id))]
    assert (await sent(house, fax)).state is State.DELIVERED


@pytest.mark.parametrize(
    ("changes", "data", "kind"),
    [
        ({"to": "12"}, samples.pdf(1), Kind.NUMBER_INVALID),
        ({"to": "+442079460000"}, samples.pdf(1), Kind.DESTINATION_NOT_ALLOWED),
        ({"application_id": 4711}, samples.pdf(1), Kind.NOT_FOUND),
        ({}, b"PK\x03\x04 no document", Kind.DOCUMENT_BROKEN),
    ],
)
async def test_what_cannot_be_a_fax_is_refused_and_leaves_nothing(
    house: House, changes: dict[str, Any], data: bytes, kind: Kind
) -> None:
    file = supplied(house, data)
    with pytest.raises(Refusal) as refused:
        await house.submit.take(wish(house, **changes), [file])
    assert refused.value.reason.kind is kind
    assert await rows(house.db, schema.faxes) == []
    assert await house.jobs() == []
    assert file.spool.file.closed
    assert not house.blobs.path(file.spool.key).exists()


async def test_an_inactive_application_sends_nothing(house: House) -> None:
    await house.provisioning.update_application(house.application.id, {"active": False})
    with pytest.raises(Refusal) as refused:
        await house.submit.take(wish(house), [supplied(house, samples.pdf(1))])
    assert refused.value.reason.kind is Kind.APPLICATION_INACTIVE


async def test_what_else_is_written_stands_or_falls_with_the_fax(house: House) -> None:
    def fail(tx: Tx, fax: Fax) -> None:
        raise RuntimeError(fax.to_number)

    with pytest.raises(RuntimeError, match="0142"):
        await house.submit.take(wish(house), [supplied(house, samples.pdf(1))], fail)
    assert await rows(house.db, schema.faxes) == []
