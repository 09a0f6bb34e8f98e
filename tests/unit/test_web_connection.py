"""How long a client may keep a connection waiting, by the clock of the test; and what counts as one peer."""

import asyncio

import aiohttp
import aiohttp.base_protocol
import pytest

from gateway.web.body import MIN_RATE
from gateway.web.connection import Connection, HttpLimits
from gateway.web.server import peer_key

LIMITS = HttpLimits(header_seconds=10, write_seconds=30)


class Wire(asyncio.Transport):
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = self.paused = False

    def is_reading(self) -> bool:
        return not self.paused

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def made() -> tuple[Connection, Wire, float]:
    connection, wire = Connection(asyncio.Protocol(), LIMITS, lambda: None), Wire()
    connection.connection_made(wire)
    return connection, wire, asyncio.get_running_loop().time()


async def running(connection: Connection) -> asyncio.Event:
    """Let a request begin; it ends when the event is set."""
    end = asyncio.Event()
    connection.began(asyncio.create_task(end.wait()))
    await asyncio.sleep(0)
    return end


async def ended(end: asyncio.Event) -> None:
    end.set()
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_header_has_its_time_from_the_connection_on() -> None:
    connection, _, now = await made()
    assert not connection.overdue(now + 9)
    connection.data_received(b"GET / HT")
    assert not connection.overdue(now + 9)
    assert connection.overdue(now + 11)


async def test_while_a_request_runs_nothing_is_waited_for_from_the_client() -> None:
    connection, _, now = await made()
    end = await running(connection)
    connection.data_received(b"the body")
    assert not connection.overdue(now + 1000)
    await ended(end)
    assert not connection.overdue(now + 1000)
    connection.data_received(b"GET / HT")
    assert connection.overdue(now + 1000)


async def test_an_answer_must_be_read_in_its_time() -> None:
    connection, _, now = await made()
    await running(connection)
    connection.pause_writing()
    assert not connection.overdue(now + 29)
    assert connection.overdue(now + 31)
    connection.resume_writing()
    assert not connection.overdue(now + 31)


async def test_a_closed_connection_whose_client_does_not_take_the_rest_is_overdue() -> None:
    connection, wire, now = await made()
    await ended(await running(connection))
    wire.close()
    assert not connection.overdue(now + 1)
    assert not connection.overdue(now + 30)
    assert connection.overdue(now + 32)


async def test_a_body_that_comes_as_fast_as_it_must_keeps_nobody_waiting() -> None:
    connection, wire, now = await made()
    body = aiohttp.StreamReader(aiohttp.base_protocol.BaseProtocol(asyncio.get_running_loop()), 1 << 16)
    end = asyncio.Event()
    connection.began(asyncio.create_task(end.wait()), body)
    began = asyncio.get_running_loop().time()
    connection.data_received(b"x" * MIN_RATE * 2)
    assert connection.waits_since(began + 1) is None
    assert now <= (connection.waits_since(began + 3) or 0) <= began
    wire.paused = True  # more has come than anybody has read
    assert connection.waits_since(began + 3) is None
    wire.paused = False
    body.feed_eof()
    assert connection.waits_since(began + 3) is None
    await ended(end)
    assert (connection.waits_since(began + 3) or 0) >= began


async def test_winding_up_closes_when_the_last_request_has_ended() -> None:
    connection, wire, _ = await made()
    first, second = await running(connection), await running(connection)
    connection.wind_up()
    await ended(first)
    assert not wire.closed
    await ended(second)
    assert wire.closed


async def test_a_connection_that_is_made_while_the_server_stops_is_closed() -> None:
    connection, wire = Connection(asyncio.Protocol(), LIMITS, lambda: None), Wire()
    connection.wind_up()
    connection.connection_made(wire)
    assert wire.closed


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::5", "20010db800010002::/64"),
        ("2001:db8:1:2:ffff::1", "20010db800010002::/64"),
        ("fe80::1%eth0", "fe80000000000000::/64"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("", ""),
    ],
)
def test_a_peer_is_an_ipv4_address_or_an_ipv6_64_and_this_machine_is_none(peer: str, key: str) -> None:
    assert peer_key(peer) == key
