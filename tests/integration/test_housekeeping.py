"""What has passed its time goes, and nothing goes before: by account, by settings, and whatever the clock does."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from gateway.archive import SCRAP, Archive
from gateway.errors import Refusal
from gateway.fax import Direction, State
from gateway.housekeeping import FORGET, Housekeeping, Rules
from gateway.ids import new_id
from gateway.inbox import FORWARD, RETRIEVE
from gateway.limits import Limits
from gateway.notify import DELIVER
from gateway.outbox import TRANSMIT
from gateway.store import audit, mailbag, schema
from gateway.store import events as said
from gateway.store.database import Tx
from gateway.store.folder import Folder
from tests.integration.engines import ENGINES, rows, store
from tests.integration.house import CLINIC, House, built

DAY = timedelta(days=1)


class Keeper:
    """Housekeeping on a clock of its own."""

    def __init__(self, house: House, **rules: Any) -> None:
        self.house = house
        self.ahead = timedelta()
        archive = Archive(house.db, house.blobs, Limits(["US"], ["fixed_line_or_mobile"]))
        house.stories[SCRAP] = archive.scrap
        self.keeping = Housekeeping(house.db, house.blobs, house.carrier, archive, Rules(**rules), self.now)
        house.stories[FORGET] = self.keeping.forget

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def expire(self, after: timedelta) -> int:
        """Let so much time pass, expire, and delete what is to be deleted."""
        self.ahead = after
        count = await self.keeping.expire()
        await self.house.step(SCRAP)
        return count


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


async def delivered(house: House, number: str = "+12025550142") -> UUID:
    """Send a fax to its end; its receipt waits to be mailed."""
    fax_id = await house.queue(number)
    await house.step(TRANSMIT)
    await house.hear()
    assert (await house.fax(fax_id)).state is State.DELIVERED
    return fax_id


async def received(house: House) -> UUID:
    """Let a fax come in; the mails with it wait to be sent."""
    await house.emulator.receive(CLINIC, "+16465550100", house.document)
    await house.hear()
    await house.step(RETRIEVE)
    await house.step(FORWARD)
    (fax,) = await rows(house.db, schema.faxes, direction=Direction.INBOUND.value)
    assert fax["state"] == "received"
    return UUID(str(fax["id"]))


async def blobs_of(house: House, fax_id: UUID) -> list[str]:
    fax = await house.fax(fax_id)
    tried = await house.attempts(fax_id)
    return [blob for blob in (fax.pages_blob, *(one.document_blob for one in tried)) if blob]


def gone(house: House, blob: str) -> bool:
    try:
        house.blobs.open(blob).close()
    except Refusal:
        return True
    return False


async def test_documents_go_when_their_time_has_passed_and_records_stay(house: House) -> None:
    keeper = Keeper(house, documents=30 * DAY)
    fax_id = await delivered(house)
    await house.step(DELIVER)
    blobs = await blobs_of(house, fax_id)
    assert await keeper.expire(29 * DAY) == 0
    assert not any(gone(house, blob) for blob in blobs)
    assert await keeper.expire(31 * DAY) == 1
    assert all(gone(house, blob) for blob in blobs)
    fax = await house.fax(fax_id)
    assert (fax.to_number, fax.pages_blob, fax.erased_at) == ("+12025550142", "", None)
    assert [line.action for line in await audit.page(house.db, fax_id=fax_id)] == ["expired"]
    assert await keeper.expire(32 * DAY) == 0


async def test_records_go_when_theirs_has(house: House) -> None:
    keeper = Keeper(house, records=60 * DAY)
    fax_id = await delivered(house)
    await house.step(DELIVER)
    assert await keeper.expire(61 * DAY) == 1
    (row,) = await rows(house.db, schema.faxes, id=fax_id)
    assert (row["to_number"], row["from_number"]) == ("", "")
    assert row["erased_at"] is not None


async def test_an_account_says_for_itself(house: House) -> None:
    await house.provisioning.update_account(house.account.id, keep_documents="10d")
    keeper = Keeper(house, documents=30 * DAY)
    await delivered(house)
    await house.step(DELIVER)
    assert await keeper.expire(9 * DAY) == 0
    assert await keeper.expire(11 * DAY) == 1
    await house.provisioning.update_account(house.account.id, keep_documents="forever")
    await delivered(house, "+12025550143")
    await house.step(DELIVER)
    assert await keeper.expire(9999 * DAY) == 0


async def test_a_fax_under_way_keeps_everything_however_old(house: House) -> None:
    keeper = Keeper(house, documents=DAY, records=DAY)
    waiting = await house.queue()
    told = await delivered(house, "+12025550143")  # its receipt has not been mailed
    assert await keeper.expire(9999 * DAY) == 0
    for fax_id in (waiting, told):
        assert (await house.fax(fax_id)).pages_blob


async def test_without_store_a_document_goes_with_its_receipt(house: House) -> None:
    await house.provisioning.update_account(house.account.id, keep_documents="0s")
    keeper = Keeper(house)
    fax_id = await delivered(house)
    (blob, *_) = await blobs_of(house, fax_id)
    assert await keeper.keeping.pass_on() == 0, "nobody has taken the receipt yet"
    await house.step(DELIVER)
    assert await keeper.keeping.pass_on() == 1
    await house.step(SCRAP)
    assert gone(house, blob)


async def test_without_store_a_received_fax_stays_until_everybody_has_it(house: House) -> None:
    await house.provisioning.update_account(house.account.id, keep_documents="0s")
    keeper = Keeper(house)
    fax_id = await received(house)
    first, second = await house.claim(DELIVER)
    await house.stories[DELIVER](first)
    assert await keeper.keeping.pass_on() == 0
    await house.stories[DELIVER](second)
    assert await keeper.keeping.pass_on() == 1
    assert (await house.fax(fax_id)).pages_blob == ""


async def test_a_received_fax_that_could_not_be_mailed_is_never_purged(house: House) -> None:
    keeper = Keeper(house, documents=DAY)
    await house.provisioning.update_account(house.account.id, keep_documents="0s")
    fax_id = await received(house)
    await house.step(DELIVER)
    mailed = update(schema.outgoing).where(schema.outgoing.c.fax_id == fax_id)
    await house.db.write(lambda tx: tx.execute(mailed.values(state="failed")))
    assert await keeper.keeping.pass_on() == 0
    assert await keeper.expire(9999 * DAY) == 0
    assert (await house.fax(fax_id)).pages_blob


async def test_a_received_fax_that_was_too_large_for_its_mail_is_never_purged(house: House) -> None:
    """The mail says that it is kept, and where to ask for it."""
    keeper = Keeper(house, documents=DAY)
    await house.provisioning.update_account(house.account.id, keep_documents="0s")
    house.max_attachment_bytes = 100
    house.connect()
    fax_id = await received(house)
    await house.step(DELIVER)
    assert {row["state"] for row in await rows(house.db, schema.outgoing, fax_id=fax_id)} == {"notice"}
    assert [list(mail.parsed.iter_attachments()) for mail in house.mails()] == [[], []]
    assert await keeper.keeping.pass_on() == 0
    assert await keeper.expire(9999 * DAY) == 0
    assert (await house.fax(fax_id)).pages_blob


async def test_a_fax_that_nobody_owns_waits_for_a_person(house: House) -> None:
    keeper = Keeper(house, documents=DAY, records=DAY)
    fax_id = await received(house)
    nobody = update(schema.faxes).where(schema.faxes.c.id == fax_id).values(account_id=None)
    await house.db.write(lambda tx: tx.execute(nobody))
    await house.step(DELIVER)
    assert await keeper.expire(9999 * DAY) == 0


@pytest.mark.parametrize("incoming", [False, True], ids=["sent", "received"])
async def test_a_fax_is_deleted_at_the_carrier_when_its_mails_are_taken(house: House, incoming: bool) -> None:
    keeper = Keeper(house, at_carrier=timedelta())
    await (received(house) if incoming else delivered(house))
    (fax,) = house.emulator.faxes
    assert await keeper.keeping.leave() == 0, "nobody has taken the mail yet"
    await house.step(DELIVER)
    assert await keeper.keeping.leave() == 1
    assert await keeper.keeping.leave() == 0
    await house.step(FORGET)
    assert await house.carrier.fax(str(fax.id)) is None
    assert await house.jobs(FORGET) == []


async def test_a_fax_stays_at_the_carrier_for_as_long_as_is_wished(house: House) -> None:
    keeper = Keeper(house, at_carrier=14 * DAY)
    await delivered(house)
    await house.step(DELIVER)
    keeper.ahead = 13 * DAY
    assert await keeper.keeping.leave() == 0
    keeper.ahead = 15 * DAY
    assert await keeper.keeping.leave() == 1


async def test_what_is_erased_here_is_deleted_at_the_carrier(house: House) -> None:
    keeper = Keeper(house, records=DAY, at_carrier=14 * DAY)
    await delivered(house)
    await house.step(DELIVER)
    (fax,) = house.emulator.faxes
    await keeper.expire(2 * DAY)
    assert await keeper.keeping.leave() == 1
    await house.step(FORGET)
    assert await house.carrier.fax(str(fax.id)) is None


async def test_logs_events_claims_and_tokens_go_when_their_time_has_passed(house: House) -> None:
    keeper = Keeper(house, smtplog=30 * DAY, events=30 * DAY, audit=30 * DAY)
    await delivered(house)
    _, _ = await house.provisioning.create_token(house.account.id, lasts=timedelta(seconds=1))
    line = {
        **dict.fromkeys(("listener", "peer", "helo", "tls", "user", "sender", "message_id", "subject", "reply"), ""),
        **{name: [] for name in ("recipients", "found", "errors", "fax_ids")},
        "id": new_id(),
        "account_id": house.account.id,
        "size": 1,
        "at": datetime.now(UTC),
    }

    def unit(tx: Tx) -> None:
        tx.execute(schema.smtplog.insert().values(**line))
        mailbag.first_fax(tx, "a claim", house.account.id, timedelta(minutes=5))

    await house.db.write(unit)
    tables = (schema.smtplog, schema.events, schema.submissions, schema.tokens)
    await keeper.expire(29 * DAY)
    kept = [len(await rows(house.db, table)) for table in tables]
    assert kept[0] == 1
    assert kept[1] > 0
    assert kept[2:] == [0, 1], "the mail cannot come again, and an expired token is still shown"
    await keeper.expire(32 * DAY)
    assert [len(await rows(house.db, table)) for table in tables] == [0, 0, 0, 0]
    assert (await audit.verify(house.db))[:2] == (1, None)


async def test_nothing_expires_on_the_word_of_a_clock_that_has_jumped(house: House) -> None:
    """Each step is a minute of a clock; ``jumps`` are what somebody sets it by meanwhile."""
    keeper = Keeper(house, documents=2 * DAY)
    fax_id = await delivered(house)
    await house.step(DELIVER)

    async def minutes(count: int) -> None:
        for _ in range(count):
            keeper.ahead += timedelta(minutes=10)
            await house.db.write(lambda tx: tx.execute(schema.watermarks.delete().where(said_turn())))
            await keeper.keeping.tidy()

    await minutes(3)
    for jump in (3 * DAY, -2 * DAY, 365 * DAY):
        keeper.ahead += jump
        await minutes(100)  # less than a day
        assert (await house.fax(fax_id)).pages_blob, f"purged after a jump of {jump}"
    await minutes(50)
    assert not (await house.fax(fax_id)).pages_blob


def said_turn() -> Any:
    return schema.watermarks.c.name.like("turn:%")


# -- blobs that nobody names -------------------------------------------------------------------------------------------


async def test_only_blobs_that_are_old_and_that_no_row_names_are_swept(house: House) -> None:
    folder = house.blobs
    assert isinstance(folder, Folder)
    keeper = Keeper(house)
    others = {key for key, _ in folder.names()}
    fax_id = await delivered(house)
    await received(house)
    named = {key for key, _ in folder.names()} - others
    old, young = await folder.put_bytes(b"old"), await folder.put_bytes(b"young")
    half, begun = folder.spool(), folder.spool()
    long_ago = (datetime.now(UTC) - 2 * DAY).timestamp()
    for key in {*named, old}:
        os.utime(folder.path(key), (long_ago, long_ago))
    os.utime(half.path, (long_ago, long_ago))
    await keeper.keeping.sweep()
    assert not half.path.exists()
    assert begun.path.exists()
    half.discard()
    begun.discard()
    assert {key for key, _ in folder.names()} - others == {*named, young}
    assert not any(gone(house, blob) for blob in await blobs_of(house, fax_id))


async def test_after_a_restore_nothing_is_swept_for_a_while(house: House) -> None:
    keeper = Keeper(house)
    await house.db.write(lambda tx: said.set_watermark(tx, "restored at", datetime.now(UTC)))
    keeper.ahead = 3 * DAY
    assert await keeper.keeping.sweep() == 0


async def test_of_several_processes_one_does_it(house: House) -> None:
    turns = [await house.db.write(lambda tx: said.turn(tx, "tidy", timedelta(minutes=1))) for _ in range(3)]
    assert turns == [True, False, False]
