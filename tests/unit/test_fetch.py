"""Outgoing HTTP: public addresses only, no redirects, whole documents within their limits."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from gateway.fetch import Fetched, Fetcher, FetchError, TooLarge, is_public
from tests.carriers.rawserver import HANG, RESET, Answer, answer, raw_server, unused_port

LOOPBACK = ["127.0.0.0/8"]
PRIVATE = [
    "127.0.0.1",
    "localhost",
    "LOCALHOST",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[2002:7f00:1::]",
    "0.0.0.0",
    "0",
    "127.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "user:password@127.0.0.1",
    "example.com@127.0.0.1",
]


@dataclass
class Site:
    """A web server on every address of loopback."""

    port: int = 0
    reached: list[str] = field(default_factory=list)
    posted: list[tuple[bytes, str]] = field(default_factory=list)

    async def get(self, request: web.Request) -> web.Response:
        self.reached.append(request.raw_path)
        if request.path == "/away":
            raise web.HTTPFound(f"http://127.0.0.1:{self.port}/secret")
        return web.Response(body=b"0123456789", content_type="application/pdf")

    async def post(self, request: web.Request) -> web.Response:
        self.posted.append((await request.read(), request.headers["X-Signature"]))
        return web.Response(status=410)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_get("/{path:.*}", site.get)
    app.router.add_post("/hook", site.post)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.port = runner.addresses[0][1]
    yield site
    await runner.cleanup()


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    """A fetcher that may reach loopback, and nothing else that is private."""
    fetcher = Fetcher(LOOPBACK)
    yield fetcher
    await fetcher.close()


@pytest.fixture
async def strict() -> AsyncIterator[Fetcher]:
    """A fetcher as it is without settings."""
    fetcher = Fetcher()
    yield fetcher
    await fetcher.close()


def nowhere(_: bytes) -> None:
    """Where bytes go that a test does not look at."""


@pytest.mark.parametrize("host", PRIVATE)
async def test_no_spelling_of_a_private_address_is_reached(strict: Fetcher, site: Site, host: str) -> None:
    with pytest.raises(FetchError) as raised:
        await strict.fetch(f"http://{host}:{site.port}/secret", nowhere)
    with pytest.raises(FetchError):
        await strict.post(f"http://{host}:{site.port}/hook", b"", {"X-Signature": "s"})
    assert raised.value.status == 0
    assert (site.reached, site.posted) == ([], [])


async def test_a_name_that_resolves_to_a_private_address_is_told_so_without_the_address(
    strict: Fetcher, site: Site
) -> None:
    with pytest.raises(FetchError, match="localhost is not on the public internet") as raised:
        await strict.fetch(f"http://localhost:{site.port}/", nowhere)
    assert "127" not in str(raised.value)


async def test_a_redirect_is_not_followed(fetcher: Fetcher, site: Site) -> None:
    with pytest.raises(FetchError, match="redirects") as raised:
        await fetcher.fetch(f"http://127.0.0.1:{site.port}/away", nowhere)
    assert raised.value.status == 302
    assert site.reached == ["/away"]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost"])
async def test_an_allowed_network_is_reached(fetcher: Fetcher, site: Site, host: str) -> None:
    content = bytearray()
    fetched = await fetcher.fetch(f"http://{host}:{site.port}/a", content.extend)
    assert fetched == Fetched("application/pdf", 10)
    assert content == b"0123456789"


async def test_another_private_network_stays_closed(site: Site) -> None:
    other = Fetcher(["10.0.0.0/8", "::1/128"])
    with pytest.raises(FetchError):
        await other.fetch(f"http://127.0.0.1:{site.port}/a", nowhere)
    await other.close()
    assert site.reached == []


def test_a_network_that_is_none_is_a_value_error() -> None:
    with pytest.raises(ValueError):
        Fetcher(["10.0.0.0/99"])


@pytest.mark.parametrize(
    "address",
    [
        *("10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1", "0.0.0.0"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1"),
        *("::", "::1", "fe80::1", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1", "64:ff9b:1::1"),
        *("::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::", "2001:0:0:0:0:0:f5ff:fffe"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::"]
)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "/a",
        "//a/b",
        "file:///etc/passwd",
        "ftp://a/b",
        "data:,a",
        "http://",
        "http:///a",
        "http://[::1",
        "http://a:b/",
        "http://a..b/",
        "http://.a/",
        f"http://{'a' * 64}.example/",
        "http://a%3Ab:c@host/",
        "http://%E2%82%AC:c@host/",
    ],
)
async def test_what_is_no_web_address_is_refused(strict: Fetcher, url: str) -> None:
    with pytest.raises(FetchError, match="not a URL"):
        await strict.fetch(url, nowhere)
    with pytest.raises(FetchError, match="not a URL"):
        await strict.post(url, b"", {})
    assert "not a URL" in await strict.objection(url)
    assert not strict.may_reach(url)


async def test_a_signed_url_is_sent_as_it_was_written(fetcher: Fetcher, site: Site) -> None:
    await fetcher.fetch(f"http://127.0.0.1:{site.port}/a%2Fb%7e?s=%2F+%3d&x=%41", nowhere)
    await fetcher.fetch(f"http://127.0.0.1:{site.port}/ä b", nowhere)
    assert site.reached == ["/a%2Fb%7e?s=%2F+%3d&x=%41", "/%C3%A4%20b"]


async def fetch_from(*answers: Answer, limit: int | None = None, timeout: float = 60) -> tuple[Fetched, bytes]:
    """Fetch from a server that answers so."""
    content = bytearray()
    async with raw_server(*answers) as server:
        fetcher = Fetcher(LOOPBACK, max_bytes=1000, timeout=timeout)
        try:
            return await fetcher.fetch(f"{server.base_url}/a", content.extend, limit), bytes(content)
        finally:
            await fetcher.close()


async def test_the_media_type_is_told_without_its_parameters() -> None:
    fetched, _ = await fetch_from(answer(200, b"a", Content_Type="Text/HTML; charset=utf-8"))
    assert fetched.content_type == "text/html"


@pytest.mark.parametrize("told", [b"\xff\xfe/a", b"pdf", b";;==", b"a/" + b"b" * 400])
async def test_a_media_type_that_is_none_is_not_told(told: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: " + told + b"\r\nContent-Length: 1\r\n\r\n"
    fetched, content = await fetch_from(head + b"a")
    assert (fetched.content_type, content) == ("", b"a")
    assert (await fetch_from(answer(200, b"a")))[0].content_type == ""


@pytest.mark.parametrize("status", [201, 204, 206, 304, 401, 403, 404, 410, 500, 503])
async def test_any_status_but_200_is_an_error_that_names_it(status: int) -> None:
    with pytest.raises(FetchError) as raised:
        await fetch_from(answer(status))
    assert raised.value.status == status


async def test_a_document_as_large_as_the_limit_is_fetched() -> None:
    fetched, content = await fetch_from(answer(200, b"x" * 10), limit=10)
    assert (fetched.size, len(content)) == (10, 10)


@pytest.mark.parametrize("announced", [b"Content-Length: 11\r\n", b""])
async def test_a_document_over_the_limit_is_an_error(announced: bytes) -> None:
    with pytest.raises(TooLarge, match="larger than 10 bytes"):
        await fetch_from(b"HTTP/1.1 200 OK\r\n" + announced + b"Connection: close\r\n\r\n" + b"x" * 11, limit=10)


async def test_the_fetchers_own_limit_holds_for_every_fetch() -> None:
    with pytest.raises(TooLarge, match="larger than 1,000 bytes"):
        await fetch_from(answer(200, b"x" * 1001), limit=5000)


@pytest.mark.parametrize(
    "cut",
    [
        answer(200, b"x" * 10)[:-1],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n",
    ],
)
async def test_a_truncated_document_is_an_error(cut: bytes) -> None:
    with pytest.raises(FetchError, match="ended too early"):
        await fetch_from(cut)


async def test_a_compressed_answer_is_an_error() -> None:
    with pytest.raises(FetchError, match="compressed"):
        await fetch_from(answer(200, b"x", Content_Encoding="gzip"))


@pytest.mark.parametrize(
    "broken",
    [
        RESET,
        b"",
        b"what\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: what\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n",
    ],
)
async def test_what_is_no_http_is_an_error(broken: Answer) -> None:
    with pytest.raises(FetchError) as raised:
        await fetch_from(broken)
    assert raised.value.status == 0


async def test_a_server_that_never_answers_is_given_up() -> None:
    with pytest.raises(FetchError, match="took too long"):
        await fetch_from(HANG, timeout=0.2)


async def test_a_hundred_servers_that_hang_keep_no_other_waiting(site: Site) -> None:
    fetcher = Fetcher(LOOPBACK, connect_timeout=5)
    async with raw_server(HANG) as server:
        asking = [asyncio.create_task(fetcher.post(server.base_url, b"", {})) for _ in range(110)]
        try:
            async with asyncio.timeout(30):
                while len(server.requests) < 110:
                    await asyncio.sleep(0.01)
            assert (await fetcher.fetch(f"http://127.0.0.1:{site.port}/", nowhere)).size
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            await fetcher.close()


async def test_a_document_that_drips_is_given_up() -> None:
    ended = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        ended.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    fetcher = Fetcher(LOOPBACK, timeout=0.3)
    with pytest.raises(FetchError, match="took too long"):
        await fetcher.fetch(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", nowhere)
    await fetcher.close()
    await ended.wait()
    server.close()
    await server.wait_closed()


async def test_no_host_no_listener_and_no_tls_are_told_apart(fetcher: Fetcher, site: Site) -> None:
    with pytest.raises(FetchError, match=r"no host nowhere\.invalid"):
        await fetcher.fetch("http://nowhere.invalid/", nowhere)
    with pytest.raises(FetchError, match="no connection"):
        await fetcher.fetch(f"http://127.0.0.1:{unused_port()}/", nowhere)
    with pytest.raises(FetchError, match="does not speak TLS"):
        await fetcher.fetch(f"https://127.0.0.1:{site.port}/", nowhere)


async def test_what_the_writer_raises_is_passed_on(fetcher: Fetcher, site: Site) -> None:
    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await fetcher.fetch(f"http://127.0.0.1:{site.port}/a", full)


async def test_a_post_returns_the_status_whatever_it_is(fetcher: Fetcher, site: Site) -> None:
    status = await fetcher.post(f"http://127.0.0.1:{site.port}/hook", b"{}", {"X-Signature": "s"}, timeout=30)
    assert status == 410
    assert site.posted == [(b"{}", "s")]


async def test_a_post_that_is_not_answered_is_an_error(fetcher: Fetcher) -> None:
    async with raw_server(HANG) as server:
        with pytest.raises(FetchError, match="took too long"):
            await fetcher.post(f"{server.base_url}/hook", b"{}", {}, timeout=0.2)
