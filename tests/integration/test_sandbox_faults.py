"""Processes of the sandbox that hang, crash, grow or are killed: the daemon goes on, and nothing is left behind."""

import asyncio
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from PIL import Image

from gateway.errors import ConfigurationError, Kind, Refusal
from gateway.sandbox import Limits, Sandbox, Source, locks
from tests.integration.test_sandbox import Files, Rendering, files, refused, render
from tests.samples import Attachment, endless_pdf, mail, pdf, tiff

__all__ = ["files"]  # the fixture

PATIENCE = 20.0


@asynccontextmanager
async def running(
    limits: Limits | None = None, readers: int = 1, renderers: int = 1, service: str = ""
) -> AsyncIterator[Sandbox]:
    box = Sandbox(readers, renderers, limits, service=service)
    await box.start()
    try:
        yield box
    finally:
        pids = box.pids
        await box.stop()
        assert not any(exists(pid) for pid in pids)


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def until(what: str, *, timeout: float = PATIENCE) -> AsyncIterator[None]:
    """Turn until the caller breaks out; fails when *what* takes too long."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        yield
        await asyncio.sleep(0.01)
    pytest.fail(f"{what} did not happen")


async def child_of(zygote: int) -> int:
    async for _ in until("a job"):
        if found := children(zygote):
            return found[0]
    raise AssertionError


def changed(folder: Path, change: str) -> str:
    """Return a program that stands in for Python and starts the sandbox's processes after a *change* to our modules."""
    program = folder / "python"
    run = "import runpy, sys; sys.argv[0:1] = []; runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
    program.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} -P -c "{change}; {run}" "$@"\n')
    program.chmod(0o755)
    return str(program)


#: Every mail takes an hour to read.
SLOW = "import time, gateway.mail.parse as p; p.read = lambda *_: time.sleep(3600)"


def wide_tiff() -> bytes:
    """A picture of 110 million dots, small on disk."""
    from io import BytesIO

    output = BytesIO()
    Image.new("L", (11_000, 10_000), 200).save(output, "TIFF", compression="tiff_adobe_deflate", dpi=(600, 600))
    return output.getvalue()


async def test_a_document_that_takes_too_long_is_ended_and_named(files: Files) -> None:
    message = mail([Attachment("good.pdf", pdf(1)), Attachment("endless.pdf", endless_pdf())])
    async with running(Limits(page_seconds=2)) as box:
        zygote = box.pids[-1]
        reason = (await refused(box, files, message, Source("mail", (1, 2)))).reason
        assert (reason.kind, reason.subject) == (Kind.RENDERING_STOPPED, "endless.pdf")
        assert (
            reason.sentence == 'page 1 of "endless.pdf" takes too long to open; print it into a new PDF and send that'
        )
        assert children(zygote) == []
        assert box.pids[-1] == zygote
        assert (await render(box, files, pdf(2)))[0].pages == 2


async def test_a_job_has_a_limit_however_often_it_says_something(files: Files) -> None:
    async with running(Limits(job_seconds=0.5)) as box:
        slow = endless_pdf(depth=5, pages=300)  # a page is far from its own limit, all together far beyond the job's
        assert (await refused(box, files, slow)).reason.kind is Kind.RENDERING_STOPPED


async def test_a_document_that_needs_too_much_memory_is_refused(files: Files) -> None:
    async with running(Limits(memory_bytes=160 << 20)) as box:
        reason = (await refused(box, files, wide_tiff())).reason
        assert reason.kind is Kind.RENDERING_STOPPED
        assert reason.sentence == (
            "page 1 of the document needs too much memory to open; print it into a new PDF and send that"
        )
        assert (await render(box, files, pdf()))[0].pages == 1


async def test_pages_that_grow_beyond_their_limit_are_refused(files: Files) -> None:
    async with running(Limits(output_bytes=4000)) as box:
        reason = (await refused(box, files, pdf(40))).reason
        assert reason.kind is Kind.DOCUMENT_TOO_LARGE


