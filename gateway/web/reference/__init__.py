"""``/openapi.json`` and ``/docs``: the APIs described, and a page to read and to try them.

The page is Swagger UI, whose files come with the gateway, compressed; nothing comes from elsewhere. ``assets/README``
says which version they are and how they are renewed.
"""

import gzip
import json
from collections.abc import Sequence
from importlib import metadata, resources

from aiohttp import web

from gateway.web.errors import Fault
from gateway.web.openapi import Operation, describe

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Faxgate: the APIs</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body><div id="reference"></div>
<script src="docs/swagger-ui-bundle.js"></script><script src="docs/reference.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#reference", deepLinking: true, docExpansion: "list", validatorUrl: null,
  defaultModelsExpandDepth: 0, persistAuthorization: false,
});
"""
_TYPES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
#: Swagger UI writes styles and pictures into its page; everything else comes from here.
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ABOUT = (
    "Two APIs to the same faxes: Kazoo's Faxes API (`/v2/accounts/...`) and Telnyx's Programmable Fax API. "
    "A token opens both; `faxgate tokens create` makes one."
)


class Reference:
    """Serves the description of *operations*."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = operations
        self._described = ""

    def routes(self) -> list[web.RouteDef]:
        """What is served here."""
        return [
            web.get("/openapi.json", self.document),
            web.get("/docs", self.page),
            web.get("/docs/reference.js", self.start),
            web.get("/docs/{name}", self.asset),
        ]

    async def document(self, _request: web.Request) -> web.Response:
        """Answer the OpenAPI document. It is made when it is first asked for."""
        if not self._described:
            version = metadata.version("faxgate")
            self._described = json.dumps(describe(self._operations, version=version, about=_ABOUT))
        return web.Response(text=self._described, content_type="application/json")

    async def page(self, _request: web.Request) -> web.Response:
        """Answer the page."""
        return web.Response(text=_PAGE, content_type="text/html", headers={"Content-Security-Policy": _POLICY})

    async def start(self, _request: web.Request) -> web.Response:
        """Answer the script that starts the page."""
        return web.Response(text=_START, content_type="text/javascript")

    async def asset(self, request: web.Request) -> web.Response:
        """Answer a file of Swagger UI, compressed for who takes that."""
        name = request.match_info["name"]
        if name not in _TYPES:
            raise Fault(404, "there is nothing at this address")
        body = resources.files(__package__).joinpath("assets", f"{name}.gz").read_bytes()
        headers = {"Cache-Control": "max-age=86400", "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            body = gzip.decompress(body)
        return web.Response(body=body, content_type=_TYPES[name], charset="utf-8", headers=headers)
