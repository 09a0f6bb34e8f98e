"""Hours of work in which now and then something breaks: what is opened or remembered must not grow."""

import asyncio
import os
import random
import time
from pathlib import Path

from tests.faults.disk import holding
from tests.faults.fault import Fault, Report
from tests.faults.scene import Scene, scene
from tests.scenarios.installation import Process

MEGABYTE = 1 << 20
#: So many more files may be open at one moment than at another: connections, documents on their way.
FILES = 60
#: So much more memory may be in use at the end of a short run than in its middle, in MB.
SPARE = 40.0


async def run(folder: Path, size: int) -> Report:
    """*size* seconds under load and troubles. In the first half the process is killed too, in the second measured."""
    report, dice = Report(), random.Random(size)
    async with scene(folder) as stage:
        running = await stage.house.start()
        async with stage.load(mails=4, faxes=1):
            running = await _troubled(stage, dice, report, size / 2, running)
            half = _measured(running)
            running = await _troubled(stage, dice, report, size / 2)
            report.note = _grown(half, _measured(running), size / 2)
        _trouble_free(stage)
        report.verdict = await stage.judged(patience=180)
        kept = (folder / "faxgate.db").stat().st_size / max(1, len(stage.relay.answers))
        report.note += f", {kept / 1024:.0f} KB of database a mail"
        await running.stop()
    return report


async def _troubled(
    stage: Scene, dice: random.Random, report: Report, seconds: float, killed: Process | None = None
) -> Process:
    """Let something else be wrong every second; return the process that runs at the end."""
    end, running = time.monotonic() + seconds, killed or stage.house.runs[-1]
    while time.monotonic() < end:
        await asyncio.sleep(1.0)
        report.injected += 1
        faults = stage.house.emulator.faults
        faults.ambiguous_rate = dice.choice([0.0, 0.0, 0.3])
        faults.drop_webhooks, faults.shuffle_webhooks = dice.choice([(False, False), (True, False), (False, True)])
        if dice.random() < 0.05:
            with holding(stage.house.root / "faxgate.db"):
                await asyncio.sleep(2.0)
        elif killed and dice.random() < 0.3:
            await running.kill()
            began = time.monotonic()
            running = await stage.house.start()
            report.recovered.append(time.monotonic() - began)
    return running


def _trouble_free(stage: Scene) -> None:
    faults = stage.house.emulator.faults
    faults.ambiguous_rate, faults.drop_webhooks, faults.shuffle_webhooks = 0.0, False, False


def _measured(running: Process) -> tuple[float, int]:
    """Return the memory (MB) and the open files of the process, without its confined children."""
    place = Path(f"/proc/{running.process.pid}")
    pages = int((place / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE, len(list((place / "fd").iterdir()))


def _grown(before: tuple[float, int], after: tuple[float, int], seconds: float) -> str:
    """Judge the growth, 5 MB an hour beside what comes and goes; return it in words."""
    (memory, files), (more_memory, more_files) = before, after
    assert more_files < files + FILES, f"{files} files were open, then {more_files}"
    assert more_memory < memory + SPARE + 5 * seconds / 3600, f"{memory:.0f} MB grew to {more_memory:.0f}"
    return f"{memory:.0f} MB and {files} files, {seconds:.0f} s later {more_memory:.0f} MB and {more_files} files"


FAULT = Fault("F28", "work for a while, each second with another trouble", run, short=20, long=3600)
