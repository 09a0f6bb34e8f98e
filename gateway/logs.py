"""The log: one line per event on standard error, as JSON or for the eye, from our code and from libraries alike.

Our modules say ``log = logs.logger(__name__)`` and ``log.info("fax accepted", pages=3)``; what a story is about is
bound once (``with logs.bind(fax=...)``) and stands on every line below, also across tasks that are started there.
"""

import logging
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TextIO

import structlog
from structlog.contextvars import bind_contextvars, merge_contextvars, reset_contextvars
from structlog.typing import EventDict, Processor

HIDDEN = "[hidden]"
_SECRET_KEY = re.compile(r"password|passwd|token|api_?key|secret|authorization|credential|private_key", re.IGNORECASE)
_SECRET_WORDS = ("Bearer", "Basic", "KEY")
_SECRET_TEXT = re.compile(rf"\b({'|'.join(_SECRET_WORDS)})([ _])[A-Za-z0-9._~+/=-]{{8,}}")

#: Loggers of libraries that say too much, and from which level on they may speak.
_QUIET = {
    "mail.log": logging.CRITICAL + 1,  # aiosmtpd logs every command and, at debug, the document itself
    "mail.debug": logging.CRITICAL + 1,
    "aiohttp.access": logging.CRITICAL + 1,  # our own middleware writes a line without tokens
    "aiosqlite": logging.INFO,
    "alembic": logging.WARNING,
    "PIL": logging.INFO,
}


def configure(style: str = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """Set up logging for the process; *style* is console, json or auto (console on a terminal).

    Lines go to *stream*, else to standard error. May be called again: the last call counts. Before the first one,
    warnings and errors go to standard error.
    """
    stream = stream or sys.stderr
    console = style == "console" or (style == "auto" and stream.isatty())
    renderer: Processor = structlog.processors.JSONRenderer(default=str)
    if console:
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_ABOUT, processors=[*_LAST, renderer]))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # Our lines do not say in which thread, process and line of a file they were written, and that need not be found out
    # for each: https://docs.python.org/3.11/howto/logging.html#optimization
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    _quieten()


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of the module *name*; it may be made before ``configure`` is called."""
    found: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return found


@contextmanager
def bind(**about: Any) -> Iterator[None]:
    """Put *about* (fax, transaction, job ...) on every line that is logged inside this context."""
    # structlog's own context manager looks through all variables of the context, at three times the cost.
    before = bind_contextvars(**{key: str(value) for key, value in about.items()})
    try:
        yield
    finally:
        reset_contextvars(**before)


def _quieten() -> None:
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    for name, found in (("asyncio", _Repeats()), ("aiohttp.server", _BadRequests())):
        logging.getLogger(name).filters[:] = [found]


def _redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Hide values whose key names a secret, and keys that stand in a text."""
    return {key: _redacted(key, value) for key, value in event.items()}


def _redacted(key: str, value: Any) -> Any:
    if value and _names_a_secret(key):
        return HIDDEN
    if isinstance(value, str):
        if not any(word in value for word in _SECRET_WORDS):  # far sooner said than by the expression
            return value
        return _SECRET_TEXT.sub(rf"\1\2{HIDDEN}", value)
    if isinstance(value, Mapping):
        return {inner: _redacted(str(inner), held) for inner, held in value.items()}
    return value


@lru_cache(1000)
def _names_a_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


class _BadRequests(logging.Filter):
    """What a client did wrong in HTTP is his fault, not ours: one line at debug instead of a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        fault = record.exc_info[1] if record.exc_info else None
        if getattr(fault, "code", 500) >= 500:
            return True
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        record.msg, record.args, record.exc_info = f"{record.getMessage()}: {fault!r}", (), None
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


class _Repeats(logging.Filter):
    """Lets the same message through five times a minute: an accept loop out of descriptors says it 50,000 times."""

    ALLOWED, PERIOD = 5, 60.0

    def __init__(self) -> None:
        super().__init__()
        self._begun = 0.0
        self._seen: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now - self._begun > self.PERIOD:
            self._begun, self._seen = now, {}
        text = str(record.msg)[:80]
        self._seen[text] = self._seen.get(text, 0) + 1
        if self._seen[text] == self.ALLOWED:
            record.msg = f"{record.getMessage()} (said {self.ALLOWED} times; silent for up to a minute)"
            record.args = ()
        return self._seen[text] <= self.ALLOWED


#: What every line says beside its event, whoever logs it.
_ABOUT: list[Processor] = [
    merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper("iso", utc=True),
]
#: Plain tracebacks: one with the values of variables would show documents and keys.
_LAST: list[Processor] = [
    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
    structlog.processors.format_exc_info,
    _redact,
]
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        *_ABOUT,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
