"""The address that a sender writes: which hosts lead to his faxbox, and what is kept and told of the number."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.carrier_event import Happened
from gateway.notify import DELIVER
from gateway.outbox import PREPARE, TRANSMIT
from gateway.store import schema
from tests.integration.door_house import Door, opened
from tests.integration.engines import ENGINES, rows
from tests.integration.house import REALM, said

NUMBER, SHOWN = "+12025550142", "+1 202-555-0142"
CUSTOM = "fax.ward3.example"


@pytest.fixture(params=ENGINES)
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(request, tmp_path) as one:
        yield one


async def told_in_the_receipt(door: Door) -> list[str]:
    """Have the one fax rendered, sent and delivered; return the lines of the mail to its sender."""
    house = door.house
    await house.drain(PREPARE, TRANSMIT)
    await house.hear_of(said(Happened.DELIVERED, house.sent(NUMBER)[-1].id, pages=2))
    await house.drain(DELIVER)
    (mail,) = house.mails()
    plain = mail.parsed.get_body(("plain",))
    assert plain is not None
    return str(plain.get_content()).splitlines()


@pytest.mark.parametrize(
    "written",
    ["+12025550142", "FAX=+12025550142", "2025550142", "+1-202.555-0142", "12025550142"],
)
async def test_the_number_is_kept_and_told_as_it_was_written_and_as_it_is_dialled(door: Door, written: str) -> None:
    address = f"{written}@{REALM}"
    await door.taken(address)
    assert (await door.log())["recipients"] == [{"written": address, "number": NUMBER, "domain": REALM}]
    (fax,) = await rows(door.house.db, schema.faxes)
    assert (fax["to_number"], fax["to_written"]) == (NUMBER, address)
    lines = await told_in_the_receipt(door)
    assert f"To: {SHOWN}" in [" ".join(line.split()) for line in lines]
    assert f"Address you used: {address}" in [" ".join(line.split()) for line in lines]


async def test_a_number_that_is_refused_is_kept_as_it_was_written(door: Door) -> None:
    address = f"12345@{REALM}"
    (answer,) = await door.send(address)
    assert answer.startswith("553 5.1.3 "), answer
    assert answer.endswith("like +12025550123"), "an example of what works"
    assert (await door.log())["recipients"] == [{"written": address, "number": "", "domain": ""}]


async def test_the_realm_the_faxboxs_host_and_its_own_host_all_lead_to_it(door: Door) -> None:
    house = door.house
    await house.provisioning.update_faxbox(house.faxbox.id, {"custom_host": CUSTOM})
    for number, host in enumerate((REALM, house.faxbox.host, CUSTOM, CUSTOM.upper())):
        address = f"+1202555014{number}@{host}"
        (fax_id,) = await door.taken(address)
        fax = await house.fax(fax_id)
        assert (fax.faxbox_id, fax.account_id) == (house.faxbox.id, house.account.id)
        assert (fax.to_number, fax.to_written) == (f"+1202555014{number}", address)


async def test_a_host_and_a_sender_are_known_at_once(door: Door) -> None:
    house, address = door.house, f"{NUMBER}@{CUSTOM}"
    assert (await door.send(address))[0].startswith("550 5.1.2 "), "nobody has that host yet"
    await house.provisioning.update_faxbox(house.faxbox.id, {"custom_host": CUSTOM})
    await door.taken(address, refreshed=False)
    stranger = "new@example.net"
    assert (await door.send(address, sender=stranger))[0].startswith("550 5.7.1 "), "he may not send yet"
    await house.provisioning.update_faxbox(house.faxbox.id, {"permit": [*house.faxbox.permit, stranger]})
    await door.taken(address, sender=stranger, refreshed=False)


async def test_a_host_that_is_taken_back_leads_nowhere(door: Door) -> None:
    house = door.house
    await house.provisioning.update_faxbox(house.faxbox.id, {"custom_host": CUSTOM})
    await door.taken(f"{NUMBER}@{CUSTOM}")
    await house.provisioning.update_faxbox(house.faxbox.id, {"custom_host": ""})
    (answer,) = await door.send(f"{NUMBER}@{CUSTOM}")
    assert answer == f"550 5.1.2 no faxes are sent for {CUSTOM} here; check the address"
    (answer,) = await door.send(f"{NUMBER}@ward3.{REALM}")
    assert answer.startswith("550 5.1.2 "), "what is below the realm is not the realm"
