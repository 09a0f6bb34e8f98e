"""Where a fault happens: an installation under load, with the judge at its end."""

import asyncio
import contextlib
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import samples
from tests.faults.client import MailServer
from tests.faults.judge import Logs, Verdict, judge
from tests.scenarios.installation import CLINIC, REALM, Installation, installed

READERS = (f"ward@{REALM}", f"inbox@{REALM}")

#: A long run sends more than an account may in a day, which would hold what is beyond.
UNLIMITED = "".join(
    f"\n[limits.{whose}]\nfaxes = 0\npages = 0\nnew_destinations = 0" for whose in ("account", "faxbox")
)


#: Mails that wait for an answer at the same time, at most.
AT_ONCE = 15


@dataclass
class Scene:
    """*house* with its mail server. ``tasks`` are mails that are being sent; ``injected`` counts faults made."""

    house: Installation
    relay: MailServer
    injected: int = 0
    tasks: set[asyncio.Task[str]] = field(default_factory=set)
    _callers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def mail(self, number: str = "") -> None:
        """Begin to send a mail."""
        self.tasks.add(asyncio.create_task(self.relay.keep_sending(number)))

    async def receive(self) -> None:
        """Let a fax come in from outside, unlike any other."""
        caller = next(self._callers)
        await self.house.emulator.receive(CLINIC, f"+1646555{caller:04}", samples.pdf(1, f"Call number {caller}"))

    @contextlib.asynccontextmanager
    async def load(self, mails: float, faxes: float = 0.0) -> AsyncIterator[None]:
        """So many mails and incoming faxes a second until the block ends; fewer while the gateway cannot keep up."""

        async def beat(act: Callable[[], object], rate: float) -> None:
            while rate:
                while sum(not task.done() for task in self.tasks) >= AT_ONCE:
                    await asyncio.sleep(0.05)
                made = act()
                if asyncio.iscoroutine(made):
                    await made
                await asyncio.sleep(1 / rate)

        async with asyncio.TaskGroup() as group:
            beats = [group.create_task(beat(self.mail, mails)), group.create_task(beat(self.receive, faxes))]
            try:
                yield
            finally:
                for each in beats:
                    each.cancel()

    async def answered(self, patience: float = 60.0) -> None:
        """Wait until every mail has its answer; raises what was no 250."""
        async with asyncio.timeout(patience):
            await asyncio.gather(*self.tasks)

    async def judged(self, patience: float = 60.0) -> Verdict:
        """Wait until every mail is answered and everything has come to its end, and require that it did. *patience* is
        how long nothing at all may happen meanwhile: how much there is to do, and how fast the machine, is no fault."""
        await self.answered(patience)
        await self.house.emulator.settle()
        deadline, left = time.monotonic() + patience, sys.maxsize
        while (verdict := self.verdict()).unfinished and time.monotonic() < deadline:
            if len(verdict.faults) < left:
                deadline, left = time.monotonic() + patience, len(verdict.faults)
            await asyncio.sleep(0.1 + left / 100)
        # What comes twice comes after what came once.
        await asyncio.sleep(0.5)
        await self.house.emulator.settle()
        verdict = self.verdict()
        assert not verdict.faults, f"{verdict.faults}\n{(self.house.root / 'serve.log').read_text()[-6000:]}"
        assert verdict.acked or verdict.received, "nothing happened: the judge had nothing to see"
        return verdict

    def carrier(self, setting: str) -> None:
        """Add a line to the carrier's section of the settings."""
        config = self.house.config
        config.write_text(config.read_text().replace("[carrier]\n", f"[carrier]\n{setting}\n"))

    def said(self, event: str) -> list[dict[str, Any]]:
        """The lines of the daemon's log that tell of this *event*."""
        lines = (self.house.root / "serve.log").read_text().splitlines()
        return [line for line in map(_line, lines) if line.get("event") == event]

    def verdict(self) -> Verdict:
        """What the judge says now."""
        return judge(Logs.below(self.house.root), READERS)


def _line(text: str) -> dict[str, Any]:
    """A line of the log; {} for what is none, as Python's own last words."""
    with contextlib.suppress(ValueError):
        return dict(json.loads(text))
    return {}


@contextlib.asynccontextmanager
async def scene(
    root: Path, *, database_url: str = "", behind_nat: bool = False, blobs: str = "", more: str = ""
) -> AsyncIterator[Scene]:
    """Everything set up, the daemon not yet started. *more* is appended to its settings."""
    async with installed(
        root, database_url or f"sqlite:///{root}/faxgate.db", behind_nat=behind_nat, blobs=blobs
    ) as house:
        house.write_settings(more + UNLIMITED)
        if not blobs:
            # Alone it is its own heir, so it need not be in a hurry; a machine with much to do is slow.
            house.config.write_text(house.config.read_text().replace('lease = "3s"', 'lease = "15s"'))
        relay = MailServer(house.smtp_port, root / "acks.jsonl")
        try:
            yield (made := Scene(house, relay))
        finally:
            for task in made.tasks:
                task.cancel()
            await asyncio.gather(*made.tasks, return_exceptions=True)
            relay.close()
