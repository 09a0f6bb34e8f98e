"""What the log says of a connection: one line, with the right peer, and nothing that is the sender's business alone."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.account import SmtpUser
from gateway.smtp import replies
from gateway.smtp.listener import MX, SUBMISSIONS, Listener
from tests.integration.door_house import opened
from tests.integration.smtp_house import (
    HANG,
    LOOPBACK,
    MAIL,
    RCPT,
    Client,
    House,
    certified,
    make_house,
    serving,
    until_nobody_is_connected,
)
from tests.integration.test_smtp_proxy import V1

KEYS = {"event", "peer", "listener", "reply", "error"}
WITHOUT_MAIL = {"event": "connection without mail", "peer": "192.0.2.7", "listener": "127.0.0.1:0"}


class Nobody:
    """An Authenticator that is not asked."""

    async def login(self, name: str, password: str, peer: str) -> SmtpUser:
        raise AssertionError(name)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


@pytest.fixture
def behind(tmp_path: Path) -> Listener:
    return certified(trustme.CA(), tmp_path, mode=MX, proxies=LOOPBACK)


@pytest.fixture(autouse=True)
def _level(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level("INFO", "gateway"):
        yield


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return what the gateway has logged, without the time."""
    said = [record.msg for record in caplog.records if record.name.startswith("gateway")]
    return [{key: value for key, value in line.items() if key in KEYS} for line in said if isinstance(line, dict)]


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        ([], ""),
        (["EHLO client.example", "QUIT"], "221 2.0.0 goodbye"),
        (["EHLO client.example", "RCPT TO:<+12025550123@fax.example.com>"], "503 5.5.1 send MAIL first"),
        (["GET / HTTP/1.1"], replies.NO_MAIL_CLIENT),
        (["EHLO client.example\r\nNOOP"], replies.NOT_SYNCHRONISED),
    ],
)
async def test_a_connection_that_brings_no_mail_has_one_line(
    house: House, behind: Listener, said: list[str], reply: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(house, listener=behind) as server:
        async with Client(server.addresses[0]) as client:
            await client.send(V1)
            await client.reply()
            for command in said:
                await client.say(command)
        await until_nobody_is_connected(server)
    assert lines(caplog) == [{**WITHOUT_MAIL, "reply": reply}]


@pytest.mark.parametrize("before", [[], [MAIL, RCPT]])
@pytest.mark.parametrize("clear", [False, True], ids=["the certificate is refused", "it is no TLS"])
async def test_tls_that_fails_has_a_line_with_its_peer(
    house: House, behind: Listener, before: list[str], clear: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def talk(address: tuple[str, int]) -> None:
        with socket.create_connection(address) as client, client.makefile("rb") as said:
            client.sendall(V1)
            said.readline()
            for command in ("HELO client.example", *before, "STARTTLS"):
                client.sendall(f"{command}\r\n".encode())
                assert said.readline()[:1] == b"2"
            if clear:
                client.sendall(b"EHLO in the clear\r\n")
                said.read()
            else:
                with pytest.raises(ssl.SSLCertVerificationError):
                    ssl.create_default_context().wrap_socket(client, server_hostname="fax.example.com")

    async with serving(house, listener=behind) as server:
        await asyncio.to_thread(talk, server.addresses[0])
        await until_nobody_is_connected(server)
    (line,) = (line for line in lines(caplog) if line["event"] != "mail not taken")
    assert (line["event"], line["peer"]) == ("TLS failed", "192.0.2.7")
    assert ("WRONG_VERSION" if clear else "ALERT_UNKNOWN_CA") in line["error"]


async def test_who_leaves_before_tls_stands_has_a_line_that_says_so(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listener = certified(trustme.CA(), tmp_path, mode=SUBMISSIONS)
    async with serving(house, listener=listener, authenticator=Nobody()) as server:
        await asyncio.to_thread(lambda: socket.create_connection(server.addresses[0]).close())
        async with asyncio.timeout(HANG):
            while not lines(caplog):
                await asyncio.sleep(0.01)
    (line,) = lines(caplog)
    assert line == {"event": "no connection came about", "peer": "127.0.0.1", "error": line["error"]}
    assert line["error"].startswith("Connection")


async def test_a_refused_mail_has_one_line_and_its_number_is_not_in_it(
    request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    request.param = "sqlite"
    async with opened(request, tmp_path) as door:
        caplog.clear()
        (reply,) = await door.send("2025550142x@acme.example")
        assert "2025550142" in reply
    (line,) = (line for line in lines(caplog) if "peer" in line)
    assert line == {"event": "mail not taken", "peer": "127.0.0.1", "reply": "553 5.1.3"}
    assert "2025550142" not in caplog.text
