"""SPF (RFC 7208) by pyspf: it blocks, so it runs in threads of its own, and asks the DNS by way of our loop."""

import asyncio
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any

from gateway import logs
from gateway.dns import DnsTrouble, Resolver, blocking

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pyspf is of 2020: its text has escapes that Python warns about since
    import spf

log = logs.logger(__name__)
#: RFC 7208, 4.6.4: at least 20 seconds for a whole check.
PATIENCE = 20
#: RFC 7208, 3.4 asks for 450 octets. The time that pyspf takes grows with the square of a record's length, and that of
#: all others stands still meanwhile.
LONGEST_RECORD = 4096
LookUp = Callable[[str, str, float], list[bytes]]

#: How the check of this thread asks; pyspf has one function for all.
_look_up: ContextVar[LookUp] = ContextVar("look_up")


class Spf:
    """Checks senders, *most* at the same time. ``stop`` it at the end."""

    def __init__(self, resolver: Resolver, most: int) -> None:
        self._resolver = resolver
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="spf")

    def stop(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def check(self, peer: str, sender: str, helo: str) -> str:
        """Return the result for *sender* coming from *peer*: pass, fail, softfail, neutral, none, temperror or
        permerror."""
        loop = asyncio.get_running_loop()
        context = copy_context()
        context.run(_look_up.set, lambda name, kind, time: blocking(self._resolver, loop, name, kind, time))
        checking = loop.run_in_executor(self._threads, context.run, _checked, peer, sender, helo)
        try:
            async with asyncio.timeout(PATIENCE + 5):
                return await checking
        except TimeoutError:
            return "temperror"


def _checked(peer: str, sender: str, helo: str) -> str:
    try:
        result, _ = spf.check2(i=peer, s=sender, h=helo or "unknown", querytime=PATIENCE)
    except Exception as error:  # pyspf meets what strangers publish; what it cannot read is an error of theirs
        log.info("an SPF record could not be evaluated", error=type(error).__name__)
        return "permerror"
    return str(result).lower()


def _asked(name: str, kind: str, tcpfallback: Any = True, timeout: float = PATIENCE) -> list[tuple[Any, Any]]:
    """Serve pyspf's DNSLookup: a list of ((name, kind), value)."""
    try:
        found = _look_up.get()(name, kind, timeout)
    except DnsTrouble as error:
        if kind == "PTR":  # fits nobody, and what stands behind it counts (RFC 7208, 5.5)
            return []
        raise spf.TempError(f"DNS {error}") from error
    return [((name, kind), _value(kind, text)) for text in (_short(found) if kind == "TXT" else found)]


def _short(texts: list[bytes]) -> list[bytes]:
    if any(len(text) > LONGEST_RECORD and spf.RE_SPF.match(text) for text in texts):
        raise spf.PermError(f"an SPF record has at most {LONGEST_RECORD} octets here")
    return [text for text in texts if len(text) <= LONGEST_RECORD]


def _value(kind: str, text: bytes) -> Any:
    if kind == "TXT":
        return (text,)
    words = text.decode("ascii", "replace").split()
    if kind == "MX":
        return int(words[0]), words[1].rstrip(".")
    return words[0].rstrip(".") if kind == "PTR" else words[0]


spf.DNSLookup = _asked
