"""The HTTP server itself: slow clients, too many of them, bad requests, how it starts and how it stops."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import StringIO

import aiohttp
import pytest
from aiohttp import web

from gateway import logs
from gateway.errors import ConfigurationError
from gateway.web import body
from gateway.web.access import access, add_headers
from gateway.web.body import read_body
from gateway.web.connection import Connection, HttpLimits
from gateway.web.errors import answering
from gateway.web.server import HttpServer

HANG = 30
#: Patient in everything; a test makes one limit short.
PATIENT = {"header_seconds": 60.0, "idle_seconds": 60.0, "write_seconds": 60.0, "linger_seconds": 0.2}
GET = b"GET / HTTP/1.1\r\nHost: fax\r\n\r\n"


class Doors:
    """An application whose handler waits while ``gate`` is closed."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0
        self.app = web.Application(middlewares=[access, answering({})])
        self.app.on_response_prepare.append(add_headers)
        self.app.add_routes([web.get("/", self.get), web.put("/", self.put), web.get("/bytes", self.bytes)])

    async def get(self, _request: web.Request) -> web.Response:
        self.entered.set()
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        return web.Response(text="well")

    async def put(self, request: web.Request) -> web.Response:
        return web.Response(text=str(len(await read_body(request, 1_000_000))))

    async def bytes(self, _request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 1_000_000)


@asynccontextmanager
async def serving(**limits: float) -> AsyncIterator[tuple[HttpServer, Doors]]:
    doors = Doors()
    server = HttpServer(doors.app, "127.0.0.1:0", limits=HttpLimits(**{**PATIENT, **limits}))  # type: ignore[arg-type]
    await server.start()
    try:
        yield server, doors
    finally:
        doors.gate.set()
        await server.stop(0)


@asynccontextmanager
async def connected(server: HttpServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*server.address)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG):
        while not true():
            await asyncio.sleep(0.01)


