"""A fax is handed to the carrier: committed before, asked once, and every answer means what it proves."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from gateway.attempt import AttemptState, Handle
from gateway.carrier_event import Happened
from gateway.carriers.telnyx import Telnyx
from gateway.events import EVENT
from gateway.fax import State
from gateway.notify import DELIVER
from gateway.outbox import RESOLVE, TRANSMIT, WITHDRAW, Policy
from gateway.store import jobs, schema
from gateway.store.lease import LeaseLost
from gateway.telling import Tale
from tests.carriers.rawserver import HANG, RESET, Answer, answer, raw_server, unused_port
from tests.integration.between import Between
from tests.integration.engines import ENGINES, rows, store
from tests.integration.house import KEY, NODE, OPERATOR, SENDER, House, built, said

LEASE = timedelta(milliseconds=50)
BUSY, NO_ANSWER, DROPPED, UNALLOCATED = (f"+1202555000{n}" for n in (1, 2, 3, 4))
BUSY_ONCE, UNTOLD, SHUFFLED = (f"+1202555000{n}" for n in (5, 8, 9))


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


async def state_of(house: House, fax_id: UUID) -> tuple[State, list[AttemptState], int]:
    fax = await house.fax(fax_id)
    return fax.state, [attempt.state for attempt in await house.attempts(fax_id)], fax.tries


# -- before the request ------------------------------------------------------------------------------------------------


async def test_the_attempt_is_committed_before_the_carrier_is_asked(house: House) -> None:
    class Looks(Between):
        async def before(self) -> None:
            (row,) = await rows(house.db, schema.attempts)
            seen.append((row["state"], row["client_state"], row["handle"], row["fax_id"]))

    seen: list[tuple[str, str, str, UUID]] = []
    carrier = Looks(house)
    await house.talk_to(carrier)
    fax_id = await house.queue()
    assert await house.step(TRANSMIT) == 1
    (order,) = carrier.orders
    (state, client_state, handle, of_fax) = seen[0]
    assert (state, of_fax) == ("intent", fax_id)
    assert (order.client_state, order.handle) == (client_state, f"{house.http}/m/{handle}")


async def test_the_carrier_fetches_the_very_document_and_the_receipt_says_so(house: House) -> None:
    fax_id = await house.queue()
    await house.step(TRANSMIT)
    await house.hear()
    await house.drain(DELIVER)
    fax = await house.fax(fax_id)
    assert (fax.state, fax.tries, fax.pages_sent) == (State.DELIVERED, 1, 1)
    assert fax.duration is not None
    (sent,) = house.sent()
    assert sent.document is not None
    assert sent.document.content == house.document
    (attempt,) = await house.attempts(fax_id)
    assert (attempt.state, attempt.carrier_fax_id, attempt.fetches) == (AttemptState.DELIVERED, sent.id, 1)
    assert [mail.envelope_to for mail in house.mails()] == [(SENDER,)]
    assert await house.jobs() == []
    assert await rows(house.db, schema.holds) == []


async def test_a_fax_that_was_held_or_canceled_meanwhile_is_not_sent(house: House) -> None:
    held, canceled = await house.queue(), await house.queue("+12025550143")
    claimed = await house.claim(TRANSMIT)
    await house.db.write(lambda tx: house.command.hold(tx, held))
    await house.db.write(lambda tx: house.command.cancel(tx, canceled))
    for job in claimed:
        await house.stories[TRANSMIT](job)
    assert house.emulator.faxes == []
    assert [(await house.fax(one)).state for one in (held, canceled)] == [State.HELD, State.CANCELED]


async def test_a_worker_whose_lease_has_passed_asks_nothing_and_writes_nothing(house: House) -> None:
    """It may come back after the next worker's try has failed: the next one is not its to make."""
    fax_id = await house.queue(BUSY)
    (stale,) = await house.claim(TRANSMIT)
    house.epoch = await house.db.write(lambda tx: jobs.register(tx, NODE))
    await house.step(TRANSMIT)
    await house.hear()
    before = await state_of(house, fax_id)
    assert before == (State.QUEUED, [AttemptState.FAILED], 1)
    with pytest.raises(LeaseLost):
        await house.stories[TRANSMIT](stale)
    assert len(house.sent(BUSY)) == 1
    assert await state_of(house, fax_id) == before


