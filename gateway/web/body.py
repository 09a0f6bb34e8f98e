"""Request bodies: read whole, within a size and within a time."""

import asyncio
import json

from aiohttp import web

from gateway.web.errors import Fault

#: Every body may take this many seconds, and one more for every MIN_RATE bytes that it may have.
FIRST_SECONDS = 30.0
MIN_RATE = 10_000
#: The largest JSON body of an API, in bytes.
MAX_JSON = 262_144


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
    """Return the JSON value of the body, of MAX_JSON bytes at most. Raises ValueError for what is no JSON."""
    raw = await read_body(request, MAX_JSON)
    try:
        return json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _too_large(limit: int) -> Fault:
    return Fault(413, f"the body of the request is larger than {limit:,} bytes", headers={"Connection": "close"})
