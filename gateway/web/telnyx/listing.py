"""What lists of Telnyx's API may be asked: a page by its number, filters, an order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.dialects.telnyx import read_time
from gateway.web.openapi import Query
from gateway.web.telnyx.answers import NOT_LISTED, bad_query

PAGE_SIZE, MAX_PAGE_SIZE = 20, 250
#: So far no list reaches; a larger number would not fit the database's.
_MAX_PAGE_NUMBER = 10**9
PAGING = (Query("page[number]", int, "From 1."), Query("page[size]", int, "1 to 250."))
SORT = Query("sort", str, "A field; with a - before it, descending.")
_NUMBER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Window:
    """The page *number* (from 1) of pages of *size* rows."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many rows stand before the page."""
        return (self.number - 1) * self.size

    def meta(self, total: int) -> dict[str, int]:
        """Return where the page stands in a list of *total* rows."""
        pages = -(-total // self.size)
        return {"page_number": self.number, "page_size": self.size, "total_pages": pages, "total_results": total}


def window(query: Mapping[str, str]) -> Window:
    """Read ``page[number]`` and ``page[size]``; what is out of range is clamped. Raises the fault 400 for no number."""
    number = _whole(query, "page[number]", 1)
    size = _whole(query, "page[size]", PAGE_SIZE)
    return Window(min(max(number, 1), _MAX_PAGE_NUMBER), min(max(size, 1), MAX_PAGE_SIZE))


def order(query: Mapping[str, str], columns: Mapping[str, str], default: str) -> tuple[str, bool]:
    """Read ``sort``: return the column meant and whether it descends. Raises the fault 400 for an unknown one."""
    text = query.get("sort") or default
    name = text.removeprefix("-")
    if name not in columns:
        known = ", ".join(columns)
        raise bad_query("sort", f"sort must be one of {known}, with a - before it for descending order", NOT_LISTED)
    return columns[name], text.startswith("-")


def moment(query: Mapping[str, str], name: str) -> datetime | None:
    """Read a time. Raises the fault 400 for what is none."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return read_time(text.replace(" ", "+"))  # a "+" that was not quoted
    except ValueError:
        raise bad_query(name, f"{name} must be a time like 2026-01-31T12:00:00Z (ISO 8601)") from None


def one_of(query: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    """Read one of a few words, "" for none. Raises the fault 400 for another."""
    text = query.get(name, "")
    if text and text not in words:
        raise bad_query(name, f"{name} must be one of {', '.join(words)}", NOT_LISTED)
    return text


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text):
        raise bad_query(name, f"{name} must be a whole number")
    return int(text)
