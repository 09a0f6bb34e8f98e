"""What a smarthost says, or does not say, and what the operator is told of it: a scripted one on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from gateway.mail.composed import ComposedMail, NotSent
from gateway.mail.smarthost import Smarthost

MAIL = ComposedMail(
    b"From: fax@fax.example.com\r\nTo: alice@example.org\r\nMessage-ID: <1@fax.example.com>\r\n\r\nHello\r\n",
    "fax@fax.example.com",
    "alice@example.org",
)
#: What a willing one answers.
WILLING = {
    "EHLO": "250 hello",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go on",
    ".": "250 ok",
    "QUIT": "221 bye",
}
NAME = "mail.test.example"


@dataclass
class Script:
    """A server that answers each command as it is told: "first|second" in turn, and with "" it drops the connection.
    ``said`` are the client's commands."""

    answers: dict[str, str]
    port: int = 0
    said: list[str] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._converse(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        self.ended.set()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers = {"": "220 hello", **WILLING, **self.answers}
        answer, within = answers[""], False
        while answer:
            writer.write(answer.encode() + b"\r\n")
            line = (await reader.readuntil(b"\r\n.\r\n" if within else b"\r\n")).decode()
            verb = "." if within else line.split()[0].partition(":")[0].upper()
            self.said.append(verb)
            answer, _, then = answers.get(verb, "500 what").partition("|")
            answers[verb] = then
            within = answer.startswith("354")


@asynccontextmanager
async def saying(**answers: str) -> AsyncIterator[Script]:
    """A smarthost with these answers for one connection; "greeting" is the first, "dot" the one to a message."""
    named = {"greeting": "", "dot": "."}
    script = Script({named.get(verb, verb): answer for verb, answer in answers.items()})
    async with await asyncio.start_server(script.talk, "127.0.0.1", 0) as server:
        script.port = server.sockets[0].getsockname()[1]
        yield script
        await asyncio.wait_for(script.ended.wait(), 20)


async def outcome(script: Script, *, tls: str = "none", username: str = "") -> NotSent | None:
    smarthost = Smarthost("127.0.0.1", script.port, tls=tls, username=username, password="secret", timeout=20)  # type: ignore[arg-type]  # one of its words
    try:
        await smarthost.send(MAIL)
    except NotSent as error:
        return error
    return None


async def refusal(**answers: str) -> NotSent:
    """What becomes of a mail with these answers; "username" logs in."""
    username = answers.pop("username", "")
    async with saying(**answers) as script:
        error = await outcome(script, username=username)
    assert error is not None
    return error


@pytest.mark.parametrize("code", ["421 4.3.2 shutting down", "451 4.3.0 local error"])
@pytest.mark.parametrize("stage", ["greeting", "EHLO", "MAIL"])
async def test_a_smarthost_that_is_not_ready_is_not_said_to_refuse_our_address(stage: str, code: str) -> None:
    error = await refusal(**{stage: code})
    assert not error.permanent
    assert error.message.endswith(f"is not ready to take mail ({code}).")


async def test_a_connection_that_ends_at_once_was_a_connection() -> None:
    error = await refusal(greeting="")
    assert "closed the connection before it had answered" in error.message


@pytest.mark.parametrize(("stage", "doubt"), [("DATA", False), ("dot", True)])
async def test_a_connection_that_ends_behind_the_message_leaves_a_doubt_that_is_told(stage: str, doubt: bool) -> None:
    error = await refusal(**{stage: ""})
    assert not error.permanent
    assert "closed the connection before it had answered." in error.message
    assert error.message.endswith("It may have taken the mail all the same.") is doubt


async def test_what_is_no_reply_has_no_code() -> None:
    error = await refusal(MAIL="HTTP/1.1 400 Bad Request")
    assert (error.permanent, error.code) == (False, 0)
    assert "(Malformed SMTP response line: HTTP/1.1 400 Bad Request)" in error.message


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.7.1 Unable to relay",
        "554 5.7.1 <alice@example.org>: Relay access denied",
        "550 relay not permitted",
        "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
        "550 5.7.1 alice@example.org... Relaying denied",
    ],
)
async def test_a_smarthost_that_does_not_relay_for_us_is_the_operator_s_and_the_mail_waits(reply: str) -> None:
    error = await refusal(RCPT=reply)
    assert (error.permanent, error.code) == (False, int(reply[:3]))
    assert "does not relay our mails" in error.message
    assert "[smarthost] username and password" in error.message


