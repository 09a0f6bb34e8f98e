"""How transactions end that are not taken: the reply, and one record of each."""

import asyncio
import errno
import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway import metrics
from gateway.errors import Kind, refuse
from gateway.smtp.protocol import SmtpProtocol
from tests.integration.smtp_house import HANG, MAIL, RCPT, Client, House, make_house, serving

FAULTS = [
    (RuntimeError("a secret\r\n250 injected"), "451 4.3.0 "),
    (sqlite3.OperationalError("database is locked"), "451 4.3.0 "),
    (ConnectionRefusedError(111, "Connection refused"), "451 4.3.0 "),
    (TimeoutError("\u2713 not ascii"), "451 4.3.0 "),
    (OSError(errno.ENOSPC, "No space left on device"), "452 4.3.1 "),
    (refuse(Kind.NOTHING_TO_FAX, "nothing to fax: \u00dcbersicht.zip\r\nis ignored"), "554 5.6.1 "),
    (refuse(Kind.STORAGE_BUSY, "busy"), "451 4.3.0 "),
]
PLACES = ["sender", "recipient", "spool", "write", "take"]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


async def _dialogue(client: Client) -> tuple[str, str]:
    """Send a mail and return the command that was refused with its reply."""
    for command in (MAIL, RCPT, "DATA"):
        reply = await client.say(command)
        if reply[:1] not in {"2", "3"}:
            return command.partition(" ")[0], reply
    await client.send(b"x\r\n.\r\n")
    return ".", await client.reply()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("error", "code"), FAULTS, ids=[f"{code[:3]}-{type(e).__name__}" for e, code in FAULTS])
async def test_an_error_in_the_house_is_one_line_and_one_record(
    house: House, place: str, error: Exception, code: str
) -> None:
    house.failing[place] = error
    with capture_logs() as lines:
        async with serving(house) as server, Client(server.addresses[0]) as client:
            await client.hello()
            command, reply = await _dialogue(client)
    assert command == {"sender": "MAIL", "recipient": "RCPT", "spool": "DATA"}.get(place, ".")
    assert reply.startswith(code)
    assert reply.isascii()
    assert "secret" not in reply
    (transaction,) = house.refusals
    assert transaction.errors[0] == reply
    assert house.taken == []
    if place != "recipient":
        assert transaction.reply == reply
    faults = [line for line in lines if line.get("exc_info")]
    assert [line["exc_info"] for line in faults] == ([error] if "554" not in code and "busy" not in reply else [])
    assert all(line["transaction"] == str(transaction.id) for line in faults)


async def test_the_session_goes_on_after_a_fault(house: House) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello()
        for place in ("sender", "take", "write"):
            house.failing = {place: RuntimeError(place)}
            assert (await _dialogue(client))[1].startswith("451 ")
            if place == "recipient":
                await client.say("RSET")
        house.failing = {}
        assert (await _dialogue(client))[1].startswith("250 ")
    assert len(house.refusals) == 3


async def test_a_house_that_is_closing_ends_the_session(house: House) -> None:
    house.failing["sender"] = refuse(Kind.SHUTTING_DOWN, "come back in a minute")
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello()
        assert await client.say(MAIL) == "421 4.3.2 come back in a minute"
        assert await client.reply() == ""


async def test_a_part_of_the_house_that_is_cancelled_is_a_fault(house: House) -> None:
    house.failing["take"] = asyncio.CancelledError()
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello()
        assert (await _dialogue(client))[1].startswith("451 4.3.0 ")
    assert len(house.refusals) == 1


async def test_a_record_that_fails_changes_nothing_for_the_client(house: House) -> None:
    house.failing = {"refused": RuntimeError("no record"), "take": refuse(Kind.BOUNCE, "no")}
    with capture_logs() as lines:
        async with serving(house) as server, Client(server.addresses[0]) as client:
            await client.hello()
            assert (await _dialogue(client))[1] == "550 5.7.1 no"
            assert (await client.say("NOOP")).startswith("250 ")
    assert any(line["event"] == "a refused mail was not recorded" for line in lines)


