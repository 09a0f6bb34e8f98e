"""The process is killed at any system call, and at each named point, while mails and faxes come in."""

import asyncio
import random
import shutil
import time
from pathlib import Path

from tests.faults.fault import Fault, Report
from tests.faults.scene import Scene, scene
from tests.scenarios.installation import EndedEarly, Process

#: Where what was done so far has, or has not, become visible to somebody else.
CALLS = (
    *("write", "pwrite64", "fdatasync", "fsync", "linkat", "link", "unlink"),
    *("sendto", "sendmsg", "recvfrom", "openat"),
)
POINTS = (
    *("intake.read", "intake.sealed", "intake.committed", "prepare.rendered", "prepare.queued", "transmit.intended"),
    *("transmit.answered", "transmit.committed", "document.fetched", "event.recorded", "event.dispatched"),
    *("retrieve.fetched", "retrieve.kept", "forward.told", "deliver.composed", "deliver.sent"),
)
#: How long a process lives at most, in seconds, that does not come to the place where it was to die.
LIFE = 1.2
#: Kills between two judgements; fewer than make a job that is there each time the culprit (``worker.MOST_CRASHES``).
BETWEEN = 15


async def run(folder: Path, size: int) -> Report:
    """*size* kills under load; now and then, and at the end, an undisturbed run in which everything must be settled."""
    report = Report()
    dice = random.Random(size)  # the same places each time; the moments differ
    async with scene(folder) as stage:
        for done in range(0, size, BETWEEN):
            async with stage.load(mails=3, faxes=0.5):
                for _ in range(min(BETWEEN, size - done)):
                    await _live_and_die(stage, dice, report)
            began = time.monotonic()
            async with stage.house.serving():
                report.recovered.append(time.monotonic() - began)
                report.verdict = await stage.judged(patience=300)
    report.injected = size
    return report


async def _live_and_die(stage: Scene, dice: random.Random, report: Report) -> None:
    """Run the daemon until it dies: at a named point, at a call of its start, or at a call of its work."""
    manner = dice.choice(["point", "start", "work", "work", "work"])
    point = f"{dice.choice(POINTS)}:{dice.randint(1, 3)}"
    began = time.monotonic()
    try:
        running = await stage.house.start(
            environment={"FAXGATE_CRASH_AT": point} if manner == "point" else None,
            under=_strace(dice, "-D", "--seccomp-bpf") if manner == "start" else [],
        )
    except EndedEarly:
        return
    if manner != "start":
        report.recovered.append(time.monotonic() - began)
    tracer = await _attach(running, dice) if manner == "work" else None
    try:
        async with asyncio.timeout(dice.uniform(0.2, LIFE)):
            await running.process.wait()
    except TimeoutError:
        pass  # what died was a confined child, or the place was not passed
    await running.kill()
    if tracer is not None:
        await tracer.wait()


async def _attach(running: Process, dice: random.Random) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(*_strace(dice, "-p", str(running.process.pid)))


def _strace(dice: random.Random, *options: str) -> list[str]:
    """Return a command that kills at one system call; it counts the calls of each thread by itself."""
    call = f"inject={dice.choice(CALLS)}:signal=KILL:when={dice.randint(1, 60)}"
    return [shutil.which("strace") or "strace", "-f", "-qq", "-o", "/dev/null", "-e", call, *options]


FAULT = Fault("F1", "kill -9 at any system call and at each named point, under load", run, short=50, long=1000)
