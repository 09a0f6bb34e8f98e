"""Numbers that end in 0001 to 0009: what the carrier does, seen from outside."""

import pytest

from gateway.carrier_event import Happened
from gateway.carriers.carrier import Accepted, Unknown
from gateway.carriers.emulator import EmulatedFax, Emulator
from gateway.carriers.telnyx import Telnyx
from gateway.fax import Direction
from tests.carriers.conftest import Receiver, order
from tests.carriers.test_telnyx_calls import LONG_AGO

USUAL = ["queued", "media.processed", "originated", "sending", "delivered"]


class Line:
    """Sends faxes to a number and waits for their end."""

    def __init__(self, client: Telnyx, emulator: Emulator, receiver: Receiver) -> None:
        self.client = client
        self.emulator = emulator
        self.receiver = receiver

    async def call(self, number: str) -> object:
        """Hand over one fax; return what was answered, when the fax is over."""
        result = await self.client.hand_over(order(f"{self.receiver.origin}/m/two-pages", number))
        await self.emulator.settle()
        return result

    async def fax(self, number: str) -> EmulatedFax:
        """Send one fax that is accepted, and return it as it ended."""
        result = await self.call(number)
        assert isinstance(result, Accepted)
        return self.emulator.faxes[-1]


@pytest.fixture
def line(client: Telnyx, emulator: Emulator, receiver: Receiver) -> Line:
    return Line(client, emulator, receiver)


def statuses(fax: EmulatedFax) -> list[str]:
    return [status for _, status in fax.history]


async def test_any_other_number_takes_every_page(line: Line) -> None:
    fax = await line.fax("+12025550100")
    assert statuses(fax) == USUAL
    assert fax.pages_sent == 2
    assert line.receiver.told(fax) == ["fax.queued", "fax.media.processed", "fax.sending.started", "fax.delivered"]
    delivered = [event for event in line.receiver.events if event.happened is Happened.DELIVERED]
    assert [(event.pages, event.duration) for event in delivered] == [(2, 80)]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("+12025550001", "user_busy"),
        ("+12025550002", "receiver_no_answer"),
        ("+12025550004", "receiver_unallocated_number"),
    ],
)
async def test_0001_0002_and_0004_fail_each_time_before_any_page(line: Line, number: str, reason: str) -> None:
    for _ in range(3):
        fax = await line.fax(number)
        assert statuses(fax) == [*USUAL[:3], "failed"]
        assert (fax.failure_reason, fax.pages_sent) == (reason, None)
    assert [event.failure_reason for event in line.receiver.events if event.failure_reason] == [reason] * 3


async def test_0003_drops_the_call_after_the_first_page_and_says_so(line: Line) -> None:
    fax = await line.fax("+12025550003")
    assert statuses(fax) == [*USUAL[:4], "failed"]
    [event] = [event for event in line.receiver.events if event.happened is Happened.FAILED]
    assert (event.failure_reason, event.pages) == ("receiver_call_dropped", 1)


async def test_0005_is_busy_once(line: Line) -> None:
    ends = [(await line.fax("+12025550005")).status for _ in range(3)]
    assert ends == ["failed", "delivered", "delivered"]
    assert (await line.fax("+12125550005")).failure_reason == "user_busy"


async def test_0006_accepts_and_sends_but_never_answers(line: Line) -> None:
    assert isinstance(await line.call("+12025550006"), Unknown)
    [fax] = line.emulator.faxes
    assert statuses(fax) == USUAL
    found = [each async for each in line.client.faxes(Direction.OUTBOUND, LONG_AGO, to="+12025550006")]
    assert [each.client_state for each in found] == [fax.client_state]


async def test_0007_answers_503_twice_without_accepting(line: Line) -> None:
    for _ in range(2):
        assert isinstance(await line.call("+12025550007"), Unknown)
    assert line.emulator.faxes == []
    assert line.receiver.fetches == []
    assert (await line.fax("+12025550007")).status == "delivered"
    assert isinstance(await line.call("+12125550007"), Unknown)


async def test_0008_delivers_without_a_webhook(line: Line) -> None:
    fax = await line.fax("+12025550008")
    assert fax.status == "delivered"
    assert line.receiver.received == []
    shown = await line.client.fax(fax.id)
    assert shown is not None
    assert shown.status is Happened.DELIVERED


async def test_0009_sends_each_webhook_three_times_in_any_order(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.shuffle", lambda items: items.reverse())
    fax = await line.fax("+12025550009")
    assert fax.status == "delivered"
    types = [body["data"]["event_type"] for body in line.receiver.bodies]
    assert types == [
        *["fax.delivered"] * 3,
        *["fax.sending.started"] * 3,
        *["fax.media.processed"] * 3,
        *["fax.queued"] * 3,
    ]
    assert len({event.id for event in line.receiver.events}) == 4
