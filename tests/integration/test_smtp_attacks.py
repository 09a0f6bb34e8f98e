"""What strangers and broken programs send to an SMTP port: nothing of it becomes a mail."""

import asyncio
import socket
from pathlib import Path

import pytest

from gateway.smtp import protocol
from tests.integration.smtp_house import HANG, MAIL, RCPT, Client, House, make_house, serving

SMUGGLED = b"MAIL FROM:<boss@law.example>\r\nRCPT TO:<+19005550123@fax.example.com>\r\nDATA\r\nsmuggled"
FAKE_ENDS = [
    *(b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\n\n.\r\n"),
    *(b"\n\r.\r\n", b"\r\r\n.\r\r\n", b"\r\n.\r\r\n", b"\r\n\n.\n\r\n", b"\r\n\r.\r\n", b"\r\n.\n\r\n", b"\n.\n\n"),
]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


@pytest.mark.parametrize("end", FAKE_ENDS, ids=repr)
async def test_a_second_mail_behind_a_false_end_is_not_smuggled_in(house: House, end: bytes) -> None:
    """CVE-2023-51764, -51765, -51766, CVE-2024-27305."""
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"Subject: x\r\n\r\none" + end + SMUGGLED + end + b"\r\n.\r\n")
        assert (await client.reply()).startswith("550 5.5.2 ")
        assert (await client.say("NOOP")).startswith("250 ")
    assert house.taken == []
    assert len(house.refusals) == 1


@pytest.mark.parametrize(
    "end", [b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\r\n. \r\n", b"\r\n .\r\n", b"\r\n..\r\n"], ids=repr
)
async def test_a_line_that_only_resembles_the_end_is_a_line(house: House, end: bytes) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"one" + end + SMUGGLED + b"\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
    assert len(house.taken) == 1
    assert b"smuggled\r\n" in house.messages[0]


@pytest.mark.parametrize("count", range(1, 6))
async def test_commands_sent_without_waiting_are_refused(house: House, count: int) -> None:
    script = [b"EHLO c", MAIL.encode(), RCPT.encode(), b"DATA", b"Subject: x\r\n\r\nx\r\n.", b"QUIT"]
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.reply()
        for command in script[: count - 1]:
            await client.send(command + b"\r\n")
            await client.reply()
        await client.send(b"\r\n".join(script[count - 1 :]) + b"\r\n")
        replies = await client.rest()
    assert replies[-1].startswith("503 5.5.0 ")
    # Sent too early is only what comes behind the end of a message; the message itself has come in order.
    assert [reply[:3] for reply in replies[:-1]] == (["250"] if count == 5 else [])
    assert len(house.taken) == (1 if count == 5 else 0)


async def test_a_client_that_speaks_before_the_greeting_is_refused(house: House) -> None:
    async with serving(house) as server:
        with socket.create_connection(server.addresses[0]) as client:
            client.sendall(b"EHLO c\r\n" + MAIL.encode() + b"\r\n")  # the server's loop has had no turn yet
            client.settimeout(HANG)
            reply = await asyncio.to_thread(client.makefile("rb").read)
    assert reply.startswith(b"554 5.5.0 ")
    assert reply.count(b"\r\n") == 1


@pytest.mark.parametrize(
    "first",
    [
        b"POST / HTTP/1.1\r\nHost: fax\r\n\r\nEHLO c\r\nMAIL FROM:<a@b.example>\r\n",
        b"GET / HTTP/1.1\r\n",
        b"CONNECT fax:25 HTTP/1.1\r\n",
        b"put /x\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
        b" EHLO c\r\n",
        b"{}\r\n",
    ],
)
async def test_other_protocols_are_sent_away(house: House, first: bytes) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.reply()
        await client.send(first)
        replies = await client.rest()
    assert len(replies) == 1
    assert replies[0].startswith("421 4.7.0 ")


async def test_a_body_behind_a_refused_data_is_not_executed(house: House) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello()
        assert (await client.say("DATA")).startswith("503 ")
        client.writer.write(MAIL.encode() + b"\r\n")
        assert await client.rest() == []
    assert house.began == []


async def test_a_message_over_the_limit_is_refused_at_its_end(house: House) -> None:
    async with serving(house, max_message_bytes=50_000) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"x" * 60_000 + b"\r\n.\r\n")
        assert (await client.reply()).startswith("552 5.3.4 ")
        assert (await client.say("NOOP")).startswith("250 ")
    assert house.refusals[0].errors == [house.refusals[0].reply]


