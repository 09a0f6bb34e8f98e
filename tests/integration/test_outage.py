"""A carrier that is away for long: the operator is told once, and once when it is back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.carriers.carrier import CarrierError
from gateway.carriers.telnyx import Telnyx
from gateway.gate import Gate
from gateway.notify import DELIVER
from gateway.outage import Outage, spoken
from gateway.store import schema
from gateway.store.carriers import Breaker
from gateway.store.database import Tx
from tests.integration.engines import ENGINES, store
from tests.integration.house import KEY, OPERATOR, House, built

RULES = Breaker(failures=3, rest=timedelta(0), longest=timedelta(0))
PATIENCE = timedelta(minutes=15)


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        house.emulator.faults.drop_webhooks = True
        await house.talk_to(Gate(db, Telnyx(house.emulator.base_url, KEY, timeout=10), RULES))
        yield house


async def down(house: House, ago: timedelta) -> None:
    """Let the carrier fail until it has a rest, and let that have begun so long *ago*."""
    house.emulator.faults.down_status = 503
    for _ in range(3):
        with pytest.raises(CarrierError, match="503"):
            await house.carrier.fax("x")

    def earlier(tx: Tx) -> None:
        tx.execute(schema.carriers.update().values(failing_since=datetime.now(UTC) - ago))

    await house.db.write(earlier)


async def up(house: House) -> None:
    house.emulator.faults.down_status = None
    await house.carrier.fax("x")


async def look(house: House, times: int = 1, patience: timedelta = PATIENCE) -> list[str]:
    """Look as so many nodes at once; return what the operator has been told in all."""
    await asyncio.gather(*(Outage(house.db, house.notify, "telnyx", patience).look() for _ in range(times)))
    await house.drain(DELIVER)
    bodies = [mail.parsed.get_body(("plain",)) for mail in house.mails(OPERATOR)]
    return [" ".join(body.get_content().split()) for body in bodies if body is not None]


async def test_the_operator_is_told_once_that_it_is_away_and_once_that_it_is_back(house: House) -> None:
    await house.queue()
    await house.queue("+12025550143")
    await down(house, timedelta(hours=3, minutes=20))
    for _ in range(2):
        (told,) = await look(house, times=3)
    assert "The carrier has not answered as it should since 20" in told
    assert "What it has said last: the carrier answered 503 " in told
    assert "2 faxes wait to be sent." in told
    await up(house)
    for _ in range(2):
        away, back = await look(house, times=3)
    assert away == told
    assert "The carrier answers again, after 3 h 20 min (since 20" in back
    assert "2 faxes wait to be sent." in back


async def test_a_long_answer_does_not_take_the_place_of_what_to_do(house: House) -> None:
    await down(house, timedelta(hours=3))
    said = f"the carrier answered 503 {'a long story ' * 30}"[:300]
    await house.db.write(lambda tx: tx.execute(schema.carriers.update().values(answer=said)))
    (told,) = await look(house)
    assert "a long story" in told
    assert "you are told then. faxgate check asks it again. --" in told


async def test_another_outage_is_another_mail(house: House) -> None:
    for number in (1, 2):
        await down(house, timedelta(minutes=15 + number))
        await look(house)
        await up(house)
        assert len(await look(house)) == 2 * number
    assert [mail.subject.partition(" since")[0] for mail in house.mails(OPERATOR)[:1]] == [
        "Faxgate: The carrier has not answered as it should"
    ]


async def test_what_does_not_last_is_not_told(house: House) -> None:
    await down(house, timedelta(minutes=14))
    assert await look(house) == []
    await up(house)
    assert await look(house) == []


async def test_failures_that_bring_on_no_rest_are_no_outage(house: House) -> None:
    house.emulator.faults.down_status = 503
    with pytest.raises(CarrierError):
        await house.carrier.fax("x")

    def earlier(tx: Tx) -> None:
        tx.execute(schema.carriers.update().values(failing_since=datetime.now(UTC) - timedelta(days=1)))

    await house.db.write(earlier)
    assert await look(house) == []


async def test_nothing_is_told_where_the_settings_say_never(house: House) -> None:
    await down(house, timedelta(days=1))
    assert await look(house, patience=timedelta(0)) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "1 min"), (3600, "1 h"), (3660, "1 h 1 min"), (90000, "1 d 1 h"), (86460, "1 d"), (172800, "2 d")],
)
def test_how_long_it_was_is_said_shortly(seconds: int, words: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == words
