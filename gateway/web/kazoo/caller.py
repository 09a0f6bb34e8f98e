"""Who calls Kazoo's API, and for which account."""

import re
from uuid import UUID

from aiohttp import web

from gateway.web.auth import Auth, presented
from gateway.web.errors import Fault
from gateway.web.kazoo.answers import AUTH_TOKEN, bad_identifier

#: 32 hex digits; with dashes it is the id by which the other API calls the same account.
_ACCOUNT_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


async def account_of(request: web.Request, auth: Auth) -> UUID:
    """Return the account in the request's path, for which its token may act: its own, or one below it.

    Raises Fault: 401 without a valid token, 404 for what is no account, 403 for somebody else's.
    """
    secret = presented(request)
    token = await auth.token(secret)
    request[AUTH_TOKEN] = secret
    written = request.match_info["account_id"]
    if not _ACCOUNT_ID.fullmatch(written):
        message = f"invalid account_id '{written[:64]}'"
        raise Fault(404, message, word="bad identifier", data={"message": message})
    account_id = UUID(written)
    lineage = await auth.lineage(account_id)
    if not lineage:
        raise bad_identifier(written)
    if token.account_id not in lineage:
        raise Fault(403, "the token belongs to another account")
    return account_id