async def test_a_slow_upload_does_not_keep_a_fax_from_being_sent(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    class Slow(Between):
        async def upload(self, name: str, content: bytes, media_type: str) -> None:
            await super().upload(name, content, media_type)
            await asyncio.sleep(2 * LEASE.total_seconds())

    request.param = "sqlite"
    async with store(request, tmp_path) as db, built(db, tmp_path, webhooks=False, lease=LEASE) as house:
        await house.talk_to(Slow(house))
        fax_id = await house.queue()
        await house.step(TRANSMIT)
        assert (await state_of(house, fax_id))[1] == [AttemptState.ACCEPTED]


async def test_behind_nat_the_document_goes_to_the_carriers_storage(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    request.param = "sqlite"
    async with store(request, tmp_path) as db, built(db, tmp_path, webhooks=False) as house:
        fax_id = await house.queue()
        await house.step(TRANSMIT)
        await house.emulator.settle()
        (attempt,) = await house.attempts(fax_id)
        assert attempt.handle_kind is Handle.MEDIA
        (sent,) = house.sent()
        assert sent.media_name == attempt.handle
        assert sent.document is not None
        assert sent.document.content == house.document
        await house.reconcile.poll()
        await house.drain(EVENT, WITHDRAW)
        assert (await house.fax(fax_id)).state is State.DELIVERED
        assert house.emulator.media.get(attempt.handle) is None, "and does not stay there"


# -- what an answer proves ---------------------------------------------------------------------------------------------

_REFUSED = {"errors": [{"code": "10015", "title": "Bad", "detail": "to is no number"}]}
_ACCEPTED = {"data": {"id": "c1", "status": "queued"}}
LATER, LOOK, END, CARRIER = "tried later", "looked at", "ended", "with the carrier"

ANSWERS: dict[str, tuple[Answer, AttemptState, State, int, str]] = {
    "202": (answer(202, _ACCEPTED), AttemptState.ACCEPTED, State.QUEUED, 1, CARRIER),
    "200": (answer(200, _ACCEPTED), AttemptState.ACCEPTED, State.QUEUED, 1, CARRIER),
    "429": (answer(429, _REFUSED, Retry_After=1), AttemptState.REJECTED, State.QUEUED, 0, LATER),
    "400": (answer(400, _REFUSED), AttemptState.REJECTED, State.FAILED, 1, END),
    "401": (answer(401, _REFUSED), AttemptState.REJECTED, State.QUEUED, 0, LATER),
    "403": (answer(403, _REFUSED), AttemptState.REJECTED, State.FAILED, 1, END),
    "404": (answer(404, _REFUSED), AttemptState.REJECTED, State.FAILED, 1, END),
    "422": (answer(422, _REFUSED), AttemptState.REJECTED, State.FAILED, 1, END),
    "408": (answer(408, _REFUSED), AttemptState.UNKNOWN, State.QUEUED, 1, LOOK),
    "409": (answer(409, _REFUSED), AttemptState.UNKNOWN, State.QUEUED, 1, LOOK),
    "500": (answer(500, _REFUSED), AttemptState.UNKNOWN, State.QUEUED, 1, LOOK),
    "503": (answer(503, b"<html>"), AttemptState.UNKNOWN, State.QUEUED, 1, LOOK),
    "302": (answer(302, b"", Location="http://elsewhere/"), AttemptState.UNKNOWN, State.QUEUED, 1, LOOK),
    "202 without an id": (answer(202, b"{}"), AttemptState.UNKNOWN, State.QUEUED, 1, LOOK),
    "202 cut off": (answer(202, _ACCEPTED)[:-9], AttemptState.UNKNOWN, State.QUEUED, 1, LOOK),
    "reset": (RESET, AttemptState.UNKNOWN, State.QUEUED, 1, LOOK),
    "silence": (HANG, AttemptState.UNKNOWN, State.QUEUED, 1, LOOK),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_means_what_it_proves(request: pytest.FixtureRequest, tmp_path: Path, name: str) -> None:
    reply, attempt_state, state, tries, next_ = ANSWERS[name]
    request.param = "sqlite"
    async with store(request, tmp_path) as db, built(db, tmp_path) as house, raw_server(reply) as raw:
        await house.talk_to(Telnyx(raw.base_url, KEY, timeout=0.3 if name == "silence" else 10))
        fax_id = await house.queue()
        await house.step(TRANSMIT)
        assert len(raw.requests) == 1, "one request, whatever comes of it"
        assert await state_of(house, fax_id) == (state, [attempt_state], tries)
        await _check_what_follows(house, next_)


async def test_no_connection_proves_that_nothing_was_sent(house: House) -> None:
    await house.talk_to(Telnyx(f"http://127.0.0.1:{unused_port()}", KEY))
    fax_id = await house.queue()
    for number in range(1, 4):
        await house.step(TRANSMIT)
        assert await state_of(house, fax_id) == (State.QUEUED, [AttemptState.REJECTED] * number, 0)
    await _check_what_follows(house, LATER)
    fax = await house.fax(fax_id)
    assert fax.next_try_at is not None
    assert await house.told() == [], "the carrier's trouble is not the sender's"


async def test_a_refusal_of_our_key_waits_and_tells_the_operator_once(house: House) -> None:
    house.emulator.settings.api_key = "another"
    fax_id = await house.queue()
    await house.step(TRANSMIT, times=3)
    assert await state_of(house, fax_id) == (State.QUEUED, [AttemptState.REJECTED] * 3, 0)
    assert await house.told() == [("operator", OPERATOR)]
    house.emulator.settings.api_key = KEY
    await house.step(TRANSMIT)
    await house.hear()
    assert (await house.fax(fax_id)).state is State.DELIVERED


async def test_a_refused_fax_tells_its_sender_what_the_carrier_said(house: House) -> None:
    async with raw_server(answer(422, _REFUSED)) as raw:
        await house.talk_to(Telnyx(raw.base_url, KEY))
        fax_id = await house.queue()
        await house.step(TRANSMIT)
    fax = await house.fax(fax_id)
    assert fax.failure_text == "The carrier refused the fax: 422 to is no number"
    assert await house.told() == [("failure", SENDER)]


async def _check_what_follows(house: House, next_: str) -> None:
    kinds = {LATER: [TRANSMIT], LOOK: [RESOLVE], END: [DELIVER], CARRIER: []}[next_]
    found = [row["kind"] for row in await house.jobs()]
    assert [kind for kind in found if kind != DELIVER or next_ == END] == kinds
    holds = await rows(house.db, schema.holds)
    assert bool(holds) == (next_ in {LOOK, CARRIER}), "the line is held while the carrier may have the fax"
    assert (next_ == END) == (await house.told(Tale.FAILURE) == [("failure", SENDER)])


# -- a worker that dies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("had_asked", [False, True])
async def test_a_crash_between_intent_and_answer_is_never_asked_again_blindly(house: House, had_asked: bool) -> None:
    class Power(BaseException):
        """It went."""

    class Dies(Between):
        async def before(self) -> None:
            if not had_asked:
                raise Power

        async def after(self) -> None:
            raise Power

    carrier = Dies(house)
    await house.talk_to(carrier)
    fax_id = await house.queue()
    with pytest.raises(Power):
        await house.step(TRANSMIT)
    house.epoch = await house.db.write(lambda tx: jobs.register(tx, NODE))
    await house.step(TRANSMIT)
    assert len(carrier.orders) == 1
    assert (await state_of(house, fax_id))[1] == [AttemptState.UNKNOWN]
    await house.talk_to(Telnyx(house.emulator.base_url, KEY))
    await house.drain(RESOLVE, TRANSMIT)
    await house.hear()
    wanted = [AttemptState.DELIVERED] if had_asked else [AttemptState.VOID, AttemptState.DELIVERED]
    assert await state_of(house, fax_id) == (State.DELIVERED, wanted, 1)
    assert len(house.sent()) == 1


async def test_a_worker_that_died_after_the_answer_was_committed_changes_nothing(house: House) -> None:
    fax_id = await house.queue()
    (job,) = await house.claim(TRANSMIT)
    await house.stories[TRANSMIT](job)
    await house.db.write(lambda tx: jobs.enqueue(tx, TRANSMIT, fax_id))
    await house.step(TRANSMIT)
    assert len(house.sent()) == 1
    assert (await state_of(house, fax_id))[1] == [AttemptState.ACCEPTED]


# -- what the carrier says ---------------------------------------------------------------------------------------------


async def test_the_carriers_word_may_come_before_our_own_commit(house: House) -> None:
    class Slow(Between):
        async def after(self) -> None:
            await house.hear()

    await house.talk_to(Slow(house))
    fax_id = await house.queue()
    await house.step(TRANSMIT)
    assert await state_of(house, fax_id) == (State.DELIVERED, [AttemptState.DELIVERED], 1)
    assert await house.told() == [("receipt", SENDER)]
    assert await house.jobs(TRANSMIT, RESOLVE) == []


async def test_a_word_without_our_client_state_before_our_commit_is_heard_after_it(house: House) -> None:
    class Slow(Between):
        async def after(self) -> None:
            (sent,) = house.sent()
            await house.hear_of(said(Happened.SENDING, sent.id), said(Happened.DELIVERED, sent.id, pages=1))

    house.emulator.faults.drop_webhooks = True
    await house.talk_to(Slow(house))
    fax_id = await house.queue()
    await house.step(TRANSMIT)
    assert (await house.fax(fax_id)).state is State.QUEUED
    await house.drain(EVENT)
    assert await state_of(house, fax_id) == (State.DELIVERED, [AttemptState.DELIVERED], 1)
    assert await house.told() == [("receipt", SENDER)]


async def test_events_three_times_and_shuffled_make_one_delivery_and_one_receipt(house: House) -> None:
    fax_id = await house.queue(SHUFFLED)
    await house.step(TRANSMIT)
    await house.hear()
    await house.drain(DELIVER)
    assert await state_of(house, fax_id) == (State.DELIVERED, [AttemptState.DELIVERED], 1)
    assert len(house.mails()) == 1


async def test_an_event_that_is_dispatched_again_changes_nothing(house: House) -> None:
    fax_id = await house.queue()
    await house.step(TRANSMIT)
    await house.hear()
    before = await house.fax(fax_id)
    for row in await rows(house.db, schema.events):
        await house.db.write(lambda tx, row=row: jobs.enqueue(tx, EVENT, row["id"]))  # type: ignore[misc]  # called at once
    await house.drain(EVENT)
    assert await house.fax(fax_id) == before
    assert await house.told() == [("receipt", SENDER)]


@pytest.mark.parametrize("first", [Happened.DELIVERED, Happened.FAILED])
@pytest.mark.parametrize("tries", [1, 3])
async def test_what_was_once_said_to_be_delivered_is_not_sent_again_and_the_log_tells_of_the_other_word(
    house: House, first: Happened, tries: int
) -> None:
    """In whatever order, and also where the next try waits already."""
    house.emulator.faults.drop_webhooks = True
    fax_id = await house.queue(tries_allowed=tries)
    await house.step(TRANSMIT)
    (sent,) = house.sent()
    other = Happened.FAILED if first is Happened.DELIVERED else Happened.DELIVERED
    words = (first, other, first, Happened.SENDING)
    with capture_logs() as lines:
        await house.hear_of(*[said(word, sent.id, failure_reason="user_busy") for word in words])
    assert await state_of(house, fax_id) == (State.DELIVERED, [AttemptState.DELIVERED], 1)
    assert TRANSMIT not in [row["kind"] for row in await rows(house.db, schema.jobs)]
    assert len(house.sent()) == 1
    failed_first = first is Happened.FAILED and tries == 1
    assert [tale for tale, _ in await house.told()] == (["failure", "receipt"] if failed_first else ["receipt"])
    assert [(line["first"], line["now"]) for line in lines if "contradicts" in line["event"]][:1] == [
        (first.value, other.value)
    ]


async def test_words_that_come_late_do_not_move_a_fax_back(house: House) -> None:
    house.emulator.faults.drop_webhooks = True
    fax_id = await house.queue()
    await house.step(TRANSMIT)
    (sent,) = house.sent()
    await house.hear_of(
        said(Happened.SENDING, sent.id), said(Happened.CALLING, sent.id), said(Happened.QUEUED, sent.id)
    )
    assert (await house.fax(fax_id)).state is State.SENDING


async def test_a_word_about_a_fax_that_is_not_ours_is_kept_and_does_nothing(house: House) -> None:
    fax_id = await house.queue()
    before = await house.fax(fax_id)
    await house.hear_of(said(Happened.DELIVERED, "somebody else's", client_state="c29tZWJvZHk="))
    (event,) = await rows(house.db, schema.events)
    assert event["handled_at"] is not None
    assert event["fax_id"] is None
    assert await house.fax(fax_id) == before


# -- tries -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("house", ENGINES[:1], indirect=True)
@pytest.mark.parametrize(
    ("number", "allowed", "state", "tries"),
    [
        (BUSY, 3, State.FAILED, 3),
        (NO_ANSWER, 3, State.FAILED, 3),
        (DROPPED, 2, State.FAILED, 2),
        (UNALLOCATED, 3, State.FAILED, 1),
        (BUSY_ONCE, 3, State.DELIVERED, 2),
        (BUSY_ONCE, 1, State.FAILED, 1),
        (BUSY_ONCE, 0, State.FAILED, 1),
    ],
)
async def test_a_fax_is_tried_as_often_as_it_may_and_as_helps(
    house: House, number: str, allowed: int, state: State, tries: int
) -> None:
    fax_id = await house.queue(number, tries_allowed=allowed)
    for _ in range(tries + 1):
        await house.step(TRANSMIT)
        await house.hear()
    fax = await house.fax(fax_id)
    assert (fax.state, fax.tries) == (state, tries)
    assert len(house.sent(number)) == tries
    assert len(await house.told()) == 1, "tries in between are told to nobody"
    assert await house.jobs(TRANSMIT) == []
    assert await rows(house.db, schema.holds) == []


async def test_between_two_tries_the_line_is_free_for_others(house: House) -> None:
    house.policy = replace(house.policy, retry_delay=timedelta(hours=1))
    house.connect()
    first = await house.queue(BUSY_ONCE)
    second = await house.queue(BUSY_ONCE)
    await house.step(TRANSMIT)
    assert len(house.sent(BUSY_ONCE)) == 1
    await house.hear()
    fax = await house.fax(first)
    assert fax.state is State.QUEUED
    assert fax.next_try_at is not None
    assert fax.next_try_at > datetime.now(UTC) + timedelta(minutes=30)
    (ready,) = [row for row in await house.jobs(TRANSMIT) if row["state"] == "ready"]
    assert ready["subject"] == str(second)


async def test_a_number_gets_one_call_at_a_time(house: House) -> None:
    ids = [await house.queue() for _ in range(4)]
    async with house.working():
        await _until_ended(house, ids)
    calls = sorted((fax.history[0][0], fax.history[-1][0]) for fax in house.sent())
    assert len(calls) == 4
    for (_, end), (begin, _) in itertools.pairwise(calls):
        assert end <= begin
    assert {(await house.fax(fax_id)).state for fax_id in ids} == {State.DELIVERED}


async def test_an_application_has_as_many_calls_as_its_channels(house: House) -> None:
    await house.provisioning.update_application(house.application.id, {"channel_limit": 2})
    ids = [await house.queue(f"+1202555016{number}") for number in range(5)]
    async with house.working():
        await _until_ended(house, ids)
    calls = [(fax.history[0][0], fax.history[-1][0]) for fax in house.emulator.faxes]
    for begin, _ in calls:
        assert sum(start <= begin < end for start, end in calls) <= 2


async def _until_ended(house: House, ids: list[UUID]) -> None:
    async with asyncio.timeout(30):
        while not all([(await house.fax(fax_id)).finished_at for fax_id in ids]):
            await asyncio.sleep(0.02)


def test_a_policy_without_a_public_url_uploads() -> None:
    assert Policy().handle_kind is Handle.MEDIA
    assert Policy(public_url="https://fax.example.com/").document_url("t") == "https://fax.example.com/m/t"
