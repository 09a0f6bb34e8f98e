"""The command as the shell runs it: a process, its exit code, and what comes out of its two pipes."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from gateway.fax import State
from gateway.store import faxes, migrate
from gateway.store.database import Database
from tests import samples
from tests.integration.cli_house import Faxgate, new_house

#: Starts whole processes: together they take long for a run in between.
pytestmark = pytest.mark.full

HANG = 60


def environment() -> dict[str, str]:
    """Our own environment, without what would colour the output of a pipe."""
    forced = {"FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "FAXGATE_CONFIG"}
    return {name: value for name, value in os.environ.items() if name not in forced}


def start(*words: object, folder: Path) -> "subprocess.Popen[str]":
    """Start ``faxgate`` with *words* in *folder*."""
    command = [sys.executable, "-m", "gateway", *(str(word) for word in words)]
    paths = {**environment(), "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=paths,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def run(*words: object, folder: Path) -> tuple[int, str, str]:
    """Run ``faxgate`` to its end; return exit code, standard output and standard error."""
    process = start(*words, folder=folder)
    output, errors = process.communicate(timeout=HANG)
    return process.returncode, output, errors


@pytest.fixture
def faxgate(tmp_path: Path) -> Faxgate:
    house = new_house(tmp_path)
    house.with_faxbox()
    (tmp_path / "one.pdf").write_bytes(samples.pdf(1))
    return house


def test_help_names_every_command_without_escape_codes(tmp_path: Path) -> None:
    code, output, errors = run("--help", folder=tmp_path)
    assert (code, errors) == (0, "")
    for command in ("demo", "init", "check", "serve", "migrate", "accounts", "queue", "inbox", "smtplog", "send"):
        assert f"│ {command} " in output
    assert "\x1b" not in output


def test_wrong_usage_exits_2_and_wrong_settings_78(tmp_path: Path) -> None:
    code, output, errors = run("queue", "frobnicate", folder=tmp_path)
    assert (code, output) == (2, "")
    assert "No such command 'frobnicate'" in errors
    (tmp_path / "gateway.toml").write_text("[fax]\nattempts = 99\n")  # found without being named
    code, output, errors = run("serve", folder=tmp_path)
    assert (code, output) == (78, "")
    assert errors == "faxgate: gateway.toml: [fax] attempts: must be at most 20\n"


def test_what_is_made_is_nobody_elses_to_read(tmp_path: Path) -> None:
    house = Faxgate(tmp_path / "gateway.toml", f"sqlite:///{tmp_path / 'faxgate.db'}")
    code, told, _ = run("migrate", "--config", house.config, folder=tmp_path)
    assert (code, told) == (0, f"The schema was empty and is {migrate.newest()} now.\n")
    assert stat.S_IMODE((tmp_path / "faxgate.db").stat().st_mode) == 0o600


def test_send_waits_for_the_end_of_the_fax(faxgate: Faxgate) -> None:
    words = ("send", "one.pdf", "+12025550123", "--faxbox", "Front", "--wait")
    following = start(*words, folder=faxgate.folder)
    failing = start(*words, "--json", folder=faxgate.folder)
    assert following.stdout is not None
    ours = UUID(following.stdout.readline().split()[1])
    while len(both := faxgate.json("queue", "list")) < 2:
        assert failing.poll() is None
    other = next(UUID(one["id"]) for one in both if one["id"] != str(ours))

    async def end(db: Database) -> None:
        done = {"state": State.DELIVERED, "pages_sent": 1, "tries": 1}
        await db.write(lambda tx: faxes.change(tx, ours, [State.PREPARING], **done))
        busy = {"state": State.FAILED, "failure_reason": "user_busy", "failure_text": "The line was busy."}
        await db.write(lambda tx: faxes.change(tx, other, [State.PREPARING], **busy))

    faxgate.in_database(end)
    output, errors = following.communicate(timeout=HANG)
    assert (following.returncode, errors) == (0, "")
    assert output.splitlines()[-1] == "delivered: 1 pages, try 1"
    output, errors = failing.communicate(timeout=HANG)
    assert (failing.returncode, errors) == (1, "")
    assert json.loads(output)["failure_reason"] == "user_busy"


@pytest.fixture
def heard() -> Iterator[None]:
    """Let children hear SIGINT: behind nohup or a shell's & it is ignored, and they would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_ends_quietly(faxgate: Faxgate) -> None:
    process = start("send", "one.pdf", "+12025550123", "--faxbox", "Front", "--wait", folder=faxgate.folder)
    assert process.stdout is not None
    while "preparing" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=HANG)
    assert (process.returncode, errors) == (130, "")


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    process = start("--help", folder=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(HANG)


def test_times_are_local_in_tables_and_utc_in_json(faxgate: Faxgate, monkeypatch: pytest.MonkeyPatch) -> None:
    (account,) = faxgate.json("accounts", "list")
    created = datetime.fromisoformat(account["created_at"])
    assert created.utcoffset() == timedelta()
    try:
        with monkeypatch.context() as patched:
            patched.setenv("TZ", "XYZ-3")  # POSIX: three hours east
            time.tzset()
            local = f"{created + timedelta(hours=3):%Y-%m-%d %H:%M} ("
            assert local in faxgate.says("accounts", "show", account["id"])
            assert f" {local.split()[1]} (" in faxgate.says("accounts", "list")
    finally:
        time.tzset()


def test_a_role_that_is_none_is_wrong_usage(faxgate: Faxgate) -> None:
    assert "'fax' is no role; there are smtp, http, worker" in faxgate("serve", "--only", "smtp,fax", code=2).stderr
