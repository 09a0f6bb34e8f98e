"""An orderly stop under load, with sessions that are idle and mails that are under way."""

import asyncio
import contextlib
import time
from pathlib import Path

from tests.faults.fault import Fault, Report
from tests.faults.scene import Scene, scene

#: Sessions that are idle when it stops, all from here.
IDLE = 200
_ROOM = {"FAXGATE_SMTP__MAX_CONNECTIONS_PER_PEER": "300", "FAXGATE_SMTP__MAX_CONNECTIONS_PER_MINUTE": "100000"}


async def run(folder: Path, size: int) -> Report:
    """*size* stops by SIGTERM."""
    report = Report()
    async with scene(folder) as stage:
        async with stage.load(mails=4, faxes=1):
            for _ in range(size):
                await _stop(stage, report)
        async with stage.house.serving():
            report.verdict = await stage.judged(patience=120)
        log = (stage.house.root / "serve.log").read_text()
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]
    report.injected = size
    return report


async def _stop(stage: Scene, report: Report) -> None:
    running = await stage.house.start(environment=_ROOM)
    await asyncio.sleep(1.0)
    sessions = [await asyncio.open_connection("127.0.0.1", stage.house.smtp_port) for _ in range(IDLE)]
    for reader, _ in sessions:
        assert (await reader.readline()).startswith(b"220")
    began = time.monotonic()
    assert await running.stop() == 0
    report.recovered.append(time.monotonic() - began)
    assert report.recovered[-1] < 30, "it took too long to stop"
    for reader, writer in sessions:
        assert (await reader.read()).startswith(b"421"), "an idle session is told"
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


FAULT = Fault("F11", "SIGTERM under load, and with 200 idle sessions", run, short=3, long=100)
