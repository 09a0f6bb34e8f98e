"""Behind nginx with the site of our example: a fax goes round, large files pass, and no key stands in a log."""

import re
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest

from tests import samples
from tests.nginx import nginx, there_is_an_nginx
from tests.scenarios.installation import CLINIC, OFFICE, REALM, SENDER, Installation, installed, reserved

pytestmark = pytest.mark.full
NUMBER = "+12025550142"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Installation]:
    """A gateway that runs, and that the world reaches through nginx only."""
    if not there_is_an_nginx():
        pytest.skip("there is no nginx")
    with reserved() as port:
        async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house:
            house.front = f"http://127.0.0.1:{port}"
            house.write_settings()
            house.tell_the_carrier()
            async with nginx(tmp_path / "nginx", port, house.http), house.serving():
                yield house


def logged(house: Installation) -> str:
    """All that nginx has written, wherever."""
    return "".join(path.read_text() for path in (house.root / "nginx").glob("*.log"))


async def test_a_fax_goes_round_and_its_address_stands_in_no_log(house: Installation) -> None:
    assert (await house.mail(CLINIC, pages=2)).startswith("2.0.0 taken")
    await house.until(lambda: house.mails(SENDER, "receipt"), "the receipt")
    await house.until(lambda: house.mails(f"ward@{REALM}"), "the received fax")
    (sent,) = house.sent()
    assert sent.document is not None
    assert sent.document.pages == 2
    said = logged(house)
    assert "POST /webhooks/telnyx 200" in said
    assert "/m/" not in said


async def test_a_decision_is_made_through_it_and_its_key_stands_in_no_log(house: Installation) -> None:
    assert (await house.run("faxboxes", "update", "ward", "--daily-limit", "faxes=1"))[0] == 0
    for number in range(2):
        await house.mail(f"+1202555014{number}")
    await house.until(lambda: house.mails(f"operator@{REALM}"), "the question")
    (question,) = house.mails(f"operator@{REALM}")
    link = re.search(rf"{re.escape(house.front)}/decide/[A-Za-z0-9_-]+", question.parsed.as_string().replace("=\n", ""))
    assert link is not None
    async with aiohttp.ClientSession() as browser:
        async with browser.get(link[0]) as page:
            assert page.status == 200
            (seen,) = re.findall(r'name="seen" value="([^"]+)"', await page.text())
        async with browser.post(link[0], data={"answer": "release", "seen": seen}) as page:
            assert page.status == 200
    await house.until(lambda: len(house.mails(SENDER, "receipt")) == 2, "both receipts")
    assert link[0].rpartition("/")[2] not in logged(house)


async def test_large_documents_pass_and_a_token_in_the_url_stands_in_no_log(house: Installation) -> None:
    url = f"{house.front}/v2/accounts/{house.account_id.hex}/faxes?auth_token={house.token}"
    document = samples.pdf(1) + b"%" + b"x" * 45_000_000 + b"\n"
    async with aiohttp.ClientSession() as client:
        form = aiohttp.FormData()
        wish = f'{{"data": {{"to_number": "{NUMBER}", "from_number": "{OFFICE}"}}}}'
        form.add_field("data", wish, content_type="application/json")
        form.add_field("file", BytesIO(document), filename="large.pdf", content_type="application/pdf")
        async with client.put(url, data=form) as response:
            assert response.status in {200, 201, 202}, await response.text()
        async with client.get(f"{house.front}/metrics") as response:
            assert response.status == 403
    await house.until(lambda: house.sent(NUMBER), "the fax")
    assert house.token not in logged(house)
    assert f"PUT /v2/accounts/{house.account_id.hex}/faxes 20" in logged(house)


async def test_who_asks_is_known_and_nobody_says_himself_who_he_is(house: Installation) -> None:
    await house.mail(NUMBER)
    await house.until(lambda: house.mails(SENDER, "receipt"), "the receipt")
    (fax,) = await house.faxes()
    forged = {"X-Auth-Token": house.token, "X-Forwarded-For": "192.0.2.66"}
    connector = aiohttp.TCPConnector(local_addr=("127.0.0.5", 0))
    async with aiohttp.ClientSession(connector=connector) as client:
        url = f"{house.front}/v2/accounts/{house.account_id.hex}/faxes/outbox/{fax.id.hex}/attachment"
        async with client.get(url, headers=forged) as response:
            assert response.status == 200, await response.text()
    code, trail = await house.run("audit", "list", "--json")
    assert code == 0
    assert "127.0.0.5" in trail
    assert "192.0.2.66" not in trail
