"""``.../attachment``: the document of a fax, as PDF or TIFF."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import BinaryIO
from zoneinfo import ZoneInfo

from aiohttp import web

from gateway.account import Scope
from gateway.audit import Action
from gateway.dialects import kazoo
from gateway.document import MediaType
from gateway.fax import Direction, Fax
from gateway.ids import digest
from gateway.sandbox import Sandbox
from gateway.store import mailbag, provision
from gateway.store.blobs import Blobs
from gateway.store.database import Database, one
from gateway.store.schema import accounts
from gateway.web.errors import Fault
from gateway.web.kazoo.answers import bad_identifier, invalid
from gateway.web.kazoo.faxes import shows
from gateway.web.kazoo.reach import FAXES, NESTED, Reach
from gateway.web.openapi import Operation, Query
from gateway.web.ranges import serve

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_FORMATS = {
    "pdf": MediaType.PDF,
    "application/pdf": MediaType.PDF,
    "application/x-pdf": MediaType.PDF,
    "tiff": MediaType.TIFF,
    "tif": MediaType.TIFF,
    "image/tiff": MediaType.TIFF,
}
_ANY = {"*/*", "application/*", "application/octet-stream", ""}
_ENDINGS = {MediaType.PDF: "pdf", MediaType.TIFF: "tiff"}
_QUERY = (
    Query("format", str, "pdf (as it is without this and without an Accept that says otherwise) or tiff."),
    Query("disposition", str, "attachment (as without this) or inline."),
)


class Attachment:
    """Serves documents. Without a *sandbox* a received document is served in the format in which it came."""

    def __init__(self, db: Database, blobs: Blobs, reach: Reach, sandbox: Sandbox | None) -> None:
        self._db = db
        self._blobs = blobs
        self._reach = reach
        self._sandbox = sandbox

    def operations(self) -> list[Operation]:
        """What is served here."""
        return [
            Operation(
                "GET",
                f"{base}/{name}/{{fax_id}}/attachment",
                self._get(name),
                tag=f"Kazoo: {name}",
                scope=Scope.READ,
                faults=kazoo.Problem,
                summary="Get the document",
                query=_QUERY,
                answers={200: bytes, 206: bytes},
            )
            for base in (FAXES, NESTED)
            for name in ("outbox", "inbox")
        ]

    def _get(self, name: str) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            caller, fax = await self._reach.fax(request)
            if not shows(name, fax):
                raise bad_identifier(request.match_info["fax_id"][:64])
            wanted, disposition = _wanted(request), _disposition(request)
            async with self._opened(fax, wanted) as (file, media_type, key):
                await self._reach.noted(caller, Action.DOWNLOADED, fax)
                headers = {
                    "Content-Type": media_type.value,
                    "Content-Disposition": f"{disposition}; filename={await self._name(fax, media_type)}",
                    "Cache-Control": "no-store",
                    "ETag": f'"{digest(key + media_type.value)[:32]}"',
                }
                return await serve(request, file, headers)

        return handler

    @asynccontextmanager
    async def _opened(self, fax: Fax, wanted: MediaType) -> AsyncIterator[tuple[BinaryIO, MediaType, str]]:
        """Yield the open document, its type, and what it is made of. Raises the fault 404 when there is none."""
        blob, media_type = await self._kept(fax, wanted)
        with await self._blobs.opened(blob) as file:
            if media_type is wanted or self._sandbox is None:
                yield file, media_type, blob
                return
            spool = self._blobs.spool()
            try:
                await self._sandbox.convert(file.fileno(), wanted, spool.fileno())
                yield spool.file, wanted, blob
            finally:
                spool.discard()

    async def _kept(self, fax: Fax, wanted: MediaType) -> tuple[str, MediaType]:
        """Return the blob that comes nearest to what is wanted: of a fax that was sent there is one of each kind."""
        blob, media_type = fax.pages_blob, MediaType(fax.media_type or MediaType.PDF)
        if fax.direction is Direction.OUTBOUND and fax.rendering_id is not None and wanted is MediaType.TIFF:
            row = await one(self._db, mailbag.rendering(fax.rendering_id))
            if row is not None:
                return str(row["tiff_blob"]), MediaType.TIFF
        if not blob:
            raise Fault(404, "no attachment found", word="not_found", data={"message": "no attachment found"})
        return blob, media_type

    async def _name(self, fax: Fax, media_type: MediaType) -> str:
        """Return Kazoo's name for the file, in the time of the account."""
        row = await provision.fetch(self._db, accounts, fax.account_id)
        at: datetime = fax.created_at.astimezone(ZoneInfo(row["timezone"] if row else "UTC"))
        return f"fax_document_{at:%Y-%m-%d_%H:%M:%S}.{_ENDINGS[media_type]}"


def _wanted(request: web.Request) -> MediaType:
    """Return the format that is asked for: by the query, else by Accept, else PDF. Raises Fault: 400, 406."""
    named = (request.query.get("format") or request.query.get("accept") or "").strip().lower()
    if named:
        if named not in _FORMATS:
            raise invalid("format", "enum", "format is pdf or tiff", target=["pdf", "tiff"], value=named[:64])
        return _FORMATS[named]
    for one_type in _accepted(request.headers.get("Accept", "")):
        if one_type in _FORMATS:
            return _FORMATS[one_type]
        if one_type in _ANY:
            return MediaType.PDF
        if one_type == "image/*":
            return MediaType.TIFF
    raise Fault(406, "a fax is there as application/pdf and as image/tiff")


def _accepted(header: str) -> list[str]:
    """Return the media types of an Accept header, the most wanted first (RFC 9110, 12.5.1); q=0 means not wanted."""
    found = []
    for written in header.lower().split(","):
        name, _, parameters = written.partition(";")
        weight = re.search(r"\bq\s*=\s*([01](?:\.[0-9]*)?)", parameters)
        found.append((-float(weight[1]) if weight else -1.0, name.strip()))
    return [name for weight, name in sorted(found, key=lambda pair: pair[0]) if weight]


def _disposition(request: web.Request) -> str:
    named = request.query.get("disposition", "attachment").lower()
    if named not in {"attachment", "inline"}:
        raise invalid("disposition", "enum", "disposition is attachment or inline", target=["attachment", "inline"])
    return named
