"""Who calls Kazoo's API, and for which account."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from aiohttp import web

from gateway.account import Token
from gateway.audit import Actor
from gateway.store.database import Asked
from gateway.web.access import peer_of
from gateway.web.auth import Auth, allow, authorization, named
from gateway.web.errors import Fault
from gateway.web.kazoo.answers import AUTH_TOKEN, bad_identifier
from gateway.web.kazoo.envelope import envelope_of, is_json
from gateway.web.openapi import OPERATION

#: 32 hex digits; with dashes it is the id by which the other API calls the same account.
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose *token* it is and which account it acts for; *actor* is his name in the audit trail."""

    token: Token
    account_id: UUID
    actor: Actor


async def caller_of(request: web.Request, auth: Auth) -> Caller:
    """Return who calls: his token's account is the one in the path, or one above it.

    Raises Fault: 401 without a valid token, 404 for what is no account, 403 for somebody else's, and 403 for a token
    whose scopes do not include what the operation needs.
    """
    return (await caller_asking(request, auth, lambda _: None))[0]


async def caller_asking(request: web.Request, auth: Auth, also: Callable[[UUID], Asked | None]) -> tuple[Caller, Any]:
    """Return who calls, as ``caller_of``, and the value that *also* asks for about his account: looked for at the same
    time, and given out only when he may see it."""
    secret = named(request) or await _enclosed(request) or authorization(request)
    written = request.match_info["account_id"]
    account_id = _identity(written)
    asked = also(account_id) if account_id else None
    token, lineage, value = await auth.reach(secret, account_id or UUID(int=0), asked)
    request[AUTH_TOKEN] = secret
    if account_id is None:
        message = f"invalid account_id '{written[:64]}'"
        raise Fault(404, message, word="bad identifier", data={"message": message})
    if not lineage:
        raise bad_identifier(written)
    if token.account_id not in lineage:
        raise Fault(403, "the token belongs to another account")
    allow(token, request[OPERATION].scope)
    return Caller(token, account_id, Actor("token", str(token.id), peer_of(request))), value


def identity_in(request: web.Request, name: str) -> UUID:
    """Return the id in the request's path. Raises the fault 404 for what cannot be one."""
    written = request.match_info[name]
    identity = _identity(written)
    if identity is None:
        raise bad_identifier(written[:64])
    return identity


@lru_cache(maxsize=1000)
def _identity(written: str) -> UUID | None:
    return UUID(written) if _ID.fullmatch(written) else None


async def _enclosed(request: web.Request) -> str:
    """Return the token that is in the envelope of a JSON request, "" for none."""
    if not request.body_exists or not is_json(request):
        return ""
    with suppress(Fault):  # what is wrong with it is told to those who may ask
        told = (await envelope_of(request)).get("auth_token")
        return told if isinstance(told, str) else ""
    return ""
