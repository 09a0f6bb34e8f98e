"""A fax comes in: seen while it comes, fetched while its link lives, mailed once to everybody who shall have it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway.carrier_event import CarrierEvent, Happened
from gateway.carriers.emulator import Connection
from gateway.carriers.emulator.documents import Document
from gateway.demo.catcher import CaughtMail
from gateway.errors import Kind, Refusal, refuse
from gateway.events import EVENT
from gateway.fax import Direction, Fax, State
from gateway.ids import new_id
from gateway.inbox import FORWARD, RETRIEVE, TELL_AFTER
from gateway.notify import DELIVER
from gateway.store import schema
from gateway.store.jobs import Job
from gateway.telling import Tale
from tests import samples
from tests.carriers.rawserver import answer, raw_server
from tests.integration.engines import ENGINES, rows, store
from tests.integration.house import CLINIC, OPERATOR, REALM, House, built, said

CALLER = "+12125550199"
STRANGER = "+12025550177"
INBOX, WARD = f"inbox@{REALM}", f"ward@{REALM}"


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


def word(happened: Happened, carrier_fax_id: str = "c1", **more: Any) -> CarrierEvent:
    """A statement of the carrier about a fax from CALLER to CLINIC."""
    told: dict[str, Any] = {"from_number": CALLER, "to_number": CLINIC, "connection_id": "77"} | more
    return said(happened, carrier_fax_id, Direction.INBOUND, **told)


async def receive(house: House, to: str = CLINIC, document: bytes = b"", **how: Any) -> Fax:
    """Let a fax come in at the carrier and hear everything that it says of it; return the fax."""
    await house.emulator.receive(to, CALLER, document or samples.pdf(2), **how)
    await house.hear()
    return await house.only_fax()


async def through(house: House) -> None:
    """Do what there is to do about received faxes."""
    await house.drain(RETRIEVE, FORWARD, DELIVER)


def enclosed(mail: CaughtMail) -> list[tuple[str, bytes]]:
    """The type and content of each document that *mail* carries."""
    parts = [part for part in mail.parsed.walk() if part.get_content_disposition() == "attachment"]
    return [(part.get_content_type(), part.get_content()) for part in parts]


# -- from the first word to the mail -----------------------------------------------------------------------------------


async def test_a_fax_is_seen_coming_and_stored_and_mailed_on(house: House) -> None:
    document = samples.pdf(2)
    await house.emulator.receive(CLINIC, CALLER, document, caller_id="DR SMITH")
    await house.emulator.settle()
    seen = []
    for job in await house.claim(EVENT):
        await house.stories[EVENT](job)
        seen.append((await house.only_fax()).state)
    assert seen == [State.RECEIVING, State.PROCESSING, State.PROCESSING]
    fax = await house.only_fax()
    assert (fax.from_number, fax.to_number, fax.caller_id) == (CALLER, CLINIC, "DR SMITH")
    assert (fax.account_id, fax.faxbox_id) == (house.account.id, house.faxbox.id)

    await house.step(RETRIEVE)
    fax = await house.only_fax()
    assert (fax.state, fax.pages, fax.media_type) == (State.RECEIVED, 2, "application/pdf")
    assert (fax.duration, fax.partial, fax.finished_at is None) == (80, False, False)
    assert await house.blobs.read(fax.pages_blob) == document

    await house.step(FORWARD)
    await house.step(DELIVER)
    assert sorted(mail.envelope_to[0] for mail in house.mails()) == [INBOX, WARD]
    for mail in house.mails():
        assert enclosed(mail) == [("application/pdf", document)]
        assert mail.parsed["X-Fax-Id"] == str(fax.id)
    assert await house.jobs() == []


@pytest.mark.parametrize(
    ("application", "faxbox", "sent"),
    [("tiff", "", "image/tiff"), ("pdf", "tiff", "image/tiff"), ("tiff", "pdf", "application/pdf")],
)
async def test_it_is_mailed_in_the_format_that_its_owner_wants(
    house: House, application: str, faxbox: str, sent: str
) -> None:
    await house.provisioning.update_application(house.application.id, {"file_type": application})
    await house.provisioning.update_faxbox(house.faxbox.id, {"file_type": faxbox})
    await receive(house, document=samples.tiff(2) if sent == "application/pdf" else samples.pdf(2))
    await through(house)
    for mail in house.mails():
        ((media_type, content),) = enclosed(mail)
        assert media_type == sent
        assert content[:4] == (b"%PDF" if sent == "application/pdf" else b"II*\0")
    assert len(house.mails()) == 2


async def test_one_address_named_twice_gets_one_mail(house: House) -> None:
    await house.provisioning.update_faxbox(
        house.faxbox.id, {"inbound_emails": [f"INBOX@{REALM}", f"Ward@{REALM}", WARD]}
    )
    await receive(house)
    await through(house)
    assert sorted(mail.envelope_to[0].casefold() for mail in house.mails()) == [INBOX, WARD]


async def test_a_fax_that_broke_off_is_mailed_and_said_to_be_partial(house: House) -> None:
    fax = await receive(house, partial=True)
    assert fax.partial
    await through(house)
    assert all("incomplete" in mail.parsed.as_string().casefold() for mail in house.mails())
    assert len(house.mails()) == 2


async def test_a_reception_that_failed_is_told_with_its_reason(house: House) -> None:
    fax = await receive(house, fail_with="fax_signaling_error")
    assert (fax.state, fax.failure_reason) == (State.FAILED, "fax_signaling_error")
    assert fax.failure_text
    assert await house.told() == [("reception_failed", INBOX), ("reception_failed", WARD)]
    assert await house.jobs(RETRIEVE) == []
    await through(house)
    assert len(house.mails()) == 2


async def test_a_reception_that_failed_and_nobody_awaits_is_told_to_the_operator(house: House) -> None:
    house.emulator.settings.connections.append(Connection("88", house.emulator.settings.connections[0].webhook_url))
    house.emulator.settings.connections[1].numbers = [STRANGER]
    await receive(house, STRANGER, fail_with="fax_signaling_error")
    assert await house.told() == [("operator", OPERATOR)]


# -- whose it is -------------------------------------------------------------------------------------------------------


async def test_the_called_number_decides_before_the_connection(house: House) -> None:
    other = await house.provisioning.create_application(
        house.account.id, {"name": "other", "webhook_event_url": "https://x.example", "upstream_connection_id": "99"}
    )
    await house.hear_of(word(Happened.RECEIVING, connection_id="99"))
    assert (await house.only_fax()).application_id == house.application.id != other.id


async def test_without_the_number_the_connection_decides(house: House) -> None:
    for number, connection in enumerate(("77", str(house.application.id))):
        await house.hear_of(word(Happened.RECEIVING, f"c{number}", to_number=STRANGER, connection_id=connection))
    for row in await rows(house.db, schema.faxes):
        assert (row["account_id"], row["application_id"]) == (house.account.id, house.application.id)
        assert row["faxbox_id"] is None


async def test_a_connection_that_two_applications_name_means_nobody(house: House) -> None:
    program = {"name": "other", "webhook_event_url": "https://x.example", "upstream_connection_id": "77"}
    await house.provisioning.create_application(house.account.id, program)
    await house.hear_of(word(Happened.RECEIVING, to_number=STRANGER))
    assert (await house.only_fax()).account_id is None


@pytest.fixture
async def unrouted(house: House) -> UUID:
    """A received fax that nobody owns."""
    hook = house.emulator.settings.connections[0].webhook_url
    house.emulator.settings.connections.append(Connection("88", hook, "", [STRANGER]))
    fax = await receive(house, STRANGER)
    assert fax.account_id is None
    await house.drain(RETRIEVE, FORWARD)
    return fax.id


async def test_a_fax_that_nobody_owns_is_kept_and_the_operator_told(house: House, unrouted: UUID) -> None:
    fax = await house.fax(unrouted)
    assert fax.state is State.RECEIVED
    assert await house.blobs.read(fax.pages_blob) == samples.pdf(2)
    assert await house.told() == [("unrouted", OPERATOR)]
    await through(house)
    (mail,) = house.mails()
    assert f"faxgate inbox assign {unrouted} --faxbox" in mail.parsed.as_string().replace("=\n", "")


async def test_assigning_it_mails_it_on(house: House, unrouted: UUID) -> None:
    sentence = await house.db.write(lambda tx: house.inbox.assign(tx, unrouted, house.faxbox.id))
    assert "ward" in sentence
    await through(house)
    assert sorted(mail.envelope_to[0] for mail in house.mails(INBOX, WARD)) == [INBOX, WARD]
    fax = await house.fax(unrouted)
    assert (fax.account_id, fax.application_id) == (house.account.id, house.application.id)


async def test_what_cannot_be_assigned_is_refused(house: House, unrouted: UUID) -> None:
    outgoing = await house.queue()
    refusals = [
        (new_id(), house.faxbox.id, Kind.NOT_FOUND),
        (outgoing, house.faxbox.id, Kind.NOT_FOUND),
        (unrouted, new_id(), Kind.NOT_FOUND),
    ]
    for fax_id, faxbox_id, kind in refusals:
        with pytest.raises(Refusal) as refused:
            await house.db.write(lambda tx, f=fax_id, b=faxbox_id: house.inbox.assign(tx, f, b))  # type: ignore[misc]  # called at once
        assert refused.value.reason.kind is kind
    await house.db.write(lambda tx: house.inbox.assign(tx, unrouted, house.faxbox.id))
    with pytest.raises(Refusal) as refused:
        await house.db.write(lambda tx: house.inbox.assign(tx, unrouted, house.faxbox.id))
    assert refused.value.reason.kind is Kind.WRONG_STATE


async def test_a_fax_assigned_while_its_document_is_fetched_is_mailed_on(house: House) -> None:
    house.emulator.settings.connections.append(
        Connection("88", house.emulator.settings.connections[0].webhook_url, "", [STRANGER])
    )
    fax = await receive(house, STRANGER)
    inspect = house.sandbox.inspect

    async def slow(descriptor: int) -> Any:
        await house.db.write(lambda tx: house.inbox.assign(tx, fax.id, house.faxbox.id))
        return await inspect(descriptor)

    house.sandbox.inspect = slow  # type: ignore[assignment, method-assign]  # of this one object
    await through(house)
    assert (await house.fax(fax.id)).state is State.RECEIVED
    assert sorted(mail.envelope_to[0] for mail in house.mails()) == [INBOX, WARD]


# -- the document ------------------------------------------------------------------------------------------------------


async def test_a_link_that_has_expired_is_renewed(house: House) -> None:
    house.emulator.faults.expire_links = True
    fax = await receive(house)
    assert await house.step(RETRIEVE) == 1
    assert (await house.fax(fax.id)).state is State.RECEIVED
    assert await house.blobs.read((await house.fax(fax.id)).pages_blob) == samples.pdf(2)


async def test_a_document_that_breaks_off_is_never_mailed_but_fetched_again(house: House) -> None:
    whole = samples.pdf(2)
    fax = await receive(house, document=whole)
    async with raw_server(answer(200, whole)[:-100], answer(200, whole)) as raw:
        await _link(house, f"{raw.base_url}/document")
        house.emulator.faults.down_status = 503
        await house.step(RETRIEVE)
        assert (await house.fax(fax.id)).state is State.PROCESSING
        assert len(raw.requests) == 1
        await through(house)
    assert await house.blobs.read((await house.fax(fax.id)).pages_blob) == whole


async def test_a_document_with_too_few_pages_is_fetched_again(house: House) -> None:
    fax = await receive(house)
    (received,) = house.emulator.faxes
    received.document = Document(samples.pdf(1), "application/pdf", 1)
    await house.step(RETRIEVE)
    assert (await house.fax(fax.id)).state is State.PROCESSING
    (job,) = await house.jobs(RETRIEVE)
    assert "1 of 2 pages" in job["last_error"]
    received.document = Document(samples.pdf(2), "application/pdf", 2)
    await house.step(RETRIEVE)
    fax = await house.fax(fax.id)
    assert (fax.state, fax.pages, fax.partial) == (State.RECEIVED, 2, False)


async def test_one_that_stays_short_goes_on_marked(house: House) -> None:
    fax = await receive(house)
    (received,) = house.emulator.faxes
    received.document = Document(samples.pdf(1), "application/pdf", 1)
    await house.step(RETRIEVE, times=TELL_AFTER + 1)
    fax = await house.fax(fax.id)
    assert (fax.state, fax.pages, fax.partial) == (State.RECEIVED, 1, True)
    await through(house)
    assert len(house.mails(INBOX, WARD)) == 2


@pytest.mark.parametrize("content", [b"<html>We are sorry</html>", b""])
async def test_what_is_no_document_is_not_mailed_and_the_operator_is_told_once(house: House, content: bytes) -> None:
    fax = await receive(house)
    house.emulator.faxes[0].document = Document(content, "application/pdf", 2)
    await house.step(RETRIEVE, times=TELL_AFTER + 3)
    assert (await house.fax(fax.id)).state is State.PROCESSING
    assert await house.told() == [("operator", OPERATOR)]
    house.emulator.faxes[0].document = Document(samples.pdf(2), "application/pdf", 2)
    await through(house)
    assert len(house.mails(INBOX, WARD)) == 2, "the carrier keeps it; it comes in the end"


async def test_a_document_in_a_private_network_is_not_fetched(house: House) -> None:
    fax = await receive(house)
    house.emulator.faults.down_status = 503
    await _link(house, "http://169.254.169.254/latest/meta-data")
    await house.step(RETRIEVE)
    assert (await house.fax(fax.id)).state is State.PROCESSING
    (job,) = await house.jobs(RETRIEVE)
    assert job["tries"] == 1


async def _link(house: House, url: str) -> None:
    """Have the carrier have said that the document is at *url*."""
    for row in await rows(house.db, schema.events, happened="received"):
        raw = row["raw"] | {"media_url": url}
        change = schema.events.update().where(schema.events.c.id == row["id"]).values(raw=raw)
        await house.db.write(lambda tx, change=change: tx.execute(change))  # type: ignore[misc]  # called at once


# -- the mails ---------------------------------------------------------------------------------------------------------


async def test_without_an_address_the_operator_is_told(house: House) -> None:
    await house.provisioning.update_application(house.application.id, {"fax_email_recipient": ""})
    await house.provisioning.update_faxbox(house.faxbox.id, {"inbound_emails": []})
    await receive(house)
    await through(house)
    assert await house.told() == [("operator", OPERATOR)]


async def test_an_inactive_application_gets_its_faxes_when_it_is_active_again(house: House) -> None:
    await house.provisioning.update_application(house.application.id, {"active": False})
    await receive(house)
    await house.step(RETRIEVE)
    await house.step(FORWARD)
    (job,) = await house.jobs()
    assert job["kind"] == FORWARD
    assert job["due"] > datetime.now(UTC) + timedelta(minutes=5)
    await house.provisioning.update_application(house.application.id, {"active": True})
    await through(house)
    assert len(house.mails(INBOX, WARD)) == 2


async def test_a_document_that_cannot_be_converted_goes_on_as_it_is(house: House) -> None:
    await house.provisioning.update_application(house.application.id, {"file_type": "tiff"})
    house.sandbox.failing = refuse(Kind.PAGES_DISAGREE, "a page would get lost")
    await receive(house)
    await through(house)
    for mail in house.mails(INBOX, WARD):
        assert enclosed(mail) == [("application/pdf", samples.pdf(2))]
    assert len(house.mails(INBOX, WARD)) == 2


async def test_a_sandbox_that_is_stopping_is_asked_again_later(house: House) -> None:
    await house.provisioning.update_application(house.application.id, {"file_type": "tiff"})
    house.sandbox.failing = refuse(Kind.SHUTTING_DOWN, "not now")
    await receive(house)
    await house.step(RETRIEVE)
    with pytest.raises(Refusal):
        await house.step(FORWARD)
    assert await house.told() == []


# -- what the carrier says twice, late, or in another order ------------------------------------------------------------


async def test_everything_said_twice_makes_one_fax_and_one_mail_to_each(house: House) -> None:
    await receive(house)
    await through(house)
    for row in await rows(house.db, schema.events):
        event = CarrierEvent(**(_event_fields(row["raw"]) | {"id": f"again {row['id']}"}))
        await house.events.record(event, "webhook")
    await house.drain(EVENT)
    await through(house)
    assert len(await rows(house.db, schema.faxes)) == 1
    assert len(house.mails()) == 2


def _event_fields(raw: dict[str, Any]) -> dict[str, Any]:
    typed = {
        "happened": Happened(raw["happened"]),
        "direction": Direction(raw["direction"]),
        "occurred_at": datetime.fromisoformat(raw["occurred_at"]),
    }
    return raw | typed


@pytest.mark.parametrize("order", ["rpc", "rcp", "prc", "pcr", "crp", "cpr"])
async def test_in_any_order_it_is_one_fax_that_is_fetched(house: House, order: str) -> None:
    words = {"r": Happened.RECEIVING, "p": Happened.PROCESSING, "c": Happened.RECEIVED}
    await house.hear_of(*[word(words[letter], pages=2 if letter == "c" else None) for letter in order])
    fax = await house.only_fax()
    assert (fax.state, fax.pages) == (State.PROCESSING, 2)
    assert [row["kind"] for row in await house.jobs()] == [RETRIEVE]


async def test_a_fax_that_was_called_failed_and_is_received_after_all_counts_as_received(house: House) -> None:
    (received,) = [await house.emulator.receive(CLINIC, CALLER, samples.pdf(2))]
    house.emulator.faults.drop_webhooks = True
    await house.emulator.settle()
    await house.hear_of(word(Happened.FAILED, received.id, failure_reason="fax_signaling_error"))
    await house.hear_of(word(Happened.RECEIVED, received.id, media_url=received.media_url, pages=2))
    fax = await house.only_fax()
    assert (fax.failure_reason, fax.failure_text, fax.finished_at) == ("", "", None)
    await through(house)
    fax = await house.only_fax()
    assert fax.state is State.RECEIVED
    assert await house.told(Tale.RECEIVED) == [("received", INBOX), ("received", WARD)]


async def test_a_fax_that_was_received_does_not_fail_afterwards(house: House) -> None:
    fax = await receive(house)
    failure = word(Happened.FAILED, fax.carrier_fax_id, failure_reason="fax_signaling_error")
    await house.hear_of(failure)
    assert (await house.only_fax()).state is State.PROCESSING
    await through(house)
    await house.hear_of(word(Happened.FAILED, fax.carrier_fax_id, failure_reason="fax_signaling_error"))
    assert (await house.only_fax()).state is State.RECEIVED
    assert await house.told(Tale.RECEPTION_FAILED) == []


async def test_a_word_that_is_not_known_makes_no_fax(house: House) -> None:
    await house.hear_of(word(Happened.OTHER, ""), word(Happened.OTHER, "c9"))
    assert await rows(house.db, schema.faxes) == []
    await house.hear_of(word(Happened.RECEIVING), word(Happened.OTHER))
    assert (await house.only_fax()).state is State.RECEIVING


async def test_names_longer_than_anybody_has_do_not_lose_a_fax(house: House) -> None:
    """The caller writes them; PostgreSQL refuses what does not fit a column."""
    uri = "sip:" + "x" * 300 + "@pbx.example.com"
    told = {"from_number": uri, "to_number": uri, "caller_id": "漢" * 300, "connection_id": "7" * 100}
    await house.hear_of(word(Happened.RECEIVING, **told))
    fax = await house.only_fax()
    assert fax.from_number == uri[:64]
    assert fax.caller_id == "漢" * 255


async def test_an_event_of_a_worker_that_died_is_applied_by_the_next(house: House) -> None:
    await house.events.record(word(Happened.RECEIVING), "webhook")
    (job,) = await house.claim(EVENT)
    await house.stories[EVENT](job)
    await house.db.write(lambda tx: _enqueue_again(tx, job))
    await house.drain(EVENT)
    assert len(await rows(house.db, schema.faxes)) == 1


def _enqueue_again(tx: Any, job: Job) -> None:
    from gateway.store import jobs

    jobs.enqueue(tx, job.kind, job.subject)
