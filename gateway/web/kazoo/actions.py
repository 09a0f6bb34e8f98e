"""What is done to faxes that are there: sent again, passed on, released, canceled, deleted, stripped of documents."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from gateway.account import Scope
from gateway.archive import Archive
from gateway.audit import Action
from gateway.dialects import kazoo
from gateway.errors import Kind, refuse
from gateway.fax import Direction, Fax, Origin, State
from gateway.faxbox import Faxbox
from gateway.intake.once import Once
from gateway.outbox import Command
from gateway.outbox.text import NUMBERS as TEXTS
from gateway.provisioning import fields
from gateway.store import audit, faxes, provision
from gateway.store.database import Database, Tx
from gateway.store.schema import accounts, applications, faxboxes
from gateway.web import repeated
from gateway.web.kazoo import envelope
from gateway.web.kazoo.answers import answered, bad_identifier, invalid
from gateway.web.kazoo.caller import Caller
from gateway.web.kazoo.faxes import shows
from gateway.web.kazoo.origin import mailed, originate, texted, timezone_of
from gateway.web.kazoo.reach import FAXES, NESTED, Reach
from gateway.web.kazoo.words import speaking
from gateway.web.openapi import Common, Operation

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: The carrier dials or sends: what has begun is not stopped here.
_BEING_SENT = frozenset({State.CALLING, State.SENDING, State.UNKNOWN})
_WORDS = {"outbox": "resubmit", "inbox": "forward"}
#: Not Kazoo's, which holds nothing back.
RELEASE = "release"


class Actions:
    """Changes faxes."""

    def __init__(self, db: Database, reach: Reach, archive: Archive, command: Command) -> None:
        self._db = db
        self._reach = reach
        self._archive = archive
        self._command = command

    def operations(self) -> list[Operation]:
        """What is served here."""
        return [one for base in (FAXES, NESTED) for one in self._of(base)]

    def _of(self, base: str) -> list[Operation]:
        send: Common = {"tag": "Kazoo: outgoing", "scope": Scope.SEND, "faults": kazoo.Problem}
        fax: dict[int, Any] = {200: kazoo.Success[kazoo.OutboundFax]}
        new: dict[int, Any] = {201: kazoo.Success[kazoo.OutboundFax]}
        body = {"application/json": kazoo.FaxAction}
        gone: dict[int, Any] = {200: kazoo.Success[dict[str, Any]]}
        found = [Operation("DELETE", f"{base}/outgoing/{{fax_id}}", self.cancel, summary="Cancel", answers=fax, **send)]
        manage: Common = {**send, "scope": Scope.MANAGE}
        one = f"{base}/outgoing/{{fax_id}}"
        found.append(Operation("PUT", one, self.release, summary="Release", body=body, answers=fax, **manage))
        for name in ("outbox", "inbox"):
            path = f"{base}/{name}/{{fax_id}}"
            again: Common = {**send, "tag": f"Kazoo: {name}"}
            delete: Common = {**again, "scope": Scope.DELETE}
            word = _WORDS[name].capitalize()
            strip, strip_path = self._strip(name), f"{path}/attachment"
            found += [
                Operation("PUT", path, self._again(name), summary=word, body=body, answers=new, **again),
                Operation("DELETE", path, self._delete(name), summary="Delete", answers=gone, **delete),
                Operation("DELETE", strip_path, strip, summary="Delete the document", answers=gone, **delete),
            ]
        return found

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel a fax that waits."""
        caller, fax = await self._reached(request, "outgoing")

        def unit(tx: Tx) -> Fax:
            now = faxes.get(tx, fax.id, lock=True)
            if now is not None and now.state in _BEING_SENT and not _decided_by_people(now):
                sentence = "the fax is being sent and cannot be canceled any more"
                raise refuse(Kind.WRONG_STATE, sentence, str(fax.id))
            self._command.cancel(tx, fax.id)
            audit.note(tx, caller.actor, Action.CANCELED, account_id=caller.account_id, fax_id=fax.id)
            return faxes.get(tx, fax.id) or fax

        return answered(request, kazoo.fax_shown(await self._db.write(unit), outgoing=True))

    async def release(self, request: web.Request) -> web.Response:
        """Let a fax go on that waits for a person; one whose outcome is not known is sent again."""
        caller, fax = await self._reached(request, "outgoing")
        await _action(request, RELEASE)

        def unit(tx: Tx) -> Fax:
            now = faxes.get(tx, fax.id, lock=True) or fax
            self._command.release(tx, fax.id)
            action = Action.RESENT if now.state is State.UNKNOWN else Action.RELEASED
            audit.note(tx, caller.actor, action, account_id=caller.account_id, fax_id=fax.id, state=now.state.value)
            return faxes.get(tx, fax.id) or fax

        return answered(request, kazoo.fax_shown(await self._db.write(unit), outgoing=True))

    def _again(self, name: str) -> Handler:
        async def handler(request: web.Request) -> web.Response:
            caller, fax = await self._reached(request, name)
            given = await _action(request, _WORDS[name])
            data = kazoo.given(envelope.data_in({"data": given.get("data") or {}}))
            if name == "inbox" and not data.get("to_number"):
                raise invalid("to_number", "required", "say which number the fax shall be passed on to")
            wish, once = envelope.read_as(kazoo.FaxChanges, data), repeated.named(request, caller.account_id)
            with speaking(kazoo.FAX_PATHS, number="to_number", rule="invalid"):
                new = await self._db.write(lambda tx: self._sent_anew(tx, caller, fax, wish, once))
            shown = kazoo.fax_shown(new)
            return answered(request, shown, status=201, location=kazoo.plain_id(new.id))

        return handler

    def _sent_anew(self, tx: Tx, caller: Caller, fax: Fax, wish: kazoo.FaxChanges, once: Once | None) -> Fax:
        box = _box(tx, fax)
        country = str((provision.look(tx, accounts, caller.account_id) or {})["country"])
        passed_on = fax.direction is Direction.INBOUND
        own = (box.caller_id if box else "") or fax.to_number
        written = wish.from_number or (own if passed_on else fax.from_number)
        origination = originate(tx, caller.account_id, country, written, box)
        again = not passed_on and "notifications" not in wish.model_fields_set
        texts = fax.extra.get(TEXTS, []) if again else texted(wish, country)
        kept = {} if passed_on else fax.extra.get(kazoo.FAX_KEPT, {})
        changes = {
            **(_first_sender(box) if passed_on else {}),
            **_changes(wish),
            "from_number": origination.number,
            "application_id": origination.application_id,
            "extra": {kazoo.FAX_KEPT: kazoo.merged(kept, kazoo.as_kept(wish)), TEXTS: texts},
        }

        def also(tx: Tx, new: Fax) -> None:
            _active(tx, new)
            origination.stop(tx, self._command, new)
            audit.note(tx, caller.actor, Action.RESENT, account_id=caller.account_id, fax_id=fax.id, new=str(new.id))

        return self._archive.send_anew(tx, fax.id, Origin.KAZOO, changes, also, once)

    def _delete(self, name: str) -> Handler:
        async def handler(request: web.Request) -> web.Response:
            caller, fax = await self._reached(request, name)

            def unit(tx: Tx) -> None:
                self._archive.erase(tx, fax.id)
                audit.note(tx, caller.actor, Action.DELETED, account_id=caller.account_id, fax_id=fax.id)

            await self._db.write(unit)
            return answered(request, kazoo.deleted(kazoo.fax_shown(fax)))

        return handler

    def _strip(self, name: str) -> Handler:
        async def handler(request: web.Request) -> web.Response:
            caller, fax = await self._reached(request, name)

            def unit(tx: Tx) -> None:
                now = faxes.get(tx, fax.id, lock=True)
                if now is not None and not (now.pages_blob or now.documents or now.source):
                    raise refuse(Kind.WRONG_STATE, "the document of this fax has been removed already", str(fax.id))
                self._archive.remove_documents(tx, fax.id)
                account_id = caller.account_id
                audit.note(tx, caller.actor, Action.DELETED, account_id=account_id, fax_id=fax.id, subject="document")

            await self._db.write(unit)
            return answered(request, {})

        return handler

    async def _reached(self, request: web.Request, name: str) -> tuple[Caller, Fax]:
        caller, fax = await self._reach.fax(request)
        if not shows(name, fax):
            raise bad_identifier(request.match_info["fax_id"][:64])
        return caller, fax


