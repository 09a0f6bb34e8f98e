"""STARTTLS (RFC 3207): what was said before is forgotten, and nothing slips in from before."""

import asyncio
import smtplib
import ssl
from pathlib import Path

import pytest
import trustme

from gateway.smtp.listener import Listener
from tests.integration.smtp_house import (
    MAIL,
    RCPT,
    Client,
    House,
    certified,
    make_house,
    serving,
    trusting,
    until_nobody_is_connected,
)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(name="trusting")
def _trusting(authority: trustme.CA) -> ssl.SSLContext:
    return trusting(authority)


@pytest.fixture
def listener(authority: trustme.CA, tmp_path: Path) -> Listener:
    return certified(authority, tmp_path)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


async def test_a_mail_is_taken_over_tls(house: House, listener: Listener, trusting: ssl.SSLContext) -> None:
    body = b"x" * 300_000 + b"\r\n"
    async with serving(house, listener=listener) as server, Client(server.addresses[0]) as client:
        await client.reply()
        assert "STARTTLS" in await client.say("EHLO client.example")
        await client.say(MAIL)
        assert (await client.say("STARTTLS")).startswith("220 2.0.0 ")
        await client.start_tls(trusting)
        assert (await client.say(MAIL)).startswith("503 5.5.1 ")
        assert "STARTTLS" not in await client.say("EHLO client.example")
        for command in (MAIL, RCPT, "DATA"):
            await client.say(command)
        await client.send(body + b".\r\n")
        assert (await client.reply()).startswith("250 ")
        assert (await client.say("QUIT")).startswith("221 ")
        assert await client.reply() == ""
    assert house.messages == [body]
    assert house.taken[0].tls in {"TLSv1.2", "TLSv1.3"}
    # The mail that was begun in the clear has ended there.
    assert [transaction.tls for transaction in house.refusals] == [""]


async def test_a_mail_that_was_begun_in_the_clear_is_not_sent_over_tls(
    house: House, listener: Listener, trusting: ssl.SSLContext
) -> None:
    async with serving(house, listener=listener) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "STARTTLS")
        await client.start_tls(trusting)
        assert (await client.say("DATA")).startswith("503 5.5.1 ")
    assert len(house.refusals) == 1


async def test_tls_is_not_begun_twice(
    house: House, listener: Listener, trusting: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(house, listener=listener) as server, Client(server.addresses[0]) as client:
        await client.hello("STARTTLS")
        await client.start_tls(trusting)
        await client.say("EHLO client.example")
        assert (await client.say("STARTTLS")).startswith("503 5.5.1 ")
        assert (await client.say("NOOP")).startswith("250 ")
    assert [record for record in caplog.records if record.name == "asyncio"] == []


@pytest.mark.parametrize("behind", ["RSET\r\n", f"{MAIL}\r\n", "x"])
async def test_what_is_sent_in_the_clear_behind_starttls_ends_the_session(
    house: House, listener: Listener, behind: str
) -> None:
    """CVE-2011-0411 and its many siblings."""
    async with serving(house, listener=listener) as server, Client(server.addresses[0]) as client:
        await client.hello()
        await client.send(f"STARTTLS\r\n{behind}".encode())
        replies = await client.rest()
    assert len(replies) == 1
    assert replies[0].startswith("501 ")
    assert house.began == []


async def test_what_comes_in_the_clear_while_the_mail_before_is_recorded_ends_the_session(
    house: House, listener: Listener
) -> None:
    house.slow = 0.3
    async with serving(house, listener=listener) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT)
        await client.send(b"STARTTLS\r\n")
        await asyncio.sleep(0.1)
        await client.send(b"HELP\r\n")
        replies = await client.rest()
    assert [reply[:9] for reply in replies] == ["501 5.5.0"]
    assert len(house.refusals) == 1


async def test_a_parameter_behind_starttls_is_refused(house: House, listener: Listener) -> None:
    async with serving(house, listener=listener) as server, Client(server.addresses[0]) as client:
        await client.hello()
        assert (await client.say("STARTTLS now")).startswith("501 5.5.4 ")
        assert (await client.say("NOOP")).startswith("250 ")


async def test_a_handshake_that_fails_ends_the_connection_only(
    house: House, listener: Listener, trusting: ssl.SSLContext
) -> None:
    async with serving(house, listener=listener) as server:
        async with Client(server.addresses[0]) as client:
            await client.hello("STARTTLS")
            await client.send(b"EHLO in the clear\r\n" * 100)
            await client.reader.read()
        await until_nobody_is_connected(server)
        async with Client(server.addresses[0]) as client:
            await client.hello("STARTTLS")
            await client.start_tls(trusting)
            assert (await client.say("EHLO client.example")).startswith("250")


async def test_a_handshake_that_never_comes_is_given_up(house: House, listener: Listener) -> None:
    async with (
        serving(house, listener=listener, tls_handshake_seconds=0.2) as server,
        Client(server.addresses[0]) as client,
    ):
        await client.hello("STARTTLS")
        assert await client.reader.read() == b""
        await until_nobody_is_connected(server)


async def test_a_client_that_leaves_over_tls_has_sent_its_mail_once(
    house: House, listener: Listener, trusting: ssl.SSLContext
) -> None:
    house.gate.clear()
    async with serving(house, listener=listener) as server, Client(server.addresses[0]) as client:
        await client.hello("STARTTLS")
        await client.start_tls(trusting)
        for command in ("EHLO client.example", MAIL, RCPT, "DATA"):
            await client.say(command)
        await client.send(b"x\r\n.\r\n")
        await house.taking.wait()
        await client.leave()
        await asyncio.sleep(0.05)
        house.gate.set()
        await house.until(taken=1)
    assert house.refusals == []


async def test_a_client_that_does_not_close_its_side_of_tls_is_cut_off(
    house: House, listener: Listener, trusting: ssl.SSLContext
) -> None:
    async with serving(house, listener=listener, close_seconds=0.2) as server, Client(server.addresses[0]) as client:
        await client.hello("STARTTLS")
        await client.start_tls(trusting)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport, too
        await client.send(b"QUIT\r\n")
        await until_nobody_is_connected(server)
        await client.leave()


async def test_smtplib_speaks_tls_with_it(house: House, listener: Listener, trusting: ssl.SSLContext) -> None:
    def send(host: str, port: int) -> None:
        with smtplib.SMTP(host, port, timeout=20) as client:
            client.starttls(context=trusting)
            client.sendmail("desk@law.example", ["12025550123@fax.example.com"], b"x\r\n")

    async with serving(house, listener=listener) as server:
        await asyncio.to_thread(send, *server.addresses[0])
    assert house.messages == [b"x\r\n"]
