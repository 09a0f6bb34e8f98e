"""``/v2/media``: files that a client leaves here, to fax them by name."""

import dataclasses
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from aiohttp import web

from gateway.account import Scope
from gateway.audit import Action
from gateway.dialects import telnyx
from gateway.dialects.telnyx import shapes
from gateway.dialects.telnyx.shapes import listed, success
from gateway.fetch import Fetcher, FetchError, TooLarge
from gateway.ids import new_id
from gateway.media import LASTS, MAX_BYTES, MAX_TTL, Media
from gateway.store import media
from gateway.store.blobs import Blobs, Spool
from gateway.store.database import Database, Tx
from gateway.store.pages import numbered
from gateway.web.auth import Auth
from gateway.web.errors import Fault
from gateway.web.openapi import Common, Operation, Query
from gateway.web.telnyx.answers import MISSING, OUT_OF_RANGE, answered, invalid, unknown
from gateway.web.telnyx.body import Form, Upload, reading
from gateway.web.telnyx.caller import Caller, caller
from gateway.web.telnyx.files import stream
from gateway.web.telnyx.listing import PAGING, window

PATH = "/v2/media"
ONE = PATH + "/{media_name}"
_ANY = "application/octet-stream"
FIELD = "media"
#: So many files of an account may be fetched at once by one process: each holds a connection, of which there are few.
MOST_FETCHED = 10


