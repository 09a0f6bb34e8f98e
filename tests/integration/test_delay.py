"""Who sent a fax that has not gone out for hours is told so once: why, how it goes on, and how to cancel it."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from gateway.attempt import AttemptState
from gateway.carrier_event import Happened
from gateway.fax import State
from gateway.notify import DELIVER
from gateway.outbox import PREPARE, TRANSMIT, Delay
from gateway.store import carriers, faxes, jobs, schema
from gateway.store.carriers import Breaker
from gateway.store.database import Tx
from gateway.telling import Tale
from tests.integration.engines import ENGINES, store
from tests.integration.house import OPERATOR, REALM, SENDER, House, built, said

PAST = datetime.now(UTC) - timedelta(seconds=1)
BUSY = "+12025550001"
#: It has waited for four hours, and is tried for forty-four more.
LATE: dict[str, Any] = {"delay_at": PAST, "deadline_at": datetime.now(UTC) + timedelta(hours=44)}


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        house.emulator.faults.drop_webhooks = True
        yield house


async def look(house: House) -> None:
    await Delay(house.db, house.notify, house.policy).look()


async def words(house: House) -> str:
    """Mail what is to be mailed, and return what the sender reads in the only mail."""
    await house.drain(DELIVER)
    (mail,) = house.mails(SENDER)
    body = mail.parsed.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


async def busy(house: House, **changes: Any) -> UUID:
    """Make a fax that was tried once, met a busy line, and is late."""
    fax_id = await house.queue(**LATE | changes)
    await house.step(TRANSMIT)
    await house.hear_of(said(Happened.FAILED, house.sent()[-1].id, failure_reason="user_busy"))
    due = datetime.now(UTC) + timedelta(minutes=30)
    await house.db.write(
        lambda tx: tx.execute(schema.jobs.update().where(schema.jobs.c.subject == str(fax_id)).values(due=due))
    )
    return fax_id


async def test_its_sender_is_told_once_why_and_how_it_goes_on(house: House) -> None:
    fax_id = await busy(house)
    for _ in range(3):
        await look(house)
    text = await words(house)
    assert "Your fax to +1 202-555-0142 has not gone out yet. The line was busy. It is tried again at " in text
    assert " If need be it is tried until " in text
    assert "You need not send it again" in text
    assert "3 times in all. You need not send it again" in text
    (mail,) = house.mails()
    assert mail.subject == "Fax to +1 202-555-0142: delayed - the line was busy"
    assert (mail.envelope_from, mail.envelope_to) == ("", (SENDER,))
    assert mail.parsed["Auto-Submitted"] == "auto-replied"
    assert str(mail.parsed["Message-ID"]).startswith("<delayed.")
    fax = await house.fax(fax_id)
    assert (fax.state, fax.delay_at) == (State.QUEUED, None)


async def test_two_that_look_at_once_tell_it_once(house: House) -> None:
    for number in range(5):
        await house.queue(f"+120255501{number:02}", **LATE)
    await asyncio.gather(*(look(house) for _ in range(4)))
    assert await house.told() == [("delayed", SENDER)] * 5


async def test_a_unit_that_is_undone_has_told_nothing_and_is_made_up_for(house: House) -> None:
    await house.queue(**LATE)

    class Undone(Exception):
        pass

    def unit(tx: Tx) -> None:
        Delay(house.db, house.notify, house.policy).tell(tx)
        raise Undone

    with pytest.raises(Undone):
        await house.db.write(unit)
    assert await house.told() == []
    await look(house)
    assert await house.told() == [("delayed", SENDER)]


async def test_those_are_told_who_get_the_receipts(house: House) -> None:
    await house.queue(notify=[SENDER, f"list@{REALM}"], **LATE)
    await house.queue("+12025550143", notify=[], **LATE)
    await look(house)
    assert await house.told() == [("delayed", SENDER), ("delayed", f"list@{REALM}")]


async def test_who_is_not_late_is_not_told(house: House) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=1)
    await house.queue(delay_at=soon)
    await house.queue("+12025550143", delay_at=None)
    held = await house.queue("+12025550144", **LATE)
    await house.db.write(lambda tx: house.command.hold(tx, held))
    canceled = await house.queue("+12025550145", notify=[], **LATE)
    await house.db.write(lambda tx: house.command.cancel(tx, canceled))
    await look(house)
    assert await house.told() == []


async def test_a_held_fax_that_is_released_has_its_hours_anew(house: House) -> None:
    fax_id = await house.queue(**LATE)
    await house.db.write(lambda tx: house.command.hold(tx, fax_id))
    await house.db.write(lambda tx: house.command.release(tx, fax_id))
    await look(house)
    assert await house.told() == []
    fax = await house.fax(fax_id)
    assert fax.delay_at is not None
    assert timedelta(hours=3.9) < fax.delay_at - datetime.now(UTC) < timedelta(hours=4.1)


async def test_one_that_is_tried_anew_is_not_told_of_again(house: House) -> None:
    fax_id = await busy(house)
    await look(house)
    await house.db.write(lambda tx: house.command.retry(tx, fax_id))
    await house.db.write(lambda tx: faxes.change(tx, fax_id, [State.QUEUED], delay_at=PAST))
    await look(house)
    assert await house.told() == [("delayed", SENDER)]


async def preparing(house: House, **changes: Any) -> UUID:
    """Make a fax whose pages are yet to be made."""
    blob = await house.blobs.put_bytes(house.document)
    document = {"blob": blob, "name": "it.pdf", "media_type": "application/pdf"}
    fax_id = await house.queue(rendering_id=None, state=State.PREPARING, documents=[document], **changes)
    await house.db.write(lambda tx: jobs.drop(tx, TRANSMIT, fax_id))
    await house.db.write(lambda tx: jobs.enqueue(tx, PREPARE, fax_id))
    return fax_id


async def test_one_whose_pages_are_not_made_is_told_of_too_and_only_once(house: House) -> None:
    fax_id = await preparing(house, **LATE)
    await look(house)
    assert "Its pages have not been made yet." in await words(house)
    await house.step(PREPARE)
    assert (await house.fax(fax_id)).state is State.QUEUED
    await look(house)
    assert await house.told() == [("delayed", SENDER)]


async def test_what_was_told_at_the_door_holds_when_the_pages_are_made(house: House) -> None:
    soon = datetime.now(UTC) + timedelta(hours=2)
    fax_id = await preparing(house, delay_at=soon)
    await house.step(PREPARE)
    assert (await house.fax(fax_id)).delay_at == soon


# -- why ---------------------------------------------------------------------------------------------------------------


async def test_a_carrier_that_is_down_is_named(house: House) -> None:
    await busy(house)

    def down(tx: Tx) -> None:
        for _ in range(5):
            carriers.failed(tx, "telnyx", Breaker(), "no answer")

    await house.db.write(down)
    await look(house)
    text = await words(house)
    assert "The carrier cannot be reached at the moment." in text
    assert "delayed - the carrier" in house.mails(SENDER)[0].subject


async def test_a_fax_that_waits_for_another_to_its_number_says_so(house: House) -> None:
    await house.queue(delay_at=None)
    await house.queue(**LATE)
    await look(house)
    text = await words(house)
    assert (
        "Other faxes go to the same number, one after the other. It goes on by itself as soon as that is over." in text
    )


async def test_one_that_waits_for_a_channel_or_its_turn_says_so(house: House) -> None:
    house.policy = replace(house.policy, max_calls=1)
    house.connect()
    await house.queue(**LATE)
    await house.queue("+12025550143", **LATE)
    await look(house)
    await house.drain(DELIVER)
    texts = [mail.content.decode() for mail in house.mails(SENDER)]
    assert any("All lines are in use by other faxes." in text for text in texts)
    assert any("More faxes are to be sent than the carrier takes at a time." in text for text in texts)


async def test_a_call_that_is_under_way_is_waited_for_but_not_for_ever(house: House) -> None:
    fax_id = await house.queue(**LATE)
    await house.step(TRANSMIT)
    assert (await house.fax(fax_id)).state is State.QUEUED
    await look(house)
    assert await house.told() == []
    assert (await house.fax(fax_id)).delay_at is not None, "it is looked at again"
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    await house.db.write(lambda tx: tx.execute(schema.attempts.update().values(intent_at=long_ago)))
    await house.db.write(lambda tx: faxes.change(tx, fax_id, [State.QUEUED], delay_at=PAST))
    await look(house)
    assert "The carrier has taken the fax, and has not yet said what became of it." in await words(house)


async def test_it_is_not_told_that_the_carrier_has_a_fax_of_which_that_is_not_known(house: House) -> None:
    fax_id = await house.queue(**LATE)
    await house.step(TRANSMIT)
    doubt = {"intent_at": datetime.now(UTC) - timedelta(hours=2), "state": AttemptState.UNKNOWN.value}
    await house.db.write(lambda tx: tx.execute(schema.attempts.update().values(**doubt)))
    await look(house)
    assert (await house.fax(fax_id)).state is State.QUEUED
    assert "It is not known yet whether the carrier has taken the fax; it is asked again." in await words(house)


# -- the link ----------------------------------------------------------------------------------------------------------


async def link(house: House) -> str:
    (found,) = re.findall(r"https?://\S+/decide/[\w-]+", await words(house))
    return str(found)


async def test_the_link_shows_the_fax_and_only_its_button_cancels_it(house: House) -> None:
    fax_id = await busy(house)
    await look(house)
    url = await link(house)
    async with aiohttp.ClientSession() as web:
        async with web.get(url) as response:
            page = await response.text()
        assert "Cancel the fax to +1 202-555-0142?" in page
        assert re.findall(r'name="answer" value="(\w+)"', page) == ["cancel"]
        assert (await house.fax(fax_id)).state is State.QUEUED
        async with web.post(url, data={"answer": "cancel"}) as response:
            assert (response.status, "is canceled" in await response.text()) == (200, True)
        assert (await house.fax(fax_id)).state is State.CANCELED
        async with web.get(url) as response:
            page = await response.text()
            assert (response.status, "faxgate" in page) == (410, False), "commands are not for its reader"


async def test_the_link_of_the_sender_releases_nothing(house: House) -> None:
    """Otherwise whoever is over the limits of a day could let his faxes go by himself."""
    fax_id = await busy(house)
    await look(house)
    url = await link(house)
    await house.db.write(lambda tx: house.command.hold(tx, fax_id))
    async with aiohttp.ClientSession() as web:
        async with web.post(url, data={"answer": "release"}) as response:
            assert response.status == 409
        assert (await house.fax(fax_id)).state is State.HELD
        await house.db.write(lambda tx: faxes.change(tx, fax_id, [State.HELD], state=State.UNKNOWN))
        async with web.post(url, data={"answer": "cancel"}) as response:
            assert response.status == 409, "whether it was sent is for the operator to say"


async def test_a_delay_that_cannot_be_told_troubles_nobody(house: House) -> None:
    await house.queue(**LATE)
    await look(house)
    house.catcher.refuse_with = (550, "5.1.1 no such user")
    await house.drain(DELIVER)
    assert await house.told(Tale.OPERATOR) == []
    assert house.mails(OPERATOR) == []
