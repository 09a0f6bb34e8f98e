"""``/v2/faxes``: every fax of an account, whichever door it came through: looked at, deleted, canceled, released."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from gateway.account import Scope
from gateway.application import Application
from gateway.archive import Archive
from gateway.audit import Action
from gateway.dialects import telnyx
from gateway.dialects.telnyx import shapes
from gateway.dialects.telnyx.shapes import listed, success
from gateway.errors import Kind, refuse
from gateway.fax import Direction, Fax, State
from gateway.ids import parse_id
from gateway.links import Leaf, Links
from gateway.outbox import Command
from gateway.store import faxes, provision
from gateway.store.database import Database, Tx
from gateway.store.pages import numbered
from gateway.store.schema import applications
from gateway.web.auth import Auth
from gateway.web.openapi import Common, Operation, Query
from gateway.web.telnyx.answers import answered, unknown
from gateway.web.telnyx.caller import Caller, caller
from gateway.web.telnyx.listing import PAGING, moment, one_of, window

PATH = "/v2/faxes"
ONE = PATH + "/{id}"
_TIMES = ("gt", "gte", "lt", "lte")
_DIRECTION, _FROM, _TO = "filter[direction][eq]", "filter[from][eq]", "filter[to][eq]"
_DONE = {"result": "ok"}


class Faxes:
    """The faxes of an account."""

    def __init__(self, db: Database, auth: Auth, links: Links, archive: Archive, command: Command) -> None:
        self._db = db
        self._auth = auth
        self._links = links
        self._archive = archive
        self._command = command

    def operations(self) -> list[Operation]:
        """What is served here."""
        common: Common = {"tag": "Telnyx: faxes", "faults": shapes.PROBLEM}
        read: Common = {**common, "scope": Scope.READ}
        send: Common = {**common, "scope": Scope.SEND}
        delete: Common = {**common, "scope": Scope.DELETE}
        names = (_DIRECTION, _FROM, _TO, *(f"filter[created_at][{each}]" for each in _TIMES))
        query = [*PAGING, *(Query(name, str) for name in names)]
        rows, shown, done = listed(shapes.FAX), success(shapes.FAX), success(shapes.DONE)
        manage: Common = {**common, "scope": Scope.MANAGE}
        cancel, release, refresh = (f"{ONE}/actions/{action}" for action in ("cancel", "release", "refresh"))
        return [
            Operation("GET", PATH, self.list, summary="List faxes", query=query, answers={200: rows}, **read),
            Operation("GET", ONE, self.show, summary="Show one", answers={200: shown}, **read),
            Operation("DELETE", ONE, self.delete, summary="Delete one for good", answers={204: None}, **delete),
            Operation("POST", cancel, self.cancel, summary="Stop one", answers={202: done}, **send),
            Operation("POST", release, self.release, summary="Release one", answers={202: done}, **manage),
            Operation("POST", refresh, self.refresh, summary="Renew its links", answers={200: done}, **read),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Answer one page of the faxes, the newest first."""
        who = await caller(request, self._auth)
        asked, query = window(request.query), request.query
        direction = one_of(query, _DIRECTION, tuple(Direction))
        wanted = faxes.filtered(
            who.account_id,
            direction=Direction(direction) if direction else None,
            from_number=str(telnyx.clean(query.get(_FROM, ""))),
            to_number=str(telnyx.clean(query.get(_TO, ""))),
            created={each: moment(query, f"filter[created_at][{each}]") for each in _TIMES},
        )
        rows, total = await numbered(self._db, wanted, limit=asked.size, offset=asked.offset)
        found = [faxes.fax_from(row) for row in rows]
        return answered(await self.shown(*found), meta=asked.meta(total))

    async def show(self, request: web.Request) -> web.Response:
        """Answer one fax; its links are good from now on."""
        who = await caller(request, self._auth)
        fax = await self._own(request, who)
        await self._db.write(lambda tx: who.note(tx, Action.VIEWED, fax_id=fax.id))
        return answered((await self.shown(fax))[0])

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a fax that is at its end, with everything that was in it; answers 204."""
        who = await caller(request, self._auth)
        fax = await self._own(request, who)

        def unit(tx: Tx) -> None:
            self._archive.erase(tx, fax.id)
            who.note(tx, Action.DELETED, fax_id=fax.id)

        await self._db.write(unit)
        return web.Response(status=204)

    async def cancel(self, request: web.Request) -> web.Response:
        """Stop an outgoing fax, or have the carrier asked to: 202 says that it was taken, the end comes as an event.
        What is at its end already is 422, never 409, which the libraries would repeat."""
        who = await caller(request, self._auth)
        fax = await self._own(request, who)
        if fax.direction is Direction.INBOUND:
            raise refuse(Kind.WRONG_STATE, "a received fax cannot be canceled", str(fax.id))

        def unit(tx: Tx) -> None:
            self._command.cancel(tx, fax.id)
            who.note(tx, Action.CANCELED, fax_id=fax.id)

        await self._db.write(unit)
        return answered(_DONE, status=202)

    async def release(self, request: web.Request) -> web.Response:
        """Let a fax go on that waits for a person (``held_reason`` says why); one whose outcome is not known is sent
        again. Telnyx has nothing like it, and no faxes that wait so. Any other fax is 422."""
        who = await caller(request, self._auth)
        fax = await self._own(request, who)
        if fax.direction is Direction.INBOUND:
            raise refuse(Kind.WRONG_STATE, "a received fax cannot be released", str(fax.id))

        def unit(tx: Tx) -> None:
            now = faxes.get(tx, fax.id, lock=True) or fax
            self._command.release(tx, fax.id)
            action = Action.RESENT if now.state is State.UNKNOWN else Action.RELEASED
            who.note(tx, action, fax_id=fax.id, state=now.state.value)

        await self._db.write(unit)
        return answered(_DONE, status=202)

    async def refresh(self, request: web.Request) -> web.Response:
        """Renew the links of a fax. Every look at it makes fresh ones anyhow, so nothing is left to do but to say
        whether there is a document."""
        who = await caller(request, self._auth)
        fax = await self._own(request, who)
        if not fax.pages_blob:
            raise unknown("document of a fax")
        return answered(_DONE)

    async def shown(self, *found: Fax) -> Sequence[dict[str, Any]]:
        """Return the Fax objects of faxes."""
        links = await self._links.ready()
        wanted = {fax.application_id for fax in found if fax.application_id is not None}
        known: dict[int, Application] = {}
        for identity in wanted:
            row = await provision.fetch(self._db, applications, identity)
            if row is not None:
                known[identity] = provision.application_from(row)
        return [_shown(fax, known.get(fax.application_id or 0), links) for fax in found]

    async def _own(self, request: web.Request, who: Caller) -> Fax:
        identity = parse_id(request.match_info["id"])
        fax = None if identity is None else await faxes.fetch(self._db, identity)
        if fax is None or fax.account_id != who.account_id:
            raise unknown("fax")
        return fax


def _shown(fax: Fax, application: Application | None, links: Links) -> dict[str, Any]:
    media = preview = ""
    if fax.direction is Direction.INBOUND:
        media = links.to(fax.id, Leaf.MEDIA) if fax.state is State.RECEIVED and fax.pages_blob else ""
    elif fax.pages_blob:
        media = links.to(fax.id, Leaf.MEDIA) if fax.extra.get("store_media") else ""
        leaf = Leaf.PREVIEW_PDF if fax.extra.get("preview_format") == "pdf" else Leaf.PREVIEW_TIFF
        preview = links.to(fax.id, leaf) if fax.extra.get("store_preview") and fax.rendering_id else ""
    return telnyx.fax_object(fax, application, media=media, preview=preview)
