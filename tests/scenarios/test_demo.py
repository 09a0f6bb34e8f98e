"""The demo as a visitor meets it: one process, its output, and the lines that it gives him to copy."""

import asyncio
import contextlib
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.demo import tour
from gateway.demo.catcher import MailCatcher
from gateway.demo.screen import Screen
from gateway.demo.steps import Observer, Step
from gateway.store.database import open_database
from gateway.store.folder import Folder

HANG = 100.0
STEPS = [
    "mailed      office@demo.example",
    "accepted    250 2.0.0 taken as ",
    "fax pages   2 pages; ",
    "handed over attempt 1 ",
    "webhook     fax.queued, signature verified",
    "fetched     the carrier gets the pages at /m/",
    "webhook     fax.media.processed, signature verified",
    "webhook     fax.sending.started, signature verified",
    "webhook     fax.receiving.started, signature verified",
    "webhook     fax.delivered, signature verified",
    "delivered   to +12025550199, 2 of 2 pages confirmed",
    'receipt     to office@demo.example: "Fax to +1 202-555-0199: delivered (2 pages)"',
    "webhook     fax.received, signature verified",
    "received    its document: 2 pages, ",
    'mailed on   to clinic@demo.example: "Fax from +1 202-555-0123: 2 pages", with fax-from-',
]

#: What each listing shows after the round and the visitor's own fax.
SHOWN = {"queue": "", "outbox": "delivered", "inbox": "received", "smtplog": "office@demo.example"}
# A hang limit: each test starts several processes, each of which imports the whole house.
pytestmark = pytest.mark.timeout(400)


