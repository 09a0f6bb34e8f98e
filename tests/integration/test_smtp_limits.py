"""Who may connect, how many, and for how long."""

import asyncio
import contextlib
import socket
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from gateway import metrics
from gateway.errors import ConfigurationError
from gateway.smtp.door import SmtpLimits
from gateway.smtp.listener import Listener
from gateway.smtp.protocol import SmtpProtocol
from gateway.smtp.server import SmtpServer
from tests.integration.smtp_house import HANG, LOOPBACK, MAIL, RCPT, Client, House, make_house, serving


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


async def test_a_stranger_is_told_so_and_nothing_else(house: House) -> None:
    listener = Listener("127.0.0.1:0", networks=(ip_network("10.0.0.0/8"), ip_network("::1/128")))
    async with serving(house, listener=listener) as server, Client(server.addresses[0]) as client:
        assert await client.rest() == ["554 5.7.1 127.0.0.1 is not in a network that may send mail here"]
        assert server.connections == 0


async def test_one_peer_has_so_many_connections_and_no_more(house: House) -> None:
    async with serving(house, connections_per_peer=2) as server:
        address = server.addresses[0]
        async with Client(address) as first, Client(address) as second:
            await first.hello()
            await second.hello()
            async with Client(address) as third:
                assert [reply[:9] for reply in await third.rest()] == ["421 4.7.0"]
            await first.say("QUIT")
            assert await first.reply() == ""
            async with Client(address) as fourth:
                await fourth.hello()
            assert (await second.say("NOOP")).startswith("250 ")


async def test_all_peers_together_have_so_many_connections(house: House) -> None:
    async with serving(house, connections=1) as server, Client(server.addresses[0]) as client:
        await client.hello()
        async with Client(server.addresses[0]) as other:
            assert [reply[:9] for reply in await other.rest()] == ["421 4.7.0"]


async def test_connections_are_counted(house: House) -> None:
    def count(outcome: str) -> float:
        labels = {"listener": "127.0.0.1:0", "outcome": outcome}
        return metrics.registry.get_sample_value("faxgate_smtp_connections_total", labels) or 0

    before = [count("mail"), count("nothing")]
    async with serving(house) as server:
        for commands in ([MAIL], []):
            async with Client(server.addresses[0]) as client:
                await client.hello(*commands)
                assert metrics.registry.get_sample_value("faxgate_smtp_connections_open", {"listener": "127.0.0.1:0"})
    assert [count("mail") - before[0], count("nothing") - before[1]] == [1, 1]
    assert metrics.registry.get_sample_value("faxgate_smtp_connections_open", {"listener": "127.0.0.1:0"}) == 0


@pytest.mark.parametrize("half", [b"", b"NO"])
async def test_a_silent_client_is_sent_away(house: House, half: bytes) -> None:
    async with serving(house, command_seconds=0.7) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL)
        await client.send(half)
        assert (await client.reply()).startswith("421 4.4.2 ")
        assert await client.reply() == ""
    (transaction,) = house.refusals
    assert transaction.reply.startswith("421 4.4.2 ")


async def test_a_message_that_stops_coming_is_given_up(house: House) -> None:
    async with serving(house, command_seconds=0.7) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"half")
        assert (await client.reply()).startswith("421 4.4.2 ")
    assert len(house.refusals) == 1


async def test_a_message_that_only_drips_is_given_up(house: House) -> None:
    async def drip(client: Client) -> None:
        while True:
            await client.send(b"x")
            await asyncio.sleep(0.02)

    limits: dict[str, Any] = {"data_seconds": 0.5, "data_bytes_per_second": 10_000}
    async with serving(house, **limits) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        dripping = asyncio.create_task(drip(client))
        assert (await client.reply()).startswith("421 4.4.2 ")
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
    assert len(house.refusals) == 1


async def test_a_large_message_may_take_its_time(house: House) -> None:
    limits: dict[str, Any] = {"data_seconds": 1, "data_bytes_per_second": 10_000}
    async with serving(house, **limits) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"x" * 500_000)
        await asyncio.sleep(1.6)
        await client.send(b"\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")


