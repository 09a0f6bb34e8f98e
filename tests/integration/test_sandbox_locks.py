"""What a process of the sandbox can do to the machine once a document has taken it over: nothing."""

import asyncio
import json
import os
import socket
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.documents.fonts import own
from gateway.errors import Kind, Refusal
from gateway.sandbox import Limits, Sandbox, Source, locks
from tests.integration.test_sandbox import Files, Rendering, files
from tests.integration.test_sandbox_faults import children

__all__ = ["files"]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(bool(locks.available().missing), reason="needs a kernel with Landlock and seccomp"),
]
WHO = ["child", "reader"]


@pytest.fixture(scope="module")
def taken_over(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that stands in for Python, and starts the processes of ``hostile`` in place of the real ones."""
    program = tmp_path_factory.mktemp("hostile") / "python"
    root = Path(__file__).parents[2]
    program.write_text(
        f'#!/bin/sh\nname=${{3##*.}}\nshift 3\nexport PYTHONPATH="$PYTHONPATH:{root}"\n'
        f'exec {sys.executable} -P -m tests.integration.hostile "$name" "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(taken_over: Path) -> AsyncIterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(taken_over))
        box = Sandbox(1, 1, Limits(memory_bytes=1 << 29))
        await box.start()
        yield box
        await box.stop()


async def tried(box: Sandbox, files: Files, who: str, what: str) -> str:
    """Have a process of the sandbox try *what*; return what came of it."""
    document = files.new(what.encode()).fileno()
    work = (
        box.render([document], Source("document"), Rendering(files).outputs)
        if who == "child"
        else box.inspect(document)
    )
    with pytest.raises(Refusal) as raised:
        await work
    reason = raised.value.reason
    return reason.sentence if reason.kind is Kind.INVALID else reason.kind.value


@pytest.mark.parametrize("who", WHO)
async def test_no_file_of_anybody_can_be_read(sandbox: Sandbox, files: Files, who: str, tmp_path: Path) -> None:
    secret = tmp_path / "gateway.toml"
    secret.write_text("api_key = 'KEY'")
    for path in (secret, Path("/etc/passwd"), Path("/proc/self/environ"), Path("/proc/1/cmdline")):
        assert await tried(sandbox, files, who, f"read {path}") == "EACCES"
    for folder in (tmp_path, Path("/"), Path("/proc"), Path.home()):
        assert await tried(sandbox, files, who, f"list {folder}") == "EACCES"


@pytest.mark.parametrize("who", WHO)
async def test_fonts_and_libraries_can(sandbox: Sandbox, files: Files, who: str) -> None:
    for path in (own().path, Path(os.__file__)):
        assert await tried(sandbox, files, who, f"read {path}") == "done"


def _open_to_all(folder: Path) -> Path:
    there = folder / "there"
    there.write_bytes(b"as it was")
    there.chmod(0o666)
    folder.chmod(0o777)
    return there


@pytest.mark.parametrize("who", WHO)
async def test_nothing_can_be_written_or_removed(sandbox: Sandbox, files: Files, who: str, tmp_path: Path) -> None:
    there = _open_to_all(tmp_path)
    for what in ("write", "append", "remove", "rename", "mode"):
        assert await tried(sandbox, files, who, f"{what} {there}") in {"EPERM", "EACCES"}, what
    for what in ("write", "link"):
        assert await tried(sandbox, files, who, f"{what} {tmp_path}/new") in {"EPERM", "EACCES"}, what
    assert await tried(sandbox, files, who, f"write {own().path}") in {"EPERM", "EACCES"}
    assert await tried(sandbox, files, who, "memfd") == "EPERM"
    assert os.listdir(tmp_path) == ["there"]
    assert there.read_bytes() == b"as it was"
    assert there.stat().st_mode & 0o777 == 0o666


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("kind", ["tcp", "udp", "unix", "raw", "pair"])
async def test_there_is_no_network(sandbox: Sandbox, files: Files, who: str, kind: str) -> None:
    assert await tried(sandbox, files, who, kind) == "EPERM"


@pytest.mark.parametrize("who", WHO)
async def test_no_program_and_no_process_can_be_started(sandbox: Sandbox, files: Files, who: str) -> None:
    for what in ("exec /bin/true", "fork", "forks"):
        assert await tried(sandbox, files, who, what) in {"EPERM", "EACCES"}, what


@pytest.mark.parametrize("who", WHO)
async def test_no_other_process_can_be_touched(sandbox: Sandbox, files: Files, who: str) -> None:
    pids = [os.getpid(), *sandbox.pids]
    for pid in pids:
        for what in ("kill", "trace"):
            assert await tried(sandbox, files, who, f"{what} {pid}") == "EPERM"
    assert sandbox.pids == pids[1:]


@pytest.mark.parametrize("who", WHO)
async def test_the_kernel_signals_nobody_for_it(sandbox: Sandbox, files: Files, who: str) -> None:
    for pid in (os.getpid(), *sandbox.pids):
        assert await tried(sandbox, files, who, f"owner {pid}") == "EPERM"
    assert await tried(sandbox, files, who, "signal") == "EPERM"
    assert await tried(sandbox, files, who, "flags") == "done"


async def test_a_reader_has_its_channel_and_the_mail_and_nothing_of_its_parent(sandbox: Sandbox, files: Files) -> None:
    assert len(json.loads(await tried(sandbox, files, "reader", "descriptors"))) == 2


@pytest.mark.parametrize("who", WHO)
async def test_no_bound_can_be_loosened(sandbox: Sandbox, files: Files, who: str) -> None:
    for what in ("limit", "code", "unshare"):
        assert await tried(sandbox, files, who, what) in {"EPERM", "EACCES", "not allowed to raise maximum limit"}, what


@pytest.mark.parametrize("who", WHO)
async def test_memory_ends_where_its_bound_is(sandbox: Sandbox, files: Files, who: str) -> None:
    before = sandbox.pids
    assert await tried(sandbox, files, who, "memory") in {Kind.RENDERING_STOPPED, Kind.DOCUMENT_BROKEN}
    assert await tried(sandbox, files, who, "fork") == "EPERM"
    assert sandbox.pids == before


@pytest.mark.asyncio(loop_scope="function")
async def test_a_reader_has_no_more_than_its_share_and_nothing_of_the_next_ones(
    taken_over: Path, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(taken_over))
    box = Sandbox(1, 1, Limits(mails_per_reader=2))
    await box.start()
    try:
        before = box.pids
        pids = [await tried(box, files, "reader", "pid") for _ in range(5)]
        assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]
        assert await tried(box, files, "reader", "extra") == "extra"
        assert await tried(box, files, "reader", "fork") == "EPERM", "and not what was said beforehand: late"
        assert box.pids == before
    finally:
        await box.stop()


@pytest.mark.parametrize("who", WHO)
async def test_a_port_that_listens_hears_nothing(sandbox: Sandbox, files: Files, who: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        assert await tried(sandbox, files, who, f"connect {server.getsockname()[1]}") == "EPERM"
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.fixture
async def hasty(taken_over: Path) -> AsyncIterator[Sandbox]:
    """A sandbox in which a page, or a mail, may take a second, and pages a mebibyte."""
    limits = Limits(page_seconds=1, job_seconds=3, read_seconds=1, output_bytes=1 << 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(taken_over))
        box = Sandbox(1, 1, limits)
        await box.start()
        yield box
        await box.stop()


@pytest.mark.full
@pytest.mark.asyncio(loop_scope="function")
async def test_what_spins_hangs_or_only_talks_is_ended_and_named(hasty: Sandbox, files: Files) -> None:
    for what in ("spin", "sleep", "chatter"):
        assert await tried(hasty, files, "child", what) == Kind.RENDERING_STOPPED, what
        assert children(hasty.pids[-1]) == []
    for what in ("spin", "sleep"):
        assert await tried(hasty, files, "reader", what) == Kind.DOCUMENT_BROKEN, what
    assert await tried(hasty, files, "child", "fork") == "EPERM", "the next one is served"


@pytest.mark.asyncio(loop_scope="function")
async def test_an_output_ends_where_its_bound_is(hasty: Sandbox, files: Files) -> None:
    made = Rendering(files)
    with pytest.raises(Refusal) as raised:
        await hasty.render([files.new(b"flood").fileno()], Source("document"), made.outputs)
    assert raised.value.reason.sentence == "EFBIG"
    assert os.fstat(made.outputs.tiff_fd).st_size == 1 << 20


async def test_the_zygote_outlives_a_child_that_was_refused_everything(sandbox: Sandbox, files: Files) -> None:
    results = await asyncio.gather(*(tried(sandbox, files, "child", "fork") for _ in range(5)))
    assert set(results) == {"EPERM"}
