"""Two at once about one outgoing fax: whoever comes first, the fax has one end, and nothing is sent behind its back.

On PostgreSQL these really run at once. A unit that had to be run again after a deadlock fails its test.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway.attempt import Attempt, AttemptState, parse_client_state
from gateway.carrier_event import Happened
from gateway.carriers.carrier import Accepted, HandingOver, Order
from gateway.errors import Refusal
from gateway.events import EVENT
from gateway.fax import State
from gateway.outbox import RESOLVE, TRANSMIT
from gateway.outbox.document import AttemptDocument
from gateway.store import attempts, jobs, postgres, schema
from gateway.store.jobs import Job
from gateway.telling import Tale
from tests.integration.between import Between
from tests.integration.engines import BOTH, HANG, rows, store
from tests.integration.house import SENDER, House, built, said

TRIALS = 8


@pytest.fixture(params=BOTH)
async def house(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setattr(postgres, "RETRIES", 1)
    async with store(request, tmp_path) as db, built(db, tmp_path, unknown_patience=timedelta(0)) as house:
        await house.talk_to(Quick(house))
        yield house


class Quick(Between):
    """A carrier that accepts everything at once; what it says, the test says."""

    async def hand_over(self, order: Order) -> HandingOver:
        self.orders.append(order)
        return Accepted(f"carrier {handed_over(order)}")


def handed_over(order: Order) -> UUID:
    known = parse_client_state(order.client_state)
    assert known is not None
    return known[0]


def orders(house: House) -> list[Order]:
    assert isinstance(house.carrier, Quick)
    return house.carrier.orders


async def at_once(*work: Awaitable[Any]) -> list[Any]:
    """Do everything at once; what a command refuses is an outcome like others."""
    async with asyncio.timeout(HANG):
        outcomes = await asyncio.gather(*work, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Refusal):
            raise outcome
        if isinstance(outcome, Refusal):
            assert not outcome.reason.temporary, "units waited for each other"
    return outcomes


async def unknown_attempt(house: House) -> Attempt:
    """Make a fax whose attempt may or may not be with the carrier."""
    fax_id = await house.queue(f"+1202555{4000 + len(await rows(house.db, schema.faxes))}")
    fax = await house.fax(fax_id)
    job = next(job for job in await house.claim(TRANSMIT) if job.subject == str(fax_id))
    await house.db.write(lambda tx: house.transmit._intend(tx, job, AttemptDocument(fax.pages_blob)))
    (attempt,) = await house.attempts(fax_id)
    await house.db.write(lambda tx: house.transmit._unknown(tx, attempt, "trial"))
    await house.db.write(lambda tx: jobs.finish(tx, job))
    return attempt


async def test_a_document_is_never_both_served_and_withdrawn(house: House) -> None:
    for _ in range(TRIALS):
        attempt = await unknown_attempt(house)
        (job,) = await house.claim(RESOLVE)
        served, _ = await at_once(
            house.db.write(lambda tx, token=attempt.handle: attempts.record_fetch(tx, token)),  # type: ignore[misc]  # called at once
            house.stories[RESOLVE](job),
        )
        await house.step(RESOLVE, times=2)
        now = await attempts.fetch(house.db, attempt.id)
        assert now is not None
        if served is not None:
            assert (now.state, now.revoked_at) == (AttemptState.UNKNOWN, None), "it may be on its way"
            assert (await house.fax(attempt.fax_id)).state is State.UNKNOWN
        else:
            assert (now.state, now.fetched_at) == (AttemptState.VOID, None)
        await house.db.write(lambda tx: tx.execute(schema.jobs.delete()))


async def test_a_fax_is_not_sent_anew_when_the_carriers_word_comes_at_the_last_moment(house: House) -> None:
    for _ in range(TRIALS):
        attempt = await unknown_attempt(house)
        await house.step(RESOLVE)
        (job,) = await house.claim(RESOLVE)
        word = said(Happened.SENDING, str(attempt.id), client_state=attempt.client_state)
        await house.events.record(word, "webhook")
        (event,) = await house.claim(EVENT)
        await at_once(house.stories[RESOLVE](job), house.stories[EVENT](event))
        now = await attempts.fetch(house.db, attempt.id)
        assert now is not None
        again = [row for row in await house.jobs(TRANSMIT) if row["subject"] == str(attempt.fax_id)]
        assert (now.state, len(again)) in {(AttemptState.ACCEPTED, 0), (AttemptState.VOID, 1)}
        await house.db.write(lambda tx: tx.execute(schema.jobs.delete()))


async def test_the_same_events_dispatched_by_two_workers_end_a_fax_once(house: House) -> None:
    for number in range(TRIALS):
        fax_id = await house.queue(f"+1202555{4000 + number}")
        await house.step(TRANSMIT)
        (attempt,) = await house.attempts(fax_id)
        for happened in (Happened.SENDING, Happened.DELIVERED, Happened.DELIVERED, Happened.FAILED):
            await house.events.record(said(happened, attempt.carrier_fax_id, failure_reason="user_busy"), "webhook")
        claimed = await house.claim(EVENT)
        await at_once(*[house.stories[EVENT](job) for job in claimed])
        fax = await house.fax(fax_id)
        tries = await house.jobs(TRANSMIT)
        assert fax.state is State.DELIVERED or (fax.state is State.QUEUED and len(tries) == 1)
        told = await rows(house.db, schema.outgoing, fax_id=fax_id)
        assert len(told) == (fax.state is State.DELIVERED)
        await house.db.write(lambda tx: tx.execute(schema.jobs.delete()))


@pytest.mark.parametrize("name", ["hold", "cancel", "retry"])
async def test_a_command_and_the_worker_agree_whether_the_fax_was_sent(house: House, name: str) -> None:
    for number in range(TRIALS):
        before = len(orders(house))
        fax_id = await house.queue(f"+1202555{4000 + number}")
        (job,) = await house.claim(TRANSMIT)
        done, _ = await at_once(command(house, name, fax_id), worker(house, job))
        await house.drain("cancel", TRANSMIT, RESOLVE)
        sent = len(orders(house)) - before
        state = (await house.fax(fax_id)).state
        refused = isinstance(done, Refusal)
        if name == "hold":
            assert (state, sent) == ((State.QUEUED, 1) if refused else (State.HELD, 0))
        elif name == "cancel":
            assert (state, sent) in {(State.CANCELED, 0), (State.QUEUED, 1)}
        else:
            assert (state, sent) == (State.QUEUED, 1)
        assert len([one for one in await house.attempts(fax_id) if one.state is AttemptState.ACCEPTED]) == sent
        await house.db.write(lambda tx: tx.execute(schema.jobs.delete()))
        await house.db.write(lambda tx: tx.execute(schema.holds.delete()))


async def worker(house: House, job: Job) -> None:
    await house.stories[TRANSMIT](job)


async def command(house: House, name: str, fax_id: UUID) -> str:
    sentence: str = await house.db.write(lambda tx: getattr(house.command, name)(tx, fax_id))
    return sentence


async def test_cancel_and_the_last_word_of_the_carrier_end_a_fax_once(house: House) -> None:
    for number in range(TRIALS):
        fax_id = await house.queue(f"+1202555{4000 + number}")
        await house.step(TRANSMIT)
        (attempt,) = await house.attempts(fax_id)
        await house.events.record(said(Happened.FAILED, attempt.carrier_fax_id, failure_reason="user_busy"), "webhook")
        (event,) = await house.claim(EVENT)
        await at_once(command(house, "cancel", fax_id), house.stories[EVENT](event))
        assert (await house.fax(fax_id)).state is State.CANCELED
        assert await house.jobs(TRANSMIT) == []
        assert len(await rows(house.db, schema.outgoing, fax_id=fax_id)) == 1


async def test_many_faxes_to_few_numbers_all_go_out_one_call_at_a_time(house: House) -> None:
    """Everything at once: several workers, channels, retries; nothing is stuck and nothing is said twice."""
    await house.provisioning.update_application(house.application.id, {"channel_limit": 3})
    calling: set[str] = set()

    class Rings(Quick):
        async def hand_over(self, order: Order) -> HandingOver:
            assert order.to_number not in calling
            assert len(calling) < 3
            calling.add(order.to_number)
            return await super().hand_over(order)

    await house.talk_to(Rings(house))
    ids = [await house.queue(f"+1202555400{number % 4}", tries_allowed=2) for number in range(10)]

    async def answers() -> None:
        """The carrier: each call fails at first, then succeeds."""
        tried: set[UUID] = set()
        while open_ones := await rows(house.db, schema.faxes, finished_at=None):
            for attempt in await attempts.open_ones(house.db):
                number = next((row["to_number"] for row in open_ones if row["id"] == attempt.fax_id), "")
                calling.discard(number)
                word = Happened.DELIVERED if attempt.fax_id in tried else Happened.FAILED
                tried.add(attempt.fax_id)
                await house.events.record(
                    replace(said(word, attempt.carrier_fax_id, failure_reason="user_busy"), id=f"{attempt.id}"),
                    "webhook",
                )
            await asyncio.sleep(0.01)

    async with asyncio.timeout(HANG), house.working("a"), house.working("b"):
        await answers()
    assert {(await house.fax(fax_id)).state for fax_id in ids} == {State.DELIVERED}
    assert {(await house.fax(fax_id)).tries for fax_id in ids} == {2}
    assert len(orders(house)) == 20
    assert await house.told(Tale.RECEIPT) == [("receipt", SENDER)] * 10
    assert await rows(house.db, schema.holds) == []
