"""The service that starts the sandbox's processes apart from the daemon: everything works as with children of its own,
and each side outlives the other."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from gateway.cli.check_sandbox import sandbox
from gateway.cli.finding import Verdict
from gateway.errors import ConfigurationError, Kind
from gateway.sandbox import Limits, Sandbox, locks
from gateway.sandbox.link import Link
from gateway.sandbox.remote import Remote
from gateway.sandbox.wire import encode, pair
from tests.integration.test_sandbox import Files, files, refused, render
from tests.integration.test_sandbox_faults import child_of, children, exists, running, until
from tests.samples import endless_pdf, mail, pdf
from tests.scenarios.installation import HAND_OVER

__all__ = ["files"]


@contextmanager
def listening(folder: Path) -> Iterator[socket.socket]:
    """The socket, which systemd would keep, also while the service is started again."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as end:
        end.bind(str(folder / "sandbox.sock"))
        end.listen()
        yield end


@asynccontextmanager
async def service(end: socket.socket) -> AsyncIterator[asyncio.subprocess.Process]:
    """``faxgate sandbox``, as its unit runs it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HAND_OVER, str(end.fileno())),
        *(sys.executable, "-W", "error", "-m", "gateway", "sandbox"),
        pass_fds=[end.fileno()],
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        assert await process.wait() in {0, -signal.SIGKILL}


def using(end: socket.socket, limits: Limits | None = None) -> AbstractAsyncContextManager[Sandbox]:
    """A sandbox of the daemon's whose processes come from the service."""
    return running(limits, service=end.getsockname())


async def test_documents_are_opened_by_the_services_processes(files: Files, tmp_path: Path) -> None:
    message = mail()
    with listening(tmp_path) as end:
        async with service(end) as apart, using(end) as box:
            assert set(box.pids) <= set(children(apart.pid))
            assert (await box.read_mail(files.new(message).fileno(), len(message))).pages == 1
            assert (await render(box, files, pdf(2)))[0].pages == 2


async def test_what_hangs_is_ended_and_replaced(files: Files, tmp_path: Path) -> None:
    message = mail()
    with listening(tmp_path) as end:
        async with service(end), using(end, Limits(read_seconds=3, page_seconds=1)) as box:
            hanging = box.pids[0]
            os.kill(await child_of(hanging), signal.SIGSTOP)
            assert (await box.read_mail(files.new(message).fileno(), len(message))).pages == 1
            assert not exists(hanging)
            refusal = await refused(box, files, endless_pdf())
            assert refusal.reason.kind is Kind.RENDERING_STOPPED
            assert (await render(box, files, pdf()))[0].pages == 1


async def test_a_service_that_dies_takes_its_processes_along_and_is_used_again(files: Files, tmp_path: Path) -> None:
    message = mail()
    with listening(tmp_path) as end:
        async with service(end) as first, using(end) as box:
            before = box.pids
            job = asyncio.ensure_future(refused(box, files, endless_pdf()))
            await child_of(box.pids[-1])
            first.kill()
            assert (await job).reason.temporary
            async for _ in until("the end of the processes"):
                if not any(exists(pid) for pid in before):
                    break
            async with service(end):
                reading = await box.read_mail(files.new(message).fileno(), len(message))
                assert reading.pages == 1
                assert (await render(box, files, pdf()))[0].pages == 1
                assert not set(box.pids) & set(before)
                await box.stop()


_DAEMON = """
import asyncio, sys
from gateway.sandbox import Sandbox

async def main():
    box = Sandbox(1, 1, service=sys.argv[1])
    await box.start()
    print(*box.pids, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_processes_end_with_the_daemon_that_wanted_them(tmp_path: Path) -> None:
    with listening(tmp_path) as end:
        async with service(end) as apart:
            command = (sys.executable, "-c", _DAEMON, end.getsockname())
            daemon = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            assert daemon.stdout is not None
            pids = [int(pid) for pid in (await daemon.stdout.readline()).split()]
            assert set(children(apart.pid)) == set(pids)
            daemon.kill()
            await daemon.communicate()
            async for _ in until("the end of the processes"):
                if not children(apart.pid):
                    break
            async with using(end):
                pass


async def test_check_asks_the_service_itself(tmp_path: Path) -> None:
    with listening(tmp_path) as end:
        async with service(end):
            (found,) = await sandbox(end.getsockname())
            assert found.verdict is (Verdict.NOTE if locks.available().missing else Verdict.OK)
            assert "faxgate-sandbox.service" in found.sentence
    (found,) = await sandbox(str(tmp_path / "nowhere"))
    assert found.verdict is Verdict.WRONG
    assert f"{tmp_path}/nowhere" in found.sentence


async def test_a_service_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"faxgate-sandbox\.service at .*/sandbox\.sock"):
        await Sandbox(1, 1, service=str(tmp_path / "sandbox.sock")).start()


async def test_a_process_that_was_killed_is_told_with_its_code(tmp_path: Path) -> None:
    ours, theirs = pair()
    with listening(tmp_path) as end, theirs, closing(Link(ours)) as link:
        async with service(end):
            remote = await Remote.start(end.getsockname(), "reader", Limits(), theirs.fileno())
            assert (await link.receive())["ready"]
            assert remote.alive
            os.kill(remote.pid, signal.SIGSEGV)
            assert await remote.exited == -signal.SIGSEGV
            assert not remote.alive


@pytest.mark.parametrize(
    "request_", [b"\xff", b"[]", encode({}), encode({"start": "os", "limits": {}}), encode({"start": []})]
)
async def test_a_request_that_makes_no_sense_starts_nothing(tmp_path: Path, request_: bytes) -> None:
    with listening(tmp_path) as end:
        async with service(end) as apart:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as wrong:
                wrong.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(wrong, end.getsockname())
                await loop.sock_sendall(wrong, request_)
                assert await loop.sock_recv(wrong, 100) == b""
            assert children(apart.pid) == []
            async with using(end):
                pass


async def test_without_its_socket_it_does_not_start() -> None:
    command = (sys.executable, "-m", "gateway", "sandbox")
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 78
    assert b"faxgate-sandbox.socket" in said
