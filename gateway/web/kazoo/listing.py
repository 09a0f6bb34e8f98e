"""What every list of Kazoo's API may be asked: pages, and a window of time.

A page's key names the place in the list behind which it begins; to clients it is opaque. Nothing is lost or shown
twice however many rows come in between two pages. There is no default window.
"""

import base64
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from gateway.dialects import kazoo
from gateway.web.errors import Fault
from gateway.web.kazoo.answers import invalid

PAGE_SIZE = 50
MAX_PAGE_SIZE = 500
#: The longest list that is answered in one piece (paginate=false).
MAX_UNPAGED = 2000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?[0-9]{1,18}")

Position = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants to see: at most *size* rows behind the position *before*, of the time from *since* to
    *until*. *start_key* is the key that he gave; *paged* is False when he wants all rows at once."""

    size: int
    paged: bool
    start_key: str = ""
    before: Position | None = None
    since: datetime | None = None
    until: datetime | None = None


def wish(query: Mapping[str, str]) -> Wish:
    """Read the query of a request for a list. Raises Fault for what cannot be understood."""
    since, until = _moment(query, "created_from"), _moment(query, "created_to")
    if since is not None and until is not None and since > until:
        raise invalid("created_from", "date_range", "created_from is later than created_to")
    if until is not None:
        until = until.replace(microsecond=999_999)  # the whole second: rows show theirs cut off
    if query.get("paginate", "").lower() in {"false", "no", "0"}:
        return Wish(MAX_UNPAGED, paged=False, since=since, until=until)
    key = query.get("start_key", "")
    before = position(key) if key else None
    return Wish(_page_size(query.get("page_size")), paged=True, start_key=key, before=before, since=since, until=until)


def page(asked: Wish, positions: list[Position]) -> kazoo.Page | None:
    """Return where a list stands. *positions* are those of all rows found, of which one more was looked for than is
    shown. None when the client wants no pages; raises the fault 416 when there are too many rows for that."""
    more = len(positions) > asked.size
    if not asked.paged:
        if more:
            message = f"the list has more than {asked.size} rows; ask for pages, or for a shorter time"
            raise Fault(416, message, word="range not satisfiable", data={"message": message})
        return None
    shown = positions[: asked.size]
    return kazoo.Page(len(shown), asked.start_key, key_of(shown[-1]) if more else "")


def key_of(place: Position) -> str:
    """Return the opaque key of a position, safe in a URL."""
    at, identity = place
    packed = struct.pack(">q16s", (at - _EPOCH) // timedelta(microseconds=1), identity.bytes)
    return base64.urlsafe_b64encode(packed).decode()


def position(key: str) -> Position:
    """Return the position of a key. Raises the fault 400 for one that we did not give out."""
    try:
        microseconds, identity = struct.unpack(">q16s", base64.urlsafe_b64decode(key))
        return _EPOCH + timedelta(microseconds=microseconds), UUID(bytes=identity)
    except (struct.error, OverflowError, ValueError):
        message = "start_key must be the next_start_key of an earlier answer"
        raise invalid("start_key", "wrong_format", message) from None


def _page_size(text: str | None) -> int:
    if text is None:
        return PAGE_SIZE
    if not _NUMBER.fullmatch(text):
        raise _faulty("invalid page size")
    if int(text) < 1:
        raise _faulty("page size must be at least 1")
    return min(int(text), MAX_PAGE_SIZE)


def _faulty(message: str) -> Fault:
    return Fault(404, message, word="faulty_request", data={"message": message})


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        return kazoo.from_gregorian(int(text) if _NUMBER.fullmatch(text) else -1)
    except ValueError:
        message = f"{name} must be a time in gregorian seconds, such as 63930000000"
        raise invalid(name, "wrong_format", message, value=text[:64]) from None