def _decided_by_people(fax: Fax) -> bool:
    """Whether it is not known if a fax was sent, and a person has been asked."""
    return fax.state is State.UNKNOWN and fax.held_reason != ""


async def _action(request: web.Request, word: str) -> dict[str, Any]:
    """Return the envelope of a request that asks for the action *word*."""
    given = await envelope.envelope_of(request)
    action = given.get("action") or request.query.get("action")
    if not action:
        raise invalid("action", "required", "action required")
    if action != word:
        raise invalid("action", "enum", "invalid action", target=[word])
    return given


def _box(tx: Tx, fax: Fax) -> Faxbox | None:
    row = provision.look(tx, faxboxes, fax.faxbox_id)
    return None if row is None else provision.faxbox_from(row)


def _first_sender(box: Faxbox | None) -> dict[str, Any]:
    """Return what a received fax that is passed on has for the first time: a sender of ours."""
    return {
        "from_name": box.caller_name if box else "",
        "to_name": "",
        "header": "",
        "identity": "",
        "timezone": "",
        "notify": [],
        "tries_allowed": 1,
    }


def _changes(wish: kazoo.FaxChanges) -> dict[str, Any]:
    """Return the fields of ``Fax`` that a client wants to be different."""
    given = wish.model_fields_set
    told = {
        "to_number": ("to_written", wish.to_number),
        "from_name": ("from_name", wish.from_name or ""),
        "to_name": ("to_name", wish.to_name or ""),
        "subject": ("subject", wish.subject or ""),
        "retries": ("tries_allowed", max(1, wish.retries or 1)),
        "fax_identity_name": ("header", wish.fax_identity_name or ""),
        "fax_identity_number": ("identity", wish.fax_identity_number or ""),
    }
    changes: dict[str, Any] = {ours: value for theirs, (ours, value) in told.items() if theirs in given}
    if given & {"fax_timezone", "timezone"}:
        changes["timezone"] = fields.optional_timezone("timezone", timezone_of(wish))
    if "notifications" in given:
        changes["notify"] = mailed(wish)
    return changes


def _active(tx: Tx, fax: Fax) -> None:
    row = provision.look(tx, applications, fax.application_id)
    if row is None or not row["active"]:
        sentence = "sending is switched off for the application of this number; activate it first"
        raise refuse(Kind.APPLICATION_INACTIVE, sentence, str(fax.application_id))
