"""Lists of the API: filters in deepObject form, and pages with ``meta``."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aiohttp import web

from gateway.carriers.emulator.errors import ApiError
from gateway.dialects.telnyx import read_time

_COMPARE = {
    "gt": datetime.__gt__,
    "gte": datetime.__ge__,
    "lt": datetime.__lt__,
    "lte": datetime.__le__,
}


def page(request: web.Request, items: Sequence[dict[str, Any]]) -> web.Response:
    """Return the page of *items* that the request asks for; beyond the end it is empty."""
    number = max(1, _integer(request, "page[number]", 1))
    size = min(max(1, _integer(request, "page[size]", 20)), 250)
    meta = {
        "page_number": number,
        "page_size": size,
        "total_pages": -(-len(items) // size),
        "total_results": len(items),
    }
    return web.json_response({"data": list(items[(number - 1) * size : number * size]), "meta": meta})


def in_time(request: web.Request, field: str, time: datetime | None) -> bool:
    """Whether *time* passes every ``filter[field][gt|gte|lt|lte]`` of the request."""
    for name, compare in _COMPARE.items():
        wanted = request.query.get(f"filter[{field}][{name}]")
        if wanted is not None and (time is None or not compare(time, _time(wanted, field))):
            return False
    return True


def equal(request: web.Request, field: str, value: str) -> bool:
    """Whether *value* passes ``filter[field][eq]``."""
    return request.query.get(f"filter[{field}][eq]", value) == value


def _time(text: str, field: str) -> datetime:
    try:
        return read_time(text)
    except ValueError:
        raise ApiError(400, "Bad Request", f"filter[{field}] is not an ISO 8601 time.", "10015") from None


def _integer(request: web.Request, name: str, default: int) -> int:
    try:
        return int(request.query.get(name, default))
    except ValueError:
        raise ApiError(400, "Bad Request", f"{name} is not a number.", "10015") from None
