"""Mails of ours that a mail server took, and that come back later: nothing is lost, and nobody is mailed in return."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from gateway.carrier_event import Happened
from gateway.ids import digest
from gateway.notify import DELIVER
from gateway.outbox import TRANSMIT
from gateway.store import schema
from tests.bounce import EXCHANGE, POSTFIX, bounce
from tests.integration.door_house import RCPT, Door, opened
from tests.integration.engines import ENGINES, rows
from tests.integration.house import OPERATOR, REALM, SENDER, said

OURS = f"fax@{REALM}"


@pytest.fixture(params=ENGINES)
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(request, tmp_path) as one:
        one.house.emulator.faults.drop_webhooks = True
        yield one


@pytest.fixture(params=ENGINES)
async def strangers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(request, tmp_path, mode="mx") as one:
        one.house.emulator.faults.drop_webhooks = True
        yield one


async def mailed(door: Door, *, taken: bool = True) -> tuple[UUID, str]:
    """Tell the sender of a fax that it has arrived; return the fax and the Message-ID of that mail."""
    house = door.house
    fax_id = await house.queue(notify=[SENDER])
    await house.step(TRANSMIT)
    await house.hear_of(said(Happened.DELIVERED, house.sent()[-1].id, pages=1))
    if taken:
        await house.step(DELIVER)
    (row,) = await rows(house.db, schema.outgoing, recipient=SENDER)
    return fax_id, str(row["message_id"])


async def come_back(door: Door, message_id: str, *, form: str = POSTFIX, to: str = OURS, action: str = "failed") -> str:
    content = bounce(message_id, recipient=SENDER, sender=OURS, form=form, action=action)
    return (await door.send(to, content, sender=""))[-1]


@pytest.mark.parametrize("form", [POSTFIX, EXCHANGE])
async def test_it_is_noted_and_the_operator_told_once(door: Door, form: str) -> None:
    fax_id, message_id = await mailed(door)
    for _ in range(2):
        assert await come_back(door, message_id, form=form) == "250 2.0.0 the mail is noted as undeliverable"
    (row,) = await rows(door.house.db, schema.outgoing, recipient=SENDER)
    assert row["state"] == "failed"
    assert row["last_error"].startswith("It was taken, and came back later: 550 5.")
    await door.house.drain(DELIVER)
    (mail,) = door.house.mails(OPERATOR)
    body = mail.parsed.get_body(("plain",))
    assert body is not None
    text = " ".join(body.get_content().split())
    assert f"A mail about this fax to {SENDER} could not be delivered: It was taken, and came back later: 550" in text
    assert f"faxgate queue show {fax_id}" in text
    assert len(door.house.mails()) == 2, "the receipt and this one"


async def test_the_bounce_of_what_the_operator_was_told_makes_no_other_mail(door: Door) -> None:
    _, message_id = await mailed(door)
    await come_back(door, message_id)
    await door.house.drain(DELIVER)
    (row,) = await rows(door.house.db, schema.outgoing, recipient=OPERATOR)
    assert (await come_back(door, str(row["message_id"]))).startswith("250 ")
    await door.house.drain(DELIVER)
    assert len(door.house.mails()) == 2


async def test_a_mail_whose_answer_was_lost_is_not_sent_again_after_its_bounce(door: Door) -> None:
    _, message_id = await mailed(door, taken=False)
    await come_back(door, message_id)
    await door.house.drain(DELIVER)
    assert [mail.envelope_to for mail in door.house.mails()] == [(OPERATOR,)]


async def test_a_delay_is_no_failure(door: Door) -> None:
    _, message_id = await mailed(door)
    assert await come_back(door, message_id, action="delayed") == "250 2.0.0 nothing follows from this report"
    (row,) = await rows(door.house.db, schema.outgoing)
    assert row["state"] == "sent"


async def test_what_names_no_mail_of_ours_is_refused(door: Door) -> None:
    await mailed(door)
    invented = f"<receipt.0123456789abcdef0123456789abcdef@{REALM}>"
    assert (await come_back(door, invented)).startswith("550 5.7.1 this is no report about a mail of this gateway")
    assert (await come_back(door, "")).startswith("550 5.7.1 ")
    reply = (await door.send(OURS, b"Subject: I am away\r\n\r\nBack on Monday.\r\n", sender=""))[-1]
    assert reply.startswith("550 5.7.1 ")
    (row,) = await rows(door.house.db, schema.outgoing)
    assert row["state"] == "sent"


async def test_only_the_null_sender_writes_to_our_address_and_only_there(door: Door) -> None:
    _, message_id = await mailed(door)
    assert (await come_back(door, message_id, to=RCPT)).startswith("550 5.7.1 bounces are not sent as faxes")
    assert (await come_back(door, message_id, to=f"other@{REALM}")).startswith("550 5.7.1 ")
    assert (await door.send(OURS))[-1].startswith("553 5.1.3 ")
    assert (await come_back(door, message_id, to=OURS.upper())).startswith("250 ")


async def test_it_is_in_the_record_of_the_account(door: Door) -> None:
    _, message_id = await mailed(door)
    await come_back(door, message_id)
    row = await door.log()
    assert (row["account_id"], row["message_id"]) == (door.house.account.id, message_id)
    assert row["reply"] == "250 2.0.0 the mail is noted as undeliverable"
    assert row["fax_ids"] == []


async def test_a_stranger_who_names_the_mail_is_believed(strangers: Door) -> None:
    """What proves a bounce is that it names the mail; the mail servers of strangers have no other evidence."""
    _, message_id = await mailed(strangers)
    assert (await come_back(strangers, message_id)).startswith("250 ")
    assert (await come_back(strangers, "<guessed@somewhere.example>")).startswith("550 5.7.1 ")


async def test_who_knows_all_that_a_mail_tells_cannot_invent_its_bounce(door: Door) -> None:
    """Its sender knows a fax's id, and to whom else a receipt goes; not the Message-ID of a mail he has not had."""
    fax_id, _ = await mailed(door)
    for tries in range(4):
        guessed = digest(f"{fax_id.hex}.{tries}.receipt.{SENDER}")[:32]
        assert (await come_back(door, f"<receipt.{guessed}@{REALM}>")).startswith("550 5.7.1 ")
