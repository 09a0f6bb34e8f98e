"""What a request reaches: fax, faxbox and account in its path, if they belong together and to the caller."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from aiohttp import web

from gateway.audit import Action
from gateway.dialects import kazoo
from gateway.fax import Fax
from gateway.store import audit, faxes, provision
from gateway.store.database import Asked, Database
from gateway.web.auth import Auth
from gateway.web.kazoo.answers import bad_identifier
from gateway.web.kazoo.caller import Caller, caller_asking, caller_of, identity_in

FAXES = "/v2/accounts/{account_id}/faxes"
NESTED = "/v2/accounts/{account_id}/faxboxes/{faxbox_id}/faxes"


class Reach:
    """Finds what a request names, and notes in the audit trail what was done with it."""

    def __init__(self, db: Database, auth: Auth) -> None:
        self._db = db
        self._auth = auth

    async def caller(self, request: web.Request) -> Caller:
        """Return who calls, for which account. Raises Fault as ``caller_of``."""
        return await caller_of(request, self._auth)

    async def asking(self, request: web.Request, also: Callable[[UUID], Asked]) -> tuple[Caller, Any]:
        """Return who calls, and the value that *also* asks for about his account."""
        return await caller_asking(request, self._auth, also)

    async def faxbox(self, request: web.Request) -> tuple[Caller, UUID | None]:
        """Return who calls, and the faxbox in the path, None where the path names none."""
        caller = await self.caller(request)
        if "faxbox_id" not in request.match_info:
            return caller, None
        identity = identity_in(request, "faxbox_id")
        if await provision.faxbox_of(self._db, caller.account_id, identity) is None:
            raise bad_identifier(request.match_info["faxbox_id"])
        return caller, identity

    async def fax(self, request: web.Request) -> tuple[Caller, Fax]:
        """Return who calls and the fax in the path. Raises the fault 404 for one that is not there, that is another
        account's, or another faxbox's than the path says."""
        caller, faxbox_id = await self.faxbox(request)
        written = request.match_info["fax_id"]
        identity = kazoo.read_id(written)
        fax = await faxes.fetch(self._db, identity) if identity else None
        if fax is None or fax.account_id != caller.account_id or faxbox_id not in {None, fax.faxbox_id}:
            raise bad_identifier(written[:64])
        return caller, fax

    async def noted(self, caller: Caller, action: Action, fax: Fax) -> None:
        """Write into the audit trail that the caller did *action*, before he gets what he asked for."""
        account, identity = caller.account_id, fax.id
        await self._db.write(lambda tx: audit.note(tx, caller.actor, action, account_id=account, fax_id=identity))
