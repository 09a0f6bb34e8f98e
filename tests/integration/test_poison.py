"""A job that nobody can do is set aside: its fax waits with its reason, the operator knows, all others go on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway.attempt import AttemptState
from gateway.carriers.carrier import CarrierError
from gateway.errors import Kind, refuse
from gateway.fax import State
from gateway.notify import DELIVER
from gateway.outbox import PREPARE, RESOLVE, TRANSMIT
from gateway.poison import Poison
from gateway.store import aside, claims, jobs, schema
from gateway.store.database import Tx
from gateway.store.jobs import Job
from gateway.store.schema.queue import SUSPECT
from gateway.telling import Tale
from gateway.worker import MOST_CRASHES, Worker
from tests.integration.engines import ENGINES, store, until
from tests.integration.house import OPERATOR, SENDER, House, built

NUMBERS = [f"+120255502{n:02}" for n in range(4)]


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


class Poisoned:
    """A worker whose jobs of one *kind* raise when they are about *subject*, each put back for now."""

    def __init__(self, house: House, kind: str, error: Exception, subject: object = None, most: int = 3) -> None:
        self.house, self.kind, self.error, self.subject = house, kind, error, subject
        self.raised = 0
        self._story = house.stories[kind]
        house.stories[kind] = self._do
        rooms = dict.fromkeys(house.stories, 4)
        poison = Poison(house.notify)
        self.worker = Worker(house.db, "w", house.policy.lease, house.stories, rooms, poison=poison, most_faults=most)

    async def _do(self, job: Job) -> None:
        if self.subject is not None and job.subject == str(self.subject):
            self.raised += 1
            raise self.error
        await self._story(job)

    async def __aenter__(self) -> "Poisoned":
        await self.worker.start()
        self.running = asyncio.create_task(self.worker.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.worker.stop(5)
        await self.running

    async def until_aside(self) -> dict[str, Any]:
        """Wait for the job to be set aside, without the waits between its runs."""

        def hasten(tx: Tx) -> None:
            jobs.hasten(tx, self.kind, self.subject)

        async def there() -> bool:
            await self.house.db.write(hasten)
            return bool(await self.house.db.rows(aside.all_()))

        await until(there, "a job set aside")
        (row,) = await self.house.db.rows(aside.all_())
        return dict(row)


async def test_a_fax_that_nobody_can_prepare_is_held_and_told_and_the_others_go_out(house: House) -> None:
    ids = [await house.queue(number) for number in NUMBERS]
    async with Poisoned(house, TRANSMIT, ValueError("a secret of the document"), ids[1]) as bad:
        row = await bad.until_aside()
        assert (row["kind"], row["raised"], bad.raised) == (TRANSMIT, 2, 3)
        await until(lambda: _are(house, [ids[0], *ids[2:]], State.DELIVERED), "the other faxes")
        fax = await house.fax(ids[1])
        assert fax.state is State.HELD
        assert "fault of its own" in fax.held_reason
        told = [(Tale.HELD, SENDER), (Tale.OPERATOR, OPERATOR)]
        assert await house.told(Tale.HELD, Tale.OPERATOR) == told
        await until(lambda: _mailed(house), "the mail to the operator")
        (mail,) = house.mails(OPERATOR)
        assert b"ValueError" in mail.content
        assert b"secret" not in mail.content
        # Aside is aside: it is not run again by itself, and no line is kept from others.
        assert await house.db.rows(schema.holds.select()) == []
        bad.subject = None
        await house.db.write(lambda tx: house.command.release(tx, ids[1]))
        assert await house.db.rows(aside.all_()) == []
        await until(lambda: _are(house, ids, State.DELIVERED), "the released fax")


async def _are(house: House, ids: list[UUID], state: State) -> bool:
    return all([(await house.fax(fax_id)).state is state for fax_id in ids])


async def _mailed(house: House) -> bool:
    return bool(house.mails(OPERATOR))


async def test_a_job_can_be_revived(house: House) -> None:
    await house.queue()
    await house.step(TRANSMIT)
    await house.hear()
    (told,) = await house.db.rows(schema.outgoing.select())
    async with Poisoned(house, DELIVER, RuntimeError("no"), told["id"]) as bad:
        row = await bad.until_aside()
        assert not await house.db.write(lambda tx: aside.revive(tx, row["id"] + 1))
        bad.subject = None
        assert await house.db.write(lambda tx: aside.revive(tx, row["id"]))
        await until(lambda: _has(house), "the receipt")


async def _has(house: House) -> bool:
    return bool(house.mails(SENDER))


@pytest.mark.parametrize(
    "error", [CarrierError("down", 503), refuse(Kind.STORAGE_FULL, "the disk is full")], ids=["carrier", "disk"]
)
async def test_what_passes_is_never_set_aside(error: Exception, house: House) -> None:
    fax_id = await house.queue()
    async with Poisoned(house, TRANSMIT, error, fax_id) as bad:

        async def often() -> bool:
            await house.db.write(lambda tx: jobs.hasten(tx, TRANSMIT, bad.subject))
            return bad.raised > 8

        await until(often, "many tries")
        assert await house.db.rows(aside.all_()) == []
        assert (await house.fax(fax_id)).state is State.QUEUED


async def test_an_outcome_that_cannot_be_looked_into_waits_for_a_person(house: House) -> None:
    fax_id = await house.queue()
    house.emulator.faults.reset_after_accept = 1
    house.emulator.faults.drop_webhooks = True
    await house.step(TRANSMIT)
    (attempt,) = await house.attempts(fax_id)
    assert attempt.state is AttemptState.UNKNOWN
    async with Poisoned(house, RESOLVE, KeyError("x"), attempt.id) as bad:
        await bad.until_aside()
    assert (await house.fax(fax_id)).state is State.UNKNOWN
    assert (Tale.HELD, SENDER) in await house.told(Tale.HELD)


async def test_a_job_with_which_the_process_dies_each_time_is_set_aside(house: House) -> None:
    fax_id = await house.queue()
    for _ in range(MOST_CRASHES):
        assert await house.db.write(_taken), "by a process that dies"
    other = await house.queue("+12025550199")
    async with Poisoned(house, PREPARE, ValueError()):
        await until(lambda: _are(house, [other], State.DELIVERED), "the other fax")
    assert (await house.fax(fax_id)).state is State.HELD
    assert [row["crashes"] for row in await house.db.rows(aside.all_())] == [MOST_CRASHES]


async def test_what_only_ran_beside_a_job_that_kills_is_done(house: House) -> None:
    deadly = await house.queue()
    others = [await house.queue(f"+1202555010{number}") for number in range(4)]
    for _ in range(SUSPECT):
        assert len(await house.db.write(_taken)) == 5
    alone = [await house.db.write(_taken) for _ in range(5)]
    assert sorted(job.subject for (job,) in alone) == sorted(map(str, [deadly, *others]))

    for _ in range(MOST_CRASHES - SUSPECT):  # all others end, and that one kills
        for job in await house.db.write(_taken):
            if job.subject != str(deadly):
                await house.db.write(lambda tx, job=job: jobs.finish(tx, job))  # type: ignore[misc]
    (left,) = await house.jobs(TRANSMIT)
    assert left["subject"] == str(deadly)


def _taken(tx: Tx) -> list[Job]:
    epoch = jobs.register(tx, "w")
    return claims.claim(tx, "w", epoch, TRANSMIT, 9) + claims.claim_suspect(tx, "w", epoch, [TRANSMIT])


async def test_an_orderly_stop_is_no_crash(house: House) -> None:
    await house.queue()

    def stops(tx: Tx) -> None:
        epoch = jobs.register(tx, "w")
        claims.claim(tx, "w", epoch, TRANSMIT, 1)
        jobs.leave(tx, "w", epoch)

    await house.db.write(stops)
    assert [row["crashes"] for row in await house.jobs(TRANSMIT)] == [0]


async def test_the_operator_is_told_of_a_job_that_is_about_no_fax(house: House) -> None:
    nothing = "an-event-of-nothing"
    await house.db.write(lambda tx: jobs.enqueue(tx, "event", nothing))
    async with Poisoned(house, "event", TypeError(), nothing) as bad:
        row = await bad.until_aside()
        await until(lambda: _mailed(house), "the mail to the operator")
    assert f"faxgate queue revive {row['id']}".encode() in house.mails(OPERATOR)[0].content