async def test_a_bug_of_the_door_itself_is_a_fault_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: SmtpProtocol, arg: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(SmtpProtocol, "smtp_NOOP", broken)
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello()
        assert (await client.say("NOOP")).startswith("451 4.3.0 ")
        assert (await client.say("RSET")).startswith("250 ")


ENDS = ["RSET", "QUIT", "EHLO again", "HELO again", "leave", "half-close"]


@pytest.mark.parametrize(
    ("before", "end"),
    [
        *((before, end) for before in ("MAIL", "refused RCPT", "RCPT") for end in ENDS),
        *(("half of DATA", end) for end in ("leave", "half-close")),
    ],
)
async def test_a_mail_that_is_given_up_is_recorded_once(house: House, before: str, end: str) -> None:
    commands = {"MAIL": [], "refused RCPT": ["RCPT TO:<1@elsewhere.example>"], "RCPT": [RCPT]}.get(before, [RCPT])
    with capture_logs() as lines:
        replies = await _give_up(house, before, commands, end)
    (transaction,) = house.refusals
    refused = [reply for reply in replies if reply[:1] == "5"]
    assert transaction.errors == refused
    assert transaction.reply == (refused[-1] if refused else "")
    assert {line["log_level"] for line in lines} == {"info"}


async def _give_up(house: House, before: str, commands: list[str], end: str) -> list[str]:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL)
        replies = [await client.say(command) for command in commands]
        if before == "half of DATA":
            await client.say("DATA")
            await client.send(b"half a li")
        if end == "leave":
            await client.leave()
        elif end == "half-close":
            client.writer.write_eof()
        else:
            assert (await client.say(end))[:1] == "2"
        await house.until(refused=1)
    return replies


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("MAIL FROM:desk@law.example", "501 5.5.4"),
        ('MAIL FROM:<"desk"@law.example>', "501 5.1.7"),
        ("MAIL FROM:<desk@law.example> SIZE=1000001", "552 5.3.4"),
        ("MAIL FROM:<desk@law.example> SMTPUTF8", "555 5.5.4"),
        ("MAIL FROM:<d\xe9sk@law.example>", "501 5.1.7"),
        ("MAIL FROM:<=?utf-8?q?boss=40law.example=0d=0aBcc:_x?=@evil.test>", "501 5.1.7"),
    ],
)
async def test_a_mail_command_that_cannot_be_is_recorded_too(house: House, command: str, code: str) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello()
        reply = await client.say(command)
        assert reply.startswith(code + " ")
    (transaction,) = house.refusals
    assert transaction.reply == reply
    assert transaction.sender.isascii()
    assert house.began == []


async def test_a_client_that_leaves_while_its_mail_is_taken_has_sent_it_once(house: House) -> None:
    house.gate.clear()
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"x\r\n.\r\n")
        async with asyncio.timeout(HANG):
            await house.taking.wait()
        await client.leave()
        await asyncio.sleep(0.05)
        house.gate.set()
        await house.until(taken=1)
    assert house.messages == [b"x\r\n"]
    assert house.refusals == []


async def test_a_client_that_leaves_while_its_mail_is_refused_is_recorded_once(house: House) -> None:
    house.gate.clear()
    house.failing["take"] = refuse(Kind.NOTHING_TO_FAX, "nothing to fax")
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"x\r\n.\r\n")
        async with asyncio.timeout(HANG):
            await house.taking.wait()
        await client.leave()
        house.gate.set()
        await house.until(refused=1)
    assert house.refusals[0].reply == "554 5.6.1 nothing to fax"


async def test_outcomes_are_counted_by_their_kind(house: House) -> None:
    def count(outcome: str, reason: str) -> float:
        labels = {"outcome": outcome, "reason": reason}
        return metrics.registry.get_sample_value("faxgate_smtp_transactions_total", labels) or 0

    before = [count("accepted", ""), count("refused", "nothing_to_fax"), count("aborted", "")]
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello()
        await _dialogue(client)
        house.failing["take"] = refuse(Kind.NOTHING_TO_FAX, "nothing to fax")
        await _dialogue(client)
        await client.say(MAIL)
        await client.say("RSET")
    after = [count("accepted", ""), count("refused", "nothing_to_fax"), count("aborted", "")]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1]
