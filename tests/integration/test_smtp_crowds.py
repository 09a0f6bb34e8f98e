"""More connections than the door may have: by the minute, or by what the process can hold open."""

import os
import resource
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.smtp.listener import MX, Listener
from tests.integration.smtp_house import LOOPBACK, MAIL, RCPT, Client, House, make_house, serving

#: Descriptors that are free for connections, those of the clients of the test among them.
ROOM = 12
#: Descriptors that the door leaves to messages, database and children, at least.
KEPT = 32


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


async def test_a_peer_that_connects_too_often_is_asked_to_wait(house: House) -> None:
    listener = Listener("127.0.0.1:0", mode=MX)
    heard = []
    async with serving(house, listener=listener, connections_per_minute=3) as server:
        for _ in range(5):
            async with Client(server.addresses[0]) as client:
                heard.append((await client.reply())[:9])
    assert [reply[:4] for reply in heard] == ["220 "] * 3 + ["421 "] * 2
    assert heard[3:] == ["421 4.7.0"] * 2


async def test_a_server_of_ours_may_connect_as_often_as_it_likes(house: House) -> None:
    async with serving(house, connections_per_minute=3) as server:
        for _ in range(5):
            async with Client(server.addresses[0]) as client:
                await client.hello()


async def test_a_flood_at_one_listener_does_not_shut_the_others(house: House) -> None:
    strangers = [Listener("127.0.0.1:0", mode=MX), Listener("127.0.0.2:0", mode=MX)]
    async with serving(house, beside=strangers, connections=10) as server, AsyncExitStack() as crowd:
        ours, *theirs = server.addresses
        heard = []
        for address in [theirs[0]] * 10 + [theirs[1]] * 3:
            client = await crowd.enter_async_context(Client(address))
            heard.append((await client.reply())[:4])
        assert heard == ["220 "] * 8 + ["421 "] * 2 + ["220 "] + ["421 "] * 2
        for _ in range(2):
            async with Client(ours) as client:
                await client.hello(MAIL, RCPT)
                await client.say("QUIT")
                await client.reply()


async def test_who_is_proved_for_a_long_time_keeps_nobody_from_his_turn(house: House) -> None:
    house.proof.clear()
    strangers = Listener("127.0.0.1:0", mode=MX)
    async with serving(house, beside=[strangers], data_at_once=1) as server, AsyncExitStack() as crowd:
        waiting = [await crowd.enter_async_context(Client(server.addresses[1])) for _ in range(3)]
        for client in waiting:
            await client.hello(MAIL, RCPT, "DATA")
            await client.send(b"x\r\n.\r\n")
        async with Client(server.addresses[0]) as ours:
            await ours.hello(MAIL, RCPT, "DATA")
            await ours.send(b"ours\r\n.\r\n")
            assert (await ours.reply()).startswith("250 ")
        assert len(house.proven) == 3
        house.proof.set()
        assert [(await client.reply())[:4] for client in waiting] == ["250 "] * 3


async def test_no_connection_is_taken_in_that_would_need_the_last_descriptors(house: House) -> None:
    """Who is in goes on, who is too many is told so or waits in the kernel's queue, and comes in when there is room."""
    with few_descriptors():
        async with serving(house, connections_per_peer=100) as server, AsyncExitStack() as stack:
            address = server.addresses[0]
            first = await stack.enter_async_context(Client(address))
            await first.hello(MAIL, RCPT)
            others = [await stack.enter_async_context(Client(address)) for _ in range(ROOM)]
            replies = [await other.reply() for other in others[: ROOM // 2]]
            assert {reply[:3] for reply in replies} == {"220", "421"}
            assert server.connections < len(others), "the last wait in the kernel's queue"
            await first.say("DATA")
            await first.send(b"x\r\n.\r\n")
            assert (await first.reply()).startswith("250 "), "a mail that has begun has what it needs"
            for other in others[:-1]:
                await other.leave()
            await others[-1].hello(MAIL)


@contextmanager
def few_descriptors() -> Iterator[None]:
    """Let this process open only some more files than it has open now."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + ROOM + KEPT, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("end", [b"\n", b"\r"], ids=["LF", "CR"])
async def test_an_old_scanner_that_is_listed_may_end_its_lines_as_it_does(house: House, end: bytes) -> None:
    listener = Listener("127.0.0.1:0", networks=LOOPBACK, bare_newlines=(ip_network("127.0.0.1/32"),))
    async with serving(house, listener=listener) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"Subject: scan" + end + end + b"one" + end + b"." + end + b"two\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
    assert house.messages == [b"Subject: scan\r\n\r\none\r\n.\r\ntwo\r\n"]
