"""``/v2/api_auth``: a token for some hours, in exchange for an account's api_key."""

from datetime import timedelta

from aiohttp import web
from typing_extensions import TypedDict

from gateway.audit import Actor
from gateway.dialects import kazoo
from gateway.provisioning import Provisioning
from gateway.web.access import peer_of
from gateway.web.auth import Auth
from gateway.web.errors import Fault
from gateway.web.kazoo.answers import answered, invalid
from gateway.web.kazoo.envelope import data_of
from gateway.web.openapi import Operation

PATH = "/v2/api_auth"
#: How long such a token opens the account.
LASTS = timedelta(hours=8)


class ApiKey(TypedDict):
    api_key: str


class Opened(TypedDict):
    """What a token opens; the token itself is ``auth_token`` of the envelope."""

    account_id: str
    account_name: str
    owner_id: str
    reseller_id: str
    is_reseller: bool
    language: str
    apps: list[str]


class ApiAuth:
    """Gives tokens out."""

    def __init__(self, auth: Auth, provisioning: Provisioning) -> None:
        self._auth = auth
        self._provisioning = provisioning

    def operations(self) -> list[Operation]:
        """What is served here."""
        return [
            Operation(
                "PUT",
                PATH,
                self.create,
                tag="Kazoo: auth",
                summary="Get a token for some hours, with the account's api_key",
                body={"application/json": kazoo.Asked[ApiKey]},
                answers={201: kazoo.Success[Opened]},
                faults=kazoo.Problem,
            )
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Answer 201 with a fresh token, 401 for a key that no account has."""
        account = await self._auth.account_of_key(_api_key(await data_of(request)))
        if account is None:
            raise Fault(401, "no account has this api_key")
        actor = Actor("account", str(account.id), peer_of(request))
        _, secret = await self._provisioning.by(actor).create_token(account.id, lasts=LASTS)
        data: Opened = {
            "account_id": account.id.hex,
            "account_name": account.name,
            "owner_id": "",
            "reseller_id": account.parent_id.hex if account.parent_id else "",
            "is_reseller": False,
            "language": "en-us",
            "apps": [],
        }
        return answered(request, data, status=201, auth_token=secret)


def _api_key(data: dict[str, object]) -> str:
    api_key = data.get("api_key")
    if api_key is None:
        raise invalid("api_key", "required", "Field is required but missing")
    if not isinstance(api_key, str):
        raise invalid("api_key", "type", "Value did not match type(s): string", target="string")
    return api_key