async def test_a_mail_that_needs_too_much_memory_is_refused_and_the_reader_lives(files: Files) -> None:
    message = b"Content-Type: application/pdf\r\n\r\n" + pdf() + bytes(100 << 20)
    async with running(Limits(memory_bytes=160 << 20)) as box:
        before = box.pids
        reading = await box.read_mail(files.new(message).fileno(), len(message))
        assert reading.refusal is not None
        assert reading.refusal.kind is Kind.MESSAGE_UNREADABLE
        assert box.pids == before


@pytest.mark.parametrize("whole", [True, False], ids=["both", "the child"])
async def test_a_reader_that_hangs_is_replaced_and_the_mail_read(files: Files, *, whole: bool) -> None:
    message = mail()
    async with running(Limits(read_seconds=3)) as box:
        reader = box.pids[0]
        hanging = await child_of(reader)
        os.kill(hanging, signal.SIGSTOP)
        if whole:
            os.kill(reader, signal.SIGSTOP)
        reading = await box.read_mail(files.new(message).fileno(), len(message))
        assert reading.pages == 1
        assert not exists(reader)
        assert reader not in box.pids
        async for _ in until("its child's end"):
            if not exists(hanging):
                break


@pytest.fixture
def like_init() -> Iterator[None]:
    """This process gets the orphans, as one with the number 1 does."""
    libc = ctypes.CDLL(None)
    assert libc.prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
    yield
    assert libc.prctl(36, 0, 0, 0, 0) == 0


@pytest.mark.usefixtures("like_init")
async def test_a_reader_that_is_ended_leaves_no_orphan(files: Files) -> None:
    message = mail()
    before = set(children(os.getpid()))  # what other tests of this process have started
    async with running(Limits(read_seconds=3)) as box:
        os.kill(await child_of(box.pids[0]), signal.SIGSTOP)
        assert (await box.read_mail(files.new(message).fileno(), len(message))).pages == 1
        assert set(children(os.getpid())) - before == set(box.pids)
    assert set(children(os.getpid())) <= before


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGXCPU])
@pytest.mark.parametrize("whole", [True, False], ids=["both", "the child"])
async def test_a_reader_that_dies_over_a_mail_is_replaced_and_the_mail_read(
    files: Files, how: signal.Signals, *, whole: bool
) -> None:
    message = mail()
    async with running() as box:
        reader = box.pids[0]
        child = await child_of(reader)
        os.kill(child, signal.SIGSTOP)
        reading = asyncio.ensure_future(box.read_mail(files.new(message).fileno(), len(message)))
        await asyncio.sleep(0.1)
        os.kill(reader if whole else child, how)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)
        assert (await reading).pages == 1
        async for _ in until("the end of both"):
            if not exists(reader) and not exists(child):
                break


