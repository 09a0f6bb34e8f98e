"""A fax that is held is shown with its reason at the API, and released or canceled there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.account import Account
from gateway.fax import Fax, State
from tests.integration.kazoo_house import a_fax, ask, keep
from tests.integration.web_house import House, opened

WHY = "More than 100 pages today."
RELEASE = {"action": "release"}


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with opened(database_url, tmp_path) as house:
        yield house


async def held(house: House, state: State = State.HELD) -> tuple[Account, str, Fax]:
    account, token = await house.account("a.example")
    fax = a_fax(account.id, state, held_reason=WHY)
    await keep(house, fax)
    return account, token, fax


def path_of(account: Account, fax: Fax) -> str:
    return f"/v2/accounts/{account.id.hex}/faxes/outgoing/{fax.id.hex}"


@pytest.mark.parametrize(("state", "action"), [(State.HELD, "released"), (State.UNKNOWN, "resent")])
async def test_a_held_fax_shows_its_reason_and_goes_on_when_it_is_released(
    house: House, state: State, action: str
) -> None:
    account, token, fax = await held(house, state)
    _, envelope = await ask(house, path_of(account, fax), token)
    assert envelope["data"]["held_reason"] == WHY
    status, envelope = await ask(house, path_of(account, fax), token, "PUT", json=RELEASE)
    assert status == 200, envelope
    assert "held_reason" not in envelope["data"]
    (row,) = await house.rows("faxes")
    assert (row["state"], row["held_reason"]) == ("preparing", "")
    assert [job["kind"] for job in await house.rows("jobs")] == ["prepare"]
    assert [line["action"] for line in await house.rows("audit") if line["fax_id"] == fax.id][-1:] == [action]
    status, _ = await ask(house, path_of(account, fax), token, "PUT", json=RELEASE)
    assert status == 409, "it is released once"


async def test_who_may_only_send_may_not_release_what_a_limit_has_stopped(house: House) -> None:
    account, _, fax = await held(house)
    _, sender = await house.provisioning.create_token(account.id, scopes=["read", "send"])
    status, _ = await ask(house, path_of(account, fax), sender, "PUT", json=RELEASE)
    assert status == 403
    (row,) = await house.rows("faxes")
    assert row["state"] == "held"


@pytest.mark.parametrize("state", [State.HELD, State.UNKNOWN])
async def test_a_held_fax_can_be_canceled(house: House, state: State) -> None:
    account, token, fax = await held(house, state)
    status, _ = await ask(house, path_of(account, fax), token, "DELETE")
    assert status == 200
    (row,) = await house.rows("faxes")
    assert row["state"] == "canceled"
