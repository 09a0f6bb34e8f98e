"""Faxes at their end: sent anew, passed on, stripped of their documents, erased; no blob is lost that is needed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway.archive import SCRAP
from gateway.carrier_event import Happened
from gateway.errors import Kind, Refusal
from gateway.fax import Direction, Fax, Origin, State
from gateway.ids import new_id
from gateway.intake.submit import Submission, Supplied
from gateway.notify import DELIVER
from gateway.outbox import PREPARE, TRANSMIT
from gateway.store import faxes, schema
from tests import samples
from tests.integration.engines import ENGINES, rows, store
from tests.integration.house import CLINIC, NUMBER, OFFICE, SENDER, House, built, said

OTHER = "+12025550143"


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


async def delivered(house: House) -> Fax:
    """A fax of one file that has arrived, with its receipt mailed."""
    spool = house.blobs.spool()
    spool.write(samples.pdf(2))
    wish = Submission(
        account_id=house.account.id,
        application_id=house.application.id,
        origin=Origin.KAZOO,
        to=NUMBER,
        from_number=OFFICE,
        subject="About Mr. Miller",
        notify=(SENDER,),
    )
    fax = await house.submit.take(wish, [Supplied(spool)])
    await house.drain(PREPARE, TRANSMIT)
    await house.hear()
    await house.drain(DELIVER)
    return await house.fax(fax.id)


async def received(house: House) -> Fax:
    """A fax that has come, and that nobody has to be mailed any more."""
    now = datetime.now(UTC)
    fax = Fax(
        id=new_id(),
        account_id=house.account.id,
        application_id=house.application.id,
        faxbox_id=house.faxbox.id,
        direction=Direction.INBOUND,
        origin=Origin.CARRIER,
        state=State.RECEIVED,
        from_number=NUMBER,
        to_number=CLINIC,
        created_at=now,
        updated_at=now,
        pages=2,
        pages_blob=await house.blobs.put_bytes(samples.pdf(2)),
        media_type="application/pdf",
        carrier_fax_id="in-1",
    )
    await house.db.write(lambda tx: faxes.insert(tx, fax))
    return fax


async def anew(house: House, fax: Fax, **changes: Any) -> Fax:
    return await house.db.write(lambda tx: house.archive.send_anew(tx, fax.id, Origin.KAZOO, changes))


async def arrive(house: House, fax: Fax) -> Fax:
    await house.drain(PREPARE, TRANSMIT)
    await house.hear()
    await house.drain(DELIVER)
    return await house.fax(fax.id)


def blobs_there(house: House, *keys: str) -> list[bool]:
    return [house.blobs.path(key).exists() for key in keys]


async def rendering(house: House, fax: Fax) -> list[str]:
    (row,) = await rows(house.db, schema.renderings, id=fax.rendering_id)
    return [row["tiff_blob"], row["pdf_blob"], row["preview_blob"]]


async def test_a_sent_fax_goes_again_to_another_number(house: House) -> None:
    old = await delivered(house)
    new = await anew(house, old, to_written="202-555-0143", tries_allowed=4)
    assert (new.state, new.to_number, new.tries, new.tries_allowed) == (State.PREPARING, OTHER, 0, 4)
    done = await arrive(house, new)
    assert (done.state, done.pages) == (State.DELIVERED, 2)
    assert [len(house.sent(number)) for number in (NUMBER, OTHER)] == [1, 1]
    assert (await house.fax(old.id)).state is State.DELIVERED


async def test_a_received_fax_is_passed_on_and_needs_a_number_for_it(house: House) -> None:
    old = await received(house)
    with pytest.raises(Refusal, match="which number"):
        await anew(house, old)
    done = await arrive(house, await anew(house, old, to_written=OTHER, from_number=OFFICE))
    assert (done.state, done.direction, done.pages) == (State.DELIVERED, Direction.OUTBOUND, 2)


async def test_documents_that_two_faxes_share_go_with_the_last_one(house: House) -> None:
    old = await delivered(house)
    new = await arrive(house, await anew(house, old))
    source, pages = old.documents[0]["blob"], await rendering(house, old)
    assert new.rendering_id == old.rendering_id
    await house.db.write(lambda tx: house.archive.erase(tx, old.id))
    await house.drain(SCRAP)
    assert all(blobs_there(house, source, *pages))
    await house.db.write(lambda tx: house.archive.remove_documents(tx, new.id))
    await house.drain(SCRAP)
    assert not any(blobs_there(house, source, *pages))
    assert (await house.fax(new.id)).to_number == NUMBER


async def test_what_is_stripped_cannot_be_sent_again(house: House) -> None:
    fax = await delivered(house)
    await house.db.write(lambda tx: house.archive.remove_documents(tx, fax.id))
    with pytest.raises(Refusal) as refused:
        await anew(house, fax)
    assert refused.value.reason.kind is Kind.WRONG_STATE


async def test_an_erased_fax_leaves_no_trace_of_numbers_and_names(house: House) -> None:
    fax = await delivered(house)
    await house.db.write(lambda tx: house.archive.erase(tx, fax.id))
    await house.drain(SCRAP)
    assert await faxes.fetch(house.db, fax.id) is None
    assert await faxes.page(house.db) == []
    everything = [await rows(house.db, table) for table in schema.metadata.sorted_tables]
    told = [str(row) for table, found in zip(schema.metadata.sorted_tables, everything, strict=True) for row in found]
    kept = [row for row in told if NUMBER in row or "Miller" in row]
    assert kept == []


async def test_a_fax_is_erased_once(house: House) -> None:
    fax = await delivered(house)
    await house.db.write(lambda tx: house.archive.erase(tx, fax.id))
    with pytest.raises(Refusal) as refused:
        await house.db.write(lambda tx: house.archive.erase(tx, fax.id))
    assert refused.value.reason.kind is Kind.NOT_FOUND


async def test_the_carrier_does_not_bring_an_erased_fax_back(house: House) -> None:
    fax = await received(house)
    await house.db.write(lambda tx: house.archive.erase(tx, fax.id))
    await house.hear_of(said(Happened.RECEIVED, "in-1", Direction.INBOUND), said(Happened.FAILED, "in-1"))
    assert await faxes.page(house.db) == []
    assert len(await rows(house.db, schema.faxes)) == 1


@pytest.mark.parametrize("wish", ["erase", "remove_documents"])
async def test_nothing_is_removed_that_is_still_needed(house: House, wish: str) -> None:
    waiting = await house.queue()
    await refused(house, wish, waiting)
    await house.drain(TRANSMIT)
    await house.hear()
    assert (await house.fax(waiting)).state is State.DELIVERED
    await refused(house, wish, waiting)  # its receipt has not been mailed
    await house.drain(DELIVER)
    await house.db.write(lambda tx: getattr(house.archive, wish)(tx, waiting))


async def refused(house: House, wish: str, fax_id: UUID) -> None:
    with pytest.raises(Refusal) as raised:
        await house.db.write(lambda tx: getattr(house.archive, wish)(tx, fax_id))
    assert raised.value.reason.kind is Kind.WRONG_STATE