class MediaStorage:
    """The files of an account, by name."""

    def __init__(self, db: Database, blobs: Blobs, auth: Auth, fetcher: Fetcher) -> None:
        self._db = db
        self._blobs = blobs
        self._auth = auth
        self._fetcher = fetcher
        self._fetching: Counter[UUID] = Counter()

    def operations(self) -> list[Operation]:
        """What is served here."""
        shown = success(shapes.MEDIA)
        body = {"application/json": shapes.MEDIA_REQUEST, "multipart/form-data": shapes.MEDIA_FORM}
        common: Common = {"tag": "Telnyx: media", "faults": shapes.PROBLEM}
        read: Common = {**common, "scope": Scope.READ}
        send: Common = {**common, "scope": Scope.SEND}
        query = [*PAGING, Query("filter[content_type][]", str)]
        rows, load = listed(shapes.MEDIA), ONE + "/download"
        delete: Common = {**common, "scope": Scope.DELETE}
        return [
            Operation("GET", PATH, self.list, summary="List media", query=query, answers={200: rows}, **read),
            Operation("POST", PATH, self.create, summary="Upload a file", body=body, answers={201: shown}, **send),
            Operation("GET", ONE, self.show, summary="Show one", answers={200: shown}, **read),
            Operation("PUT", ONE, self.update, summary="Replace one", body=body, answers={200: shown}, **send),
            Operation("DELETE", ONE, self.delete, summary="Delete one", answers={204: None}, **delete),
            Operation("GET", load, self.download, summary="Its bytes", answers={200: bytes}, types=[_ANY], **read),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Answer one page of the files, the newest first."""
        who = await caller(request, self._auth)
        asked = window(request.query)
        types = request.query.getall("filter[content_type][]", []) or request.query.getall("filter[content_type]", [])
        wanted = media.listing(who.account_id, [str(telnyx.clean(each)) for each in types])
        rows, total = await numbered(self._db, wanted, limit=asked.size, offset=asked.offset)
        return answered([telnyx.media_object(media.media_from(row)) for row in rows], meta=asked.meta(total))

    async def create(self, request: web.Request) -> web.Response:
        """Take a file, from the form or from its URL, and answer 201."""
        who = await caller(request, self._auth)
        async with reading(request, self._blobs, {FIELD: MAX_BYTES}) as form:
            name = _name(form.fields)
            lasts = _lasts(form)
            upload = await self._content(who, form)
            if upload is None or not upload.spool.size:
                raise invalid("/media_url", "a file (media) or its URL (media_url) is required", MISSING)
            now = datetime.now(UTC)
            file = _with(Media(new_id(), who.account_id, name, "", "", 0, now, now, now + lasts), upload)
            taken = await self._keep(who, file, upload.spool, new=True)
        if not taken:
            raise invalid("/media_name", f"there is a file {name} already; change it by PUT, or choose another name")
        return answered(telnyx.media_object(file), status=201)

    async def show(self, request: web.Request) -> web.Response:
        """Answer what is known of one file."""
        who = await caller(request, self._auth)
        return answered(telnyx.media_object(await self._own(request, who.account_id)))

    async def update(self, request: web.Request) -> web.Response:
        """Replace the file, if one is given, and let it live on from now."""
        who = await caller(request, self._auth)
        old = await self._own(request, who.account_id)
        async with reading(request, self._blobs, {FIELD: MAX_BYTES}) as form:
            upload = await self._content(who, form)
            now = datetime.now(UTC)
            lasts = _lasts(form) if "ttl_secs" in form.fields or upload else old.expires_at - now
            file = dataclasses.replace(old, updated_at=now, expires_at=now + lasts)
            file = file if upload is None else _with(file, upload)
            kept = await self._keep(who, file, None if upload is None else upload.spool, new=False)
        if not kept:
            raise unknown("file")
        return answered(telnyx.media_object(file))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete one file; faxes that were made of it keep their pages. Answers 204."""
        who = await caller(request, self._auth)
        file = await self._own(request, who.account_id)

        def unit(tx: Tx) -> None:
            media.remove(tx, file)
            who.note(tx, Action.DELETED, subject=f"media:{file.id}")

        await self._db.write(unit)
        return web.Response(status=204)

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Answer the bytes of one file."""
        who = await caller(request, self._auth)
        file = await self._own(request, who.account_id)
        await self._db.write(lambda tx: who.note(tx, Action.DOWNLOADED, subject=f"media:{file.id}"))
        return await stream(request, self._blobs, file.blob, _ANY, file.name)

    async def _content(self, who: Caller, form: Form) -> Upload | None:
        url = form.fields.get("media_url")
        uploads = form.files.get(FIELD, [])
        if len(uploads) > 1 or (uploads and url):
            raise invalid("/media_url", "give one file, or one URL")
        if uploads or url in (None, ""):
            return uploads[0] if uploads else None
        if not isinstance(url, str):
            raise invalid("/media_url", "media_url must be one URL")
        spool = self._blobs.spool()
        fetched = Upload(spool, "", "")
        form.files.setdefault(FIELD, []).append(fetched)  # dropped with the form, if it comes to nothing
        return dataclasses.replace(fetched, media_type=await self._fetch(who.account_id, url, spool))

    async def _fetch(self, account_id: UUID, url: str, spool: Spool) -> str:
        """Write the file behind *url* and return its media type."""
        if self._fetching[account_id] >= MOST_FETCHED:
            sentence = f"{MOST_FETCHED} files are being fetched for this account; ask again when one of them is here"
            raise Fault(429, sentence, headers={"Retry-After": "10", "x-ratelimit-reset": "10"})
        self._fetching[account_id] += 1
        try:
            return (await self._fetcher.fetch(url, spool.write, MAX_BYTES)).content_type
        except TooLarge:
            raise invalid("/media_url", f"the file is larger than {MAX_BYTES:,} bytes") from None
        except FetchError as error:
            raise invalid("/media_url", f"media_url could not be fetched: {error}") from None
        finally:
            self._fetching[account_id] -= 1
            self._fetching += Counter()  # without those at 0

    async def _keep(self, who: Caller, file: Media, spool: Spool | None, *, new: bool) -> bool:
        def unit(tx: Tx) -> bool:
            done = media.insert(tx, file) if new else media.replace(tx, file)
            if done:
                who.note(tx, Action.CHANGED, subject=f"media:{file.id}")
            return done

        return await self._db.write(unit, before=[spool.seal] if spool is not None else [])

    async def _own(self, request: web.Request, account_id: UUID) -> Media:
        name = request.match_info["media_name"]
        file = await media.named(self._db, account_id, name) if name.isprintable() else None
        if file is None:
            raise unknown("file")
        return file


def _with(file: Media, upload: Upload) -> Media:
    kind = upload.media_type or _ANY
    return dataclasses.replace(file, blob=upload.spool.key, content_type=kind, size=upload.spool.size)


def _name(fields: dict[str, Any]) -> str:
    name = fields.get("media_name")
    if name in (None, ""):
        return str(new_id())
    if not isinstance(name, str) or not name.isprintable() or len(name) > 255 or "/" in name or name in (".", ".."):
        raise invalid("/media_name", "media_name must be a text of at most 255 characters without a slash")
    return name


def _lasts(form: Form) -> timedelta:
    value = form.fields.get("ttl_secs")
    if value is None:
        return LASTS
    if not form.typed and isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:12])
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_TTL:
        raise invalid("/ttl_secs", f"ttl_secs must be a whole number from 1 to {MAX_TTL}", OUT_OF_RANGE)
    return timedelta(seconds=value)
