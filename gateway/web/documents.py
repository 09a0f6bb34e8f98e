"""Documents for the carrier: ``/m/{token}`` serves the document of one attempt while the attempt is open.

Whether the carrier fetched a document is evidence that it has the fax. So each GET is noted, and the note is committed
before the first byte is served; without the note nothing is served. A HEAD transfers no document and is not noted: a
document that was only looked at can still be withdrawn.
"""

import os
from typing import BinaryIO

from aiohttp import web

from gateway import crashpoint, logs
from gateway.attempt import OPEN, Attempt, Handle
from gateway.document import MediaType
from gateway.errors import Refusal
from gateway.ids import digest
from gateway.store import attempts, schema
from gateway.store.blobs import Blobs
from gateway.store.database import Database, one
from gateway.web.errors import Fault, or_come_again
from gateway.web.ranges import serve

log = logs.logger(__name__)
PATH = "/m/{token:[A-Za-z0-9_-]{1,64}}"
#: How long the database may take, in seconds.
PATIENCE = 8.0


class Documents:
    """Serves documents to whoever knows their token."""

    def __init__(self, db: Database, blobs: Blobs) -> None:
        self._db = db
        self._blobs = blobs

    def routes(self) -> list[web.RouteDef]:
        """What is served here."""
        return [web.get(PATH, self.get, allow_head=False), web.head(PATH, self.head)]

    async def head(self, request: web.Request) -> web.StreamResponse:
        """Say what a GET would: 404 for a token that was never given out, 410 for one whose attempt has ended."""
        attempt = await self._known(request.match_info["token"])
        with await self._opened(attempt) as file:
            total = os.fstat(file.fileno()).st_size
        return web.Response(headers=_headers(attempt) | {"Content-Length": str(total)})

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Note the fetch and serve the document, or the range of it that is asked for (RFC 9110, section 14)."""
        token = request.match_info["token"]
        # Looked at first: strangers who guess tokens shall not make the database write.
        await self._known(token)
        attempt = await or_come_again(self._db.write(lambda tx: attempts.record_fetch(tx, token)), PATIENCE)
        crashpoint.reach("document.fetched")
        if attempt is None:
            raise _gone()
        log.info("the carrier fetches a document", fax=str(attempt.fax_id), attempt=str(attempt.id))
        with await self._opened(attempt) as file:
            return await serve(request, file, _headers(attempt))

    async def _known(self, token: str) -> Attempt:
        mine = (schema.attempts.c.handle == token) & (schema.attempts.c.handle_kind == Handle.TOKEN.value)
        row = await or_come_again(one(self._db, schema.attempts.select().where(mine)), PATIENCE)
        if row is None:
            raise Fault(404, "there is no such document")
        attempt = attempts.attempt_from(row)
        if attempt.revoked_at is not None or attempt.state not in OPEN:
            raise _gone()
        return attempt

    async def _opened(self, attempt: Attempt) -> BinaryIO:
        try:
            return await self._blobs.opened(attempt.document_blob)
        except Refusal as refusal:
            if refusal.reason.temporary:
                raise  # 503: it comes again
            log.warning("the document of an open attempt is missing", attempt=str(attempt.id))
            raise _gone() from refusal


def _headers(attempt: Attempt) -> dict[str, str]:
    return {
        "Content-Type": MediaType.PDF.value,
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
        # A blob never changes; its key is the name of a file and stays inside.
        "ETag": f'"{digest(attempt.document_blob)[:32]}"',
    }


def _gone() -> Fault:
    return Fault(410, "this document is not served any more")
