"""``/v2/files``: documents for whoever has a link to one, for the ten minutes that it is good."""

import asyncio
import os
from urllib.parse import quote

from aiohttp import web

from gateway import logs
from gateway.audit import Action, Actor
from gateway.dialects.telnyx import shapes
from gateway.fax import Fax
from gateway.ids import parse_id
from gateway.links import PATH, Leaf, Links
from gateway.store import audit, faxes, mailbag
from gateway.store.blobs import Blobs
from gateway.store.database import Database, one
from gateway.web.access import peer_of
from gateway.web.errors import Fault
from gateway.web.openapi import Operation, Query

log = logs.logger(__name__)
CHUNK = 1 << 18
_TYPES = {Leaf.PREVIEW_TIFF: "image/tiff", Leaf.PREVIEW_PDF: "application/pdf"}


class Files:
    """Serves what links lead to. A link needs no token, as with Telnyx."""

    def __init__(self, db: Database, blobs: Blobs, links: Links) -> None:
        self._db = db
        self._blobs = blobs
        self._links = links

    def operations(self) -> list[Operation]:
        """What is served here."""
        return [
            Operation(
                "GET",
                PATH + "/{fax_id}/{leaf}",
                self.get,
                tag="Telnyx: faxes",
                summary="What a link leads to",
                query=[Query("expires", str, required=True), Query("signature", str, required=True)],
                answers={200: bytes},
                faults=shapes.PROBLEM,
            )
        ]

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer the document of a link: 403 when it is not ours or has expired, 404 when the document is gone."""
        fax_id = parse_id(request.match_info["fax_id"])
        try:
            leaf = Leaf(request.match_info["leaf"])
        except ValueError:
            raise Fault(404, "there is no such document") from None
        query, links = request.query, await self._links.ready()
        if fax_id is None or not links.good(fax_id, leaf, query.get("expires", ""), query.get("signature", "")):
            raise Fault(403, "this link was not made here, or has expired; ask for the fax again to get a fresh one")
        fax = await faxes.fetch(self._db, fax_id)
        blob, content_type = ("", "") if fax is None else await self._document(fax, leaf)
        if fax is None or not blob:
            raise Fault(404, "the document has been removed")
        actor, account_id = Actor("link", leaf.value, peer_of(request)), fax.account_id
        await self._db.write(lambda tx: audit.note(tx, actor, Action.DOWNLOADED, account_id=account_id, fax_id=fax_id))
        name = f"{fax_id}.{'tiff' if content_type == 'image/tiff' else 'pdf'}"
        return await stream(request, self._blobs, blob, content_type, name)

    async def _document(self, fax: Fax, leaf: Leaf) -> tuple[str, str]:
        """Return the blob that is meant and its type; "" when there is none (any more)."""
        if leaf is Leaf.MEDIA or fax.rendering_id is None:
            return (fax.pages_blob, fax.media_type) if leaf is Leaf.MEDIA else ("", "")
        row = await one(self._db, mailbag.rendering(fax.rendering_id))
        column = "tiff_blob" if leaf is Leaf.PREVIEW_TIFF else "pdf_blob"
        return (str(row[column]), _TYPES[leaf]) if row else ("", "")


async def stream(request: web.Request, blobs: Blobs, blob: str, content_type: str, name: str) -> web.StreamResponse:
    """Answer a blob as a file to save, which no browser shall open as a page of ours. Raises Refusal(NOT_FOUND)."""
    with await blobs.opened(blob) as file:
        headers = {
            "Content-Type": content_type,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": "sandbox",
            "Cache-Control": "no-store",
            "Content-Length": str(os.fstat(file.fileno()).st_size),
        }
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        while request.method != "HEAD" and (chunk := await asyncio.to_thread(file.read, CHUNK)):
            await response.write(chunk)
        await response.write_eof()
    return response
