"""The ceilings of a day: what is beyond them is held and told, neither lost nor sent, and a person lets it go on."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway.allowance import Allowance, Allowances
from gateway.fax import Direction, Fax, Origin, State
from gateway.ids import new_id
from gateway.intake.submit import Remote, Submission
from gateway.limits import Limits
from gateway.outbox import COLLECT, HELD, PREPARE, TRANSMIT, enter
from gateway.store import faxes, jobs, postgres, schema
from gateway.store.database import Tx
from gateway.telling import Tale
from tests import samples
from tests.integration.door_house import Door, opened
from tests.integration.engines import ENGINES, rows
from tests.integration.house import OFFICE, OPERATOR, REALM, SENDER, House
from tests.samples import Attachment, mail


def ceilings(**allowances: Allowance) -> Limits:
    return Limits(["US"], ["fixed_line_or_mobile"], Allowances(**allowances))


@pytest.fixture(params=ENGINES)
async def door(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setattr(postgres, "RETRIES", 1)
    limits = ceilings(faxbox=Allowance(faxes=3, pages=7, new_destinations=2), account=Allowance(faxes=5))
    async with opened(request, tmp_path, limits) as one:
        yield one


def number(last: int) -> str:
    return f"+120255501{last:02}@{REALM}"


async def states(door: Door) -> list[State]:
    """The states of all faxes, in the order in which they came."""
    found = await faxes.page(door.house.db, limit=500)
    return [fax.state for fax in sorted(found, key=lambda fax: fax.id)]


async def send(door: Door, *recipients: str, pages: int = 1, name: str = "a") -> str:
    document = Attachment(f"{name}.pdf", samples.pdf(pages))
    return (await door.send(list(recipients), mail([document], subject=name)))[-1]


async def test_what_is_beyond_is_taken_and_held_and_sender_and_operator_are_told_once(door: Door) -> None:
    house = door.house
    assert (await send(door, number(1), number(2), number(3), number(1))).endswith("1 of them held until approved")
    assert await states(door) == [State.PREPARING, State.PREPARING, State.HELD]
    held = next(fax for fax in await faxes.page(house.db) if fax.state is State.HELD)
    assert held.held_reason == "the faxbox has reached its limit of 2 new fax numbers a day"
    assert (await send(door, number(4), name="b")).endswith("; held until approved")
    await house.drain(HELD)
    # Each held fax is told to its sender, the operator once.
    assert await house.told(Tale.HELD) == [("held", SENDER)] * 2
    assert await house.told(Tale.OPERATOR) == [("operator", OPERATOR)]
    await house.drain(PREPARE, TRANSMIT)
    assert {fax.to_number for fax in house.emulator.faxes} == {"+12025550101", "+12025550102"}

    await house.db.write(lambda tx: house.command.release(tx, held.id))
    await house.drain(PREPARE, TRANSMIT)
    assert "+12025550103" in {fax.to_number for fax in house.emulator.faxes}


async def test_a_number_that_was_only_held_stays_new_and_one_that_was_approved_is_known(door: Door) -> None:
    await send(door, number(1), number(2), number(3))
    await send(door, number(3), name="again")
    assert await states(door) == [State.PREPARING, State.PREPARING, State.HELD, State.HELD]
    held = [fax for fax in await faxes.page(door.house.db) if fax.state is State.HELD]
    await door.house.db.write(lambda tx: door.house.command.release(tx, held[0].id))
    await send(door, number(3), name="and again")
    assert (await states(door))[-1] is State.PREPARING


async def test_faxes_and_pages_have_ceilings_too_and_one_of_its_own_goes_before_the_setting(door: Door) -> None:
    await send(door, number(1), pages=5)
    await send(door, number(1), pages=3, name="b")
    assert await states(door) == [State.PREPARING, State.HELD]
    rules, box = door.house.provisioning, door.house.faxbox
    await rules.set_daily_limits("faxbox", box.id, {"pages": 8, "faxes": 0})
    for name in "cdef":
        await send(door, number(1), pages=1, name=name)
    # 5 and 3 pages; then the pages of the faxbox are used up: 5 + 1 + 1 + 1.
    assert (await states(door))[2:] == [State.PREPARING] * 3 + [State.HELD]
    await rules.set_daily_limits("faxbox", box.id, {"pages": 0})
    await send(door, number(1), name="g")
    await send(door, number(1), name="h")
    # The account's five faxes: what was held was not counted.
    assert (await states(door))[-2:] == [State.PREPARING, State.HELD]


async def test_yesterday_does_not_count(door: Door) -> None:
    await send(door, number(1), number(2), number(3))

    def day_before(tx: Tx) -> None:
        tx.execute(schema.usage.update().values(day="2020-01-01"))

    await door.house.db.write(day_before)
    await send(door, number(3), name="b")
    assert (await states(door))[-1] is State.PREPARING
    assert {row["day"] for row in await rows(door.house.db, schema.usage)} != {"2020-01-01"}


def fresh(house: House, to: int, **fields: Any) -> Fax:
    now = datetime.now(UTC)
    fax = Fax(
        id=new_id(),
        account_id=house.account.id,
        application_id=house.application.id,
        faxbox_id=None,
        direction=Direction.OUTBOUND,
        origin=Origin.TELNYX,
        state=State.PREPARING,
        from_number=OFFICE,
        to_number=f"+120255501{to:02}",
        created_at=now,
        updated_at=now,
        notify=[SENDER],
    )
    return replace(fax, **fields)


async def test_many_at_once_never_pass_a_ceiling_together(door: Door) -> None:
    house = door.house

    async def one(to: int) -> None:
        # Every second one through the faxbox: units that lock different rows.
        box = house.faxbox.id if to % 2 else None
        await house.db.write(lambda tx: enter(tx, house.limits, [fresh(house, to % 2, faxbox_id=box)]))

    await asyncio.gather(*(one(to) for to in range(24)))
    found = await states(door)
    assert found.count(State.PREPARING) == 5
    assert found.count(State.HELD) == 19
    (used,) = [row for row in await rows(house.db, schema.usage) if row["key"].startswith("account:")]
    assert (used["faxes"], used["held"]) == (5, 19)


async def test_pages_that_are_known_only_later_are_counted_then(door: Door) -> None:
    house = door.house
    blob = await house.blobs.put_bytes(samples.pdf(9))
    fax = fresh(house, 1, faxbox_id=house.faxbox.id, source=blob)
    await house.db.write(lambda tx: enter(tx, house.limits, [fax]))
    await house.drain(PREPARE, HELD)
    held = await house.fax(fax.id)
    assert held.state is State.HELD
    assert held.held_reason == "the faxbox has reached its limit of 7 pages a day"
    assert await house.told(Tale.HELD) == [("held", SENDER)]
    await house.db.write(lambda tx: house.command.release(tx, fax.id))
    await house.drain(PREPARE, TRANSMIT)
    assert (await house.fax(fax.id)).tries == 1


async def test_who_logs_in_has_a_ceiling_of_his_own(door: Door) -> None:
    house = door.house
    house.limits = ceilings(user=Allowance(faxes=9))
    user = await house.provisioning.create_smtp_user(house.account.id, house.faxbox.id, "desk", "correct horse")
    await house.provisioning.set_daily_limits("smtp_user", user.id, {"faxes": 1})

    async def enters(who: str) -> State:
        (fax,) = await house.db.write(lambda tx: enter(tx, house.limits, [fresh(house, 1, user=who)]))
        return fax.state

    assert [await enters(who) for who in ("desk", "desk", "other", "")] == [
        State.PREPARING,
        State.HELD,
        State.PREPARING,
        State.PREPARING,
    ]


async def test_a_thief_fills_no_mailbox(door: Door) -> None:
    house = door.house
    house.limits = ceilings(account=Allowance(faxes=1))
    new = [fresh(house, to) for to in range(40)]
    await house.db.write(lambda tx: enter(tx, house.limits, new))
    assert len(await house.jobs(HELD)) == 20
    assert len([state for state in await states(door) if state is State.HELD]) == 39


async def test_a_number_that_is_no_longer_allowed_is_not_dialled(door: Door) -> None:
    house = door.house
    fax_id: UUID = await house.queue("+12025550142")
    house.limits = Limits(["IE"], ["fixed_line_or_mobile"])
    house.connect()
    await house.drain(TRANSMIT)
    ended = await house.fax(fax_id)
    assert (ended.state, ended.failure_reason) == (State.FAILED, "destination_not_allowed")
    assert house.emulator.faxes == []
    assert await house.attempts(fax_id) == []
    assert not await house.db.write(lambda tx: jobs.exists(tx, TRANSMIT, fax_id))


async def test_every_origin_comes_through_the_same_ceiling(door: Door) -> None:
    """A request over an API, and a fax sent anew: neither goes round what mails go through."""
    house = door.house
    house.limits = ceilings(account=Allowance(faxes=1))
    house.connect()
    wish = Submission(
        account_id=house.account.id,
        application_id=house.application.id,
        origin=Origin.TELNYX,
        to="+12025550101",
        from_number=OFFICE,
        notify=(SENDER,),
    )
    first = await house.submit.take(wish, [Remote("http://127.0.0.1:1/first.pdf")])
    second = await house.submit.take(wish, [Remote("http://127.0.0.1:1/second.pdf")])
    assert [first.state, second.state] == [State.PREPARING, State.HELD]
    assert [row["subject"] for row in await house.jobs(COLLECT)] == [str(first.id)]
    # Released, it begins with what it lacks: its document.
    await house.db.write(lambda tx: house.command.release(tx, second.id))
    assert [row["subject"] for row in await house.jobs(COLLECT)] == [str(first.id), str(second.id)]

    blob = await house.blobs.put_bytes(samples.pdf(1))
    ended = {"state": State.FAILED, "documents": [{"blob": blob, "media_type": "application/pdf", "name": ""}]}
    await house.db.write(lambda tx: faxes.change(tx, first.id, [State.PREPARING], **ended))
    anew = await house.db.write(lambda tx: house.archive.send_anew(tx, first.id, Origin.KAZOO, {}))
    assert anew.state is State.HELD
