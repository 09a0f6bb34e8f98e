"""The carrier is down, for seconds and for a whole day, in every way in which one can be."""

import asyncio
import itertools
import time
from dataclasses import dataclass
from pathlib import Path

from gateway.carriers.emulator.app import Emulator
from gateway.demo.catcher import CaughtMail
from gateway.dialects.telnyx import UNREACHABLE
from tests.faults.clock import Clock
from tests.faults.fault import Fault, Report
from tests.faults.front import NAME, Front, front
from tests.faults.scene import Scene, scene
from tests.scenarios.installation import REALM, SENDER

BURST = 5
OPERATOR = f"operator@{REALM}"
AWAY, BACK = "The carrier has not answered as it should since", "The carrier answers again, after"


@dataclass(frozen=True)
class Way:
    """How it is down: what it answers (0: a reset), nothing at all, or what is wrong at its door."""

    status: int | None = None
    silent: bool = False
    door: str = "good"


WAYS = (
    Way(503),
    Way(door="shut"),
    Way(500, silent=True),
    Way(door="expired"),
    Way(429),
    Way(0),
    Way(door="full"),
    Way(door="foreign"),
    Way(500),
)
UP = Way()


@dataclass
class Carrier:
    """The emulator behind its front."""

    stage: Scene
    emulator: Emulator
    front: Front

    async def turn(self, way: Way) -> None:
        """Be down in this way, or UP."""
        faults = self.emulator.faults
        # Behind a bad door it is down as well: while the door turns nobody shall slip through.
        faults.down_status = 503 if way.status is None and way is not UP else way.status
        faults.silent = way.silent
        await self.front.turn(way.door)

    def asked(self) -> int:
        """How often it was asked for something in vain, as far as somebody saw it."""
        unreached = [line for line in self.stage.said("not handed over") if line["reason"] == UNREACHABLE]
        return self.emulator.turned_away + len(unreached)


async def short(folder: Path, size: int) -> Report:
    """*size* times it is down for two seconds, in another way each time, and comes back."""
    async with scene(folder) as stage, front(stage.house.emulator, folder) as (door, trusting):
        stage.carrier('rest = "1s"\ntimeout = "1s"')
        clock, carrier = await _behind(stage, door), Carrier(stage, stage.house.emulator, door)
        # It runs ahead to the true time: nobody has to wait for what is planned in seconds.
        clock.put(-size * LEAP)
        async with stage.house.serving({**clock.environment, **trusting}):
            report = Report(size)
            for way, _ in zip(itertools.cycle(WAYS), range(size), strict=False):
                await _burst(stage, carrier, way)
                began = time.monotonic()
                await _leap(clock, LEAP)
                report.verdict = await stage.judged(patience=120)
                report.recovered.append(time.monotonic() - began)
            assert report.verdict.outcomes == {"delivered": size * BURST}, f"a fax failed: {report.verdict.outcomes}"
    report.note = f"all {size * BURST} delivered afterwards"
    return report


async def _burst(stage: Scene, carrier: Carrier, way: Way) -> None:
    await carrier.turn(way)
    before = carrier.asked()
    for _ in range(BURST):
        stage.mail()
    await asyncio.sleep(2.0)
    asked = carrier.asked() - before
    assert asked, f"nobody has noticed that it was down: {way}"
    # Five failures, one more call for each that was under way, and one try after each rest.
    assert asked <= 5 + 8 + 3, f"it was asked {asked} times in two seconds: {way}"
    await carrier.turn(UP)


async def day(folder: Path, size: int) -> Report:
    """It is down for 24 hours and some minutes of the gateway's clock, while *size* faxes and some more wait."""
    async with scene(folder) as stage, front(stage.house.emulator, folder) as (door, trusting):
        stage.carrier('timeout = "1s"')
        clock, carrier = await _behind(stage, door), Carrier(stage, stage.house.emulator, door)
        clock.put(-(STEPS + 1) * STEP)  # it is right when the carrier is back: the two agree on the time
        async with stage.house.serving({**clock.environment, **trusting}):
            await carrier.turn(WAYS[0])
            for _ in range(size):
                stage.mail()
            await stage.answered()
            for step in range(STEPS):
                await carrier.turn(WAYS[step // 3 % len(WAYS)])
                if step % 8 == 0:
                    stage.mail()
                await asyncio.sleep(0.5)
                clock.put(clock.ahead + STEP)
            asked, waiting = carrier.asked(), len(stage.tasks)
            _only_waiting(stage, asked)
            await carrier.turn(UP)
            began = time.monotonic()
            await _leap(clock, STEP)
            verdict = await stage.judged(patience=120)
            took = time.monotonic() - began
            late = await _people_were_told(stage, size)
    assert verdict.outcomes == {"delivered": waiting}, f"a fax failed by it: {verdict.outcomes}"
    note = (
        f"asked {asked} times in {STEPS * STEP / 3600:.1f} hours; {late} senders and the operator were told, each once"
    )
    return Report(STEPS // 3, verdict, [took], note)


async def _people_were_told(stage: Scene, size: int) -> int:
    """Who has waited since the beginning knows that his fax was late, and the operator that the carrier was away and is
    back. Return how many senders were told."""
    house = stage.house
    await house.until(
        lambda: house.mails(OPERATOR) and BACK in _text(house.mails(OPERATOR)[-1]), "word that it is back"
    )
    told = [AWAY in _text(mail) for mail in house.mails(OPERATOR)]
    assert told == [True, False] * (len(told) // 2), f"not in turn: {told}"
    late = [str(mail.parsed["X-Fax-Id"]) for mail in house.mails(SENDER, "delayed")]
    assert len(late) == len(set(late)), f"told twice that it is late: {late}"
    assert len(late) >= size, "those who have waited the whole day were not told"
    return len(late)


def _text(mail: CaughtMail) -> str:
    return " ".join(mail.content.decode().split())


def _only_waiting(stage: Scene, asked: int) -> None:
    """Nothing has come of it so far but waiting, and the carrier was let alone."""
    assert not stage.house.sent(), "it was not down"
    ends = [line for line in stage.said("finished") if line["state"] != "delivered"]
    assert not ends, f"the day has ended faxes: {ends}"
    # A rest is ten minutes soon; then one may try.
    assert asked <= STEPS * STEP / 600 + 20, f"a carrier that is down was asked {asked} times"


async def _behind(stage: Scene, door: Front) -> Clock:
    """Let the gateway ask the carrier by way of its front door, and have a clock that can be set."""
    config = stage.house.config
    url = f"https://{NAME}:{door.port}/v2"
    config.write_text(config.read_text().replace(stage.house.emulator.base_url, url))
    return await Clock.made(stage.house.root)


async def _leap(clock: Clock, seconds: int) -> None:
    """Put the clock ahead in three steps, each long enough for the worker to look at what is due."""
    for part in range(3, 0, -1):
        clock.put(clock.ahead + seconds // 3)
        await asyncio.sleep(0.3 * part)


#: In seconds: of a longer leap a webhook would be stale. Steps of half an hour make a day, and five minutes more.
LEAP = 15
STEP, STEPS = 1770, 49
FAULT = Fault(
    "F7", "the carrier down: 503, 500, 429, resets, silence, nobody there, bad certificates", short, short=9, long=100
)
DAY = Fault("F7b", "the carrier down in all these ways for a day and some minutes of the clock", day, short=8, long=100)
