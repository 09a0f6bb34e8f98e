"""Probes for operators: is the process alive, can it work, what has it counted."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway import logs, metrics

log = logs.logger(__name__)

#: Asks every part how it is: its name, and "" or what is wrong with it.
Ready = Callable[[], Awaitable[dict[str, str]]]


def probes(ready: Ready) -> list[web.RouteDef]:
    """Return ``/livez`` (200 while the event loop turns) and ``/readyz``: 200, or 503 when a part cannot work."""

    async def livez(_request: web.Request) -> web.Response:
        return web.json_response({"alive": True}, headers=_NO_STORE)

    async def readyz(_request: web.Request) -> web.Response:
        parts = await _asked(ready)
        well = not any(parts.values())
        return web.json_response({"ready": well, "parts": parts}, status=200 if well else 503, headers=_NO_STORE)

    return [web.get("/livez", livez), web.get("/readyz", readyz)]


def measurements() -> list[web.RouteDef]:
    """Return ``/metrics``, in Prometheus' text format."""

    async def show(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE, **_NO_STORE})

    return [web.get("/metrics", show)]


async def _asked(ready: Ready) -> dict[str, str]:
    try:
        return await ready()
    except Exception:
        log.exception("the gateway's parts could not be asked how they are")
        return {"gateway": "its parts could not be asked how they are; see the log"}


_NO_STORE = {"Cache-Control": "no-store"}
