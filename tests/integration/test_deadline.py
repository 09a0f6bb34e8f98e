"""A fax that cannot be sent in time ends with a mail that says so, but never while the carrier has or may have it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.attempt import AttemptState
from gateway.fax import State
from gateway.notify import DELIVER
from gateway.outbox import TRANSMIT
from gateway.store import faxes, jobs
from tests.integration.engines import ENGINES, store
from tests.integration.house import SENDER, House, built

PAST = datetime.now(UTC) - timedelta(seconds=1)
BUSY = "+12025550001"


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


async def expire(house: House) -> int:
    return await house.db.write(house.settle.expire)


async def test_a_fax_whose_time_is_up_while_it_waits_fails_and_its_sender_is_told(house: House) -> None:
    fax_id = await house.queue(deadline_at=PAST, failure_reason="user_busy")
    in_time = await house.queue("+12025550124", deadline_at=datetime.now(UTC) + timedelta(hours=1))
    assert await expire(house) == 1
    fax = await house.fax(fax_id)
    assert (fax.state, fax.failure_reason) == (State.FAILED, "deadline_passed")
    assert (await house.fax(in_time)).state is State.QUEUED
    assert [job["subject"] for job in await house.jobs(TRANSMIT)] == [str(in_time)]
    await house.drain(DELIVER)
    (mail,) = house.mails(SENDER)
    assert "not delivered - it could not be sent in time" in mail.subject
    body = mail.parsed.get_body(("plain",))
    assert body is not None
    text = " ".join(body.get_content().split())
    assert "It could not be sent within 2 days, and is not tried any more. The last try: The line was busy." in text


async def test_no_try_begins_after_the_deadline(house: House) -> None:
    fax_id = await house.queue(deadline_at=PAST)
    await house.step(TRANSMIT)
    assert (await house.fax(fax_id)).state is State.FAILED
    assert await house.attempts(fax_id) == []
    assert house.emulator.faxes == []


async def test_a_try_that_would_begin_after_the_deadline_is_not_planned(house: House) -> None:
    house.policy = house.policy.__class__(public_url=house.http, connection_id="77", retry_delay=timedelta(hours=2))
    house.connect()
    fax_id = await house.queue(BUSY, tries_allowed=3, deadline_at=datetime.now(UTC) + timedelta(hours=1))
    await house.step(TRANSMIT)
    await house.hear()
    fax = await house.fax(fax_id)
    assert (fax.state, fax.failure_reason, fax.tries) == (State.FAILED, "user_busy", 1)
    assert "not tried any more" in fax.failure_text


@pytest.mark.parametrize("state", [AttemptState.ACCEPTED, AttemptState.UNKNOWN])
async def test_no_deadline_ends_a_fax_that_the_carrier_has_or_may_have(state: AttemptState, house: House) -> None:
    fax_id = await house.queue()
    if state is AttemptState.UNKNOWN:
        house.emulator.faults.reset_after_accept = 1
    await house.step(TRANSMIT)
    assert [attempt.state for attempt in await house.attempts(fax_id)] == [state]
    await house.db.write(lambda tx: faxes.change(tx, fax_id, list(State), deadline_at=PAST))
    assert await expire(house) == 0
    assert (await house.fax(fax_id)).state is not State.FAILED


async def test_a_held_fax_has_no_deadline_and_a_released_one_has_a_new_one(house: House) -> None:
    fax_id = await house.queue(deadline_at=PAST)
    await house.db.write(lambda tx: house.command.hold(tx, fax_id))
    assert await expire(house) == 0
    await house.db.write(lambda tx: house.command.release(tx, fax_id))
    fax = await house.fax(fax_id)
    assert fax.deadline_at is not None
    assert fax.deadline_at > datetime.now(UTC) + timedelta(hours=47)
    assert await expire(house) == 0


async def test_calls_of_an_account_and_at_the_carrier_are_limited(house: House) -> None:
    await house.provisioning.update_account(house.account.id, channel_limit=2)
    numbers = [f"+120255502{n:02}" for n in range(4)]
    for number in numbers:
        await house.queue(number)
    assert await house.step(TRANSMIT) == 2, "two channels for the account"
    assert {job["blocked_on"] for job in await house.jobs(TRANSMIT)} == {f"account:{house.account.id}"}
    await house.provisioning.update_account(house.account.id, channel_limit=None)
    house.policy = house.policy.__class__(public_url=house.http, connection_id="77", max_calls=1)
    house.connect()
    more = [await house.queue(f"+120255503{n:02}") for n in range(2)]
    assert len(await house.claim(TRANSMIT)) == 1, "one call at the carrier"
    blocked = [job["blocked_on"] for job in await house.jobs(TRANSMIT) if job["subject"] == str(more[1])]
    assert blocked == ["carrier:telnyx"]
    await house.db.write(lambda tx: jobs.release(tx, more[0]))
    assert len(await house.claim(TRANSMIT)) == 1
