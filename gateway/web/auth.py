"""Who calls: the token of a request, and for which accounts it may act."""

import base64
import binascii
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

from aiohttp import web

from gateway.account import Account, Scope, Token
from gateway.errors import Refusal
from gateway.ids import digest
from gateway.store import provision
from gateway.store.database import Asked, Database, Row, one
from gateway.web.errors import Fault
from gateway.web.openapi import OPERATION

#: When a token was last used is noted at most this often.
NOTED_EVERY = timedelta(hours=1)


class Auth:
    """Looks tokens and accounts up."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def caller(self, request: web.Request) -> Token:
        """Return the token of *request*. Raises Fault: 401 without a valid one, 403 for one whose scopes do not
        include what the operation that was asked for needs."""
        token = await self.token(presented(request))
        allow(token, request[OPERATION].scope)
        return token

    async def token(self, secret: str) -> Token:
        """Return the token that *secret* opens. Raises the fault 401, the same for an unknown and an expired one."""
        row = await one(self._db, provision.token_by_digest(digest(secret))) if _possible(secret) else None
        return await self._valid(row)

    async def reach(self, secret: str, account_id: UUID, also: Asked | None = None) -> tuple[Token, list[UUID], object]:
        """Return the token that *secret* opens, the account and all that stand above it (empty when there is none),
        and the value that *also* asks for (``provision.reach``). Raises the fault 401."""
        if not _possible(secret):
            return await self._valid(None), [], None
        rows = await self._db.rows(*provision.reach(digest(secret), account_id, also))
        token = await self._valid(rows[0] if rows else None)
        return token, [row["above"] for row in rows if row["above"] is not None], rows[0]["also"]

    async def _valid(self, row: Row | None) -> Token:
        token = None if row is None else provision.token_from(row)
        now = datetime.now(UTC)
        if token is None or (token.expires_at is not None and token.expires_at <= now):
            sentence = "the token is missing, unknown or has expired; ask your administrator for one"
            raise Fault(401, sentence, headers={"WWW-Authenticate": "Bearer"})
        await self._note_use(token, now)
        return token

    async def account_of_key(self, api_key: str) -> Account | None:
        """Return the account that *api_key* belongs to, or None."""
        row = await one(self._db, provision.account_by_key_digest(digest(api_key))) if _possible(api_key) else None
        return None if row is None else provision.account_from(row)

    async def _note_use(self, token: Token, now: datetime) -> None:
        if token.last_used_at is None or token.last_used_at < now - NOTED_EVERY:
            with suppress(Refusal):  # a busy database is no reason to refuse a reader
                await self._db.write(lambda tx: provision.note_use(tx, token.id, now))


def allow(token: Token, scope: Scope | None) -> None:
    """Raise the fault 403 unless *token* opens what needs *scope*."""
    if scope is not None and not token.may(scope):
        raise Fault(403, f"the token has not the scope {scope.value}, which this needs; use another token")


def presented(request: web.Request) -> str:
    """Return the secret that a request shows, "" for none.

    In Kazoo's order: X-Auth-Token, the query's auth_token, Authorization. The last one holds it alone or behind
    ``Bearer`` or ``Basic`` (there also as the password, or as the user without a password: RFC 7617).
    """
    return named(request) or authorization(request)


def named(request: web.Request) -> str:
    """Return the secret in the places that are made for it: X-Auth-Token, and the query."""
    return (request.headers.get("X-Auth-Token") or request.query.get("auth_token") or "").strip()


def _possible(secret: str) -> bool:
    """Ours are ASCII; what cannot be written in UTF-8 (half a surrogate pair) cannot even be digested."""
    return bool(secret) and secret.isascii()


def authorization(request: web.Request) -> str:
    """Return the secret in Authorization."""
    value = request.headers.get("Authorization", "")
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        return _basic(rest.strip())
    return "" if rest else scheme


def _basic(value: str) -> str:
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return value
    return (password or user) if colon else value
