"""Two gateways: one is the carrier of the other. A mail into the first becomes a mail out of the second."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import parts
from gateway.fax import Direction, Origin, State
from gateway.settings import load
from gateway.store.database import open_database
from tests.scenarios.installation import CLINIC, REALM, SENDER, Installation, installed

pytestmark = pytest.mark.full
NUMBER = CLINIC.removeprefix("+")


@pytest.fixture
async def carrier(tmp_path: Path) -> AsyncIterator[Installation]:
    folder = tmp_path / "carrier"
    folder.mkdir()
    async with installed(folder, f"sqlite:///{folder}/faxgate.db") as house:
        yield house


@pytest.fixture(params=[False, True], ids=["reachable", "behind NAT"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Installation]:
    folder = tmp_path / "client"
    folder.mkdir()
    async with installed(folder, f"sqlite:///{folder}/faxgate.db", behind_nat=request.param) as house:
        yield house


async def chained(client: Installation, carrier: Installation) -> None:
    """Make *carrier* the carrier of *client*, as its operator does it: by settings alone."""
    status, key = await carrier.run("webhooks", "public-key")
    assert status == 0
    ours = client.config.read_text()
    for before, after in (
        (f'api_key = "{client.emulator.settings.api_key}"', f'api_key = "{carrier.token}"'),
        (client.emulator.base_url, f"{carrier.http}/v2"),
        (client.emulator.public_key, key.strip()),
        ('connection_id = "77"', f'connection_id = "{carrier.application.id}"'),
    ):
        assert before in ours
        ours = ours.replace(before, after)
    client.config.write_text(ours)
    await own_connection(client)
    if not client.behind_nat:
        await told_at(carrier, f"{client.http}/webhooks/telnyx")


async def own_connection(house: Installation) -> None:
    """Let the application use the connection of the settings."""
    await change(house, {"upstream_connection_id": ""})


async def told_at(house: Installation, url: str) -> None:
    """Have the events of the application go to *url*."""
    await change(house, {"webhook_event_url": url})


async def change(house: Installation, fields: dict[str, str]) -> None:
    settings = load(house.config)
    db = await open_database(settings.database.url)
    try:
        await parts.provisioning(db, settings).update_application(house.application.id, dict(fields))
    finally:
        await db.close()


async def test_a_mail_into_the_first_becomes_a_mail_out_of_the_second(
    client: Installation, carrier: Installation
) -> None:
    await chained(client, carrier)
    async with carrier.serving(), client.serving():
        assert "taken as" in await client.mail(NUMBER, pages=2)
        await carrier.until(lambda: carrier.mails(f"inbox@{REALM}", "received"), "the fax as a mail")
        await client.until(lambda: client.mails(SENDER, "receipt"), "the receipt")
        # The second one has it of the telephone network, and the first one, as its customer, of the second.
        await client.until(lambda: client.mails(f"inbox@{REALM}", "received"), "the fax as a mail, once more")
    (sent,) = carrier.sent()
    assert sent.document is not None
    assert sent.document.pages == 2
    here = {each.direction: each for each in await client.faxes()}
    fax = here[Direction.OUTBOUND]
    assert len(here) == len(await client.faxes()) == 2
    # A list, which is all that one behind NAT sees, has no count of pages.
    assert (fax.state, fax.pages_sent, fax.tries) == (State.DELIVERED, None if client.behind_nat else 2, 1)
    there = {each.direction: each for each in await carrier.faxes()}
    assert len(there) == 2
    outbound, inbound = there[Direction.OUTBOUND], there[Direction.INBOUND]
    assert (outbound.origin, outbound.state, str(outbound.id)) == (Origin.TELNYX, State.DELIVERED, fax.carrier_fax_id)
    assert (inbound.state, inbound.pages) == (State.RECEIVED, 2)
    assert here[Direction.INBOUND].carrier_fax_id == str(inbound.id)
    for house in (carrier, client):
        (mail,) = house.mails(f"inbox@{REALM}", "received")
        (attachment,) = [part for part in mail.parsed.walk() if part.get_content_type() == "application/pdf"]
        assert bytes(attachment.get_payload(decode=True) or b"").startswith(b"%PDF")


async def test_what_fails_at_the_second_comes_back_to_the_first_in_the_carriers_words(
    client: Installation, carrier: Installation
) -> None:
    await chained(client, carrier)
    async with carrier.serving(), client.serving():
        await client.mail("12025550004")
        await client.until(lambda: client.mails(SENDER, "failure"), "the failure")
    (fax,) = await client.faxes()
    assert (fax.state, fax.failure_reason) == (State.FAILED, "receiver_unallocated_number")
    assert len(carrier.sent()) == 1
