"""How the SMTP door closes."""

import asyncio
from pathlib import Path

import pytest

from gateway.smtp.listener import MX, Listener
from gateway.smtp.server import SmtpServer
from tests.integration.smtp_house import HANG, MAIL, RCPT, Client, House, make_house, serving


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


async def _stop(server: SmtpServer, grace: float = HANG) -> asyncio.Task[None]:
    """Begin to stop, and return when nobody can connect any more."""
    address = server.addresses[0]
    stopping = asyncio.create_task(server.stop(grace))
    await asyncio.sleep(0)
    with pytest.raises(OSError):
        await asyncio.open_connection(*address)
    return stopping


@pytest.mark.parametrize("commands", [[], [MAIL], [MAIL, RCPT]])
async def test_an_idle_client_is_told_to_come_again(house: House, commands: list[str]) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(*commands)
        stopping = await _stop(server)
        assert (await client.reply()).startswith("421 4.3.2 ")
        assert await client.reply() == ""
        await stopping
        assert server.connections == 0
    assert [transaction.reply[:9] for transaction in house.refusals] == (["421 4.3.2"] if commands else [])


async def test_a_message_under_way_may_finish(house: House) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"half ")
        stopping = await _stop(server)
        await client.send(b"whole\r\n.\r\n")
        replies = await client.rest()
        await stopping
    assert [reply[:9] for reply in replies] == ["250 2.0.0", "421 4.3.2"]
    assert house.messages == [b"half whole\r\n"]


async def test_a_mail_that_is_being_taken_may_finish(house: House) -> None:
    house.gate.clear()
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"x\r\n.\r\n")
        await house.taking.wait()
        stopping = await _stop(server)
        house.gate.set()
        replies = await client.rest()
        await stopping
    assert [reply[:9] for reply in replies] == ["250 2.0.0", "421 4.3.2"]


async def test_a_message_that_does_not_end_in_time_is_cut_off_and_recorded(house: House) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"half ")
        await server.stop(0.1)
        assert server.connections == 0
        assert len(house.refusals) == 1
        assert await client.reply() == ""


async def test_a_mail_is_taken_to_its_end_even_when_the_time_is_over(house: House) -> None:
    house.gate.clear()
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"x\r\n.\r\n")
        await house.taking.wait()
        stopping = await _stop(server, grace=0.1)
        assert await client.rest() == []
        house.slow = 0.3
        house.gate.set()
        await stopping
        assert len(house.taken) == 1
    assert house.refusals == []


async def test_a_mail_that_is_still_to_be_proved_comes_again(house: House) -> None:
    house.proof.clear()
    async with (
        serving(house, listener=Listener("127.0.0.1:0", mode=MX)) as server,
        Client(server.addresses[0]) as client,
    ):
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"x\r\n.\r\n")
        async with asyncio.timeout(HANG):
            while not house.proven:
                await asyncio.sleep(0.01)
        stopping = await _stop(server, grace=0.1)
        assert [reply[:9] for reply in await client.rest()] == ["421 4.3.2"]
        await stopping
    assert [transaction.reply[:9] for transaction in house.refusals] == ["421 4.3.2"]
    assert house.taken == []


async def test_stopping_twice_or_before_the_start_is_harmless(house: House) -> None:
    async with serving(house) as server:
        await server.stop(1)
        await server.stop(1)
    await server.stop(1)


async def test_a_connection_of_the_last_moment_is_closed(house: House) -> None:
    async with serving(house) as server:
        clients = [Client(server.addresses[0]) for _ in range(5)]
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(client.__aenter__())
        await server.stop(0)
        for client in clients:
            await client.rest()
            await client.__aexit__(None, None, None)
        assert server.connections == 0
