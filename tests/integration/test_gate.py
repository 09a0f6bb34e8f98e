"""A carrier in trouble is left alone, nothing fails by it, and every node knows; its pace is kept."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.attempt import AttemptState, Handle
from gateway.carriers.carrier import CarrierError, Order, Throttled
from gateway.carriers.telnyx import Telnyx
from gateway.fax import Direction, State
from gateway.gate import Gate
from gateway.outbox import RESOLVE, TRANSMIT
from gateway.store import carriers, schema
from gateway.store.carriers import Breaker
from gateway.store.database import Tx
from tests.carriers.rawserver import answer, raw_server
from tests.integration.engines import ENGINES, rows, store
from tests.integration.house import KEY, House, built

LONG = Breaker(failures=3, rest=timedelta(hours=1), longest=timedelta(hours=4))
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


async def gated(house: House, rules: Breaker = LONG, per_second: float = 0) -> Gate:
    gate = Gate(house.db, Telnyx(house.emulator.base_url, KEY, timeout=10), rules, per_second)
    await house.talk_to(gate)
    return gate


async def opened(house: House) -> int:
    found = await rows(house.db, schema.carriers)
    return found[0]["opened"] if found else 0


async def rest_is_over(house: House) -> None:
    def unit(tx: Tx) -> None:
        past = datetime.now(UTC) - timedelta(seconds=1)
        tx.execute(schema.carriers.update().values(open_until=past, probe_until=None))

    await house.db.write(unit)


async def test_failures_in_a_row_give_the_carrier_a_rest_in_which_it_is_not_asked(house: House) -> None:
    gate = await gated(house)
    house.emulator.faults.down_status = 503
    for _ in range(3):
        with pytest.raises(CarrierError, match="503"):
            await gate.fax("x")
    for call in (gate.fax("x"), gate.cancel("x"), gate.remove("x"), gate.refresh("x")):
        with pytest.raises(CarrierError, match="is asked again at"):
            await call
    with pytest.raises(CarrierError, match="is asked again at"):
        async for _ in gate.faxes(Direction.OUTBOUND, SINCE):
            pass
    assert await gate.rest() is not None
    assert await opened(house) == 1


async def test_a_fax_that_waits_out_a_rest_has_not_been_tried(house: House) -> None:
    await gated(house)
    house.emulator.faults.down_status = 0
    waiting = [await house.queue(f"+120255502{n:02}") for n in range(6)]
    await house.step(TRANSMIT)
    tried = [fax_id for fax_id in waiting if await house.attempts(fax_id)]
    assert 3 <= len(tried) < 6, "those that came after the third failure were not handed over"
    left = [await house.fax(fax_id) for fax_id in waiting if fax_id not in tried]
    for fax in left:
        assert (fax.state, fax.tries) == (State.QUEUED, 0)
        assert fax.next_try_at is not None
        assert fax.next_try_at > datetime.now(UTC) + timedelta(minutes=50)
    # A day of this, and nothing has failed.
    for _ in range(5):
        await house.step(TRANSMIT)
        await house.step(RESOLVE)
    assert {(await house.fax(fax_id)).state for fax_id in waiting} == {State.QUEUED}
    for look in await house.jobs(RESOLVE):
        assert look["tries"] == 0, "nobody has looked"
        assert look["due"] > datetime.now(UTC) + timedelta(minutes=50), "and nobody does before the rest is over"
    assert house.emulator.faxes == []
    house.emulator.faults.down_status = None
    await rest_is_over(house)
    await house.drain(TRANSMIT, RESOLVE)
    assert len(house.emulator.faxes) == 6
    assert await opened(house) == 0


async def test_after_a_rest_one_tries_and_the_others_wait_for_it(house: House) -> None:
    gate = await gated(house)
    await _fail(house, 3)
    await rest_is_over(house)
    answers = await asyncio.gather(*(gate.rest() for _ in range(5)))
    assert answers.count(None) == 1, "one goes first"
    assert all(until is None or until < datetime.now(UTC) + timedelta(minutes=1) for until in answers)


async def test_each_further_rest_is_twice_as_long_and_an_answer_ends_them(house: House) -> None:
    gate = await gated(house)
    house.emulator.faults.down_status = 503
    await _fail(house, 3)
    for number, hours in ((1, 1), (2, 2), (3, 4), (4, 4)):
        (row,) = await rows(house.db, schema.carriers)
        rest = row["open_until"] - datetime.now(UTC)
        assert row["opened"] == number
        assert timedelta(hours=hours) - timedelta(minutes=1) < rest <= timedelta(hours=hours)
        await rest_is_over(house)
        with pytest.raises(CarrierError, match="503"):
            await gate.fax("x")
    house.emulator.faults.down_status = None
    await rest_is_over(house)
    assert await gate.fax("unknown") is None
    assert await opened(house) == 0
    assert await gate.rest() is None


async def test_a_refusal_is_an_answer_and_failures_with_answers_between_are_not_in_a_row(house: House) -> None:
    gate = await gated(house)
    for _ in range(4):
        await _fail(house, 2)
        assert await gate.fax("no such fax") is None  # 404
    assert await opened(house) == 0


async def test_failures_that_lie_far_apart_are_not_in_a_row(house: House) -> None:
    await gated(house)
    await _fail(house, 2)

    def long_ago(tx: Tx) -> None:
        tx.execute(schema.carriers.update().values(failing_since=datetime.now(UTC) - timedelta(seconds=61)))

    await house.db.write(long_ago)
    await _fail(house, 2)
    assert await opened(house) == 0


async def test_a_pause_that_the_carrier_asks_for_holds_all_faxes(house: House) -> None:
    async with raw_server(answer(429, {"errors": []}, Retry_After=120)) as raw:
        await house.talk_to(Gate(house.db, Telnyx(raw.base_url, KEY), LONG))
        first = await house.queue("+12025550201")
        await house.step(TRANSMIT)
        second = await house.queue("+12025550202")
        await house.step(TRANSMIT)
    (attempt,) = await house.attempts(first)
    assert attempt.state is AttemptState.REJECTED
    assert await house.attempts(second) == []
    for fax_id in (first, second):
        fax = await house.fax(fax_id)
        assert fax.next_try_at is not None
        assert timedelta(seconds=90) < fax.next_try_at - datetime.now(UTC) < timedelta(seconds=150)
    assert await opened(house) == 0


async def test_a_carrier_that_only_asks_for_pauses_is_asked_ever_less_until_it_takes_one(house: House) -> None:
    gate = await gated(house)
    house.emulator.faults.down_status = 429  # Retry-After: 1

    async def pause() -> timedelta:
        (row,) = await rows(house.db, schema.carriers)
        assert row["open_until"] is None
        left: timedelta = row["pause_until"] - datetime.now(UTC)
        return left

    def hours_later(tx: Tx) -> None:
        began = datetime.now(UTC) - timedelta(hours=2)
        tx.execute(schema.carriers.update().values(failing_since=began, pause_until=None))

    await _ask(gate)
    assert await pause() <= timedelta(seconds=1)
    for call in (_ask, _in_vain):
        await house.db.write(hours_later)
        await call(gate)
        assert timedelta(minutes=25) < await pause()
    house.emulator.faults.down_status = None
    assert await gate.fax("unknown") is None
    (row,) = await rows(house.db, schema.carriers)
    assert row["failing_since"] is None, "from here on it is a new story"


async def test_hand_overs_begin_at_the_pace_that_is_set_over_all_nodes(house: House) -> None:
    gates = [Gate(house.db, Telnyx(house.emulator.base_url, KEY), LONG, per_second=50) for _ in range(3)]
    began = datetime.now(UTC)
    await asyncio.gather(*(gate.rest() for gate in gates for _ in range(4)))
    (row,) = await rows(house.db, schema.carriers)
    assert row["next_at"] - began >= timedelta(seconds=12 / 50)


async def _fail(house: House, times: int) -> None:
    for _ in range(times):
        await house.db.write(lambda tx: carriers.failed(tx, "telnyx", LONG))


async def _ask(gate: Gate) -> None:
    order = Order("77", "+12025550201", "+12025550100", "c3RhdGU=", Handle.TOKEN, "https://fax.test.example/m/x")
    assert isinstance(await gate.hand_over(order), Throttled)


async def _in_vain(gate: Gate) -> None:
    with pytest.raises(CarrierError, match="429"):
        await gate.fax("x")
