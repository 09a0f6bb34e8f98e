"""What every list of Kazoo's API may be asked: pages, an order, a window of time, and filters.

A page's key names the place in the list behind which it begins; to clients it is opaque. Nothing is lost or shown
twice however many rows come in between two pages. There is no default window.
"""

import base64
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, TypeVar
from uuid import UUID

from aiohttp import web
from pydantic import Field
from yarl import URL

from gateway.dialects import kazoo
from gateway.store.paging import Position, Stretch
from gateway.web.errors import Fault
from gateway.web.kazoo.answers import invalid
from gateway.web.kazoo.filters import Matches, filters
from gateway.web.kazoo.moments import NUMBER, moment
from gateway.web.openapi import Query

R = TypeVar("R")
PAGE_SIZE = 50
MAX_PAGE_SIZE = 500
#: A larger number is no wish for a page.
LARGEST_PAGE_SIZE = 1_000_000
#: The longest list that is answered in one piece (paginate=false).
MAX_UNPAGED = 2000
#: How many rows one request looks through for those that a filter lets pass; the next page goes on from there.
MAX_SCANNED = 5000
_CHUNK = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_GREGORIAN = Annotated[int, Field(ge=kazoo.GREGORIAN_EPOCH)]
#: The parameters of every list.
PAGING = (
    Query("page_size", Annotated[int, Field(ge=1)], f"Rows of a page; {PAGE_SIZE}, and at most {MAX_PAGE_SIZE}."),
    Query("start_key", str, "next_start_key of the page before."),
    Query("paginate", bool, f"false: all rows at once, of which there may be {MAX_UNPAGED}."),
    Query("ascending", bool, "true: the oldest first."),
    Query("created_from", _GREGORIAN, "Gregorian seconds."),
    Query("created_to", _GREGORIAN, "Gregorian seconds."),
    Query("modified_from", _GREGORIAN, "Gregorian seconds."),
    Query("modified_to", _GREGORIAN, "Gregorian seconds."),
    Query("has_key", str, "Only rows that have this field; dotted."),
    Query("key_missing", str, "Only rows that have not."),
    Query("filter_*", str, "filter_to_number=+12025550123 and the like; filter_not_... for all others."),
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants to see of a list. *paged* is False when he wants all rows at once, *start_key* is the key
    that he gave, *matches* what a row must be."""

    stretch: Stretch
    paged: bool
    start_key: str = ""
    matches: Matches | None = None

    @property
    def size(self) -> int:
        """How many rows he wants."""
        return self.stretch.limit


def wish(request: web.Request) -> Wish:
    """Return what *request* wants of a list. Raises Fault for what cannot be understood."""
    return _understood(request.rel_url.raw_query_string)


@lru_cache(maxsize=200)
def _understood(written: str) -> Wish:
    """Read a query as it was *written*: programs ask the same all day."""
    query = URL.build(query_string=written, encoded=True).query
    since, until = moment(query, "created_from"), moment(query, "created_to")
    if since is not None and until is not None and since > until:
        raise invalid("created_from", "date_range", "created_from is later than created_to")
    ascending = _says(query, "ascending", "true") or _says(query, "descending", "false")
    if _says(query, "paginate", "false"):
        stretch = Stretch(MAX_UNPAGED, since=since, until=until, ascending=ascending)
        return Wish(stretch, paged=False, matches=filters(query))
    key = query.get("start_key", "")
    behind = position(key) if key else None
    stretch = Stretch(_page_size(query.get("page_size")), behind, since, until, ascending)
    return Wish(stretch, paged=True, start_key=key, matches=filters(query))


async def found(
    asked: Wish,
    fetch: Callable[[Stretch], Awaitable[list[R]]],
    shown: Callable[[R], Any],
    place: Callable[[R], Position],
    modified: Callable[[R], datetime],
) -> tuple[list[Any], kazoo.Page | None]:
    """Return the rows of a list as they are shown, and where it stands.

    *fetch* returns the rows of a stretch; *shown*, *place* and *modified* say of a row how it looks, where it is in
    the list and when it was changed. Raises the fault 416 when a list that is wanted in one piece is too long.
    """
    rows: list[Any] = []
    scanned, stretch = 0, asked.stretch
    first: Position | None = None
    last: Position | None = None
    while True:
        wanted = asked.size - len(rows) if asked.matches is None else _CHUNK
        got = await fetch(stretch.of(wanted + 1, last))
        for row in got[:wanted]:
            last = place(row)
            scanned += 1
            view = shown(row)
            if asked.matches is None or asked.matches(view, modified(row)):
                rows.append(view)
                first = first or last
            if len(rows) == asked.size:
                break
        more = len(got) > wanted or (bool(got) and last != place(got[-1]))
        if not more or len(rows) == asked.size or (asked.paged and scanned >= MAX_SCANNED):
            return rows, page_of(asked, len(rows), first, last if more else None)


def page_of(asked: Wish, size: int, first: Position | None, last: Position | None) -> kazoo.Page | None:
    """Return where a list of *size* rows stands: *first* is the place of the first one if there is any, *last* that of
    the last one when more follow. Raises the fault 416 when a list that is wanted in one piece is too long."""
    if asked.paged:
        own = asked.start_key or (_key_before(first, asked.stretch.ascending) if first else "")
        return kazoo.Page(size, own, key_of(last) if last else "")
    if last is not None:
        message = f"the list has more than {asked.size} rows; ask for pages, or for a shorter time"
        raise Fault(416, message, word="range not satisfiable", data={"message": message})
    return None


@lru_cache(maxsize=1000)
def _key_before(place: Position, ascending: bool) -> str:
    """Return the key of the position behind which *place* is the first: with it the same page comes again."""
    at, identity = place
    return key_of((at, UUID(int=min(max(identity.int + (-1 if ascending else 1), 0), 2**128 - 1))))


@lru_cache(maxsize=1000)
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


def _says(query: Mapping[str, str], name: str, what: str) -> bool:
    said = query.get(name, "").lower()
    return said in {"true": {"true", "yes", "1"}, "false": {"false", "no", "0"}}[what]


def _page_size(text: str | None) -> int:
    if text is None:
        return PAGE_SIZE
    if not NUMBER.fullmatch(text):
        raise _faulty("invalid page size")
    if int(text) < 1:
        raise _faulty("page size must be at least 1")
    if int(text) > LARGEST_PAGE_SIZE:
        raise _faulty(f"page size must be at most {MAX_PAGE_SIZE}")
    return min(int(text), MAX_PAGE_SIZE)


def _faulty(message: str) -> Fault:
    return Fault(404, message, word="faulty_request", data={"message": message})
