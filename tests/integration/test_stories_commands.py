"""What a person may do to a fax on its way, in every state: hold, release, retry, cancel."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway.attempt import AttemptState
from gateway.carrier_event import Happened
from gateway.carriers.telnyx import Telnyx
from gateway.errors import Kind, Refusal
from gateway.fax import Direction, State
from gateway.ids import new_id
from gateway.notify import DELIVER
from gateway.outbox import CANCEL, PREPARE, TRANSMIT
from gateway.outbox.settle import LIVE
from gateway.store import faxes, schema
from tests.carriers.rawserver import answer, raw_server
from tests.integration.between import Between
from tests.integration.engines import ENGINES, rows, store
from tests.integration.house import KEY, SENDER, House, built, said

BUSY = "+12025550001"
HOLD, RELEASE, RETRY, STOP = "hold", "release", "retry", "cancel"


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        house.emulator.faults.drop_webhooks = True
        yield house


async def command(house: House, name: str, fax_id: UUID) -> str:
    sentence: str = await house.db.write(lambda tx: getattr(house.command, name)(tx, fax_id))
    return sentence


async def state(house: House, fax_id: UUID) -> State:
    return (await house.fax(fax_id)).state


async def put(house: House, fax_id: UUID, **values: Any) -> None:
    assert await house.db.write(lambda tx: faxes.change(tx, fax_id, list(State), **values))


# -- each state in turn: how a fax gets there --------------------------------------------------------------------------


async def preparing(house: House) -> UUID:
    fax_id = await house.queue(state=State.PREPARING, rendering_id=None, pages_blob="")
    await house.db.write(lambda tx: tx.execute(schema.jobs.update().values(kind=PREPARE, keys=[])))
    await house.db.write(lambda tx: tx.execute(schema.holds.delete()))
    return fax_id


async def queued(house: House) -> UUID:
    return await house.queue()


async def waiting(house: House) -> UUID:
    """Its first try has failed; the next is an hour away."""
    fax_id = await house.queue(BUSY)
    await house.step(TRANSMIT)
    await house.hear_of(said(Happened.FAILED, house.sent(BUSY)[0].id, failure_reason="user_busy"))
    soon = datetime.now(UTC) + timedelta(hours=1)
    await house.db.write(lambda tx: tx.execute(schema.jobs.update().values(due=soon)))
    return fax_id


async def accepted(house: House) -> UUID:
    fax_id = await house.queue()
    await house.step(TRANSMIT)
    return fax_id


async def sending(house: House) -> UUID:
    fax_id = await accepted(house)
    await house.hear_of(said(Happened.SENDING, house.sent()[0].id))
    return fax_id


async def held(house: House) -> UUID:
    fax_id = await queued(house)
    await command(house, HOLD, fax_id)
    return fax_id


async def unknown(house: House) -> UUID:
    house.emulator.faults.fail_before_accept = 1
    fax_id = await house.queue()
    await house.step(TRANSMIT)
    await put(house, fax_id, state=State.UNKNOWN, held_reason="nobody knows")
    return fax_id


async def delivered(house: House) -> UUID:
    fax_id = await accepted(house)
    await house.hear_of(said(Happened.DELIVERED, house.sent()[0].id))
    return fax_id


async def failed(house: House) -> UUID:
    fax_id = await accepted(house)
    await house.hear_of(said(Happened.FAILED, house.sent()[0].id, failure_reason="receiver_unallocated_number"))
    return fax_id


async def canceled(house: House) -> UUID:
    fax_id = await queued(house)
    await command(house, STOP, fax_id)
    return fax_id


STATES = [preparing, queued, waiting, accepted, sending, held, unknown, delivered, failed, canceled]
#: What each command makes of each state; where there is nothing it is refused.
OUTCOMES = {
    HOLD: {preparing: State.HELD, queued: State.HELD, waiting: State.HELD},
    RELEASE: {held: State.QUEUED, unknown: State.QUEUED},
    RETRY: {queued: State.QUEUED, waiting: State.QUEUED, failed: State.QUEUED, canceled: State.QUEUED},
    STOP: {
        preparing: State.CANCELED,
        queued: State.CANCELED,
        waiting: State.CANCELED,
        held: State.CANCELED,
        unknown: State.CANCELED,
        accepted: State.QUEUED,  # the carrier is asked, and says
        sending: State.SENDING,
    },
}


@pytest.mark.parametrize("house", ENGINES[:1], indirect=True)
@pytest.mark.parametrize("name", OUTCOMES)
@pytest.mark.parametrize("begin", STATES)
async def test_each_command_in_each_state(house: House, begin: Any, name: str) -> None:
    fax_id = await begin(house)
    before = await house.fax(fax_id), await house.jobs(), await rows(house.db, schema.holds)
    wanted = OUTCOMES[name].get(begin)
    if wanted is None:
        with pytest.raises(Refusal) as refused:
            await command(house, name, fax_id)
        assert refused.value.reason.kind is Kind.WRONG_STATE
        assert (await house.fax(fax_id), await house.jobs(), await rows(house.db, schema.holds)) == before
        return
    assert str(fax_id) in await command(house, name, fax_id)
    assert await state(house, fax_id) is wanted
    kinds = [row["kind"] for row in await house.jobs() if row["kind"] not in {DELIVER, "resolve"}]
    if wanted is State.HELD or wanted is State.CANCELED:
        assert kinds == []
        assert await rows(house.db, schema.holds) == []
    elif name == STOP:
        assert kinds == [CANCEL]
    else:
        assert kinds == [TRANSMIT]


async def test_a_command_about_what_is_no_outgoing_fax_is_refused(house: House) -> None:
    inbound = await house.queue(direction=Direction.INBOUND, carrier_fax_id="c1")
    for fax_id in (inbound, new_id()):
        for name in OUTCOMES:
            with pytest.raises(Refusal) as refused:
                await command(house, name, fax_id)
            assert refused.value.reason.kind is Kind.NOT_FOUND


# -- what follows ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "name"), [(held, RELEASE), (unknown, RELEASE), (waiting, RETRY), (failed, RETRY), (canceled, RETRY)]
)
async def test_a_fax_that_goes_on_is_sent(house: House, begin: Any, name: str) -> None:
    fax_id = await begin(house)
    number = (await house.fax(fax_id)).to_number
    before = len(house.sent(number))
    await command(house, name, fax_id)
    (job,) = await house.jobs(TRANSMIT)
    assert job["state"] == "ready"
    await house.step(TRANSMIT)
    assert len(house.sent(number)) == before + 1
    fax = await house.fax(fax_id)
    assert (fax.held_reason, fax.failure_reason, fax.failure_text, fax.finished_at) == ("", "", "", None)
    await house.hear_of(said(Happened.DELIVERED, house.sent(number)[-1].id))
    assert await state(house, fax_id) is State.DELIVERED
    assert ("receipt", SENDER) in await house.told()


async def test_a_fax_tried_again_after_its_last_try_has_tries_again(house: House) -> None:
    fax_id = await house.queue(BUSY, tries_allowed=1)
    house.emulator.faults.drop_webhooks = False
    await house.step(TRANSMIT)
    await house.hear()
    assert await state(house, fax_id) is State.FAILED
    await command(house, RETRY, fax_id)
    for _ in range(4):
        await house.step(TRANSMIT)
        await house.hear()
    fax = await house.fax(fax_id)
    assert (fax.state, fax.tries) == (State.FAILED, 4)
    assert len(await house.told()) == 2, "each end is told"


async def test_a_fax_held_before_it_was_prepared_is_prepared_when_it_is_released(house: House) -> None:
    fax_id = await preparing(house)
    await command(house, HOLD, fax_id)
    await command(house, RELEASE, fax_id)
    assert await state(house, fax_id) is State.PREPARING
    assert [row["kind"] for row in await house.jobs()] == [PREPARE]


async def test_a_fax_held_gives_its_line_to_the_next(house: House) -> None:
    first = await house.queue()
    second = await house.queue()
    await command(house, HOLD, first)
    ready = {row["subject"]: row["state"] for row in await house.jobs()}
    assert ready == {str(second): "ready"}
    await command(house, RELEASE, first)
    assert [row["state"] for row in await house.jobs()] == ["ready", "blocked"]


# -- stopping what the carrier has -------------------------------------------------------------------------------------


@pytest.fixture
async def slow(house: House) -> House:
    """The carrier takes its time and tells everything."""
    house.emulator.faults.drop_webhooks = False
    house.emulator.settings.pace = 20
    return house


async def ended(house: House, fax_id: UUID) -> State:
    async with asyncio.timeout(10):
        await house.hear()
    return await state(house, fax_id)


async def test_the_carrier_is_asked_to_stop_and_its_word_ends_the_fax(slow: House) -> None:
    fax_id = await accepted(slow)
    await command(slow, STOP, fax_id)
    assert await slow.step(CANCEL) == 1
    assert await ended(slow, fax_id) is State.CANCELED
    assert slow.sent()[0].failure_reason == "sender_canceled"
    assert await slow.told() == [("failure", SENDER)]
    assert await slow.jobs(TRANSMIT) == []


async def test_progress_after_the_wish_to_stop_does_not_make_it_forgotten(slow: House) -> None:
    fax_id = await accepted(slow)
    await command(slow, STOP, fax_id)
    await slow.hear_of(said(Happened.CALLING, slow.sent()[0].id), said(Happened.SENDING, slow.sent()[0].id))
    await slow.hear_of(said(Happened.FAILED, slow.sent()[0].id, failure_reason="user_busy"))
    assert await state(slow, fax_id) is State.CANCELED
    assert await slow.jobs(TRANSMIT) == []


async def test_a_fax_that_could_not_be_stopped_any_more_has_arrived(slow: House) -> None:
    fax_id = await accepted(slow)
    await command(slow, STOP, fax_id)
    await slow.hear_of(said(Happened.DELIVERED, slow.sent()[0].id))
    await slow.step(CANCEL)
    fax = await slow.fax(fax_id)
    assert (fax.state, fax.held_reason) == (State.DELIVERED, "")


async def test_a_wish_that_comes_while_the_carrier_is_being_asked_reaches_it(slow: House) -> None:
    class Meanwhile(Between):
        async def after(self) -> None:
            await command(slow, STOP, fax_id)
            await slow.step(CANCEL)

    await slow.talk_to(Meanwhile(slow))
    fax_id = await slow.queue()
    await slow.step(TRANSMIT)
    await slow.step(CANCEL)
    assert await ended(slow, fax_id) is State.CANCELED
    assert slow.sent()[0].failure_reason == "sender_canceled"


@pytest.mark.parametrize("status", [429, 401, 422])
async def test_a_wish_that_comes_while_the_carrier_refuses_ends_the_fax(house: House, status: int) -> None:
    class Meanwhile(Telnyx):
        async def hand_over(self, order: Any) -> Any:
            said = await super().hand_over(order)
            await command(house, STOP, fax_id)
            return said

    async with raw_server(answer(status, {"errors": []})) as raw:
        await house.talk_to(Meanwhile(raw.base_url, KEY))
        fax_id = await house.queue()
        await house.step(TRANSMIT)
    await house.step(CANCEL)
    assert await state(house, fax_id) is State.CANCELED
    assert await house.jobs(TRANSMIT) == []
    assert [attempt.state for attempt in await house.attempts(fax_id)] == [AttemptState.REJECTED]


async def test_the_attempt_under_way_is_stopped_and_not_an_earlier_one(slow: House) -> None:
    fax_id = await waiting(slow)
    await slow.step(TRANSMIT)
    first, second = slow.sent(BUSY)
    await command(slow, STOP, fax_id)
    await slow.step(CANCEL)
    assert (first.canceled.is_set(), second.canceled.is_set()) == (False, True)
    for fax in (first, second):
        fax.canceled.set()  # so that the trial ends


async def test_a_carrier_that_cannot_be_asked_is_asked_again(slow: House) -> None:
    fax_id = await accepted(slow)
    await command(slow, STOP, fax_id)
    slow.emulator.faults.down_status = 503
    async with slow.working():
        while not [row for row in await slow.jobs(CANCEL) if row["tries"]]:
            await asyncio.sleep(0.01)
        slow.emulator.faults.down_status = None
        while await state(slow, fax_id) is not State.CANCELED:
            await asyncio.sleep(0.01)


def test_every_state_of_an_outgoing_fax_is_tried() -> None:
    inbound = {State.RECEIVING, State.PROCESSING}
    assert set(LIVE) - inbound == {
        State.PREPARING,
        State.QUEUED,
        State.CALLING,
        State.SENDING,
        State.HELD,
        State.UNKNOWN,
    }


@pytest.mark.parametrize("ended", [State.FAILED, State.CANCELED])
async def test_a_fax_whose_document_was_removed_is_not_tried_again_and_stays_what_it_was(
    house: House, ended: State
) -> None:
    fax_id = await house.queue()
    await house.db.write(lambda tx: tx.execute(schema.jobs.delete()))
    await put(house, fax_id, state=ended, failure_reason="user_busy", failure_text="The line was busy.")
    await house.db.write(lambda tx: house.archive.remove_documents(tx, fax_id))
    with pytest.raises(Refusal, match="has been removed") as refused:
        await command(house, RETRY, fax_id)
    assert refused.value.reason.kind is Kind.WRONG_STATE
    fax = await house.fax(fax_id)
    assert (fax.state, fax.failure_reason, await house.jobs(PREPARE)) == (ended, "user_busy", [])
