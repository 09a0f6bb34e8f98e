"""The power is cut; the disk is full or fails; another process holds the database."""

import asyncio
import contextlib
import json
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import aiohttp

from gateway.carriers.emulator.webhooks import Delivery
from gateway.carriers.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.faults import synced
from tests.faults.fault import Fault, Report
from tests.faults.scene import Scene, scene
from tests.scenarios.installation import HANG, Process

MEGABYTE = 1 << 20
TMPFS = ("-t", "tmpfs", "-o", "size=300m", "none")


async def power(folder: Path, size: int) -> Report:
    """*size* cuts: the daemon is frozen, its disk copied as it is at this moment, and it goes on from the copy.

    The disk is an ext4 file system in a file. What the kernel has not written to it yet is not in the copy.
    """
    report, dice = Report(size), random.Random(size)
    image, mounted = folder / "disk.img", folder / "disk"
    await _disk(image)
    if not await may_mount(mounted, "-o", "loop", str(image)):
        report = await synced.power(folder, size)
        report.note = "nothing may be mounted here: on a disk that keeps what was synced"
        return report
    async with (
        _mounted(mounted, "-o", "loop", str(image)),
        scene(folder, database_url=_on(folder, mounted)) as stage,
    ):
        async with stage.load(mails=4, faxes=1):
            for _ in range(size):
                running = await _timed(stage, report)
                await asyncio.sleep(dice.uniform(0.3, 1.5))
                await _cut(running, image, mounted)
        async with stage.house.serving():
            report.verdict = await stage.judged(patience=180)
        synced.whole(mounted / "faxgate.db")
    return report


async def _cut(running: Process, image: Path, mounted: Path) -> None:
    running.process.send_signal(signal.SIGSTOP)
    await _run("cp", "--sparse=always", str(image), f"{image}.cut")
    await running.kill()
    await _unmount(mounted)
    await asyncio.to_thread(Path(f"{image}.cut").replace, image)
    await _run("mount", "-o", "loop", str(image), str(mounted))


async def full(folder: Path, size: int) -> Report:
    """*size* times the disk fills up under load, and is emptied after two seconds."""
    if not await may_mount(folder / "disk", *TMPFS):
        report = await failing(folder, 4 * size, errors=("ENOSPC",))
        report.note = "nothing may be mounted here: by system calls that fail with ENOSPC"
        return report
    report, mounted = Report(size), folder / "disk"
    async with (
        _mounted(mounted, *TMPFS),
        scene(folder, database_url=_on(folder, mounted)) as stage,
        stage.house.serving(),
    ):
        for index in range(size):
            async with stage.load(mails=4, faxes=1):
                await asyncio.sleep(1.0)
                # First less than the gateway wants to have in reserve, then nothing at all.
                _fill(mounted / "ballast", leave=100 * MEGABYTE if index % 2 == 0 else 0)
                answered = len(stage.relay.answers)
                await asyncio.sleep(2.0)
                (mounted / "ballast").unlink()
                began = time.monotonic()
                await stage.house.until(lambda: len(stage.relay.answers) > answered, "a mail taken again")  # noqa: B023
                report.recovered.append(time.monotonic() - began)
            report.verdict = await stage.judged(patience=120)
        assert any(trouble.startswith("452") for trouble in stage.relay.troubles), "the disk was never full"
    return report


async def failing(folder: Path, size: int, errors: Sequence[str] = ("ENOSPC", "EIO")) -> Report:
    """*size* times system calls of the daemon fail for half a second with one of *errors*, each time other ones."""
    report, dice = Report(size), random.Random(size)
    calls = ("write", "pwrite64", "fdatasync", "fsync", "linkat", "link", "openat")
    async with scene(folder) as stage:
        async with stage.load(mails=4, faxes=1):
            running = await stage.house.start()
            for _ in range(size):
                error = dice.choice(errors)
                inject = (
                    f"inject={dice.choice(calls[:6])}:error={error}:when={dice.randint(1, 20)}+{dice.randint(1, 5)}"
                )
                await _injected(running, inject)
                await asyncio.sleep(0.5)
                if running.process.returncode is not None:
                    running = await stage.house.start()  # as systemd does
            await running.stop()
        async with stage.house.serving():
            report.verdict = await stage.judged(patience=180)
    return report


async def _injected(running: Process, inject: str) -> None:
    strace = shutil.which("strace") or "strace"
    pid = str(running.process.pid)
    tracer = await asyncio.create_subprocess_exec(strace, "-f", "-qq", "-o", "/dev/null", "-e", inject, "-p", pid)
    await asyncio.sleep(0.7)
    if tracer.returncode is None:
        tracer.send_signal(signal.SIGINT)
    await tracer.wait()


