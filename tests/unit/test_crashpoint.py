"""Crash points: the process dies exactly where it is told to."""

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
from gateway import crashpoint
for turn in range(3):
    crashpoint.reach("before post")
    crashpoint.reach("after post")
    print(turn, flush=True)
"""


@pytest.mark.parametrize(
    ("at", "turns"),
    [
        ("before post", 0),
        ("after post", 0),
        ("after post:1", 0),
        ("after post:3", 2),
        ("after post:4", 3),
        ("elsewhere", 3),
        ("", 3),
    ],
)
def test_the_process_is_killed_at_the_named_passage(at: str, turns: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | {"FAXGATE_CRASH_AT": at}, stdout=subprocess.PIPE, check=False
    )
    assert done.stdout.split() == [str(turn).encode() for turn in range(turns)]
    assert done.returncode == (-signal.SIGKILL if turns < 3 else 0)