async def test_a_mail_is_not_to_blame_for_readers_that_somebody_kills(
    files: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", changed(tmp_path, SLOW))
    message = mail()
    async with running() as box:
        reading = asyncio.ensure_future(box.read_mail(files.new(message).fileno(), len(message)))
        async for _ in until("the end of the reading", timeout=60):
            if reading.done():
                break
            if len(box.pids) == 2:
                with suppress(ProcessLookupError):
                    os.kill(box.pids[0], signal.SIGKILL)
        with pytest.raises(Refusal) as raised:
            await reading
        assert (raised.value.reason.kind, raised.value.reason.temporary) == (Kind.INTERNAL, True)


async def test_readers_killed_while_idle_are_replaced(files: Files) -> None:
    message = mail()
    async with running(readers=2) as box:
        before = box.pids[:2]
        for reader in before:
            os.kill(reader, signal.SIGKILL)
        reading = await box.read_mail(files.new(message).fileno(), len(message))
        assert reading.pages == 1
        async for _ in until("a replacement"):
            if len(box.pids) == 3 and not set(before) & set(box.pids):
                break


async def test_a_mail_that_ends_two_readers_is_refused_for_good(
    files: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", changed(tmp_path, SLOW))
    message = mail()
    async with running(Limits(read_seconds=0.1)) as box:
        reading = await box.read_mail(files.new(message).fileno(), len(message))
        assert reading.refusal is not None
        assert reading.refusal.kind is Kind.MESSAGE_UNREADABLE
        assert not reading.refusal.temporary


async def test_a_reader_is_renewed_after_its_share_of_mails(files: Files) -> None:
    message = mail()
    file = files.new(message)
    async with running(Limits(mails_per_reader=2)) as box:
        seen, before = set(), box.pids
        for _ in range(6):
            assert (await box.read_mail(file.fileno(), len(message))).pages == 1
            seen.update(children(box.pids[0]))
        assert len(seen) >= 2
        assert box.pids == before, "what is warm stays"


async def test_a_zygote_that_dies_is_replaced_and_the_job_may_come_again(files: Files) -> None:
    async with running() as box:
        zygote = box.pids[-1]
        job = asyncio.ensure_future(refused(box, files, endless_pdf()))
        child = await child_of(zygote)
        os.kill(zygote, signal.SIGKILL)
        reason = (await job).reason
        assert (reason.kind, reason.temporary) == (Kind.INTERNAL, True)
        async for _ in until("the child's end"):
            if not exists(child):
                break
        assert (await render(box, files, pdf()))[0].pages == 1
        assert box.pids[-1] != zygote


async def test_a_child_that_crashes_refuses_its_document(files: Files) -> None:
    async with running() as box:
        job = asyncio.ensure_future(refused(box, files, endless_pdf()))
        os.kill(await child_of(box.pids[-1]), signal.SIGSEGV)
        reason = (await job).reason
        assert reason.kind is Kind.RENDERING_STOPPED
        assert reason.sentence.endswith("the document cannot be opened; print it into a new PDF and send that")


async def test_a_cancelled_job_leaves_no_child(files: Files) -> None:
    async with running() as box:
        job = asyncio.ensure_future(render(box, files, endless_pdf()))
        child = await child_of(box.pids[-1])
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert not exists(child)
        assert (await render(box, files, pdf()))[0].pages == 1


async def test_a_fault_in_the_callers_progress_ends_the_job(files: Files) -> None:
    def fail(page: int, of: int) -> None:
        raise ZeroDivisionError

    async with running() as box:
        made = Rendering(files)
        with pytest.raises(ZeroDivisionError):
            await box.render([files.new(pdf(5)).fileno()], Source("document"), made.outputs, fail)
        assert children(box.pids[-1]) == []


async def test_stopping_ends_what_is_under_way(files: Files) -> None:
    box = Sandbox(1, 1)
    await box.start()
    pids = box.pids
    job = asyncio.ensure_future(refused(box, files, endless_pdf()))
    waiting = asyncio.ensure_future(refused(box, files, pdf()))
    pids.append(await child_of(pids[-1]))
    pids.append(await child_of(pids[0]))
    os.kill(pids[-1], signal.SIGSTOP)
    message = mail()
    reading = asyncio.ensure_future(box.read_mail(files.new(message).fileno(), len(message)))
    await asyncio.sleep(0.1)
    await box.stop()
    assert (await job).reason.kind is Kind.SHUTTING_DOWN
    assert (await waiting).reason.kind is Kind.SHUTTING_DOWN
    with pytest.raises(Refusal) as raised:
        await reading
    assert raised.value.reason.kind is Kind.SHUTTING_DOWN
    async for _ in until("the end of all processes"):
        if not any(exists(pid) for pid in pids):
            break
    await box.stop()
    assert (await refused(box, files, pdf())).reason.kind is Kind.SHUTTING_DOWN


async def test_stopping_does_not_wait_for_a_zygote_that_starts(files: Files) -> None:
    box = Sandbox(1, 1)
    await box.start()
    os.kill(box.pids[-1], signal.SIGKILL)
    async for _ in until("the zygote's end is known"):
        if len(box.pids) == 1:
            break
    job = asyncio.ensure_future(refused(box, files, pdf()))
    await asyncio.sleep(0.01)
    await box.stop()
    assert (await job).reason.kind is Kind.SHUTTING_DOWN


async def test_signals_to_the_group_pass_the_workers_by(files: Files) -> None:
    message = mail()
    async with running() as box:
        before = box.pids
        for pid in before:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(pid, number)
        assert (await box.read_mail(files.new(message).fileno(), len(message))).pages == 1
        assert (await render(box, files, pdf()))[0].pages == 1
        assert box.pids == before


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def limit(pid: int, which: int) -> tuple[int, int]:
    return resource.prlimit(pid, which)


async def test_a_child_is_confined(files: Files) -> None:
    limits = Limits()
    async with running(limits) as box:
        job = asyncio.ensure_future(refused(box, files, endless_pdf()))
        child = await child_of(box.pids[-1])
        async for _ in until("its confinement"):
            if limit(child, resource.RLIMIT_NPROC) == (0, 0):
                break
        assert status(child)["NoNewPrivs"] == "1"
        assert os.getsid(child) == child
        assert limit(child, resource.RLIMIT_AS) == (limits.memory_bytes, limits.memory_bytes)
        assert limit(child, resource.RLIMIT_CPU) == (limits.job_seconds, limits.job_seconds)
        assert limit(child, resource.RLIMIT_FSIZE) == (limits.output_bytes, limits.output_bytes)
        assert limit(child, resource.RLIMIT_CORE) == (0, 0)
        for pid in box.pids:
            assert status(pid)["NoNewPrivs"] == "1"
        reader = await child_of(box.pids[0])
        assert status(reader)["NoNewPrivs"] == "1"
        assert limit(reader, resource.RLIMIT_AS) == (limits.memory_bytes, limits.memory_bytes)
        os.kill(child, signal.SIGKILL)
        await job


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/python"])
async def test_what_does_not_start_is_a_matter_of_configuration(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", program)
    box = Sandbox(1, 1)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ConfigurationError, match="do not start"):
        await box.start()
    assert box.pids == []
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_worker_that_says_nothing_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match="the sandbox's reader did not start"):
        await Sandbox(2, 1, Limits(start_seconds=0.001)).start()


_DAEMON = """
import asyncio
from gateway.sandbox import Sandbox

async def main():
    box = Sandbox(1, 1)
    await box.start()
    print(*box.pids, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_the_workers_die_with_a_daemon_that_is_killed() -> None:
    daemon = await asyncio.create_subprocess_exec(sys.executable, "-c", _DAEMON, stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    pids = [int(pid) for pid in (await daemon.stdout.readline()).split()]
    assert len(pids) == 2
    daemon.kill()
    await daemon.communicate()
    async for _ in until("the end of the workers"):
        if not any(exists(pid) for pid in pids):
            break


async def test_two_documents_are_rendered_while_a_third_hangs(files: Files) -> None:
    async with running(renderers=2) as box:
        hanging = asyncio.ensure_future(render(box, files, endless_pdf()))
        await child_of(box.pids[-1])
        assert (await render(box, files, tiff(2)))[0].pages == 2
        assert (await render(box, files, pdf(1)))[0].pages == 1
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging


@pytest.mark.skipif("seccomp" in locks.available().missing, reason="needs a kernel with seccomp")
async def test_the_kernels_locks_are_on_every_process(files: Files) -> None:
    box = Sandbox(1, 1)
    await box.start()
    try:
        for pid in box.pids:
            assert status(pid)["Seccomp"] == "2"
            assert status(pid)["NoNewPrivs"] == "1"
        assert (await render(box, files, pdf()))[0].pages == 1
    finally:
        await box.stop()


async def test_without_the_kernels_locks_it_works_and_says_so_once(
    files: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a container that forbids the calls."""
    cut = "import gateway.sandbox.locks as l; l._landlock = lambda: False; l._program = lambda *_: None"
    monkeypatch.setattr(sys, "executable", changed(tmp_path, cut))
    box = Sandbox(2, 1)
    await box.start()
    try:
        assert (await render(box, files, pdf()))[0].pages == 1
    finally:
        await box.stop()
    (said,) = [record.getMessage() for record in caplog.records if "fewer locks" in record.getMessage()]
    assert "['Landlock', 'seccomp']" in said
