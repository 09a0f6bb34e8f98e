"""What all tests share: databases to run on, and what becomes of tests that cannot run here."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests import postgres, s3

#: With FAXGATE_TEST_REQUIRE=all a test that cannot run is a failure: nothing is left out in silence.
REQUIRE_ALL = os.environ.get("FAXGATE_TEST_REQUIRE") == "all"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Postgres]:
    """A PostgreSQL server of this session's own (under pytest-xdist: of this worker's own)."""
    if missing := postgres.available():
        pytest.skip(missing)
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: postgres.Postgres) -> str:
    """The URL of the server's first database."""
    return postgres_server.url()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[s3.S3]:
    """An S3 server of this session's own. It takes seconds to start: tests that use it are marked ``full``."""
    if missing := s3.available():
        pytest.skip(missing)
    with s3.running() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.full)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, empty database: the test runs once on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'faxgate.db'}"
        return
    server: postgres.Postgres = request.getfixturevalue("postgres_server")
    name = f"test_{uuid4().hex}"
    yield server.create(name)
    server.drop(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        _require(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _require(report)
    return report


def _require(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where everything is required."""
    if REQUIRE_ALL and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"was skipped, but FAXGATE_TEST_REQUIRE=all: {_why(report)}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name at the end what did not run, so that a green run does not claim more than it tested."""
    reasons = {_why(report) for report in terminalreporter.stats.get("skipped", [])}
    left_out = [f"skipped: {reason}" for reason in sorted(reasons)]
    if "not full" in config.getoption("markexpr"):
        left_out.append("not selected: tests marked full, which need more programs or minutes (make test-all)")
    if left_out:
        terminalreporter.section("not tested in this run")
        for line in left_out:
            terminalreporter.line(line)


def _why(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)
