"""``PUT .../faxes`` and ``PUT .../faxes/outgoing``: a fax is sent.

Its document comes along as parts of a multipart body, in any order with the JSON and of any number, or is named by a
URL, which the worker fetches.
"""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from gateway.account import Scope
from gateway.audit import Action
from gateway.dialects import kazoo
from gateway.fax import Fax, Origin
from gateway.faxbox import Faxbox
from gateway.fetch import Fetcher
from gateway.intake.once import Once
from gateway.intake.submit import Remote, Submission, Submit, Supplied
from gateway.outbox import Command
from gateway.outbox.text import NUMBERS as TEXTS
from gateway.provisioning import fields
from gateway.store import audit, provision
from gateway.store.blobs import Blobs
from gateway.store.database import Database, Tx
from gateway.store.schema import accounts
from gateway.web import repeated
from gateway.web.errors import Fault
from gateway.web.kazoo import envelope
from gateway.web.kazoo.answers import answered, invalid
from gateway.web.kazoo.caller import Caller
from gateway.web.kazoo.origin import Origination, mailed, originate, texted, timezone_of
from gateway.web.kazoo.reach import FAXES, NESTED, Reach
from gateway.web.kazoo.words import speaking
from gateway.web.openapi import Common, Operation
from gateway.web.uploads import received

_FILES = {"application/pdf", "application/x-pdf", "image/tiff"}
_NO_DOCUMENT = "add document url or upload a document"
#: How OpenAPI is told of parts: the names do not matter, their types do.
_PARTS = {"type": "object", "properties": {"content": {"type": "array", "items": {"type": "string"}}}}


class Create:
    """Takes faxes."""

    def __init__(
        self, db: Database, blobs: Blobs, reach: Reach, submit: Submit, command: Command, fetcher: Fetcher | None
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._reach = reach
        self._submit = submit
        self._command = command
        self._fetcher = fetcher

    def operations(self) -> list[Operation]:
        """What is served here."""
        common: Common = {"tag": "Kazoo: outgoing", "scope": Scope.SEND, "faults": kazoo.Problem}
        wish = kazoo.Asked[kazoo.FaxWish]
        body = {"application/json": wish, "multipart/mixed": _PARTS, "multipart/form-data": _PARTS}
        answers = {201: kazoo.Success[kazoo.OutboundFax]}
        return [
            Operation("PUT", f"{base}{end}", self.create, summary="Send a fax", body=body, answers=answers, **common)
            for base in (FAXES, NESTED)
            for end in ("", "/outgoing")
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Answer 201 once the fax is safe; it has no document yet when that is named by a URL."""
        caller, faxbox_id = await self._reach.faxbox(request)
        box = await provision.faxbox_of(self._db, caller.account_id, faxbox_id) if faxbox_id else None
        once = repeated.named(request, caller.account_id)
        if envelope.is_json(request):
            fax = await self._take(caller, box, await envelope.data_of(request), [], once)
        elif request.content_type.startswith("multipart/") or request.content_type in _FILES:
            async with received(request, self._blobs) as upload:
                fax = await self._take(caller, box, _data_of(upload.values), upload.files, once)
        else:
            raise envelope.unsupported(request)
        shown = kazoo.fax_shown(fax)
        return answered(request, shown, status=201, location=kazoo.plain_id(fax.id))

    async def _take(
        self, caller: Caller, box: Faxbox | None, data: dict[str, Any], files: list[Supplied], once: Once | None
    ) -> Fax:
        box = box or await self._named_box(caller, data)
        data = kazoo.merged({}, kazoo.given(data))  # null: not given
        if box is not None:
            data = {**kazoo.wish_defaults(box), **data}
        wish = envelope.read_as(kazoo.FaxWish, data)
        documents: Sequence[Supplied | Remote] = files or [self._remote(wish)]
        account = await provision.fetch(self._db, accounts, caller.account_id)
        assert account is not None
        with speaking(kazoo.FAX_PATHS):
            more = _checked(wish)
        origination = await self._db.write(
            lambda tx: originate(tx, caller.account_id, account["country"], wish.from_number, box)
        )
        submission = Submission(
            account_id=caller.account_id,
            application_id=origination.application_id,
            faxbox_id=box.id if box else None,
            origin=Origin.KAZOO,
            to=wish.to_number,
            from_number=origination.number,
            tries=max(1, wish.retries or 1),
            extra={kazoo.FAX_KEPT: kazoo.as_kept(wish), TEXTS: texted(wish, account["country"])},
            **more,
        )
        return await self._submitted(caller, submission, documents, origination, once)

    async def _submitted(
        self,
        caller: Caller,
        submission: Submission,
        documents: Sequence[Supplied | Remote],
        origination: Origination,
        once: Once | None,
    ) -> Fax:
        def also(tx: Tx, fax: Fax) -> None:
            origination.stop(tx, self._command, fax)
            audit.note(tx, caller.actor, Action.SENT, account_id=fax.account_id, fax_id=fax.id)

        with speaking(kazoo.FAX_PATHS, number="document.to_number", rule="required"):
            return await self._submit.take(submission, documents, also, once)

    async def _named_box(self, caller: Caller, data: dict[str, Any]) -> Faxbox | None:
        """Return the faxbox that ``data`` names."""
        named = data.get("faxbox_id")
        if not named:
            return None
        identity = kazoo.read_id(named) if isinstance(named, str) else None
        box = await provision.faxbox_of(self._db, caller.account_id, identity) if identity else None
        if box is None:
            raise invalid("faxbox_id", "invalid", "the account has no such faxbox")
        return box

    def _remote(self, wish: kazoo.FaxWish) -> Remote:
        document = wish.document
        if document is None or not document.url:
            raise invalid("document.url", "required", _NO_DOCUMENT)
        if self._fetcher is not None and not self._fetcher.may_reach(document.url):
            message = "this host is not on the public internet, and its network is not allowed here"
            raise invalid("document.url", "forbidden", message)
        headers = {"Host": document.host, "Referer": document.referer, "Content-Type": document.content_type}
        if document.method == "post" and not document.content_type:
            headers["Content-Type"] = "text/plain"
        kept = {name: value for name, value in headers.items() if value}
        return Remote(document.url, document.method, document.content, kept, document.url.rpartition("/")[2][:255])


def _data_of(values: list[object]) -> dict[str, Any]:
    """Return ``data`` of the one part that is JSON; without any, what is missing is told field by field."""
    if len(values) > 1:
        raise Fault(400, "the request has several JSON parts; send one, with the fax in it")
    return envelope.data_in(envelope.opened(envelope.checked(values[0]))) if values else {}


def _checked(wish: kazoo.FaxWish) -> dict[str, Any]:
    """Return the fields of a submission that are as the client says. Raises Refusal naming the field."""
    return {
        "from_name": wish.from_name or "",
        "to_name": wish.to_name or "",
        "subject": wish.subject or "",
        "header": wish.fax_identity_name or "",
        "identity": wish.fax_identity_number or "",
        "timezone": fields.optional_timezone("timezone", timezone_of(wish)),
        "notify": tuple(mailed(wish)),
    }
