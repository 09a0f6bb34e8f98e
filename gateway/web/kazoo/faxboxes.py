"""``/v2/accounts/{account_id}/faxboxes``: who may send by mail, with which number, and who gets what."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from gateway.account import Scope
from gateway.dialects import kazoo
from gateway.faxbox import Faxbox
from gateway.provisioning import Provisioning
from gateway.store import provision
from gateway.store.database import Database
from gateway.web.auth import Auth
from gateway.web.kazoo.answers import answered, bad_identifier
from gateway.web.kazoo.caller import Caller, caller_of, identity_in
from gateway.web.kazoo.envelope import data_of, read_as
from gateway.web.kazoo.listing import PAGING, found, wish
from gateway.web.kazoo.words import speaking
from gateway.web.openapi import Common, Operation

PATH = "/v2/accounts/{account_id}/faxboxes"
ONE = PATH + "/{faxbox_id}"


class Faxboxes:
    """Lists, shows, makes, changes and deletes the faxboxes of an account."""

    def __init__(self, db: Database, auth: Auth, provisioning: Provisioning) -> None:
        self._db = db
        self._auth = auth
        self._provisioning = provisioning

    def operations(self) -> list[Operation]:
        """What is served here."""
        rows, shown = kazoo.Listed[kazoo.FaxboxShown], kazoo.Success[kazoo.FaxboxShown]
        whole = {"application/json": kazoo.Asked[kazoo.FaxboxWish]}
        some = {"application/json": kazoo.Asked[kazoo.FaxboxPatch]}

        common: Common = {"tag": "Kazoo: faxboxes", "faults": kazoo.Problem}
        read: Common = {**common, "scope": Scope.READ}
        manage: Common = {**common, "scope": Scope.MANAGE}
        return [
            Operation("GET", PATH, self.list, summary="List faxboxes", query=PAGING, answers={200: rows}, **read),
            Operation("PUT", PATH, self.create, summary="Make a faxbox", body=whole, answers={201: shown}, **manage),
            Operation("GET", ONE, self.show, summary="Show one", answers={200: shown}, **read),
            Operation("POST", ONE, self.replace, summary="Replace one", body=whole, answers={200: shown}, **manage),
            Operation("PATCH", ONE, self.merge, summary="Change one", body=some, answers={200: shown}, **manage),
            Operation("DELETE", ONE, self.delete, summary="Delete one", answers={200: shown}, **manage),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Answer one page of the faxboxes, each whole."""
        caller = await caller_of(request, self._auth)
        rows, page = await found(
            wish(request),
            lambda stretch: provision.faxboxes_page(self._db, caller.account_id, stretch),
            kazoo.faxbox_shown,
            lambda box: (box.created_at, box.id),
            lambda box: box.updated_at,
        )
        return answered(request, rows, page=page)

    async def show(self, request: web.Request) -> web.Response:
        """Answer one faxbox."""
        caller = await caller_of(request, self._auth)
        box = await provision.faxbox_of(self._db, caller.account_id, identity_in(request, "faxbox_id"))
        if box is None:
            raise bad_identifier(request.match_info["faxbox_id"])
        return _answered(request, box)

    async def create(self, request: web.Request) -> web.Response:
        """Make a faxbox, which has a mail host of its own and takes mails at once."""
        caller = await caller_of(request, self._auth)
        fields = kazoo.faxbox_changes(read_as(kazoo.FaxboxWish, _given(await data_of(request))))
        with speaking(kazoo.FAXBOX_PATHS, number="caller_id"):
            box = await self._provisioning.by(caller.actor).create_faxbox(caller.account_id, fields)
        return _answered(request, box, status=201)

    async def replace(self, request: web.Request) -> web.Response:
        """Make a faxbox what is sent: a field that is not sent is gone."""
        caller = await caller_of(request, self._auth)
        given = _given(await data_of(request))
        return await self._change(request, caller, lambda box: kazoo.faxbox_replaced(given, box))

    async def merge(self, request: web.Request) -> web.Response:
        """Change the fields that are sent; null takes one away."""
        caller = await caller_of(request, self._auth)
        given = _given(await data_of(request))
        return await self._change(request, caller, lambda box: kazoo.faxbox_merged(given, box))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a faxbox; its faxes stay."""
        caller = await caller_of(request, self._auth)
        rules = self._provisioning.by(caller.actor)
        box = await rules.delete_faxbox(identity_in(request, "faxbox_id"), account_id=caller.account_id)
        return answered(request, {**kazoo.faxbox_shown(box), "_read_only": {"deleted": True}})

    async def _change(
        self, request: web.Request, caller: Caller, wanted: Callable[[Faxbox], dict[str, Any]]
    ) -> web.Response:
        def changes(box: Faxbox) -> dict[str, Any]:
            return kazoo.faxbox_changes(read_as(kazoo.FaxboxWish, wanted(box)), box)

        identity = identity_in(request, "faxbox_id")
        with speaking(kazoo.FAXBOX_PATHS, number="caller_id"):
            rules = self._provisioning.by(caller.actor)
            box = await rules.update_faxbox(identity, changes, account_id=caller.account_id)
        return _answered(request, box)


def _given(data: dict[str, Any]) -> dict[str, Any]:
    return kazoo.public(data, "smtp_email_address")


def _answered(request: web.Request, box: Faxbox, *, status: int = 200) -> web.Response:
    shown = kazoo.faxbox_shown(box)
    location = shown["id"] if status == 201 else ""
    return answered(request, shown, status=status, metadata={"custom_smtp_address": box.host}, location=location)
