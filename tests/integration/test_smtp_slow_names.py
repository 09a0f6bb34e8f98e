"""Name servers that do not answer, or answer with more than anybody can read: only those who have them notice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.dns import LARGEST, DnsTrouble, Resolver
from gateway.intake.evidence import MOST_OF_ONE
from gateway.intake.spf import LONGEST_RECORD
from tests.integration.dns_house import Names, naming
from tests.integration.door_house import Door
from tests.integration.engines import HANG
from tests.integration.house import REALM
from tests.integration.stranger_house import answer, letter, strangers_door

OTHER = "law.example"
RECORD = "v=spf1 ip4:127.0.0.1 -all"


@pytest.fixture
def names() -> Iterator[Names]:
    with naming() as found:
        yield found


@pytest.fixture
async def door(request: pytest.FixtureRequest, tmp_path: Path, names: Names) -> AsyncIterator[Door]:
    async with strangers_door(request, tmp_path, names, patience=HANG) as one:
        await one.house.provisioning.update_faxbox(one.house.faxbox.id, {"permit": [f"*@{REALM}", f"*@{OTHER}"]})
        yield one


async def _asked(names: Names, name: str) -> None:
    async with asyncio.timeout(HANG):
        while name not in names.asked:
            await asyncio.sleep(0.01)


async def test_mails_of_a_domain_whose_name_servers_are_silent_hold_up_no_other(door: Door, names: Names) -> None:
    names.texts = {REALM: RECORD, OTHER: RECORD}
    names.silent.add(OTHER)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(3 * MOST_OF_ONE + 9))  # one for each client
    crowd = [
        asyncio.create_task(answer(door, letter(sender=f"a{which}@{OTHER}"), f"a{which}@{OTHER}"))
        for which in range(3 * MOST_OF_ONE)
    ]
    await _asked(names, OTHER)
    assert (await answer(door, letter())).startswith("250 ")
    assert not any(mail.done() for mail in crowd)
    names.silent.clear()
    assert {reply[:4] for reply in await asyncio.gather(*crowd)} == {"250 "}


async def test_a_record_that_is_too_long_proves_nobody(door: Door, names: Names) -> None:
    names.texts = {REALM: f"v=spf1 exists:%{{d}}{'.a' * LONGEST_RECORD}.example ip4:127.0.0.1 -all"}
    assert "SPF of acme.example says permerror" in await answer(door, letter())
    names.texts = {REALM: "another=" + "x" * LONGEST_RECORD}
    assert "SPF of acme.example says none" in await answer(door, letter(message_id="<2@acme.example>"))


async def test_an_answer_of_far_too_many_records_is_not_read(names: Names) -> None:
    resolver = Resolver([names.address])
    names.addresses["few.example"] = [f"192.0.2.{number}" for number in range(200)]
    names.addresses["many.example"] = names.addresses["few.example"] * 20
    assert len(await resolver.look_up("few.example", "A")) == 200
    with pytest.raises(DnsTrouble):
        await resolver.look_up("many.example", "A")


async def test_a_large_answer_is_not_kept_in_memory(names: Names) -> None:
    names.ttl = 60
    names.texts = {"small.example": "x" * 100, "large.example": "x" * LARGEST}
    resolver = Resolver([names.address])
    for name in ("small.example", "large.example"):
        assert await resolver.texts(name) == await resolver.texts(name) == [names.texts[name]]
    assert names.asked == ["small.example"] + ["large.example"] * 4  # each time by datagram and by TCP
