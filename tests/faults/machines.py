"""Three machines on PostgreSQL and S3 are killed in turn, or stand still for longer than their lease and go on."""

import asyncio
import itertools
import time
from pathlib import Path

from tests.faults.cluster import Node, cluster
from tests.faults.fault import Fault, Report

#: From so many on it is a long run.
LONG = 50
ROLES = ("smtp,http", "smtp,http,worker", "worker")
#: Longer than the lease of the installation's settings, in seconds; and the first standstill of a long run.
STANDSTILL, LONG_STANDSTILL = 5.0, 600.0


async def run(folder: Path, size: int) -> Report:
    """*size* machines go under load, every fourth of them by standing still."""
    report = Report(injected=size)
    standstills = itertools.chain([LONG_STANDSTILL] if size >= LONG else [], itertools.repeat(STANDSTILL))
    async with cluster(folder, ROLES) as made:
        for node in made.nodes:
            await node.start()
        async with made.stage.load(mails=3, faxes=0.5):
            for number in range(size):
                await asyncio.sleep(1.0)
                node = made.nodes[number % len(made.nodes)]
                await (_stand_still(node, next(standstills)) if number % 4 == 3 else _die(node, report))
        report.verdict = await made.stage.judged(patience=180)
        report.note = f"{size // 4} of them stood still for {STANDSTILL:.0f} s"
        report.note += f", the first for {LONG_STANDSTILL:.0f} s" if size >= LONG else ""
    return report


async def _die(node: Node, report: Report) -> None:
    await node.kill()
    await asyncio.sleep(0.5)
    began = time.monotonic()
    await node.start()
    report.recovered.append(time.monotonic() - began)


async def _stand_still(node: Node, seconds: float) -> None:
    node.pause()
    await asyncio.sleep(seconds)
    node.go_on()
    await asyncio.sleep(0.5)
    await node.restarted()


FAULT = Fault("F20", "three machines on PostgreSQL and S3, killed or stopped in turn", run, short=4, long=200)
