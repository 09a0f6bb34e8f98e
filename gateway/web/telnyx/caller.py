"""Who calls Telnyx's API: the account of the token, and nobody else's things."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiohttp import web

from gateway.audit import Action, Actor
from gateway.store import audit
from gateway.store.database import Tx
from gateway.web.access import peer_of
from gateway.web.auth import Auth


@dataclass(frozen=True, slots=True)
class Caller:
    """The account for which a request acts, and who is named in the audit trail."""

    account_id: UUID
    actor: Actor

    def note(self, tx: Tx, action: Action, *, fax_id: UUID | None = None, subject: str = "", **details: Any) -> None:
        """Add a line to the audit trail; last in its unit."""
        audit.note(tx, self.actor, action, account_id=self.account_id, fax_id=fax_id, subject=subject, **details)


async def caller(request: web.Request, auth: Auth) -> Caller:
    """Return who makes a request (``Authorization: Bearer``). Raises Fault: 401 without a valid
    token, 403 for one whose scopes do not include what the operation needs."""
    token = await auth.caller(request)
    return Caller(token.account_id, Actor("token", str(token.id), peer_of(request)))
