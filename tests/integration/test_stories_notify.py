"""Telling people: one mail however often it is tried, and nobody left in the dark when it cannot be delivered."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from gateway.carrier_event import Happened
from gateway.fax import Direction
from gateway.inbox import FORWARD, RETRIEVE
from gateway.notify import DELIVER, distinct
from gateway.outbox import TRANSMIT
from gateway.retry import MAIL_PATIENCE
from gateway.store import schema
from gateway.telling import Tale
from tests.integration.engines import ENGINES, rows, store
from tests.integration.house import CLINIC, OPERATOR, REALM, SENDER, House, built, said


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        house.emulator.faults.drop_webhooks = True
        yield house


async def delivered(house: House, *notify: str) -> UUID:
    """Make a fax that has arrived, whose end is to be told to *notify*."""
    fax_id = await house.queue(notify=list(notify or [SENDER]))
    await house.step(TRANSMIT)
    await house.hear_of(said(Happened.DELIVERED, house.sent()[-1].id, pages=1))
    return fax_id


async def telling(house: House, recipient: str = SENDER) -> dict[str, object]:
    (row,) = await rows(house.db, schema.outgoing, recipient=recipient)
    return dict(row)


async def test_a_mail_is_written_with_what_it_is_about_and_sent_once(house: House) -> None:
    fax_id = await delivered(house)
    assert house.mails() == []
    assert await house.step(DELIVER) == 1
    (mail,) = house.mails()
    row = await telling(house)
    assert mail.parsed["Message-ID"] == row["message_id"]
    assert mail.parsed["X-Fax-Id"] == str(fax_id)
    assert (row["state"], row["tries"], row["sent_at"] is None) == ("sent", 1, False)
    assert await house.jobs() == []


async def test_a_smarthost_that_is_down_and_comes_back_gets_the_same_mail_once(house: House) -> None:
    await delivered(house)
    port = house.catcher.port
    await house.catcher.stop()
    await house.step(DELIVER, times=3)
    row = await telling(house)
    assert (row["state"], row["tries"]) == ("waiting", 3)
    assert "cannot be reached" in str(row["last_error"])
    (job,) = await house.jobs(DELIVER)
    assert job["due"] > datetime.now(UTC)
    await house.catcher.start(port=port)
    await house.drain(DELIVER)
    (mail,) = house.mails()
    assert mail.parsed["Message-ID"] == row["message_id"]
    assert await house.told() == [("receipt", SENDER)], "the operator is not troubled"


async def test_a_mail_whose_answer_was_lost_is_the_same_mail_again(house: House) -> None:
    await delivered(house)
    house.catcher.reset_after_dot = 1
    await house.drain(DELIVER)
    first, second = house.mails()
    assert first.content == second.content, "to the last octet, so that the receiver can tell"


async def test_a_temporary_refusal_is_tried_again(house: House) -> None:
    await delivered(house)
    house.catcher.refuse_with = (451, "4.7.1 come back in a minute")
    await house.step(DELIVER)
    assert (await telling(house))["state"] == "waiting"
    house.catcher.refuse_with = None
    await house.drain(DELIVER)
    assert len(house.mails()) == 1


async def test_a_final_refusal_is_told_to_the_operator_and_the_fax_stays(house: House) -> None:
    fax_id = await delivered(house)
    before = await house.fax(fax_id)
    house.catcher.refuse_with = (550, "5.1.1 no such user")
    await house.step(DELIVER)
    row = await telling(house)
    assert (row["state"], row["tries"]) == ("failed", 1)
    house.catcher.refuse_with = None
    await house.drain(DELIVER)
    (mail,) = house.mails()
    assert mail.envelope_to == (OPERATOR,)
    body = mail.parsed.get_body(("plain",))
    assert body is not None
    said = " ".join(body.get_content().split())
    assert SENDER in said
    assert "no such user" in said
    assert f"faxgate queue show {fax_id}" in said
    assert await house.fax(fax_id) == before
    assert await house.jobs() == []


async def test_each_address_that_refuses_is_told_to_the_operator(house: House) -> None:
    await delivered(house, SENDER, f"bob@{REALM}")
    house.catcher.refuse_with = (550, "5.1.1 no such user")
    await house.step(DELIVER)
    house.catcher.refuse_with = None
    await house.drain(DELIVER)
    assert len(house.mails(OPERATOR)) == 2


async def come_in(house: House) -> UUID:
    """Let a fax come in; the mails with it wait to be sent."""
    await house.emulator.receive(CLINIC, "+16465550100", house.document)
    await house.hear()
    await house.drain(RETRIEVE, FORWARD)
    (fax,) = await rows(house.db, schema.faxes, direction=Direction.INBOUND.value)
    return UUID(str(fax["id"]))


@pytest.mark.parametrize("stage", ["MAIL", "DATA"])
async def test_a_fax_that_is_too_large_for_a_mail_server_is_told_without_its_document(house: House, stage: str) -> None:
    house.emulator.faults.drop_webhooks = False
    fax_id = await come_in(house)
    house.catcher.refuse_at, house.catcher.refuse_with = stage, (552, "5.3.4 message size exceeds fixed limit")
    await house.step(DELIVER)
    house.catcher.refuse_with = None
    await house.drain(DELIVER)
    told = await rows(house.db, schema.outgoing, fax_id=fax_id)
    assert {(row["tale"], row["state"], row["tries"]) for row in told} == {("received", "notice", 2)}
    assert sorted(mail.envelope_to[0] for mail in house.mails()) == sorted(row["recipient"] for row in told)
    for mail in house.mails():
        body = mail.parsed.get_body(("plain",))
        assert body is not None
        text = " ".join(body.get_content().split())
        assert "A fax has come from +1 646-555-0100." in text
        assert "more than the mail server takes. It is kept safely." in text
        assert list(mail.parsed.iter_attachments()) == []


async def test_a_fax_whose_document_is_lost_is_told_as_that_and_the_operator_once(house: House) -> None:
    house.emulator.faults.drop_webhooks = False
    fax_id = await come_in(house)
    house.blobs.remove((await house.fax(fax_id)).pages_blob)
    await house.drain(DELIVER)
    told = [mail for mail in house.mails() if mail.envelope_to != (OPERATOR,)]
    assert len(told) == 2
    for mail in told:
        body = mail.parsed.get_body(("plain",))
        assert body is not None
        text = " ".join(body.get_content().split())
        assert "is not among the gateway's files any more. Ask your administrator" in text
        assert "kept safely" not in text
    (word,) = house.mails(OPERATOR)
    assert f"faxgate inbox show {fax_id}" in word.parsed.as_string()
    body = word.parsed.get_body(("plain",))
    assert body is not None
    assert "The document of a received fax is missing" in body.get_content()


async def test_a_mail_server_that_takes_not_even_the_notice_of_a_fax_is_told_to_the_operator(house: House) -> None:
    house.emulator.faults.drop_webhooks = False
    fax_id = await come_in(house)
    house.catcher.refuse_at, house.catcher.refuse_with = "DATA", (552, "5.3.4 message size exceeds fixed limit")
    await house.step(DELIVER, times=2)
    house.catcher.refuse_with = None
    await house.drain(DELIVER)
    told = await rows(house.db, schema.outgoing, fax_id=fax_id, tale="received")
    assert {(row["state"], row["tries"]) for row in told} == {("failed", 2)}
    assert len(house.mails(OPERATOR)) == len(told)
    assert all(f"faxgate inbox show {fax_id}" in mail.parsed.as_string() for mail in house.mails(OPERATOR))


async def test_after_five_days_it_is_given_up_and_the_operator_told(house: House) -> None:
    await delivered(house)
    port = house.catcher.port
    await house.catcher.stop()
    for age, state in ((MAIL_PATIENCE - timedelta(minutes=5), "waiting"), (MAIL_PATIENCE, "failed")):
        at = datetime.now(UTC) - age
        await house.db.write(lambda tx, at=at: tx.execute(schema.outgoing.update().values(created_at=at)))  # type: ignore[misc]  # called at once
        await house.step(DELIVER)
        assert (await telling(house))["state"] == state
    await house.catcher.start(port=port)
    await house.drain(DELIVER)
    assert [mail.envelope_to for mail in house.mails()] == [(OPERATOR,)]


async def test_a_mail_to_the_operator_that_is_refused_ends_there(house: House) -> None:
    await delivered(house)
    house.catcher.refuse_with = (550, "5.1.1 no such user")
    await house.drain(DELIVER)
    assert {row["state"] for row in await rows(house.db, schema.outgoing)} == {"failed"}
    assert await house.told() == [("operator", OPERATOR), ("receipt", SENDER)]
    assert await house.jobs() == []


async def test_word_of_a_fax_that_nobody_owns_is_not_followed_by_word_that_it_was_refused(house: House) -> None:
    """The same man would be told, at the address that refuses."""
    house.emulator.faults.drop_webhooks = False
    await house.db.write(lambda tx: tx.execute(schema.faxboxes.update().values(inbound_emails=[])))
    await house.db.write(lambda tx: tx.execute(schema.numbers.delete()))
    await house.db.write(lambda tx: tx.execute(schema.applications.update().values(upstream_connection_id="")))
    await come_in(house)
    house.catcher.refuse_with = (550, "5.1.1 no such user")
    await house.drain(DELIVER)
    assert await house.told() == [("unrouted", OPERATOR)]


async def test_the_same_tale_is_told_once_to_each_address_however_it_is_written(house: House) -> None:
    fax_id = await delivered(house)
    fax = await house.fax(fax_id)
    again = [SENDER.upper(), f"Alice <{SENDER}>", "", "not an address <>", f"bob@{REALM}"]
    for _ in range(2):
        await house.db.write(lambda tx: house.notify.about(tx, fax, Tale.RECEIPT, again))
    assert [recipient for _, recipient in await house.told()] == [SENDER, f"bob@{REALM}"]
    assert distinct(again) == [SENDER.upper(), f"bob@{REALM}"]


async def test_an_address_that_no_server_takes_fails_at_once_and_not_for_ever(house: House) -> None:
    await delivered(house, '"a b"@acme.example')
    await house.drain(DELIVER)
    assert {row["recipient"] for row in await rows(house.db, schema.outgoing, state="failed")} == {'"a b"@acme.example'}
    assert len(house.mails(OPERATOR)) == 1


async def test_a_worker_that_died_after_sending_sends_the_same_mail_again(house: House) -> None:
    """The one thing that cannot be known; the Message-ID lets the receiver see that it is one mail."""
    await delivered(house)
    write = house.db.write

    async def dies(*_: object, **__: object) -> None:
        raise ConnectionError("the power went")

    (job,) = await house.claim(DELIVER)
    house.db.write = dies  # type: ignore[assignment, method-assign]  # of this one object
    with pytest.raises(ConnectionError):
        await house.stories[DELIVER](job)
    house.db.write = write  # type: ignore[method-assign]  # as it was
    await house.stories[DELIVER](job)
    first, second = house.mails()
    assert first.parsed["Message-ID"] == second.parsed["Message-ID"]
    assert (await telling(house))["state"] == "sent"


async def test_a_trial_is_sent_each_time(house: House) -> None:
    for _ in range(2):
        await house.db.write(lambda tx: house.notify.trial(tx, OPERATOR))
    await house.drain(DELIVER)
    assert len({mail.parsed["Message-ID"] for mail in house.mails(OPERATOR)}) == 2
