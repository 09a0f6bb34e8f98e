"""Two at once about one received fax, one mail or one account: on PostgreSQL these really run at once.

A unit that had to be run again after a deadlock fails its test.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway.carrier_event import Happened
from gateway.events import EVENT
from gateway.fax import Direction, Fax, Origin, State
from gateway.ids import new_id
from gateway.inbox import FORWARD, RETRIEVE
from gateway.outbox import TRANSMIT
from gateway.store import faxes, mailbag, postgres, schema
from gateway.store.database import Tx
from gateway.telling import Tale
from tests.integration.engines import BOTH, HANG, rows, store
from tests.integration.house import CLINIC, House, built, said

CALLER = "+12125550199"
TRIALS = 8


@pytest.fixture(params=BOTH)
async def house(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setattr(postgres, "RETRIES", 1)
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        house.emulator.faults.drop_webhooks = True
        yield house


async def at_once(*work: Any) -> list[Any]:
    async with asyncio.timeout(HANG):
        return await asyncio.gather(*work)


async def test_the_first_events_of_a_new_fax_taken_by_two_workers_make_one_fax(house: House) -> None:
    told: dict[str, Any] = {"from_number": CALLER, "to_number": CLINIC, "connection_id": "77"}
    for number in range(TRIALS):
        for happened in (Happened.RECEIVING, Happened.PROCESSING, Happened.RECEIVED, Happened.RECEIVED):
            await house.events.record(said(happened, f"c{number}", Direction.INBOUND, **told), "webhook")
        await at_once(*[house.stories[EVENT](job) for job in await house.claim(EVENT)])
        (fax,) = await rows(house.db, schema.faxes, carrier_fax_id=f"c{number}")
        assert fax["state"] == "processing"
    assert len(await house.jobs(RETRIEVE)) == TRIALS
    assert {row["fax_id"] is not None for row in await rows(house.db, schema.events)} == {True}


async def test_the_same_event_delivered_twice_at_once_is_kept_once(house: House) -> None:
    event = said(Happened.RECEIVING, "c1", Direction.INBOUND, from_number=CALLER, to_number=CLINIC)
    outcomes = await at_once(*[house.events.record(event, "webhook") for _ in range(6)])
    assert sorted(outcomes) == [False] * 5 + [True]
    assert len(await house.jobs(EVENT)) == 1


async def test_a_fax_assigned_when_its_document_is_stored_is_mailed_on_whoever_was_first(house: House) -> None:
    for number in range(TRIALS):
        fax_id = await house.queue(
            direction=Direction.INBOUND,
            state=State.PROCESSING,
            account_id=None,
            application_id=None,
            faxbox_id=None,
            carrier_fax_id=f"c{number}",
        )
        await house.db.write(lambda tx: tx.execute(schema.jobs.update().values(kind=RETRIEVE)))
        (job,) = await house.claim(RETRIEVE)
        await at_once(keep(house, fax_id, job), assign(house, fax_id))
        forwards = [row for row in await house.jobs(FORWARD) if row["subject"] == str(fax_id)]
        assert len(forwards) == 1
        for table in (schema.jobs, schema.holds):
            await house.db.write(lambda tx, table=table: tx.execute(table.delete()))  # type: ignore[misc]  # called at once


async def keep(house: House, fax_id: UUID, job: Any) -> None:
    fax = await house.fax(fax_id)
    with house.blobs.open(fax.pages_blob) as file:
        found = await house.sandbox.inspect(file.fileno())
    await house.db.write(lambda tx: house.inbox._keep(tx, job, fax, (found, False), fax.pages_blob))


async def assign(house: House, fax_id: UUID) -> None:
    await house.db.write(lambda tx: house.inbox.assign(tx, fax_id, house.faxbox.id))


async def test_faxes_of_one_faxbox_that_end_at_once_do_not_wait_for_each_other_in_a_circle(house: House) -> None:
    """Each ends with mails whose text names the faxbox, the application and the account."""
    for _ in range(TRIALS):
        for number in range(2):
            await house.queue(f"+1202555400{number}")
        await house.step(TRANSMIT)
        for sent in house.emulator.faxes[-2:]:
            await house.events.record(said(Happened.DELIVERED, sent.id), "webhook")
        failure = {"from_number": CALLER, "to_number": CLINIC, "failure_reason": "fax_signaling_error"}
        for _ in range(2):
            await house.events.record(said(Happened.FAILED, str(new_id()), Direction.INBOUND, **failure), "webhook")
        claimed = await house.claim(EVENT)
        provisioned = house.provisioning.update_faxbox(house.faxbox.id, {"caller_name": "Ward"})
        await at_once(provisioned, *[house.stories[EVENT](job) for job in claimed])
    assert len(await house.told(Tale.RECEIPT)) == 2 * TRIALS
    assert len(await house.told(Tale.RECEPTION_FAILED)) == 4 * TRIALS


@pytest.mark.parametrize("earlier", [None, State.FAILED, State.QUEUED, "expired", "deleted"])
async def test_of_the_same_mail_sent_twice_at_once_one_fax_is_made(house: House, earlier: Any) -> None:
    """Also when the fax that the mail made before has failed, or its time is up: one new fax, and only one."""
    for number in range(TRIALS):
        key = f"key {number}"
        old = None
        if earlier is not None:
            old = await house.queue(f"+1202555{4000 + number}")
            await house.db.write(lambda tx, key=key, old=old: mailbag.first_fax(tx, key, old, timedelta(hours=48)))  # type: ignore[misc]  # called at once
            await _age(house, old, earlier)
        owners = await at_once(*[_send(house, key) for _ in range(3)])
        assert len(set(owners)) == 1
        assert (owners[0] == old) == (earlier is State.QUEUED)


async def _age(house: House, fax_id: UUID, how: Any) -> None:
    def unit(tx: Tx) -> None:
        if isinstance(how, State):
            faxes.change(tx, fax_id, list(State), state=how)
        elif how == "expired":
            past = datetime.now(UTC) - timedelta(minutes=1)
            tx.execute(schema.submissions.update().where(schema.submissions.c.fax_id == fax_id).values(until=past))
        else:
            tx.execute(schema.faxes.delete().where(schema.faxes.c.id == fax_id))

    await house.db.write(unit)


async def _send(house: House, key: str) -> UUID:
    """Do what a mail does: claim the key, and make the fax if it is the first."""
    fax_id = new_id()

    def unit(tx: Tx) -> UUID:
        owner = mailbag.first_fax(tx, key, fax_id, timedelta(hours=48))
        if owner == fax_id:
            faxes.insert(tx, _fax(house, fax_id))
        return owner

    return await house.db.write(unit)


def _fax(house: House, fax_id: UUID) -> Fax:
    now = datetime.now(UTC)
    return Fax(
        id=fax_id,
        account_id=house.account.id,
        application_id=house.application.id,
        faxbox_id=house.faxbox.id,
        direction=Direction.OUTBOUND,
        origin=Origin.MAIL,
        state=State.PREPARING,
        from_number="",
        to_number="",
        created_at=now,
        updated_at=now,
    )


async def test_two_accounts_cannot_get_the_same_mail_host_at_once(house: House) -> None:
    for number in range(TRIALS):
        host = f"host{number}.example"
        outcomes = await asyncio.gather(
            house.provisioning.create_account(f"a{number}", host),
            house.provisioning.update_faxbox(house.faxbox.id, {"custom_host": host}),
            return_exceptions=True,
        )
        assert len([outcome for outcome in outcomes if isinstance(outcome, Exception)]) == 1
