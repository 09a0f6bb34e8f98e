"""The mail client loses the answer and sends again; and mails come back: receipts, bounces, automatic answers."""

import asyncio
from pathlib import Path

from tests.faults.client import Refused, numbers
from tests.faults.fault import Fault, Report
from tests.faults.scene import scene
from tests.scenarios.installation import REALM, SENDER

TIMES = 5


async def lost_answers(folder: Path, size: int) -> Report:
    """*size* mails, each sent five times with its 250 lost, and five times more."""
    async with scene(folder) as stage, stage.house.serving():
        for number, _ in zip(numbers(), range(size), strict=False):
            ids = await stage.relay.send_again(number, TIMES)
            assert len(ids) == 1, f"one mail was answered with {ids}"
        verdict = await stage.judged(patience=120)
    return Report(size * TIMES, verdict)


async def loops(folder: Path, size: int) -> Report:
    """*size* faxes out and in; every mail that comes of them is thrown back, as it is and as a bounce."""
    refused = 0
    async with scene(folder) as stage, stage.house.serving():
        for number, _ in zip(numbers(), range(size), strict=False):
            stage.mail(number)
            await stage.receive()
        before = await stage.judged(patience=120)
        mails = list(stage.house.catcher.mails)
        for mail, number in zip(mails, numbers(), strict=False):
            content = mail.content if mail.content.endswith(b"\r\n") else mail.content + b"\r\n"
            for sender in (SENDER, ""):
                try:
                    await stage.relay.submit(sender, f"{number}@{REALM}", content)
                except Refused:
                    refused += 1
        await asyncio.sleep(1)
        verdict = await stage.judged()
        assert len(stage.house.catcher.mails) == len(mails), "a mail that was thrown back made another one"
        assert refused == 2 * len(mails), f"{refused} of {2 * len(mails)} were refused"
        assert verdict.outcomes == before.outcomes
    return Report(2 * len(mails), verdict, note=f"{refused} mails thrown back, all refused")


LOST = Fault("F22", "the mail client loses the 250 five times and sends again", lost_answers, short=3, long=100)
LOOPS = Fault("F27", "mails that come back: receipts, received faxes, bounces", loops, short=3, long=50)