async def test_far_too_much_is_refused_before_its_end(house: House) -> None:
    async with serving(house, max_message_bytes=50_000) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"x" * 100_100)
        assert (await client.reply()).startswith("552 5.3.4 ")
        assert await client.reply() == ""
    assert len(house.refusals) == 1


async def test_a_line_of_many_megabytes_does_not_stay_in_memory(house: House) -> None:
    async with serving(house, max_message_bytes=20_000_000) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        for _ in range(150):
            await client.send(b"x" * 100_000)
        (incoming,) = house.folder.incoming.iterdir()
        async with asyncio.timeout(HANG):
            while incoming.stat().st_size < 14_000_000:
                await asyncio.sleep(0.01)
        await client.send(b"\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
    assert len(house.messages[0]) == 15_000_002


@pytest.mark.parametrize("length", [1025, 100_000, 1_000_000])
async def test_an_overlong_command_is_refused_whole(house: House, length: int) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello()
        await client.send(b"NOOP " + b"x" * (length - 7) + b"\r\n")
        assert (await client.reply()).startswith("500 5.5.2 ")
        assert (await client.say("NOOP " + "x" * 1017)).startswith("250 ")
        assert (await client.say("NOOP")).startswith("250 ")


@pytest.mark.parametrize(
    "line",
    [
        b"NOOP\n",
        b"NO\x00OP\r\n",
        b"N\xd6\xd6P\r\n",
        b"\r\n",
        b"NOOP\rNOOP\r\n",
        b"NOOP\r\r\n",
        b"MAIL\tFROM:<a@b.example>\r\n",
    ],
)
async def test_an_odd_line_is_no_command(house: House, line: bytes) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello()
        await client.send(line)
        reply = await client.reply()
        assert reply.startswith("500 5.5.")
        assert (await client.say("NOOP")).startswith("250 ")


async def test_too_many_errors_end_the_session(house: House) -> None:
    async with serving(house, errors=3) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL)
        for number in range(4):
            assert (await client.say(f"RCPT TO:<1@guess{number}.example>")).startswith("550 ")
        assert (await client.reply()).startswith("421 4.7.0 ")
        assert await client.reply() == ""
    assert len(house.refusals) == 1


async def test_mails_that_are_begun_and_given_up_end_the_session(house: House) -> None:
    async with serving(house, errors=3) as server, Client(server.addresses[0]) as client:
        await client.hello()
        for command in (MAIL, "RSET", MAIL, "EHLO client.example", MAIL, RCPT, "RSET", MAIL):
            assert (await client.say(command)).startswith("250")
        assert (await client.say("RSET")).startswith("250 ")
        assert (await client.reply()).startswith("421 4.7.0 too many errors")
    assert len(house.refusals) == 4


async def test_recipients_that_shall_come_again_are_no_errors(house: House) -> None:
    async with serving(house, errors=3, recipients=1) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT)
        for _ in range(10):
            assert (await client.say(RCPT)).startswith("452 ")
        await client.say("DATA")
        await client.send(b"x\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")


async def test_a_mail_for_far_too_many_goes_to_as_many_as_one_takes(house: House) -> None:
    async with serving(house, commands=5, recipients=2) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, RCPT)
        assert {(await client.say(RCPT))[:9] for _ in range(400)} == {"452 4.5.3"}
        await client.say("DATA")
        await client.send(b"x\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
        assert (await client.say("NOOP")).startswith("250 ")
    assert len(house.taken[0].errors) == 1


async def test_endless_recipients_end_the_session(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MOST_NAMED", 3)
    async with serving(house, commands=5, recipients=1) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT)
        replies = [(await client.say(RCPT))[:3] for _ in range(6)]
        assert (await client.reply()).startswith("421 4.7.0 ")
    assert replies == ["452"] * 6


async def test_endless_small_talk_ends_the_session(house: House) -> None:
    async with serving(house, commands=5) as server, Client(server.addresses[0]) as client:
        await client.hello()
        replies = [(await client.say("NOOP"))[:3] for _ in range(4)]
        await client.send(b"NOOP\r\n")
        assert [reply[:3] for reply in await client.rest()] == ["250", "421"]
    assert replies == ["250"] * 4
