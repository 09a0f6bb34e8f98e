"""A backup is made under load, the gateway works on and is lost, and the backup takes its place."""

import asyncio
import json
import shutil
import time
from datetime import datetime
from pathlib import Path

from tests.faults.fault import Fault, Report
from tests.faults.scene import Scene, scene

BURST = 12


async def run(folder: Path, size: int) -> Report:
    """*size* times: what was acknowledged before the backup has one outcome, and nothing is sent again."""
    report = Report()
    for number in range(size):
        place = folder / str(number)
        place.mkdir()
        async with scene(place) as stage:
            await _once(stage, report)
        report.injected += 1
    return report


async def _once(stage: Scene, report: Report) -> None:
    house = stage.house
    running = await house.start()
    await stage.receive()
    async with stage.load(mails=5):
        for _ in range(BURST):
            stage.mail()
        await asyncio.sleep(1.5)
        code, printed = await house.run("backup", str(house.root / "backup"), "--json")
        assert code == 0, printed
        await asyncio.sleep(2.0)
    await stage.answered()
    await house.until(lambda: len(house.mails(tale="receipt")) >= BURST, "what was under way at the backup")
    await running.kill()
    _forget(house.root / "acks.jsonl", datetime.fromisoformat(json.loads(printed[printed.index("{") :])["at"]))
    shutil.rmtree(house.root / "blobs")
    code, printed = await house.run("restore", str(house.root / "backup"), "--replace")
    assert code == 0, printed
    began = time.monotonic()
    running = await house.start()
    stage.tasks.clear()
    verdict = await stage.judged(patience=90)
    report.recovered.append(time.monotonic() - began)
    report.verdict.acked += verdict.acked
    report.verdict.outcomes += verdict.outcomes
    report.verdict.received += verdict.received
    await running.stop()


def _forget(acks: Path, backup: datetime) -> None:
    """Take the acknowledgements out that came after the backup: of these mails nothing is promised but that they are
    not sent twice."""
    lines = [json.loads(line) for line in acks.read_text().splitlines()]
    kept = [line for line in lines if line["step"] != "acked" or datetime.fromisoformat(line["at"]) < backup]
    assert len(kept) < len(lines), "nothing came after the backup: it was not made under load"
    acks.write_text("".join(json.dumps(line) + "\n" for line in kept))


FAULT = Fault("F29", "a backup under load, the gateway lost later, the backup restored", run, short=1, long=20)