async def locked(folder: Path, size: int) -> Report:
    """*size* times another process holds the database, for longer than the gateway waits."""
    report, slowest = Report(size), 0.0
    async with scene(folder) as stage, stage.house.serving(), aiohttp.ClientSession() as web:
        settings = stage.house.emulator.settings
        settings.webhook_timeout, settings.webhook_tries = 20.0, 6  # to hear the answer, and come again
        for _ in range(size):
            async with stage.load(mails=3, faxes=0.5):
                slowest = max(slowest, await _lock(stage, web, report))
            report.verdict = await stage.judged(patience=120)
        assert all(trouble.startswith("451") for trouble in stage.relay.troubles), stage.relay.troubles
        put_off = [each for each in stage.house.emulator.deliveries if 503 in _statuses(each)]
        assert put_off, "no webhook of the carrier came while the database was held"
        lost = [each for each in put_off if each.status != "delivered"]
        assert not lost, f"{len(lost)} webhooks were put off and never taken: {_statuses(lost[0])}"
    report.note = (
        f"mails put off with 451, {len(put_off)} webhooks with 503 and taken later, "
        f"the process answers within {slowest * 1000:.0f} ms meanwhile"
    )
    return report


def _statuses(delivery: Delivery) -> list[int]:
    return [attempt["http"]["response"]["status"] for attempt in delivery.attempts]


async def _put_off(web: aiohttp.ClientSession, stage: Scene) -> None:
    """Post a webhook to a gateway whose database is held: it is put off, in a sentence, until a while later."""
    emulator = stage.house.emulator
    raw, now = json.dumps({"data": emulator.deliveries[0].event | {"id": "meanwhile"}}).encode(), str(int(time.time()))
    headers = {SIGNATURE_HEADER: sign(emulator.settings.signing_seed, now, raw), TIMESTAMP_HEADER: now}
    async with web.post(f"{stage.house.http}/webhooks/telnyx", data=raw, headers=headers) as response:
        said = await response.text()
        assert (response.status, "Retry-After" in response.headers) == (503, True), said
        assert "the gateway's database does not answer; try again later" in said


async def _lock(stage: Scene, web: aiohttp.ClientSession, report: Report) -> float:
    relay, house = stage.relay, stage.house
    put_off, answered = len(relay.troubles), len(relay.answers)
    await house.until(lambda: len(relay.answers) > answered, "a mail taken")
    await house.until(lambda: house.emulator.deliveries, "a webhook")
    with holding(house.root / "faxgate.db"):
        refused = asyncio.create_task(_put_off(web, stage))
        slowest = await _liveness(web, stage, until=lambda: refused.done() and len(relay.troubles) > put_off)
        await refused
        answered = len(relay.answers)
    began = time.monotonic()
    await house.until(lambda: len(relay.answers) > answered, "a mail taken again")
    report.recovered.append(time.monotonic() - began)
    return slowest


@contextlib.contextmanager
def holding(database: Path) -> Iterator[None]:
    """Hold the database as another process does that writes."""
    with contextlib.closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


async def _liveness(web: aiohttp.ClientSession, stage: Scene, until: Callable[[], bool]) -> float:
    """Ask /livez for eight seconds and *until* this holds; return how long the slowest answer took."""
    slowest, end = 0.0, time.monotonic() + 8.0
    async with asyncio.timeout(HANG):
        while time.monotonic() < end or not until():
            began = time.monotonic()
            async with web.get(f"{stage.house.http}/livez") as response:
                assert response.status == 200
            slowest = max(slowest, time.monotonic() - began)
            await asyncio.sleep(0.1)
    return slowest


async def _timed(stage: Scene, report: Report) -> Process:
    began = time.monotonic()
    running = await stage.house.start()
    report.recovered.append(time.monotonic() - began)
    return running


def _on(folder: Path, mounted: Path) -> str:
    """Put blobs and database on the disk; return the database's URL. The logs of the judge stay outside."""
    (mounted / "blobs").mkdir()
    (folder / "blobs").symlink_to(mounted / "blobs")
    return f"sqlite:///{mounted}/faxgate.db"


def _fill(ballast: Path, leave: int) -> None:
    free = shutil.disk_usage(ballast.parent).free
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for _ in range(max(0, free - leave) // MEGABYTE + (1 if leave == 0 else 0)):
            file.write(bytes(MEGABYTE))


async def may_mount(place: Path, *what: str) -> bool:
    """Whether this may be mounted here: that takes root, and a container that leaves it so much."""
    try:
        async with _mounted(place, *what):
            return True
    except AssertionError:
        return False
    finally:
        await asyncio.to_thread(place.rmdir)


async def _disk(image: Path) -> None:
    with image.open("wb") as file:
        file.truncate(1024 * MEGABYTE)
    await _run("mkfs.ext4", "-q", "-m", "0", str(image))


@contextlib.asynccontextmanager
async def _mounted(place: Path, *what: str) -> AsyncIterator[None]:
    await asyncio.to_thread(place.mkdir)
    await _run("mount", *what, str(place))
    try:
        yield
    finally:
        await _unmount(place)


async def _unmount(place: Path) -> None:
    """Unmount as soon as the last process has ended that uses it."""
    for _ in range(100):
        process = await asyncio.create_subprocess_exec("umount", str(place), stderr=asyncio.subprocess.DEVNULL)
        if not await process.wait():
            return
        await asyncio.sleep(0.1)
    await _run("umount", str(place))


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, f"{' '.join(command)}: {said.decode()}"


POWER = Fault("F2", "power cuts: the disk as it was at that moment", power, short=4, long=200)
FULL = Fault("F3", "the disk full, in reserve and in fact", full, short=2, long=40)
FAILING = Fault("F3b", "calls that fail with ENOSPC and EIO", failing, short=8, long=200)
LOCKED = Fault("F4", "the database held by another process for eight seconds and more", locked, short=1, long=20)