@dataclass
class Demo:
    """A running demo, and what it has printed."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    @property
    def printed(self) -> str:
        """Everything until now."""
        return "\n".join(self.lines)

    async def until(self, words: str) -> None:
        """Read on until a line holds *words*."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(HANG):
                while not any(words in line for line in self.lines):
                    raw = await self.process.stdout.readline()
                    assert raw, f"the demo ended without {words!r}; it said:\n{self.printed}"
                    self.lines.append(raw.decode().rstrip("\n"))
        except TimeoutError:
            raise AssertionError(f"{words!r} did not come; the demo said:\n{self.printed}") from None

    async def leave(self) -> int:
        """Press Ctrl-C; return the exit code."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = await asyncio.wait_for(self.process.communicate(), HANG)
        self.lines += rest.decode().splitlines()
        return self.process.returncode or 0

    def command(self, beginning: str, end: str = "") -> str:
        """The lines that were printed from the one that begins so to the one that is *end* ("": one line)."""
        first = next(number for number, line in enumerate(self.lines) if line.startswith(beginning))
        last = self.lines.index(end, first) if end else first
        return "\n".join(self.lines[first : last + 1])


@contextlib.asynccontextmanager
async def demo(state_dir: Path, *more: str, smtp_port: int = 0) -> AsyncIterator[Demo]:
    """Run the demo until the block ends; warnings of Python are errors in it."""
    ports = ("--smtp-port", str(smtp_port), "--http-port", "0")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", "gateway", "demo", "--state-dir", str(state_dir), *ports, *more),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Demo(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def run_once(state_dir: Path, *more: str, smtp_port: int = 0) -> tuple[int, str]:
    """Run the demo to its end; return its exit code and what it printed."""
    async with demo(state_dir, "--once", *more, smtp_port=smtp_port) as running:
        printed, _ = await asyncio.wait_for(running.process.communicate(), HANG)
        return running.process.returncode or 0, printed.decode()


async def shell(command: str) -> tuple[int, str]:
    """Run *command* as somebody who has copied it into a shell."""
    process = await asyncio.create_subprocess_shell(
        command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await asyncio.wait_for(process.communicate(), HANG)
    return process.returncode or 0, printed.decode()


def check_round(code: int, printed: str) -> None:
    """Every step of the round is there, each with its time."""
    assert code == 0, printed
    assert "\x1b" not in printed, "no escape codes when it is no terminal"
    for step in STEPS:
        assert re.search(rf"^ *[0-9,]+ ms  {re.escape(step)}", printed, re.MULTILINE), f"{step!r} is not in:\n{printed}"
    check_quiet(printed)


def check_quiet(printed: str) -> None:
    """Nothing was printed that is not for the visitor."""
    for noise in ("Traceback", "Warning", "never awaited", "[info", "Error"):
        assert noise not in printed, printed


@pytest.mark.full
async def test_one_fax_goes_round_again_and_again_in_the_same_folder_even_after_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "a folder that is not there"
    check_round(*await run_once(state))
    assert len(list((state / "mails").glob("*.eml"))) == 2, "the receipt and the received fax"
    async with demo(state) as running:
        await running.until("handed over")
        running.process.kill()
        await running.process.communicate()
    check_round(*await run_once(state))
    assert "reason=carrier_lost" in (state / "faxgate.log").read_text(), "the call of the killed run was cut off"


@pytest.mark.full
async def test_leaving_in_the_middle_of_the_round_is_quiet(tmp_path: Path) -> None:
    async with demo(tmp_path) as running:
        await running.until("accepted")
        assert await running.leave() == 130
    check_quiet(running.printed)


async def test_a_step_that_does_not_come_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Blind(Observer):
        async def look(self) -> list[Step]:
            return []

    monkeypatch.setattr(tour, "PATIENCE", 0.1)
    db = await open_database(f"sqlite:///{tmp_path}/faxgate.db")
    try:
        blind = Blind(db, Folder(tmp_path), MailCatcher(), uuid4(), datetime.now(UTC))
        with pytest.raises(tour.Stuck, match=re.escape("the fax pages did not come within 0.1 s")):
            await tour.follow(blind, Screen())
        blind.failed = "the line was busy"
        with pytest.raises(tour.Stuck, match="the line was busy"):
            await tour.follow(blind, Screen())
    finally:
        await db.close()


async def test_a_port_that_is_taken_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, printed = await run_once(tmp_path / "state", smtp_port=port)
    assert code == 1
    assert printed.count("\n") == 1, "one sentence"
    assert f"port {port} on 127.0.0.1" in printed
    assert "--smtp-port" in printed
    assert not (tmp_path / "state").exists()


async def test_it_waits_and_what_it_says_can_be_done_works(tmp_path: Path) -> None:
    async with demo(tmp_path) as running:
        await running.until("Ctrl-C")
        assert await shell(running.command("python3 - <<", "EOF")) == (0, "")
        await running.until("mail        to clinic@demo.example: Fax from +1 202-555-0123: 2 pages")
        await running.until("fax         to +1 202-555-0199: delivered")
        for verb, shown in SHOWN.items():
            line = next(line for line in running.lines if f" {verb} list --config " in line)
            code, printed = await shell(line)
            assert code == 0, printed
            assert shown in printed
        await check_that_a_second_one_is_kept_out(tmp_path)
        assert await running.leave() == 0
    check_quiet(running.printed)
    assert len(list((tmp_path / "mails").glob("*.eml"))) == 4, "two of the round, two of the visitor's fax"


async def check_that_a_second_one_is_kept_out(state: Path) -> None:
    """Another demo in the folder *state* of a running one says what to do and touches nothing."""
    settings = (state / "gateway.toml").read_bytes()
    code, printed = await run_once(state)
    assert code == 1
    assert "--state-dir" in printed
    assert (state / "gateway.toml").read_bytes() == settings


@pytest.mark.full
async def test_the_printed_lines_for_curl_and_swaks_send_faxes(tmp_path: Path) -> None:
    async with demo(tmp_path) as running:
        await running.until("Ctrl-C")
        done = "fax         to +1 202-555-0199: delivered"
        for program in ("curl -sS smtp:", "swaks "):
            code, printed = await shell(running.command(program))
            assert code == 0, printed
            await running.until(done)
            running.lines = [line for line in running.lines if done not in line]
        code, printed = await shell(running.command("curl -s -H 'X-Auth-Token"))
        assert code == 0
        assert printed.count('"office@demo.example"') >= 3, "the round and the two above"
        code, printed = await shell(running.command("curl -s -F to="))
        assert code == 0, printed
        await running.until("mail        to clinic@demo.example: Fax from +1 202-555-0142: 2 pages")
        assert await running.leave() == 0
