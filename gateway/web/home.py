"""The page at ``/``: what this is, and where to look."""

from html import escape

from aiohttp import web

from gateway.web import webhooks

_LINKS = {
    "/docs": "the APIs, to read and to try; /openapi.json is the same for programs",
    "/livez": "whether the process is alive",
    "/readyz": "whether every part of it can work",
    "/metrics": "what it has counted, for Prometheus",
}
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Faxgate</title></head>
<body>
<h1>Faxgate</h1>
<p>A gateway between email and fax.</p>
<ul>
{links}
</ul>
<p>{carrier}</p>
</body>
</html>
"""


def home(public_url: str, *, metrics_here: bool) -> list[web.RouteDef]:
    """Return the page; it shows *public_url*, and names /metrics when it is served here."""
    shown = {path: what for path, what in _LINKS.items() if metrics_here or path != "/metrics"}
    links = "\n".join(f'<li><a href="{path}">{path}</a>: {what}</li>' for path, what in shown.items())
    text = _PAGE.format(links=links, carrier=escape(_carrier(public_url)))

    async def page(_request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store"}
        return web.Response(text=text, content_type="text/html", headers=headers)

    return [web.get("/", page)]


def _carrier(public_url: str) -> str:
    if not public_url:
        return "No public_url is set: the carrier cannot reach this gateway, so it is asked for news."
    return f"The carrier's webhooks go to {public_url.rstrip('/')}{webhooks.PATH}"