async def test_time_that_the_house_takes_is_not_the_clients(house: House) -> None:
    house.slow = 1.4
    async with serving(house, command_seconds=0.9, data_seconds=0.9) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL)
        assert (await client.say("RSET")).startswith("250 ")
        for command in (MAIL, RCPT, "DATA"):
            await client.say(command)
        await client.send(b"x\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
        assert (await client.say("NOOP")).startswith("250 ")


async def test_a_client_that_never_reads_is_cut_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _watch_help(monkeypatch)
    given = socket.create_server(("127.0.0.1", 0))
    given.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    async with serving(house, sockets=[given], commands=10**6, write_seconds=0.5) as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(server.addresses[0])
            client.setblocking(False)
            async with asyncio.timeout(HANG):
                while not server.connections:
                    await asyncio.sleep(0.01)
                asking = asyncio.create_task(_ask_for_help(client, asked))
                while server.connections:
                    await asyncio.sleep(0.01)
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
            received = _received(client)
    # It was not sent away with words: there was no room for any.
    assert received.count(b"250 2.0.0 Supported") > 10
    assert b"421 " not in received
    assert b"503 " not in received


def _watch_help(monkeypatch: pytest.MonkeyPatch) -> asyncio.Semaphore:
    """Leave sessions little room for replies, and return what is released whenever one of them is asked for HELP."""
    asked = asyncio.Semaphore(0)
    made, answer = SmtpProtocol.connection_made, SmtpProtocol.smtp_HELP

    def made_with_little_room(self: SmtpProtocol, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(high=0)
        made(self, transport)

    async def noted(self: SmtpProtocol, arg: str) -> None:
        asked.release()
        await answer(self, arg)

    monkeypatch.setattr(SmtpProtocol, "connection_made", made_with_little_room)
    monkeypatch.setattr(SmtpProtocol, "smtp_HELP", noted)
    return asked


async def _ask_for_help(client: socket.socket, asked: asyncio.Semaphore) -> None:
    """Send HELP again and again, each time when the one before has been heard."""
    await asyncio.sleep(0.1)  # not before the greeting
    while True:
        await asyncio.get_running_loop().sock_sendall(client, b"HELP\r\n")
        await asked.acquire()


def _received(client: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionError):
        while chunk := client.recv(65536):
            received += chunk
    return received


async def test_a_session_does_not_last_for_ever(house: House) -> None:
    async with serving(house, session_seconds=0.1) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL)
        await asyncio.sleep(0.2)
        assert (await client.say("NOOP")).startswith("250 ")
        assert (await client.say("RSET")).startswith("250 ")
        assert (await client.reply()).startswith("421 4.7.0 ")


async def test_more_messages_than_may_be_worked_on_wait_for_their_turn(house: House) -> None:
    house.gate.clear()
    async with (
        serving(house, data_at_once=1) as server,
        Client(server.addresses[0]) as first,
        Client(server.addresses[0]) as second,
    ):
        for client in (first, second):
            await client.hello(MAIL, RCPT, "DATA")
            await client.send(b"x\r\n.\r\n")
        async with asyncio.timeout(HANG):
            await house.taking.wait()
        house.taking.clear()
        await asyncio.sleep(0.05)
        assert not house.taking.is_set()
        house.gate.set()
        assert (await first.reply()).startswith("250 ")
        assert (await second.reply()).startswith("250 ")


async def test_sockets_from_outside_are_served(house: House) -> None:
    given = socket.create_server(("127.0.0.1", 0))
    listener = Listener("127.0.0.1:1", networks=LOOPBACK)
    async with serving(house, listener=listener, sockets=[given]) as server:
        assert server.addresses == [given.getsockname()]
        async with Client(server.addresses[0]) as client:
            await client.hello()
    assert given.fileno() == -1


async def test_who_comes_by_ipv4_to_a_socket_for_both_is_his_ipv4_address(house: House) -> None:
    both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    listener = Listener("[::]:0", networks=(ip_network("127.0.0.1/32"),))
    async with (
        serving(house, listener=listener, sockets=[both]) as server,
        Client(("127.0.0.1", server.addresses[0][1])) as ours,
        Client(("::1", server.addresses[0][1])) as stranger,
    ):
        await ours.hello(MAIL)
        assert (await stranger.reply()).startswith("554 5.7.1 ::1 ")
    assert [transaction.peer for transaction in house.refusals] == ["127.0.0.1"]


async def test_as_many_sockets_as_listeners_are_needed(house: House) -> None:
    with pytest.raises(ConfigurationError, match="0 sockets"):
        SmtpServer(
            house,
            hostname="fax.example.com",
            max_message_bytes=1000,
            listeners=[Listener("127.0.0.1:0")],
            limits=SmtpLimits(),
            sockets=[],
        )


async def test_a_listener_that_cannot_be_had_leaves_nothing_open(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = SmtpServer(
            house,
            hostname="fax.example.com",
            max_message_bytes=1000,
            listeners=[Listener("127.0.0.1:0"), Listener(f"127.0.0.1:{taken.getsockname()[1]}")],
            limits=SmtpLimits(),
        )
        with pytest.raises(ConfigurationError, match="cannot listen there"):
            await server.start()
    assert server.addresses == []
