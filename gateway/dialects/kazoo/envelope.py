"""Kazoo's envelopes: what they always hold is made here; what ``data`` holds is up to the caller."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic, Literal, NotRequired, TypeVar

from typing_extensions import TypedDict

T = TypeVar("T")


class Success(TypedDict, Generic[T]):
    """What worked."""

    data: T
    status: Literal["success"]
    request_id: str
    timestamp: str
    auth_token: NotRequired[str]
    revision: NotRequired[str]
    metadata: NotRequired[dict[str, Any]]


class Listed(TypedDict, Generic[T]):
    """A list, or one page of it. Without ``next_start_key`` it was the last page."""

    data: list[T]
    status: Literal["success"]
    request_id: str
    timestamp: str
    auth_token: NotRequired[str]
    revision: NotRequired[str]
    page_size: NotRequired[int]
    start_key: NotRequired[str]
    next_start_key: NotRequired[str]


class Problem(TypedDict):
    """What did not work. ``error`` is the HTTP status as a string, ``message`` Kazoo's word for it."""

    data: dict[str, Any]
    status: Literal["error"]
    error: str
    message: str
    request_id: str
    timestamp: str
    auth_token: NotRequired[str]


class Asked(TypedDict, Generic[T]):
    """What is sent: the wish itself in ``data``."""

    data: T
    auth_token: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Page:
    """Where a list stands: rows in it, the (opaque) key of its first row and of the next page's ("": no more)."""

    size: int
    start_key: str = ""
    next_start_key: str = ""


def success(
    data: object,
    *,
    request_id: str,
    at: datetime,
    auth_token: str = "",
    revision: str = "",
    page: Page | None = None,
) -> dict[str, Any]:
    """Return the envelope of an answer that worked. *page* belongs to lists, unless the client asked for no paging.

    A missing ``next_start_key`` tells Kazoo's clients that this was the last page.
    """
    envelope = _envelope(data, "success", request_id, at, auth_token)
    if revision:
        envelope["revision"] = revision
    if page is not None:
        envelope["page_size"] = page.size
        if page.start_key:
            envelope["start_key"] = page.start_key
        if page.next_start_key:
            envelope["next_start_key"] = page.next_start_key
    return envelope


def error(
    code: int, message: str, data: object = None, *, request_id: str, at: datetime, auth_token: str = ""
) -> dict[str, Any]:
    """Return the envelope of an answer that failed: HTTP status *code*, Kazoo's code word, an object for people.

    ``error`` is the status as a string: clients compare it with "400" and "401".
    """
    shown = {"message": message.replace("_", " ")} if data is None else data
    return _envelope(shown, "error", request_id, at, auth_token) | {"error": str(code), "message": message}


def invalid_field(path: str, rule: str, message: str, **about: object) -> dict[str, Any]:
    """Return the ``data`` of a validation error: *path* is dotted ("document.to_number"), *rule* Kazoo's word for
    what was broken (required, type, enum, pattern, ...); *about* may hold ``target`` and ``value``."""
    return {path: {rule: {"message": message, **about}}}


@lru_cache(maxsize=2)
def _written(seconds: int) -> str:
    """All answers of a second say the same."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _envelope(data: object, status: str, request_id: str, at: datetime, auth_token: str) -> dict[str, Any]:
    envelope: dict[str, Any] = {
        "data": data,
        "status": status,
        "request_id": request_id,
        "timestamp": _written(int(at.timestamp())),
    }
    if auth_token:
        envelope["auth_token"] = auth_token
    return envelope
