"""Request bodies: read whole, within a size and within a time."""

import asyncio
import json
from typing import Any, Never

from aiohttp import web

from gateway.address import shown
from gateway.web.errors import Fault

#: Every body may take this many seconds, and one more for every MIN_RATE bytes that it may have.
FIRST_SECONDS = 30.0
MIN_RATE = 10_000
#: The largest JSON body of an API, in bytes.
MAX_JSON = 262_144
#: How many objects and lists may lie in one another: whatever reads them again later has a limit too.
MAX_DEPTH = 50
_NO_JSON = "the body is not valid JSON"


async def read_body(request: web.Request, limit: int) -> bytes:
    """Return the body as it travelled (content codings are not undone). Raises Fault: 413 beyond *limit* bytes
    (or beyond the application's own) and 408 when it comes too slowly."""
    limit = min(limit, request.client_max_size or limit)
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(FIRST_SECONDS + limit / MIN_RATE):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        sentence = "the body of the request came too slowly; send it again over a faster connection"
        raise Fault(408, sentence, headers={"Connection": "close"}) from None
    return bytes(body)


async def read_json(request: web.Request) -> object:
    """Return the JSON value of the body, of MAX_JSON bytes at most. Raises ValueError as ``parsed``."""
    return parsed(await read_body(request, MAX_JSON))


def parsed(raw: bytes) -> object:
    """Return the value that is written in *raw* (RFC 8259).

    Raises ValueError, with a public sentence, for what is no JSON, is nested more than MAX_DEPTH deep, or says a name
    twice: which of two numbers was meant nobody can know.
    """
    try:
        value: object = json.loads(raw, object_pairs_hook=_once, parse_constant=_no_constant)
        _bounded(value, MAX_DEPTH)
    except _Refused:
        raise
    except (ValueError, RecursionError):
        raise ValueError(_NO_JSON) from None
    return value


class _Refused(ValueError):
    """JSON that is not taken; the text says why."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise _Refused(f"the body says {shown(twice)} twice in one object; say it once")
    return found


def _no_constant(word: str) -> Never:
    raise ValueError(f"{word} is no JSON")


def _bounded(value: object, left: int) -> None:
    if not isinstance(value, dict | list):
        return
    if not left:
        raise _Refused(f"the body is nested more than {MAX_DEPTH} levels deep")
    for inner in value.values() if isinstance(value, dict) else value:
        _bounded(inner, left - 1)


def _too_large(limit: int) -> Fault:
    return Fault(413, f"the body of the request is larger than {limit:,} bytes", headers={"Connection": "close"})
