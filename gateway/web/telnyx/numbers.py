"""``/v2/phone_numbers``: numbers of ours, and the application that each belongs to (its ``connection_id``).

A number's id is its digits. Numbers are bought at the carrier; a POST here (which Telnyx does not have) tells the
gateway of one.
"""

import re
from typing import Any
from uuid import UUID

from aiohttp import web

from gateway.account import Scope
from gateway.application import Number
from gateway.dialects import telnyx
from gateway.dialects.telnyx import shapes
from gateway.dialects.telnyx.shapes import listed, success
from gateway.errors import Kind, Refusal
from gateway.provisioning import Provisioning
from gateway.store import provision
from gateway.store.database import Database
from gateway.store.pages import numbered
from gateway.store.schema import applications, numbers
from gateway.web.auth import Auth
from gateway.web.errors import Fault
from gateway.web.openapi import Common, Operation, Query
from gateway.web.telnyx.answers import MISSING, NOT_E164, answered, invalid, pointed, unknown
from gateway.web.telnyx.applications import identity_of, own_application
from gateway.web.telnyx.body import read_object
from gateway.web.telnyx.caller import Caller, caller
from gateway.web.telnyx.listing import PAGING, window

PATH = "/v2/phone_numbers"
ONE = PATH + "/{id}"
E164 = re.compile(r"\+[1-9][0-9]{5,14}")
_POINTERS = {"number": "/phone_number", Kind.NUMBER_INVALID.value: "/phone_number"}


class Numbers:
    """The numbers of an account."""

    def __init__(self, db: Database, auth: Auth, provisioning: Provisioning) -> None:
        self._db = db
        self._auth = auth
        self._provisioning = provisioning

    def operations(self) -> list[Operation]:
        """What is served here."""
        shown, body = success(shapes.NUMBER), {"application/json": shapes.NUMBER_REQUEST}
        change = {"application/json": shapes.NUMBER_PATCH}
        common: Common = {"tag": "Telnyx: phone numbers", "faults": shapes.PROBLEM}
        read: Common = {**common, "scope": Scope.READ}
        manage: Common = {**common, "scope": Scope.MANAGE}
        query = [*PAGING, Query("filter[phone_number]", str), Query("filter[connection_id]", str)]
        rows = listed(shapes.NUMBER)
        return [
            Operation("GET", PATH, self.list, summary="List numbers", query=query, answers={200: rows}, **read),
            Operation("POST", PATH, self.create, summary="Register one", body=body, answers={201: shown}, **manage),
            Operation("GET", ONE, self.show, summary="Show one", answers={200: shown}, **read),
            Operation("PATCH", ONE, self.update, summary="Assign one", body=change, answers={200: shown}, **manage),
            Operation("DELETE", ONE, self.delete, summary="Forget one", answers={200: shown}, **manage),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Answer one page of the numbers, those with some digits or of one application."""
        who = await caller(request, self._auth)
        asked, query = window(request.query), request.query
        connection = query.get("filter[connection_id]", "")
        wanted = provision.numbers_like(
            who.account_id,
            contains=telnyx.clean(query.get("filter[phone_number]", "")),
            application_id=(identity_of(connection) or 0) if connection else None,
        )
        rows, total = await numbered(self._db, wanted, limit=asked.size, offset=asked.offset)
        return answered([_object(dict(row)) for row in rows], meta=asked.meta(total))

    async def create(self, request: web.Request) -> web.Response:
        """Register a number for an application of the account; answer 201."""
        who = await caller(request, self._auth)
        body = await read_object(request)
        written = body.get("phone_number")
        if written in (None, ""):
            raise invalid("/phone_number", "phone_number is required", MISSING)
        if not isinstance(written, str) or not E164.fullmatch(written):
            raise invalid("/phone_number", "phone_number must be written like +12025550123", NOT_E164)
        return answered(await self._assign(who, written, body, None), status=201)

    async def show(self, request: web.Request) -> web.Response:
        """Answer one number."""
        who = await caller(request, self._auth)
        return answered(await self._shown(await self._own(request, who.account_id)))

    async def update(self, request: web.Request) -> web.Response:
        """Give a number to another application (``connection_id``); other fields are not ours to change."""
        who = await caller(request, self._auth)
        number = await self._own(request, who.account_id)
        body = await read_object(request)
        return answered(await self._assign(who, number.e164, body, number))

    async def delete(self, request: web.Request) -> web.Response:
        """Forget a number, and answer what it was: faxes for it belong to nobody from then on."""
        who = await caller(request, self._auth)
        number = await self._own(request, who.account_id)
        shown = await self._shown(number)
        await self._provisioning.by(who.actor).delete_number(number.e164)
        return answered(shown)

    async def _assign(self, who: Caller, e164: str, body: dict[str, Any], number: Number | None) -> dict[str, Any]:
        if "connection_id" not in body and number is not None:
            return await self._shown(number)
        if body.get("connection_id") in (None, ""):
            raise invalid("/connection_id", "connection_id is required: every number has a fax application", MISSING)
        try:
            application = await own_application(self._db, who.account_id, body["connection_id"])
        except Fault:
            raise invalid("/connection_id", "connection_id is no fax application of this account") from None
        # A faxbox that the number leads to stays where it is.
        faxbox_id = None if number is None else number.faxbox_id
        try:
            rules = self._provisioning.by(who.actor)
            assigned = await rules.assign_number(e164, application.id, faxbox_id, only=who.account_id)
        except Refusal as refusal:
            raise pointed(refusal.reason, _POINTERS) from refusal
        return telnyx.number_object(assigned, application.name)

    async def _own(self, request: web.Request, account_id: UUID) -> Number:
        written = request.match_info["id"].removeprefix("+")
        known = written.isascii() and written.isdigit() and len(written) < 20
        row = await provision.fetch(self._db, numbers, f"+{written}") if known else None
        if row is None or row["account_id"] != account_id:
            raise unknown("phone number")
        return provision.number_from(row)

    async def _shown(self, number: Number) -> dict[str, Any]:
        row = await provision.fetch(self._db, applications, number.application_id)
        return telnyx.number_object(number, row["name"] if row else "")


def _object(row: dict[str, Any]) -> dict[str, Any]:
    name = row.pop("application_name")
    return telnyx.number_object(provision.number_from(row), name)
