"""``/v2/api_auth``: a token for some hours, in exchange for an account's api_key."""

from datetime import timedelta

from aiohttp import web

from gateway.provisioning import Provisioning
from gateway.web.auth import Auth
from gateway.web.body import read_json
from gateway.web.errors import Fault
from gateway.web.kazoo.answers import answered, invalid

PATH = "/v2/api_auth"
#: How long such a token opens the account.
LASTS = timedelta(hours=8)


class ApiAuth:
    """Gives tokens out."""

    def __init__(self, auth: Auth, provisioning: Provisioning) -> None:
        self._auth = auth
        self._provisioning = provisioning

    def routes(self) -> list[web.RouteDef]:
        """What is served here."""
        return [web.put(PATH, self.create)]

    async def create(self, request: web.Request) -> web.Response:
        """Answer 201 with a fresh token, 401 for a key that no account has."""
        account = await self._auth.account_of_key(_api_key(await _data(request)))
        if account is None:
            raise Fault(401, "no account has this api_key")
        _, secret = await self._provisioning.create_token(account.id, lasts=LASTS)
        data = {
            "account_id": account.id.hex,
            "account_name": account.name,
            "owner_id": "",
            "reseller_id": account.parent_id.hex if account.parent_id else "",
            "is_reseller": False,
            "language": "en-us",
            "apps": [],
        }
        return answered(request, data, status=201, auth_token=secret)


async def _data(request: web.Request) -> dict[str, object]:
    """Return ``data`` of the request's envelope. Raises Fault for what is no JSON, and no envelope."""
    try:
        envelope = await read_json(request)
    except ValueError:
        raise invalid("json", "invalid", "the body is not valid JSON", target="body") from None
    data = envelope.get("data") if isinstance(envelope, dict) else None
    if not isinstance(data, dict):
        message = 'the body must be an object with "data", which is an object'
        raise Fault(400, message, word="invalid request envelope", data={"message": message})
    return data


def _api_key(data: dict[str, object]) -> str:
    api_key = data.get("api_key")
    if api_key is None:
        raise invalid("api_key", "required", "Field is required but missing")
    if not isinstance(api_key, str):
        raise invalid("api_key", "type", "Value did not match type(s): string", target="string")
    return api_key
