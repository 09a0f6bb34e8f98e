"""The smarthost is down, refuses for now, and takes a mail without saying so."""

import asyncio
from pathlib import Path

from tests.faults.fault import Fault, Report
from tests.faults.scene import scene


async def run(folder: Path, size: int) -> Report:
    """*size* mails and as many received faxes while no mail goes out as it should; then it does."""
    async with scene(folder) as stage, stage.house.serving():
        catcher = stage.house.catcher
        troubles = (
            ("RCPT", (450, "4.2.1 try later"), 0),
            ("DATA", (451, "4.3.0 local error"), 0),
            ("MAIL", (421, "4.3.2 shutting down"), 0),
            ("", None, 1),
        )
        for index in range(size):
            catcher.refuse_at, catcher.refuse_with, catcher.reset_after_dot = troubles[index % len(troubles)]
            stage.mail()
            await stage.receive()
            await asyncio.sleep(0.5)
        await stage.answered()
        await asyncio.sleep(1.0)
        port = catcher.port
        await catcher.stop()
        await asyncio.sleep(1.0)
        catcher.refuse_with, catcher.reset_after_dot = None, 0
        await catcher.start(port=port)
        verdict = await stage.judged(patience=180)
        doubled = len(catcher.mails) - len({(mail.envelope_to, mail.parsed["Message-ID"]) for mail in catcher.mails})
    return Report(size + 1, verdict, note=f"{doubled} mails came twice, each under its one Message-ID")


FAULT = Fault("F10", "the smarthost down, refusing for now, resetting behind the final dot", run, short=8, long=200)
