"""A fax that waits is seen to wait at every door, with what comes next; and each door lets it go on or ends it."""

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.demo.catcher import CaughtMail
from gateway.dialects.kazoo.words import from_gregorian
from gateway.fax import State
from gateway.ids import parse_id
from tests.integration.engines import until
from tests.scenarios.installation import REALM, SENDER, Installation, installed

pytestmark = pytest.mark.full
BUSY = "+12025550001"
OPERATOR = f"operator@{REALM}"
FAST = 'retry_delay = "300ms"\n[worker]'
#: The pages are made and the line was busy long before that is told.
SLOW = 'retry_delay = "1h"\ndelay_notice = "15s"\n[limits.faxbox]\nfaxes = 1\n[worker]'
WHY = "has reached its limit of 1 faxes a day"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Installation]:
    """Nothing is tried twice within a test, and who has waited for a quarter of a minute is told so."""
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house:
        house.config.write_text(house.config.read_text().replace(FAST, SLOW))
        async with house.serving():
            yield house


async def ask(house: Installation, method: str, path: str, **request: Any) -> Any:
    """Make a request that is not refused; return its data."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {house.token}"}) as http,
        http.request(method, f"{house.http}/v2{path}", **request) as response,
    ):
        body = await response.read()
        assert response.status < 300, body
        return json.loads(body)["data"]


async def mailed(house: Installation, number: str) -> str:
    """Mail a fax; return its id."""
    identity = parse_id(re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", await house.mail(number))[0])
    return str(identity)


def kazoo(house: Installation, rest: str) -> str:
    return f"/accounts/{house.account_id.hex}/faxes/{rest}"


async def tried_once(house: Installation) -> tuple[str, datetime]:
    """A fax that has met a busy line, and when it is tried next."""
    fax_id = await mailed(house, BUSY)

    async def planned() -> bool:
        return (await house.faxes())[0].next_try_at is not None

    await until(planned, "a plan")
    next_try = (await house.faxes())[0].next_try_at
    assert next_try is not None
    return fax_id, next_try


async def test_the_next_try_is_seen_at_every_door(house: Installation) -> None:
    fax_id, next_try = await tried_once(house)
    second = next_try.replace(microsecond=0)
    status, printed = await house.run("queue", "list", "--json")
    (row,) = json.loads(printed)
    assert (status, row["tries"], datetime.fromisoformat(row["next_try_at"])) == (0, 1, next_try)
    _, printed = await house.run("queue", "show", fax_id)
    assert re.search(r"next +try 2 of 3 at ", printed), printed
    assert re.search(r"tried until +20", printed), printed
    (listed,) = await ask(house, "GET", kazoo(house, "outgoing"))
    for shown in (listed, await ask(house, "GET", kazoo(house, f"outgoing/{fax_id}"))):
        assert (shown["status"], shown["attempts"]) == ("pending", 1)
        assert from_gregorian(shown["next_attempt"]) == second
        assert shown["attempts_until"] > shown["next_attempt"]
    shown = await ask(house, "GET", f"/faxes/{fax_id}")
    assert (shown["attempts"], shown["attempts_allowed"]) == (1, 3)
    assert datetime.fromisoformat(shown["next_attempt_at"]).replace(microsecond=0) == second
    await house.until(lambda: house.mails(SENDER, "delayed"), "word of the delay")
    (mail,) = house.mails(SENDER, "delayed")
    assert "delayed - the line was busy" in mail.subject
    assert f"It is tried again at {next_try.day} {next_try:%B %Y, %H:%M} UTC." in words(mail)


async def test_a_held_fax_is_let_go_or_ended_at_every_door(house: Installation) -> None:
    await mailed(house, NUMBERS[0])  # the one fax of the day that is not held
    for (door, wish), number in zip(DOORS, NUMBERS[1:], strict=True):
        fax_id = await mailed(house, number)
        assert WHY in (await ask(house, "GET", f"/faxes/{fax_id}"))["held_reason"]
        assert WHY in (await ask(house, "GET", kazoo(house, f"outgoing/{fax_id}")))["held_reason"]
        await door(house, fax_id, wish)
        await told(house, fax_id, "receipt" if wish == "release" else "failure")
        assert len(house.sent(number)) == (wish == "release"), door.__name__


async def told(house: Installation, fax_id: str, tale: str) -> None:
    """Wait for a mail about a fax."""
    await house.until(lambda: fax_id in {mail.parsed["X-Fax-Id"] for mail in house.mails(SENDER, tale)}, tale)


async def by_link(house: Installation, fax_id: str, wish: str) -> None:
    """By the mail to the operator, who is told of the first one of a day; to look at the page changes nothing."""
    await house.until(lambda: house.mails(OPERATOR), "word to the operator")
    (mail,) = house.mails(OPERATOR)
    assert mail.parsed["X-Fax-Id"] == fax_id
    (url,) = set(re.findall(r"https?://[^/ ]+/decide/[\w-]+", words(mail)))
    async with aiohttp.ClientSession() as http:
        for _ in range(2):
            async with http.get(url) as response:
                assert (response.status, WHY in await response.text()) == (200, True)
        (fax,) = [each for each in await house.faxes() if str(each.id) == fax_id]
        assert fax.state is State.HELD
        async with http.post(url, data={"answer": wish, "seen": "held 0"}) as response:
            assert response.status == 200


async def by_cli(house: Installation, fax_id: str, wish: str) -> None:
    status, printed = await house.run("queue", wish, fax_id)
    assert status == 0, printed


async def by_kazoo(house: Installation, fax_id: str, wish: str) -> None:
    path = kazoo(house, f"outgoing/{fax_id}")
    await (ask(house, "DELETE", path) if wish == "cancel" else ask(house, "PUT", path, json={"action": "release"}))


async def by_telnyx(house: Installation, fax_id: str, wish: str) -> None:
    await ask(house, "POST", f"/faxes/{fax_id}/actions/{wish}")


def words(mail: CaughtMail) -> str:
    body = mail.parsed.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


DOORS = (
    (by_link, "release"),
    *((door, wish) for door in (by_cli, by_kazoo, by_telnyx) for wish in ("release", "cancel")),
)
NUMBERS = [f"+120255501{50 + index}" for index in range(len(DOORS) + 1)]
