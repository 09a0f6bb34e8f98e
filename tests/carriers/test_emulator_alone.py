"""``python -m gateway.carriers.emulator``: the emulator as a process of its own."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.carriers.emulator.__main__ import main
from gateway.carriers.telnyx import Telnyx

COMMAND = [sys.executable, "-m", "gateway.carriers.emulator"]


@contextmanager
def running(*options: str) -> Iterator[dict[str, str]]:
    """Run it, and yield what it prints: base_url and public_key."""
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = [process.stdout.readline().split() for _ in range(2)]
        try:
            yield dict(printed)
        finally:
            process.terminate()
        assert process.wait(timeout=30) == 0


async def test_it_answers_with_the_key_that_the_file_keeps(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    options = ["--api-key", "secret", "--signing-key-file", str(key_file), "--number", "7=+12025550199"]
    with running(*options, "--connection", "7=") as first:
        client = Telnyx(first["base_url"], "secret")
        assert "accepts the API key" in await client.check()
        await client.close()
    assert key_file.stat().st_mode & 0o777 == 0o600
    with running(*options, "--connection", "7=") as second:
        assert second["public_key"] == first["public_key"]


@pytest.mark.parametrize(
    "wrong", [["--connection", "7"], ["--number", "7=+12025550199"], ["--failover", "7=x"], ["--pace", "slow"]]
)
def test_wrong_options_end_with_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2
    assert "error" in capsys.readouterr().err


def test_a_key_file_that_holds_no_key_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("what\n")
    with pytest.raises(SystemExit) as ended:
        main(["--signing-key-file", str(key_file)])
    assert ended.value.code == 2
    assert "does not hold" in capsys.readouterr().err


def test_a_port_that_is_taken_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["--port", str(taken.getsockname()[1])]) == 1
    assert "cannot listen" in capsys.readouterr().err
