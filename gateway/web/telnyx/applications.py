"""``/v2/fax_applications``: how faxes are sent and received, and which program is told."""

from typing import Any
from uuid import UUID

from aiohttp import web

from gateway.account import Scope
from gateway.application import Application
from gateway.dialects import telnyx
from gateway.dialects.telnyx import shapes
from gateway.dialects.telnyx.shapes import listed, success
from gateway.errors import Refusal
from gateway.fetch import Fetcher
from gateway.provisioning import Provisioning
from gateway.store import provision
from gateway.store.database import Database
from gateway.store.pages import numbered
from gateway.store.schema import applications
from gateway.web.auth import Auth
from gateway.web.openapi import Common, Operation, Query
from gateway.web.telnyx.answers import (
    INVALID_URL,
    MISSING,
    answered,
    bad_query,
    invalid,
    pointed,
    problem,
    several,
    unknown,
)
from gateway.web.telnyx.body import read_object
from gateway.web.telnyx.caller import caller
from gateway.web.telnyx.listing import PAGING, SORT, order, window

PATH = "/v2/fax_applications"
ONE = PATH + "/{id}"
#: What a list may be sorted by; connection_name is what older documents call the name.
_ORDERS = {"created_at": "created_at", "application_name": "name", "connection_name": "name", "active": "active"}
_SHORTEST = 3
FILTERS = ("filter[application_name][contains]", "filter[outbound_voice_profile_id]")
_URLS = ("webhook_event_url", "webhook_event_failover_url")


class Applications:
    """The fax applications of an account."""

    def __init__(self, db: Database, auth: Auth, provisioning: Provisioning, fetcher: Fetcher) -> None:
        self._db = db
        self._auth = auth
        self._provisioning = provisioning
        self._fetcher = fetcher

    def operations(self) -> list[Operation]:
        """What is served here."""
        shown, body = success(shapes.APPLICATION), {"application/json": shapes.APPLICATION_REQUEST}
        change = {"application/json": shapes.APPLICATION_PATCH}
        common: Common = {"tag": "Telnyx: fax applications", "faults": shapes.PROBLEM}
        read: Common = {**common, "scope": Scope.READ}
        manage: Common = {**common, "scope": Scope.MANAGE}
        query = [*PAGING, SORT, *(Query(name, str) for name in FILTERS)]
        rows = listed(shapes.APPLICATION)
        return [
            Operation("GET", PATH, self.list, summary="List applications", query=query, answers={200: rows}, **read),
            Operation("POST", PATH, self.create, summary="Make one", body=body, answers={201: shown}, **manage),
            Operation("GET", ONE, self.show, summary="Show one", answers={200: shown}, **read),
            Operation("PATCH", ONE, self.update, summary="Change one", body=change, answers={200: shown}, **manage),
            Operation("DELETE", ONE, self.delete, summary="Delete one", answers={200: shown}, **manage),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Answer one page of the applications, the newest first unless ``sort`` says otherwise."""
        who = await caller(request, self._auth)
        asked, query = window(request.query), request.query
        contains = query.get("filter[application_name][contains]") or query.get("filter[connection_name][contains]", "")
        if contains and len(contains) < _SHORTEST:
            raise bad_query(FILTERS[0], f"{FILTERS[0]} must have at least {_SHORTEST} characters")
        column, descending = order(query, _ORDERS, "-created_at")
        wanted = provision.applications_like(
            who.account_id,
            contains=telnyx.clean(contains),
            profile=telnyx.clean(query.get("filter[outbound_voice_profile_id]", "")),
            order=column,
            descending=descending,
        )
        rows, total = await numbered(self._db, wanted, limit=asked.size, offset=asked.offset)
        found = [telnyx.application_object(provision.application_from(row)) for row in rows]
        return answered(found, meta=asked.meta(total))

    async def create(self, request: web.Request) -> web.Response:
        """Answer 201 with a new application; name and webhook URL must be given."""
        who = await caller(request, self._auth)
        body = await read_object(request)
        missing = [name for name in ("application_name", "webhook_event_url") if body.get(name) in (None, "")]
        if missing:
            raise several([problem(f"/{name}", f"{name} is required", MISSING) for name in missing])
        values = await self._read(body)
        try:
            made = await self._provisioning.by(who.actor).create_application(who.account_id, values)
        except Refusal as refusal:
            raise pointed(refusal.reason, telnyx.POINTERS) from refusal
        return answered(telnyx.application_object(made), status=201)

    async def show(self, request: web.Request) -> web.Response:
        """Answer one application."""
        who = await caller(request, self._auth)
        return answered(telnyx.application_object(await self._own(request, who.account_id)))

    async def update(self, request: web.Request) -> web.Response:
        """Change the fields that are given, of ``inbound`` and ``outbound`` too, and answer the application."""
        who = await caller(request, self._auth)
        application = await self._own(request, who.account_id)
        values = await self._read(await read_object(request))
        if not values:
            raise invalid("", "the body names no field that can be changed", MISSING)
        try:
            changed = await self._provisioning.by(who.actor).update_application(application.id, values)
        except Refusal as refusal:
            raise pointed(refusal.reason, telnyx.POINTERS) from refusal
        return answered(telnyx.application_object(changed))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete an application that no number and no faxbox uses, and answer what it was."""
        who = await caller(request, self._auth)
        application = await self._own(request, who.account_id)
        await self._provisioning.by(who.actor).delete_application(application.id)
        return answered(telnyx.application_object(application))

    async def _own(self, request: web.Request, account_id: UUID) -> Application:
        return await own_application(self._db, account_id, request.match_info["id"])

    async def _read(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the fields that a body has, each checked as far as that needs no database."""
        try:
            values = telnyx.application_fields(body)
        except Refusal as refusal:
            raise pointed(refusal.reason, telnyx.POINTERS) from refusal
        for name in _URLS:
            if values.get(name) and (objection := await self._fetcher.objection(values[name])):
                raise invalid(f"/{name}", f"{name} cannot be reached: {objection}", INVALID_URL)
        return values


async def own_application(db: Database, account_id: UUID, written: object) -> Application:
    """Return an application of the account by its id as a client wrote it. Raises the fault 404."""
    identity = identity_of(written)
    row = None if identity is None else await provision.fetch(db, applications, identity)
    if row is None or row["account_id"] != account_id:
        raise unknown("fax application")
    return provision.application_from(row)


def identity_of(written: object) -> int | None:
    """Return the id of an application in whichever form JSON has it, None for what cannot be one."""
    text = str(written) if isinstance(written, str | int) and not isinstance(written, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return None
    return int(text) if 0 < int(text) < 2**63 else None
