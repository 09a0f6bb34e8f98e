"""Three machines on PostgreSQL and S3 are killed in turn, or stand still for longer than their lease and go on."""

import asyncio
import time
from pathlib import Path

from tests.faults.cluster import Node, cluster
from tests.faults.fault import Fault, Report

ROLES = ("smtp,http", "smtp,http,worker", "worker")
#: Longer than the lease of the installation's settings, in seconds.
STANDSTILL = 5.0


async def run(folder: Path, size: int) -> Report:
    """*size* machines go under load, every third of them by standing still."""
    report = Report(injected=size)
    async with cluster(folder, ROLES) as made:
        for node in made.nodes:
            await node.start()
        async with made.stage.load(mails=3, faxes=0.5):
            for number in range(size):
                await asyncio.sleep(1.0)
                node = made.nodes[number % len(made.nodes)]
                await (_stand_still(node) if number % 4 == 3 else _die(node, report))
        report.verdict = await made.stage.judged(patience=180)
        report.note = f"{size // 4} of them stood still for {STANDSTILL:.0f} s"
    return report


async def _die(node: Node, report: Report) -> None:
    await node.kill()
    await asyncio.sleep(0.5)
    began = time.monotonic()
    await node.start()
    report.recovered.append(time.monotonic() - began)


async def _stand_still(node: Node) -> None:
    node.pause()
    await asyncio.sleep(STANDSTILL)
    node.go_on()
    await asyncio.sleep(0.5)
    await node.restarted()


FAULT = Fault("F20", "three machines on PostgreSQL and S3, killed or stopped in turn", run, short=4, long=200)