@pytest.mark.parametrize(
    "reply", ["550 5.1.1 no such user (relay denied the address)", "550 5.7.1 rejected by relay.example.org", "550 no"]
)
async def test_a_refused_recipient_is_final_whoever_relays(reply: str) -> None:
    error = await refusal(RCPT=reply)
    assert error.permanent
    assert "refused the recipient" in error.message


async def test_a_login_that_is_not_taken_for_the_moment_is_no_wrong_password() -> None:
    error = await refusal(EHLO="250-hi\r\n250 AUTH PLAIN", AUTH="454 4.7.0 the directory is away", username="gateway")
    assert "takes no login at the moment (454" in error.message
    assert "correct" not in error.message


@pytest.mark.parametrize("reply", ["535 5.7.8 wrong password", "421 4.7.0 too many logins"])
async def test_a_refused_login_is_told_where_the_connection_is_closed_behind_it(reply: str) -> None:
    error = await refusal(EHLO="250-hi\r\n250 AUTH CRAM-MD5 PLAIN LOGIN", AUTH=f"{reply}|", username="gateway")
    assert not error.permanent
    assert f"({reply})" in error.message


async def test_a_way_to_log_in_that_is_offered_and_not_known_is_passed_over() -> None:
    async with saying(EHLO="250-hi\r\n250 AUTH CRAM-MD5 PLAIN", AUTH="504 5.5.4 not that way|235 ok") as script:
        assert await outcome(script, username="gateway") is None
    assert script.said[:4] == ["EHLO", "AUTH", "AUTH", "MAIL"]


async def test_a_login_by_ways_that_are_not_known_names_them() -> None:
    error = await refusal(EHLO="250-hi\r\n250 AUTH GSSAPI NTLM", username="gateway")
    assert not error.permanent
    assert "(GSSAPI, NTLM)" in error.message
    assert "cannot be reached" not in error.message


async def test_a_demand_for_encryption_names_the_setting() -> None:
    error = await refusal(MAIL="530 5.7.0 Must issue a STARTTLS command first")
    assert "[smarthost] tls, username and password" in error.message


async def test_a_smarthost_that_does_not_know_ehlo_is_greeted_with_helo() -> None:
    async with saying(EHLO="502 5.5.1 command not implemented", HELO="250 hello") as script:
        assert await outcome(script) is None
    assert script.said == ["EHLO", "HELO", "MAIL", "RCPT", "DATA", ".", "QUIT"]


async def test_helo_is_no_way_around_starttls() -> None:
    async with saying(EHLO="502 5.5.1 command not implemented", HELO="250 hello") as script:
        error = await outcome(script, tls="starttls")
    assert error is not None
    assert "no STARTTLS" in error.message


@contextmanager
def silent(port: int) -> Iterator[str]:
    """An address of the loopback that answers nobody, as one behind a broken route does: its queue is full."""
    with socket.socket() as server:
        server.bind(("127.0.0.2", port))
        server.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for client in waiting:
                client.setblocking(False)
                client.connect_ex(("127.0.0.2", port))
            yield "127.0.0.2"
        finally:
            for client in waiting:
                client.close()


@pytest.mark.parametrize("dead", ["silent", "closed"])
async def test_the_next_address_of_its_name_is_tried(dead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def named(host: str, port: int, *more: int, **options: int) -> list[object]:
        addresses = ["127.0.0.2", "127.0.0.1"] if host == NAME else [host]
        return [found for address in addresses for found in real(address, port, *more, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", named)
    async with saying() as script:
        smarthost = Smarthost(NAME, script.port, tls="none", timeout=20)
        if dead == "closed":
            await smarthost.send(MAIL)
        else:
            with silent(script.port):
                await smarthost.send(MAIL)
    assert script.said[-2:] == [".", "QUIT"]
