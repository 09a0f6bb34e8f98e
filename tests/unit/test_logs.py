"""The log: what stands on a line, and what never does."""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway import logs

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    for name in ("asyncio", "aiohttp.server"):
        logging.getLogger(name).filters.clear()


@pytest.fixture
def lines() -> Lines:
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


log = logs.logger("gateway.test")


def test_a_line_says_event_values_level_logger_and_time(lines: Lines) -> None:
    log.info("fax %s", "accepted", pages=3)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "fax accepted", "pages": 3, "level": "info", "logger": "gateway.test"}


def test_what_is_bound_stands_on_our_lines_and_on_those_of_libraries(lines: Lines) -> None:
    with logs.bind(fax=7, job="prepare"):
        log.info("inside")
        logging.getLogger("library").warning("from %s", "elsewhere")
    log.info("outside")
    inside, library, outside = lines()
    assert (inside["fax"], inside["job"]) == ("7", "prepare")
    assert (library["event"], library["fax"], library["logger"]) == ("from elsewhere", "7", "library")
    assert "fax" not in outside


def test_lines_below_the_level_are_not_written(lines: Lines) -> None:
    log.debug("detail")
    assert lines() == []


@pytest.mark.parametrize(
    "said",
    [
        {"password": "hunter2"},
        {"smarthost_password": "hunter2"},
        {"API_KEY": "hunter2"},
        {"token": "hunter2"},
        {"headers": {"Authorization": "hunter2"}},
        {"request": "Authorization: Bearer hunter2hunter2"},
        {"error": "KEY_hunter2hunter2 is no good"},
    ],
)
@pytest.mark.parametrize("style", ["json", "console"])
def test_secrets_are_hidden(style: str, said: dict[str, Any]) -> None:
    stream = io.StringIO()
    logs.configure(style, "info", stream)
    log.info("something happened", **said)
    assert "hidden" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_traceback_is_whole_but_shows_no_values(style: str) -> None:
    stream = io.StringIO()
    logs.configure(style, "info", stream)

    def fail(document: str) -> None:
        raise RuntimeError(f"Bearer hunter2hunter2 and {len(document)} characters")

    document = "".join(("diag", "nosis"))  # so that the word stands in no line of source
    try:
        fail(document)
    except RuntimeError:
        log.exception("unexpected")
    text = stream.getvalue()
    assert "Traceback (most recent call last)" in text
    assert "RuntimeError: Bearer [hidden]" in text
    assert "diagnosis" not in text


def test_the_smtp_library_is_silent(lines: Lines) -> None:
    logging.getLogger("mail.log").critical("AUTHX PLAIN c2VjcmV0")
    logging.getLogger("mail.debug").critical("the document")
    logging.getLogger("aiohttp.access").critical("GET /m/token")
    assert lines() == []


class BadRequest(Exception):
    code = 400


@pytest.mark.parametrize(("level", "written"), [("info", 0), ("debug", 1)])
def test_a_bad_http_request_is_no_error_of_ours(level: str, written: int) -> None:
    stream = io.StringIO()
    logs.configure("json", level, stream)
    server = logging.getLogger("aiohttp.server")
    server.error("Error handling request from %s", "peer", exc_info=BadRequest("bad line"))
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(found) == written
    assert all(line["level"] == "debug" and "exception" not in line for line in found)


def test_an_error_of_ours_behind_http_keeps_its_traceback(lines: Lines) -> None:
    logging.getLogger("aiohttp.server").error("Error handling request", exc_info=ValueError("ours"))
    (line,) = lines()
    assert (line["level"], line["exception"]) == ("error", "ValueError: ours")


def test_asyncio_repeating_itself_is_cut_short(lines: Lines) -> None:
    for _ in range(50_000):
        logging.getLogger("asyncio").error("socket.accept() out of system resource")
    logging.getLogger("asyncio").error("something else")
    found = lines()
    assert len(found) == 6
    assert "silent for up to a minute" in found[4]["event"]
    assert found[5]["event"] == "something else"


def test_warnings_are_logged(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old thing", stacklevel=1)
    (line,) = lines()
    assert "old thing" in line["event"]


def test_auto_is_json_where_nobody_looks() -> None:
    stream = io.StringIO()
    logs.configure("auto", "info", stream)
    log.info("hello")
    assert json.loads(stream.getvalue())["event"] == "hello"
