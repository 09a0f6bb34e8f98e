"""What a sender was let in by may be taken back while he is connected: it counts for no mail that comes after."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.account import SmtpUser
from gateway.smtp.listener import SUBMISSIONS
from gateway.store import schema
from tests.integration.door_house import PDF, RCPT, Door, opened
from tests.integration.engines import rows
from tests.integration.house import OFFICE, SENDER
from tests.integration.smtp_house import Client, certified, trusting
from tests.integration.test_smtp_login import b64
from tests.samples import mail

NAME, PASSWORD = "front.desk", "correct horse 9"
MAIL = f"MAIL FROM:<{SENDER}>"
CHANGED = "421 4.7.0 "

Change = Callable[[Door], Awaitable[Any]]


@pytest.fixture
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Door]:
    request.param = "sqlite"
    async with opened(request, tmp_path) as door:
        yield door


async def no_longer_permitted(door: Door) -> None:
    await door.house.provisioning.update_faxbox(door.house.faxbox.id, {"permit": ["nobody@acme.example"]})


async def deleted(door: Door) -> None:
    for number in await rows(door.house.db, schema.numbers):
        await door.house.provisioning.assign_number(number["e164"], door.house.application.id)
    await door.house.provisioning.delete_faxbox(door.house.faxbox.id)


async def switched_off(door: Door) -> None:
    await door.house.provisioning.update_application(door.house.application.id, {"active": False})


async def in_another_faxbox(door: Door) -> None:
    await no_longer_permitted(door)
    lab = {"name": "lab", "caller_id": OFFICE, "permit": [SENDER], "application_id": door.house.application.id}
    await door.house.provisioning.create_faxbox(door.house.account.id, lab)


@pytest.mark.parametrize(
    ("change", "reply"),
    [
        (no_longer_permitted, "550 5.7.1 "),
        (deleted, "550 5.7.1 "),
        (switched_off, "550 5.2.1 "),
        (in_another_faxbox, CHANGED),
    ],
)
async def test_between_rcpt_and_the_mail(door: Door, change: Change, reply: str) -> None:
    async with Client(door.server.addresses[0]) as client:
        await client.reply()
        for command in ("EHLO pc.acme.example", MAIL, f"RCPT TO:<{RCPT}>", "DATA"):
            assert (await client.say(command))[:1] in {"2", "3"}
        await change(door)
        await door.intake.refresh()
        await client.send(mail([PDF]) + b"\r\n.\r\n")
        assert (await client.reply()).startswith(reply)
    assert await rows(door.house.db, schema.faxes) == []
    (row,) = await rows(door.house.db, schema.smtplog)
    assert row["reply"].startswith(reply)


async def new_password(door: Door, user: SmtpUser) -> None:
    await door.house.provisioning.update_smtp_user(user.id, password="battery staple 9")


async def removed(door: Door, user: SmtpUser) -> None:
    await door.house.provisioning.delete_smtp_user(user.id)


@pytest.mark.parametrize("change", [new_password, removed])
@pytest.mark.parametrize("under_way", [False, True])
async def test_who_has_logged_in_before_his_login_was_changed(
    request: pytest.FixtureRequest, tmp_path: Path, change: Callable[[Door, SmtpUser], Awaitable[None]], under_way: bool
) -> None:
    """Whoever has the old password is disconnected with his next mail, and with the one that is under way."""
    request.param = "sqlite"
    authority = trustme.CA()
    listener = certified(authority, tmp_path, mode=SUBMISSIONS)
    async with opened(request, tmp_path, listener=listener) as door:
        rules = door.house.provisioning
        user = await rules.create_smtp_user(
            door.house.account.id, door.house.faxbox.id, NAME, PASSWORD, addresses=[SENDER]
        )
        async with Client(door.server.addresses[0], trusting(authority)) as client:
            await client.reply()
            await client.say("EHLO pc.acme.example")
            assert (await client.say(f"AUTH PLAIN {b64(f'{chr(0)}{NAME}{chr(0)}{PASSWORD}')}")).startswith("235 ")
            for command in (MAIL, f"RCPT TO:<{RCPT}>", "DATA"):  # made a moment ago, and known
                assert (await client.say(command))[:1] in {"2", "3"}
            if not under_way:
                await client.send(mail([PDF]) + b"\r\n.\r\n")
                assert (await client.reply()).startswith("250 ")
                assert (await client.say(MAIL)).startswith("250 ")
            await change(door, user)
            await door.intake.refresh()
            if under_way:
                await client.send(mail([PDF]) + b"\r\n.\r\n")
                reply = await client.reply()
            else:
                reply = await client.say(f"RCPT TO:<{RCPT}>")
            assert reply.startswith(f"{CHANGED}your login was changed")
            assert await client.reader.read() == b""
        assert len(await rows(door.house.db, schema.faxes)) == (0 if under_way else 1)
