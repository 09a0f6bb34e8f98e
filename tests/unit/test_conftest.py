"""Tests that cannot run: named at the end, and failures where everything is required."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TESTS = """
import pytest

def test_that_runs(): pass

def test_that_cannot_run(): pytest.skip("needs a telephone")

@pytest.mark.xfail(strict=True)
def test_that_is_known_to_fail(): raise RuntimeError
"""


def run(folder: Path, test: str, *, everything: bool) -> tuple[int, str]:
    """Run *test* in a pytest of its own; return its exit code and its words."""
    (folder / "conftest.py").write_text("from tests.conftest import *\n")
    (folder / "test_here.py").write_text(test)
    variables = {"PYTHONPATH": str(ROOT), "FAXGATE_TEST_REQUIRE": "all" if everything else ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={folder}", str(folder)]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False, cwd=folder)
    return done.returncode, done.stdout


def test_what_was_skipped_is_named_at_the_end(tmp_path: Path) -> None:
    code, said = run(tmp_path, TESTS, everything=False)
    assert code == pytest.ExitCode.OK
    assert "not tested in this run" in said
    assert "skipped: needs a telephone" in said


def test_where_everything_is_required_a_skip_is_a_failure(tmp_path: Path) -> None:
    code, said = run(tmp_path, TESTS, everything=True)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "FAXGATE_TEST_REQUIRE=all: needs a telephone" in said
    assert "1 failed, 1 passed, 1 xfailed" in said


def test_a_module_that_skips_itself_is_a_failure_too(tmp_path: Path) -> None:
    module = 'import pytest\npytest.skip("needs a modem", allow_module_level=True)'
    assert run(tmp_path, module, everything=False)[0] == pytest.ExitCode.NO_TESTS_COLLECTED
    code, said = run(tmp_path, module, everything=True)
    assert code == pytest.ExitCode.INTERRUPTED
    assert "FAXGATE_TEST_REQUIRE=all: needs a modem" in said
