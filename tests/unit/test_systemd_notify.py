"""What systemd and the service tell each other, over real sockets."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from gateway import systemd


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The service manager's end of the notification socket."""
    named = f"faxgate-{uuid4().hex}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(f"\0{named}" if request.param == "abstract" else named)
        channel.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{named}" if request.param == "abstract" else named)
        yield channel


def test_states_reach_the_manager_in_one_message(manager: socket.socket) -> None:
    assert systemd.notify("READY=1", "STATUS=taking mail")
    assert manager.recv(4096) == b"READY=1\nSTATUS=taking mail"


def test_a_manager_that_does_not_read_is_not_waited_for(manager: socket.socket) -> None:
    told = [systemd.notify("WATCHDOG=1") for _ in range(10_000)]
    assert told[0] is True
    assert told[-1] is False


def test_without_a_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not systemd.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not systemd.notify("READY=1")


RECEIVER = """
import os, sys
from gateway import systemd
os.environ["LISTEN_PID"] = str(os.getpid() + int(sys.argv[1]))
for name, sockets in systemd.listen_sockets().items():
    for found in sockets:
        print(name, found.getsockname()[1], found.get_inheritable(), found.gettimeout())
        found.close()
print(systemd.listen_sockets(), [name for name in os.environ if name.startswith("LISTEN_")])
"""


def received(names: str | None, *, for_us: bool = True) -> tuple[list[int], list[str]]:
    """Hand two listening sockets to a process as systemd does (from descriptor 3 on); return ports and its words."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        copies = [os.dup(one.fileno()), os.dup(two.fileno())]

        def as_systemd_does() -> None:
            high = [os.dup2(copy, 50 + index) for index, copy in enumerate(copies)]
            for index, descriptor in enumerate(high):
                os.dup2(descriptor, 3 + index)

        variables = {"LISTEN_FDS": "2"} | ({"LISTEN_FDNAMES": names} if names is not None else {})
        done = subprocess.run(
            [sys.executable, "-c", RECEIVER, "0" if for_us else "1"],
            env=os.environ | variables,
            preexec_fn=as_systemd_does,
            close_fds=False,
            capture_output=True,
            text=True,
            check=True,
        )
        for copy in copies:
            os.close(copy)
        return [one.getsockname()[1], two.getsockname()[1]], done.stdout.splitlines()


def test_sockets_come_by_name_once_and_are_not_inherited() -> None:
    ports, words = received("smtp:http")
    assert words == [f"smtp {ports[0]} False 0.0", f"http {ports[1]} False 0.0", "{} []"]


def test_sockets_of_one_name_come_together_and_nameless_ones_as_unknown() -> None:
    ports, words = received("smtp:smtp")
    assert words[:2] == [f"smtp {ports[0]} False 0.0", f"smtp {ports[1]} False 0.0"]
    ports, words = received(None)
    assert words[:2] == [f"unknown {ports[0]} False 0.0", f"unknown {ports[1]} False 0.0"]


def test_sockets_of_another_process_are_left_alone() -> None:
    _, words = received("smtp:http", for_us=False)
    assert words == ["{} []"]


@pytest.mark.parametrize(
    ("usec", "pid", "interval"),
    [
        ("30000000", None, 30.0),
        ("30000000", "self", 30.0),
        ("30000000", "1", None),
        ("0", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_the_watchdog_interval_is_in_seconds(
    usec: str | None, pid: str | None, interval: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", str(os.getpid()) if pid == "self" else pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert systemd.watchdog_interval() == interval
