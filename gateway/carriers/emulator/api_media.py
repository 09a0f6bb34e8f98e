"""Media storage, ``/v2/media``."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from aiohttp import web

from gateway.carriers.emulator import listing
from gateway.carriers.emulator.errors import invalid, not_found
from gateway.carriers.emulator.media import DEFAULT_TTL, MediaStorage, StoredMedia
from gateway.carriers.emulator.requests import read_fields, read_file
from gateway.carriers.emulator.settings import MAX_MEDIA_BYTES
from gateway.fetch import Fetcher, FetchError

_MAX_TTL = 630_720_000


class MediaApi:
    """Handlers of ``/v2/media``. A taken name is refused by POST and replaced by PUT."""

    def __init__(self, media: MediaStorage, fetcher: Callable[[], Fetcher]) -> None:
        self._media = media
        self._fetcher = fetcher

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post("/v2/media", self.create),
            web.get("/v2/media", self.list),
            web.get("/v2/media/{name}", self.show),
            web.put("/v2/media/{name}", self.replace),
            web.delete("/v2/media/{name}", self.delete),
            web.get("/v2/media/{name}/download", self.download),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Store an uploaded document, or one that is fetched from media_url."""
        fields = await read_fields(request)
        name = fields.get("media_name") or str(uuid4())
        if not isinstance(name, str):
            raise invalid("media_name", "media_name must be a string.")
        if self._media.get(name):
            raise invalid("media_name", "Media of this name exists already.")
        stored = await self._store(name, fields)
        return web.json_response({"data": stored.as_object()}, status=201)

    async def replace(self, request: web.Request) -> web.Response:
        """Replace a stored document."""
        name = self._find(request).name
        stored = await self._store(name, await read_fields(request))
        return web.json_response({"data": stored.as_object()})

    async def list(self, request: web.Request) -> web.Response:
        """List what is stored, newest first."""
        types = request.query.getall("filter[content_type][]", [])
        stored = [media.as_object() for media in self._media.all() if not types or media.content_type in types]
        return listing.page(request, stored)

    async def show(self, request: web.Request) -> web.Response:
        """Return the description of one document."""
        return web.json_response({"data": self._find(request).as_object()})

    async def delete(self, request: web.Request) -> web.Response:
        """Remove a document."""
        self._media.remove(self._find(request).name)
        return web.Response(status=204)

    async def download(self, request: web.Request) -> web.Response:
        """Return a document itself."""
        return web.Response(body=self._find(request).content, content_type="application/octet-stream")

    def _find(self, request: web.Request) -> StoredMedia:
        stored = self._media.get(request.match_info["name"])
        if stored is None:
            raise not_found("media")
        return stored

    async def _store(self, name: str, fields: dict[str, Any]) -> StoredMedia:
        ttl = _ttl(fields)
        if "media" in fields:
            return self._media.put(name, read_file(fields, "media"), "application/octet-stream", ttl)
        content = bytearray()
        url = fields.get("media_url")
        if not isinstance(url, str):
            raise invalid("media_url", "media_url or media is required.")
        try:
            fetched = await self._fetcher().fetch(url, content.extend, MAX_MEDIA_BYTES)
        except FetchError as error:
            raise invalid("media_url", f"The media could not be fetched: {error}.") from None
        return self._media.put(name, bytes(content), fetched.content_type, ttl)


def _ttl(fields: dict[str, Any]) -> timedelta:
    try:
        seconds = int(fields.get("ttl_secs") or DEFAULT_TTL.total_seconds())
    except (TypeError, ValueError):
        seconds = 0
    if not 0 < seconds <= _MAX_TTL:
        raise invalid("ttl_secs", f"ttl_secs must be a number from 1 to {_MAX_TTL}.")
    return timedelta(seconds=seconds)