def waits(connection: Connection) -> bool:
    """Whether the server does nothing for this connection but wait for its client."""
    return connection.waits_since(asyncio.get_running_loop().time()) is not None


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return what came until the server closed the connection."""
    try:
        return await asyncio.wait_for(reader.read(), HANG)
    except ConnectionError:
        return b""


async def answer(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readuntil(b"well"), HANG)


async def get(server: HttpServer) -> int:
    host, port = server.address
    async with aiohttp.ClientSession() as client, client.get(f"http://{host}:{port}/") as response:
        return response.status


# -- slow clients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: f"])
async def test_a_client_without_a_whole_header_is_cut_off(sent: bytes) -> None:
    async with serving(header_seconds=0.2) as (server, _), connected(server) as (reader, writer):
        writer.write(sent)
        assert await ended(reader) == b""
        await until(lambda: server.connections == 0)


async def test_a_header_that_comes_byte_by_byte_is_cut_off_all_the_same() -> None:
    async with serving(header_seconds=0.3) as (server, _), connected(server) as (_, writer):
        await until(lambda: server.connections == 1)
        async with asyncio.timeout(HANG):
            while server.connections:
                writer.write(b"X")
                await asyncio.sleep(0.02)


async def test_the_next_header_on_a_connection_has_its_deadline_too() -> None:
    async with serving(header_seconds=1) as (server, _), connected(server) as (reader, writer):
        writer.write(GET)
        await answer(reader)
        writer.write(b"GET / HT")
        assert await ended(reader) == b""


async def test_an_idle_connection_is_closed_and_one_between_two_requests_is_not() -> None:
    async with serving(header_seconds=0.5, idle_seconds=3) as (server, _), connected(server) as (reader, writer):
        writer.write(GET)
        await answer(reader)
        await asyncio.sleep(1)  # longer than a header may take
        writer.write(GET)
        await answer(reader)
        assert await ended(reader) == b""


async def test_a_slow_body_is_answered_408_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "FIRST_SECONDS", 0.1)
    monkeypatch.setattr(body, "MIN_RATE", 10_000_000)
    async with serving() as (server, _), connected(server) as (reader, writer):
        writer.write(b"PUT / HTTP/1.1\r\nHost: fax\r\nContent-Length: 1000\r\n\r\nhalf")
        assert (await ended(reader)).startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_nobody_reads_does_not_hold_the_connection() -> None:
    async with serving(linger_seconds=0.2) as (server, _), connected(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: fax\r\nContent-Length: 1000\r\n\r\nhalf")
        assert b"well" in await ended(reader)


async def test_a_client_that_asks_on_and_on_and_never_reads_is_cut_off() -> None:
    async with serving(write_seconds=0.3) as (server, _), connected(server) as (_, writer):
        writer.write(GET.replace(b"GET /", b"GET /bytes") * 200)
        await until(lambda: server.connections == 1)
        await until(lambda: server.connections == 0)


async def test_a_slow_handler_is_not_a_slow_client() -> None:
    async with serving(header_seconds=0.1, idle_seconds=0.1, write_seconds=0.1) as (server, doors):
        doors.gate.clear()
        asking = asyncio.create_task(get(server))
        await asyncio.wait_for(doors.entered.wait(), HANG)
        await asyncio.sleep(0.8)
        doors.gate.set()
        assert await asyncio.wait_for(asking, HANG) == 200


# -- too many ----------------------------------------------------------------------------------------------------------


async def test_beyond_the_limit_connections_are_closed_at_once_and_the_others_served() -> None:
    async with serving(connections=2) as (server, doors), contextlib.AsyncExitStack() as stack:
        doors.gate.clear()
        peers = [await stack.enter_async_context(connected(server)) for _ in range(2)]
        for _, writer in peers:
            writer.write(GET)
        await until(lambda: doors.waiting == 2)
        async with connected(server) as (reader, _):
            assert await ended(reader) == b""
        doors.gate.set()
        for reader, _ in peers:
            await answer(reader)
        assert await get(server) == 200


PUT = b"PUT / HTTP/1.1\r\nHost: fax\r\nContent-Length: "
#: What is sent, and whether a request is under way then.
WAITING = {
    "said nothing": (b"", False),
    "sends a header slowly": (b"GET / HTTP/1.1\r\nHost: f", False),
    "is idle between two requests": (GET, False),
    "sends a body slowly": (PUT + b"1000\r\n\r\nhalf", True),
    "reads nothing": (GET.replace(b"GET /", b"GET /bytes") * 200, True),
}


@pytest.mark.parametrize(("sent", "under_way"), WAITING.values(), ids=WAITING)
async def test_who_keeps_the_server_waiting_makes_room_for_who_asks(sent: bytes, under_way: bool) -> None:
    async with serving(connections=3) as (server, _), contextlib.AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(connected(server)) for _ in range(3)]
        for _, writer in peers:
            writer.write(sent)
        await until(lambda: [bool(one.requests) for one in server._connections] == [under_way] * 3)
        await until(lambda: all(waits(one) for one in server._connections))
        assert [await get(server) for _ in range(5)] == [200] * 5
        assert server.connections <= 3


async def test_the_one_that_has_waited_longest_goes_and_who_is_at_work_stays() -> None:
    async with serving(connections=3) as (server, doors), connected(server) as (working, writer):
        doors.gate.clear()
        writer.write(GET)
        await until(lambda: doors.waiting == 1)
        async with connected(server) as (old, _):
            await until(lambda: server.connections == 2)
            async with connected(server) as (young_in, young):
                await until(lambda: server.connections == 3)
                async with connected(server):
                    assert await ended(old) == b""
                    doors.gate.set()
                    await answer(working)
                    young.write(GET)
                    await answer(young_in)


async def test_one_peer_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.web.server.peer_key", lambda peer: f"not this machine: {peer}")
    async with serving(connections_per_peer=1) as (server, _), connected(server) as (_, writer):
        await until(lambda: server.connections == 1)
        async with connected(server) as (reader, _):
            assert await ended(reader) == b""
        writer.transport.abort()
        await until(lambda: server.connections == 0)
        assert await get(server) == 200


async def test_out_of_descriptors_the_server_waits_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as (server, _):
        accept, failures = socket.socket.accept, [OSError(24, "Too many open files")] * 2

        def failing(listening: socket.socket) -> object:
            if failures:
                raise failures.pop()
            return accept(listening)

        monkeypatch.setattr(socket.socket, "accept", failing)
        assert await asyncio.wait_for(get(server), HANG) == 200
        assert failures == []


# -- bad requests ------------------------------------------------------------------------------------------------------

BAD = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"HELO fax.example.com\r\n",
    b"GET / HTTP/1.1\r\nHost: fax\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: fax\r\nContent-Length: +4\r\n\r\nabcd",
    b"GET / HTTP/1.1\r\nHost: fax\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: fax\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
]


@pytest.mark.parametrize("raw", BAD)
async def test_a_bad_request_is_400_and_no_error_in_the_log(raw: bytes) -> None:
    stream = StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.configure("json", "info", stream)
    try:
        async with serving(header_seconds=2) as (server, _), connected(server) as (reader, writer):
            writer.write(raw)
            assert (await ended(reader)).startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
            assert await get(server) == 200
    finally:
        logging.basicConfig(handlers=handlers, level=level, force=True)
        logging.captureWarnings(capture=False)
    assert "Traceback" not in stream.getvalue()
    assert '"level": "error"' not in stream.getvalue()


# -- starting and stopping ---------------------------------------------------------------------------------------------


async def test_a_running_request_is_finished_and_idle_connections_are_closed() -> None:
    async with serving() as (server, doors), connected(server) as (idle, _), connected(server) as (reader, writer):
        doors.gate.clear()
        writer.write(GET)
        await asyncio.wait_for(doors.entered.wait(), HANG)
        address = server.address
        stopping = asyncio.create_task(server.stop(HANG))
        assert await ended(idle) == b""
        with pytest.raises(OSError):
            await asyncio.open_connection(*address)
        assert not stopping.done()
        doors.gate.set()
        assert (await ended(reader)).endswith(b"well")
        await asyncio.wait_for(stopping, HANG)


async def test_a_body_under_way_is_taken_while_the_server_stops() -> None:
    async with serving() as (server, _), connected(server) as (reader, writer):
        writer.write(b"PUT / HTTP/1.1\r\nHost: fax\r\nContent-Length: 8\r\n\r\nhalf")
        await until(lambda: any(connection.requests for connection in server._connections))
        stopping = asyncio.create_task(server.stop(HANG))
        await asyncio.sleep(0.05)
        writer.write(b"half")
        assert (await ended(reader)).endswith(b"8")
        await asyncio.wait_for(stopping, HANG)


async def test_a_request_that_does_not_end_is_cancelled_after_the_grace() -> None:
    async with serving() as (server, doors), connected(server) as (reader, writer):
        doors.gate.clear()
        writer.write(GET)
        await asyncio.wait_for(doors.entered.wait(), HANG)
        await asyncio.wait_for(server.stop(0.05), HANG)
        assert b"well" not in await ended(reader)
        assert server.connections == 0


async def test_stopping_twice_and_stopping_what_never_started_is_no_error() -> None:
    async with serving() as (server, _):
        await server.stop(0)
        await server.stop(0)
    await HttpServer(Doors().app, "127.0.0.1:0").stop(0)


async def test_it_serves_on_a_socket_that_somebody_else_opened() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    address = listening.getsockname()
    server = HttpServer(Doors().app, "127.0.0.1:1", [listening])
    await server.start()
    try:
        assert server.address == address
        assert await get(server) == 200
    finally:
        await server.stop(0)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:http", "192.0.2.1:0"])
async def test_an_address_that_cannot_be_had_is_a_configuration_error_that_names_it(address: str) -> None:
    server = HttpServer(Doors().app, address)
    with pytest.raises(ConfigurationError, match=address):
        await server.start()
    await server.stop(0)


async def test_an_address_that_is_taken_is_a_configuration_error() -> None:
    async with serving() as (server, _):
        host, port = server.address
        second = HttpServer(Doors().app, f"{host}:{port}")
        with pytest.raises(ConfigurationError, match="cannot listen"):
            await second.start()
        await second.stop(0)
