"""What every request has: an id in its answer and on its log lines, one line in the log, and safe headers.

The log names the route, never the path: paths and queries hold tokens.
"""

import asyncio
import random
import re
from functools import lru_cache
from ipaddress import ip_address

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway import logs
from gateway.web.connection import Connection

#: Bound once: for every request anew it would cost a tenth of answering it.
log = logs.logger(__name__).bind()
REQUEST_ID = web.RequestKey("request_id", str)
REQUEST_ID_HEADER = "X-Request-ID"
_USABLE_ID = re.compile(r"[!-~]{1,128}")
#: Asked every few seconds by machines: logged at debug.
_PROBES = {"/livez", "/readyz", "/metrics"}


@web.middleware
async def access(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name the request, run it, and write its line."""
    identity = request[REQUEST_ID] = _request_id(request)
    _tell_connection(request)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with logs.bind(request=identity):
        response = await handler(request)
        say = log.debug if request.path in _PROBES else log.info
        ms = round((loop.time() - begun) * 1000, 1)
        say(
            "request",
            method=request.method,
            route=_route(request),
            status=response.status,
            ms=ms,
            peer=peer_of(request),
        )
    return response


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put on every answer what it must say; aiohttp's own ``Server`` would tell versions."""
    response.headers["Server"] = "faxgate"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if identity := request.get(REQUEST_ID):
        response.headers[REQUEST_ID_HEADER] = identity


def _request_id(request: web.Request) -> str:
    given = request.headers.get(REQUEST_ID_HEADER, "")
    if _USABLE_ID.fullmatch(given):
        return given
    return f"{random.getrandbits(128):032x}"


def _tell_connection(request: web.Request) -> None:
    """Let the connection know that it waits for us now, and not for its client."""
    connection = request.transport.get_protocol() if request.transport else None
    task = asyncio.current_task()
    if isinstance(connection, Connection) and task is not None:
        connection.began(task, request.content)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "none"


def peer_of(request: web.Request) -> str:
    """Return who asked: what a reverse proxy on this machine says, else the other end of the connection."""
    return _peer(request.remote or "", request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip())


@lru_cache(maxsize=1000)
def _peer(remote: str, forwarded: str) -> str:
    try:
        return str(ip_address(forwarded)) if ip_address(remote).is_loopback else remote
    except ValueError:
        return remote
