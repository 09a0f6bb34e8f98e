"""What the tests of Kazoo's API share: asking, with a look at what every envelope must have, and faxes to ask for."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import aiohttp

from gateway.fax import FINAL, Direction, Fax, Origin, State
from gateway.ids import new_id
from gateway.store import faxes
from gateway.store.database import Tx
from tests.integration.web_house import AT, House


class Served(Protocol):
    """Where to ask."""

    client: aiohttp.ClientSession

    @property
    def origin(self) -> str: ...


async def ask(house: Served, path: str, token: str = "", method: str = "GET", **request: Any) -> tuple[int, Any]:
    """Ask and return status and envelope, after a look at what every envelope must have."""
    headers = {"X-Auth-Token": token} if token else {}
    headers |= request.pop("headers", {})
    async with house.client.request(method, f"{house.origin}{path}", headers=headers, **request) as response:
        envelope = await response.json()
        well = response.status < 400
        assert envelope["status"] == ("success" if well else "error")
        assert envelope["request_id"] == response.headers["X-Request-ID"]
        assert well or envelope["error"] == str(response.status)
        assert well or {"message", "data"} <= envelope.keys()
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Content-Type"] == "application/json"
        return response.status, envelope


def a_fax(account_id: UUID | None, state: State, direction: Direction = Direction.OUTBOUND, **changes: Any) -> Fax:
    """Return a fax in *state*."""
    outbound = direction is Direction.OUTBOUND
    fax = Fax(
        id=new_id(),
        account_id=account_id,
        application_id=None,
        faxbox_id=None,
        direction=direction,
        origin=Origin.MAIL if outbound else Origin.CARRIER,
        state=state,
        from_number="+12025550100",
        to_number="+12025550123",
        created_at=AT,
        updated_at=AT,
        finished_at=AT + timedelta(seconds=75) if state in FINAL else None,
        pages=3,
        tries_allowed=3,
        carrier_fax_id="" if outbound else new_id().hex,
    )
    return replace(fax, **changes)


async def keep(house: House, *found: Fax) -> None:
    """Put faxes into the database."""

    def unit(tx: Tx) -> None:
        for one in found:
            faxes.insert(tx, one)

    await house.db.write(unit)
