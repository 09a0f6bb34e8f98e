"""The carrier accepts and does not say so, says things twice, too early, never, or is not itself."""

import asyncio
import json
import math
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from gateway.carriers.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from gateway.outbox.resolve import STEPS
from gateway.settings.faxing import CarrierSection
from tests.faults.fault import Fault, Report
from tests.faults.scene import Scene, scene


async def ambiguous(folder: Path, size: int) -> Report:
    """*size* faxes, of which three in ten are accepted without an answer; of half of these no webhook tells either."""
    async with scene(folder) as stage:
        stage.carrier('timeout = "2s"')
        async with stage.house.serving():
            faults = stage.house.emulator.faults
            faults.ambiguous_rate = 0.3
            for index in range(size):
                faults.ambiguous_status = (None, 502, 504, None)[index // 5 % 4]
                faults.silent = index // 5 % 4 == 3
                stage.mail(_untold(index) if index % 2 else "")
                await asyncio.sleep(0.05)
            verdict = await stage.judged(patience=120 + size * 0.3)
        unanswered = {fax.id for fax in stage.house.emulator.faxes if fax.unanswered}
        assert unanswered, "no answer was kept back: nothing was tried"
        looks = _looks(stage, unanswered)
        # What is not settled must be held, and told: else the judge has called it lost.
        prompt = sum(_planned(number) <= PROMPT for number in looks.values())
        assert prompt >= 0.99 * len(unanswered), f"only {prompt} of {len(unanswered)} within two minutes: {looks}"
        assert verdict.outcomes["delivered"] >= 0.99 * size, f"not settled by themselves: {verdict.outcomes}"
    return Report(len(unanswered), verdict, note=_told(looks, verdict.outcomes["delivered"] / size))


def _untold(index: int) -> str:
    """A number, another one for each *index*, of whose faxes no webhook tells: those that end in 0008."""
    area = ("212", "312", "415", "617")[index // 500]
    return f"+1{area}{300 + index % 500}0008"


#: How long after its request an ambiguous fax must be settled; and what the plan is with the settings as they come.
PROMPT = timedelta(minutes=2)
USUAL = CarrierSection()


def _looks(stage: Scene, unanswered: set[str]) -> dict[str, int]:
    """How many looks at the carrier's list decided nothing before it was known what became of each of these."""
    known = {line["carrier_fax"]: int(line.get("looks", 0)) for line in stage.said("accepted by the carrier")}
    return {each: known[each] for each in unanswered if each in known}


def _planned(looks: int) -> timedelta:
    """When the look after so many takes place, counted from a request that is never answered: by the plan, for how long
    it takes on this machine says nothing about another one."""
    steps = [STEPS[min(index, len(STEPS) - 1)] for index in range(looks + 1)]
    return USUAL.timeout + sum(steps) * USUAL.settle_delay


def _told(looks: dict[str, int], settled: float) -> str:
    most = max(looks.values())
    by_plan = _planned(most).total_seconds()
    return f"{settled:.1%} settled by themselves, by look {most + 1} at the latest: after {by_plan:.0f} s by the plan"


async def webhooks(folder: Path, size: int) -> Report:
    """*size* faxes whose webhooks come three times and shuffled, or never; forged and stale ones meanwhile."""
    refused = 0
    async with scene(folder) as stage, stage.house.serving(), aiohttp.ClientSession() as web:
        emulator = stage.house.emulator
        for index in range(size):
            emulator.faults.drop_webhooks = index % 3 == 0
            emulator.faults.shuffle_webhooks = index % 3 == 1
            emulator.faults.answer_delay = 0.2 * (index % 2)  # webhooks overtake the answer
            # A number that ends in 0009 hears each webhook three times.
            stage.mail(f"+1212{3_000_009 + 10_000 * index}" if index % 3 == 2 else "")
            if index % 2:
                await stage.receive()
            refused += await _forge(web, f"{stage.house.http}/webhooks/telnyx", emulator.settings.signing_seed)
            await asyncio.sleep(0.1)
        await stage.judged(patience=120)
        told = next(each.event for each in emulator.deliveries if each.event["event_type"] == "fax.sending.started")
        door, seed = f"{stage.house.http}/webhooks/telnyx", emulator.settings.signing_seed
        slow = await _flood(web, door, seed, told, 20 * size)
        paced = await _flood(web, door, seed, told, 20 * size, PACE)
        verdict = await stage.judged(patience=120)
        assert refused == 3 * size, f"{3 * size - refused} forged, unsigned or stale webhooks were taken"
    said = (
        f"{refused} forged, unsigned or stale ones refused; {20 * size} old ones at once, 99 % taken in {slow:.0f} ms, "
        f"and as many again at {PACE:.0f} a second, in {paced:.0f} ms"
    )
    return Report(44 * size, verdict, note=said)


async def _flood(
    web: aiohttp.ClientSession, url: str, seed: bytes, event: dict[str, Any], times: int, pace: float = math.inf
) -> float:
    """Post an old event so many times, every fourth time under a new id, *pace* times a second, or as fast as 20
    connections are answered. Return within how many milliseconds 99 in a hundred were, counted from when they were due.
    """
    took, numbers, start = list[float](), iter(range(times)), time.monotonic()

    async def post() -> None:
        for number in numbers:
            await asyncio.sleep(start + number / pace - time.monotonic())
            raw = json.dumps({"data": {**event, "id": f"flood-{pace}-{number // 4}"}}).encode()
            now = str(int(time.time()))
            headers = {SIGNATURE_HEADER: sign(seed, now, raw), TIMESTAMP_HEADER: now}
            began = time.monotonic() if math.isinf(pace) else start + number / pace
            async with web.post(url, data=raw, headers=headers) as response:
                assert response.status == 200, await response.text()
            took.append((time.monotonic() - began) * 1000)

    await asyncio.gather(*(post() for _ in range(20)))
    return sorted(took)[len(took) * 99 // 100 - 1]


async def _forge(web: aiohttp.ClientSession, url: str, seed: bytes) -> int:
    """Post an event with a wrong signature, with none, and with an old one; return how many were refused."""
    lie = {"data": {"id": "lie", "event_type": "fax.delivered", "payload": {"fax_id": "x", "direction": "outbound"}}}
    raw, now = json.dumps(lie).encode(), int(time.time())
    stale = str(now - 360)
    forged = {SIGNATURE_HEADER: sign(bytes(32), str(now), raw), TIMESTAMP_HEADER: str(now)}
    old = {SIGNATURE_HEADER: sign(seed, stale, raw), TIMESTAMP_HEADER: stale}
    refused = 0
    for headers in (forged, {}, old):
        async with web.post(url, data=raw, headers=headers) as response:
            refused += response.status in {401, 403}
    return refused


#: Webhooks a second, more than a busy carrier sends.
PACE = 200.0


async def links(folder: Path, size: int) -> Report:
    """*size* received faxes: the link has expired, the document breaks off, comes slowly, or is something else."""
    async with scene(folder) as stage, stage.house.serving():
        for index in range(size):
            faults = stage.house.emulator.faults
            faults.expire_links = index % 4 == 0
            faults.cut_links += index % 4 == 1
            faults.slow_links += index % 4 == 2
            faults.wrong_links += index % 4 == 3
            await stage.receive()
            await asyncio.sleep(0.2)
        verdict = await stage.judged(patience=120)
    assert verdict.received == size
    return Report(size, verdict)


AMBIGUOUS = Fault(
    "F6", "the carrier accepts, and resets, answers 502 or 504, or nothing ever (30 %)", ambiguous, short=60, long=1000
)
LINKS = Fault(
    "F9", "links to received documents expired, documents cut off, slow, or something else", links, short=8, long=200
)
WEBHOOKS = Fault(
    "F8", "webhooks doubled, shuffled, lost, early, forged, stale, in a flood", webhooks, short=24, long=300
)
