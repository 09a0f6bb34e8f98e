"""Listeners where people log in: AUTH over TLS only, three tries, and no mail without it."""

import asyncio
import base64
import smtplib
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from gateway.account import SmtpUser
from gateway.errors import ConfigurationError, Kind, refuse
from gateway.ids import new_id
from gateway.smtp.door import SmtpLimits
from gateway.smtp.listener import SUBMISSION, SUBMISSIONS, Listener
from gateway.smtp.server import SmtpServer
from tests.integration.smtp_house import MAIL, RCPT, Client, House, certified, make_house, serving, trusting

NAME, PASSWORD = "Jörg@law.example", "p\u00e4ss word"
NOW = datetime.now(UTC)
LOGIN = SmtpUser(new_id(), new_id(), new_id(), NAME, [], NOW, NOW)


class People:
    """Knows one person."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.error: Exception | None = None
        self.known = (NAME, PASSWORD)

    async def login(self, name: str, password: str, peer: str) -> SmtpUser:
        self.asked.append((name, password, peer))
        if self.error:
            raise self.error
        await asyncio.sleep(0)
        if (name, password) != self.known:
            raise refuse(Kind.LOGIN_FAILED, "that is wrong")
        return LOGIN


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


GOOD = b64(f"\0{NAME}\0{PASSWORD}")
BAD = b64(f"\0{NAME}\0guess")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    return trusting(authority)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def listener(authority: trustme.CA, tmp_path: Path) -> Listener:
    return certified(authority, tmp_path, mode=SUBMISSIONS)


async def test_starttls_comes_before_the_login_and_the_login_before_the_mail(
    house: House, people: People, authority: trustme.CA, tmp_path: Path, tls: ssl.SSLContext
) -> None:
    listener = certified(authority, tmp_path, mode=SUBMISSION)
    async with (
        serving(house, listener=listener, authenticator=people) as server,
        Client(server.addresses[0]) as client,
    ):
        await client.reply()
        assert "AUTH" not in await client.say("EHLO client.example")
        assert (await client.say(f"AUTH PLAIN {GOOD}")).startswith("538 5.7.11 ")
        assert (await client.say(MAIL)).startswith("530 5.7.0 send STARTTLS")
        await client.say("STARTTLS")
        await client.start_tls(tls)
        assert (await client.say(f"AUTH PLAIN {GOOD}")).startswith("503 5.5.1 ")  # no EHLO yet
        assert "250-AUTH PLAIN LOGIN" in (await client.say("EHLO client.example")).replace("250 AUTH", "250-AUTH")
        assert (await client.say(MAIL)).startswith("530 5.7.0 log in")
        assert (await client.say(RCPT)).startswith("503 5.5.1 ")
        assert (await client.say(f"AUTH PLAIN {GOOD}")).startswith("235 2.7.0 ")
        assert "AUTH" not in await client.say("EHLO client.example")
        assert (await client.say(f"AUTH PLAIN {GOOD}")).startswith("503 5.5.1 ")
        for command in (f"{MAIL} AUTH=<>", RCPT, "DATA"):
            assert (await client.say(command))[:1] in {"2", "3"}
        await client.send(b"x\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
    (taken,) = house.taken
    assert (taken.mode, taken.user, taken.login) == (SUBMISSION, NAME, LOGIN)
    assert people.asked == [(NAME, PASSWORD, "127.0.0.1")]
    assert house.proven == []


@pytest.mark.parametrize(
    "dialogue",
    [
        [f"AUTH PLAIN {GOOD}"],
        [f"auth plain {b64(f'{NAME}{chr(0)}{NAME}{chr(0)}{PASSWORD}')}"],
        ["AUTH PLAIN", GOOD],
        [f"AUTH Login {b64(NAME)}", b64(PASSWORD)],
        ["AUTH LOGIN", b64(NAME), b64(PASSWORD)],
        ["AUTH login", b64(NAME), b64(PASSWORD)],
    ],
)
async def test_each_way_to_log_in(
    house: House, people: People, listener: Listener, tls: ssl.SSLContext, dialogue: list[str]
) -> None:
    async with (
        serving(house, listener=listener, authenticator=people) as server,
        Client(server.addresses[0], tls) as client,
    ):
        await client.hello()
        for line in dialogue[:-1]:
            assert (await client.say(line)).startswith("334 ")
        assert (await client.say(dialogue[-1])).startswith("235 2.7.0 ")
    assert people.asked == [(NAME, PASSWORD, "127.0.0.1")]


@pytest.mark.parametrize(
    ("dialogue", "code"),
    [
        (["AUTH"], "504 5.5.4"),
        (["AUTH CRAM-MD5"], "504 5.5.4"),
        (["AUTH PLAIN not!base64"], "501 5.5.2"),
        (["AUTH PLAIN AGEAYg="], "501 5.5.2"),
        (["AUTH PLAIN =", ""], "501 5.5.2"),
        ([f"AUTH PLAIN {b64('name and password')}"], "501 5.5.2"),
        ([f"AUTH PLAIN {b64(f'boss{chr(0)}{NAME}{chr(0)}{PASSWORD}')}"], "535 5.7.8"),
        ([f"AUTH PLAIN {base64.b64encode(b'x' + bytes(1) + b'y' + bytes(1) + bytes([255])).decode()}"], "501 5.5.2"),
        (["AUTH PLAIN", "*"], "501 5.7.0"),
        (["AUTH LOGIN", "*"], "501 5.7.0"),
        (["AUTH LOGIN", b64(NAME), "*"], "501 5.7.0"),
        (["AUTH LOGIN", "x" * 13_000], "500 5.5.6"),
        ([f"AUTH PLAIN {BAD}"], "535 5.7.8"),
        ([f"AUTH LOGIN {b64(NAME)}", "="], "535 5.7.8"),
    ],
)
async def test_what_is_no_login(
    house: House, people: People, listener: Listener, tls: ssl.SSLContext, dialogue: list[str], code: str
) -> None:
    async with (
        serving(house, listener=listener, authenticator=people) as server,
        Client(server.addresses[0], tls) as client,
    ):
        await client.hello()
        for line in dialogue[:-1]:
            reply = await client.say(line)
            if not reply.startswith("334 "):
                break
        else:
            reply = await client.say(dialogue[-1])
        assert reply.startswith(code + " ")
        assert (await client.say(MAIL)).startswith("530 5.7.0 ")
        assert (await client.say(f"AUTH PLAIN {GOOD}")).startswith("235 ")


async def test_after_three_guesses_the_session_ends(
    house: House, people: People, listener: Listener, tls: ssl.SSLContext
) -> None:
    with capture_logs() as lines:
        async with (
            serving(house, listener=listener, authenticator=people) as server,
            Client(server.addresses[0], tls) as client,
        ):
            await client.hello()
            assert (await client.say(f"AUTH PLAIN {BAD}")).startswith("535 5.7.8 ")
            assert (await client.say("AUTH LOGIN")).startswith("334 ")
            await client.say(b64("nobody"))
            assert (await client.say(b64("x"))).startswith("535 5.7.8 ")
            assert (await client.say(f"AUTH PLAIN {BAD}")).startswith("421 4.7.0 ")
            assert await client.reply() == ""
    assert [peer for _, _, peer in people.asked] == ["127.0.0.1"] * 3
    assert "guess" not in str(lines)


@pytest.mark.parametrize("error", [RuntimeError("down"), refuse(Kind.LOGIN_LATER, "later")])
async def test_a_login_that_cannot_be_checked_is_no_failed_try(
    house: House, people: People, listener: Listener, tls: ssl.SSLContext, error: Exception
) -> None:
    people.error = error
    async with (
        serving(house, listener=listener, authenticator=people) as server,
        Client(server.addresses[0], tls) as client,
    ):
        await client.hello()
        for _ in range(4):
            assert (await client.say(f"AUTH PLAIN {GOOD}")).startswith("454 4.7.0 ")
        people.error = None
        assert (await client.say(f"AUTH PLAIN {GOOD}")).startswith("235 ")


async def test_a_client_that_leaves_in_the_middle_of_a_login_is_no_fault(
    house: House, people: People, listener: Listener, tls: ssl.SSLContext
) -> None:
    with capture_logs() as lines:
        async with serving(house, listener=listener, authenticator=people) as server:
            async with Client(server.addresses[0], tls) as client:
                await client.hello()
                await client.say("AUTH LOGIN")
            async with Client(server.addresses[0], tls) as client:
                await client.hello()
                await client.send(f"AUTH LOGIN\r\n{b64(NAME)}\r\n".encode())
                assert (await client.rest())[-1].startswith("503 5.5.0 ")
    assert [line for line in lines if line["log_level"] == "error"] == []
    assert people.asked == []


async def test_smtplib_logs_in(house: House, people: People, listener: Listener, tls: ssl.SSLContext) -> None:
    def send(host: str, port: int) -> None:
        with smtplib.SMTP_SSL(host, port, timeout=20, context=tls) as client:
            client.login("desk", "secret")
            client.sendmail("desk@law.example", ["12025550123@fax.example.com"], b"x\r\n")

    people.known = ("desk", "secret")
    async with serving(house, listener=listener, authenticator=people) as server:
        await asyncio.to_thread(send, *server.addresses[0])
    assert house.messages == [b"x\r\n"]
    assert house.taken[0].tls.startswith("TLSv1.")


@pytest.mark.parametrize("mode", [SUBMISSION, SUBMISSIONS])
def test_logins_need_somebody_to_check_them(house: House, authority: trustme.CA, tmp_path: Path, mode: str) -> None:
    with pytest.raises(ConfigurationError, match="nobody can check logins"):
        SmtpServer(
            house,
            hostname="fax.example.com",
            max_message_bytes=1000,
            listeners=[certified(authority, tmp_path, mode=mode)],
            limits=SmtpLimits(),
        )


def test_logins_need_a_certificate() -> None:
    with pytest.raises(ConfigurationError, match="tls_certificate"):
        Listener("127.0.0.1:0", mode=SUBMISSION)
