"""The daemon's clock jumps, by hours, days and past 2038, and back. Everybody else's goes on."""

import asyncio
import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.faults.fault import Fault, Report
from tests.faults.native import built
from tests.faults.scene import Scene, scene

#: What the clock is ahead of the true time, in seconds; the last is behind the 32 bits of 2038.
JUMPS = (3600, -3600, 86_400, -86_400, 12 * 365 * 86_400)
#: The line to these numbers is busy at the first call, so that a second one is planned.
BUSY = (f"+1212{line}0005" for line in itertools.count(300))


@dataclass
class Clock:
    """The clock of a process that is started in ``environment``. ``ahead`` is how far it is ahead of the true one, in
    seconds."""

    environment: dict[str, str]
    ahead: int = 0

    @classmethod
    async def made(cls, folder: Path) -> "Clock":
        """A clock that is right."""
        clock = cls({"LD_PRELOAD": await built(folder, "clock"), "FAXGATE_CLOCK": str(folder / "clock")})
        clock._hands.write_bytes(bytes(8))
        return clock

    @property
    def _hands(self) -> Path:
        return Path(self.environment["FAXGATE_CLOCK"])

    def put(self, ahead: int) -> None:
        """Put it ahead by so many seconds."""
        self.ahead = ahead
        with self._hands.open("r+b") as file:
            file.write(ahead.to_bytes(8, sys.byteorder, signed=True))


async def run(folder: Path, size: int) -> Report:
    """*size* jumps there and back, under load; outside of them no fax may come late because of one."""
    report, clock = Report(), await Clock.made(folder)
    async with scene(folder) as stage:
        stage.house.config.write_text(stage.house.config.read_text().replace('[fax]\nretry_delay = "300ms"', _PATIENT))
        running = await stage.house.start(environment=clock.environment)
        async with stage.load(mails=3, faxes=1):
            for jump, _ in zip(itertools.cycle(JUMPS), range(size), strict=False):
                await _jump(stage, clock, jump)
                report.injected += 2
        report.verdict = await stage.judged(patience=60)
        await running.stop()
        said = (folder / "serve.log").read_text()
        assert "the clock was set back" in said, "the clock did not move"
        report.note = f"webhooks refused as stale meanwhile: {said.count(_STALE)}"
    return report


async def _jump(stage: Scene, clock: Clock, seconds: int) -> None:
    stage.mail(next(BUSY))
    await asyncio.sleep(0.5)
    clock.put(seconds)
    for _ in range(3):
        stage.mail(next(BUSY))
        await asyncio.sleep(0.7)
    clock.put(0)
    await asyncio.sleep(1.5)


_STALE = '"why": "stale"'
#: Faxes that wait are not given up by a clock that is days ahead.
_PATIENT = '[fax]\nretry_delay = "1s"\ndeadline = "9000d"'
FAULT = Fault("F5", "the clock an hour, a day, twelve years ahead or behind, and right again", run, short=5, long=100)
