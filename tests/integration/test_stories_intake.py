"""A mail becomes faxes, through the SMTP door and with Python's own client: all its numbers or none, and a record."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.fax import Fax, Origin, Quality, State
from gateway.faxbox import Faxbox
from gateway.outbox import PREPARE, RESOLVE, TRANSMIT
from gateway.store import audit, faxes, schema
from tests import samples
from tests.integration.door_house import PDF, RCPT, Door, opened
from tests.integration.engines import ENGINES, rows
from tests.integration.house import OFFICE, REALM, SENDER
from tests.samples import Attachment, mail


@pytest.fixture(params=ENGINES)
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(request, tmp_path) as one:
        yield one


async def all_faxes(door: Door) -> list[Fax]:
    return sorted(await faxes.page(door.house.db, limit=500), key=lambda fax: fax.id)


async def second_faxbox(door: Door, *permit: str) -> Faxbox:
    fields = {"name": "lab", "caller_id": OFFICE, "permit": list(permit), "application_id": door.house.application.id}
    return await door.house.provisioning.create_faxbox(door.house.account.id, fields)


# -- taken -------------------------------------------------------------------------------------------------------------


async def test_a_mail_becomes_a_fax_with_its_job_and_its_record_in_one_commit(door: Door) -> None:
    content = mail([PDF, Attachment("logo.png", samples.png(), "image/png")], subject="Discharge letter")
    (fax_id,) = await door.taken(content=content)
    (fax,) = await all_faxes(door)
    assert fax.id == fax_id
    assert (fax.state, fax.origin, fax.quality) == (State.PREPARING, Origin.MAIL, Quality.HIGH)
    assert (fax.from_number, fax.to_number, fax.to_written) == (OFFICE, "+12025550142", RCPT)
    assert (fax.account_id, fax.faxbox_id) == (door.house.account.id, door.house.faxbox.id)
    assert (fax.pages, fax.tries_allowed, fax.notify, fax.subject) == (2, 3, [SENDER], "Discharge letter")
    assert fax.delay_at == fax.created_at + door.house.policy.delay_notice
    assert [(job["kind"], job["subject"], job["state"]) for job in await door.house.jobs()] == [
        (PREPARE, str(fax_id), "ready")
    ]
    (message,) = await rows(door.house.db, schema.messages)
    kept = await door.house.blobs.read(message["blob"])
    assert content in kept, "as it was sent; headers may have been put before it"
    assert (message["sender"], message["message_id"]) == (SENDER, "<sample-1@example.org>")


async def test_who_sent_by_mail_is_in_the_audit_trail_once_for_each_fax(door: Door) -> None:
    for _ in range(2):  # the client has lost the answer, and sends the same again
        (fax_id,) = await door.taken(content=mail([PDF]))
    (line,) = await audit.page(door.house.db, action="sent")
    assert (line.actor_kind, line.actor, line.peer) == ("mail", SENDER, "127.0.0.1")
    assert (line.action, line.account_id, line.fax_id) == ("sent", door.house.account.id, fax_id)


async def test_the_record_of_a_mail_that_was_taken_says_everything(door: Door) -> None:
    (fax_id,) = await door.taken(content=mail([PDF, Attachment("logo.png", samples.png(), "image/png")]))
    row = await door.log()
    assert (row["account_id"], row["faxbox_id"]) == (door.house.account.id, door.house.faxbox.id)
    assert (row["sender"], row["helo"], row["peer"], row["tls"], row["user"]) == (
        SENDER,
        "pc.acme.example",
        "127.0.0.1",
        "",
        "",
    )
    assert row["listener"]
    assert row["recipients"] == [{"written": RCPT, "number": "+12025550142", "domain": REALM}]
    assert row["size"] > 500
    assert (row["message_id"], row["subject"]) == ("<sample-1@example.org>", "A fax")
    assert [(part["name"], part["used"]) for part in row["found"] if part["name"]] == [
        ("letter.pdf", True),
        ("logo.png", False),
    ]
    assert (row["errors"], row["fax_ids"]) == ([], [str(fax_id)])
    assert row["reply"] == f"250 2.0.0 taken as {fax_id}"
    assert row["at"] > datetime.now(UTC) - timedelta(minutes=1)


async def test_a_fax_goes_all_the_way_to_the_carrier(door: Door) -> None:
    (fax_id,) = await door.taken()
    await door.house.drain(PREPARE, TRANSMIT)
    await door.house.hear()
    assert (await door.house.fax(fax_id)).state is State.DELIVERED
    (sent,) = door.house.sent()
    assert sent.pages == 2


async def test_fifty_recipients_are_fifty_faxes_and_one_rendering(door: Door) -> None:
    numbers = [f"+12025554{number:03}" for number in range(50)]
    ids = await door.taken([f"{number}@{REALM}" for number in numbers])
    assert len(ids) == 8, "the reply names the first ones"
    found = await all_faxes(door)
    assert sorted(fax.to_number for fax in found) == numbers
    assert len(await rows(door.house.db, schema.messages)) == 1
    claimed = await door.house.claim(PREPARE)
    await asyncio.gather(*[door.house.stories[PREPARE](job) for job in claimed])
    found = await all_faxes(door)
    assert {fax.state for fax in found} == {State.QUEUED}
    assert door.house.sandbox.renderings == 1
    (rendering,) = await rows(door.house.db, schema.renderings)
    assert {fax.rendering_id for fax in found} == {rendering["id"]}


async def test_one_number_written_in_two_ways_is_one_fax(door: Door) -> None:
    await door.taken([RCPT, f"202-555-0142@{REALM}", f"FAX=12025550142@{REALM}", f"+1.202.555.0143@{REALM}"])
    assert [fax.to_number for fax in await all_faxes(door)] == ["+12025550142", "+12025550143"]


@pytest.mark.parametrize("door", ENGINES[:1], indirect=True)
@pytest.mark.parametrize("retries", [None, 0, 1, 5])
async def test_tries_are_the_faxboxs_and_else_the_settings(door: Door, retries: int | None) -> None:
    await door.house.provisioning.update_faxbox(door.house.faxbox.id, {"retries": retries})
    await door.taken()
    (fax,) = await all_faxes(door)
    assert fax.tries_allowed == {None: 3, 0: 1, 1: 1, 5: 5}[retries]


async def test_odd_names_and_subjects_are_taken(door: Door) -> None:
    """PostgreSQL takes neither NUL nor half surrogates as text."""
    odd = [
        mail([PDF]).replace(b"Subject: A fax", b"Subject: =?utf-8?q?a=00b?= \xed\xa0\x80 \xff\xfe"),
        mail([PDF]).replace(b"letter.pdf", b"l\xed\xa0\x80\xff.pdf"),
        mail([PDF]).replace(b"Message-ID: <sample-1@example.org>", b"Message-ID: <\xff\x00@\xed\xa0\x80>"),
        mail([PDF]).replace(b'filename="letter.pdf"', b"filename*=utf-16''%00%d8"),
    ]
    for number, content in enumerate(odd):
        await door.taken(f"+1202555400{number}@{REALM}", content)


async def test_the_sender_and_the_faxboxs_own_addresses_are_told_each_once(door: Door) -> None:
    box = {"outbound_emails": [SENDER.upper(), f"boss@{REALM}"]}
    await door.house.provisioning.update_faxbox(door.house.faxbox.id, box)
    await door.taken()
    assert (await all_faxes(door))[0].notify == [SENDER, f"boss@{REALM}"]


# -- refused in the dialogue -------------------------------------------------------------------------------------------

#: What a recipient or a sender is answered; only the beginning, the sentence is for people.
REFUSALS: dict[str, tuple[str, str, str]] = {
    "a sender who may not": ("mallory@evil.example", RCPT, "550 5.7.1"),
    "nobody": ("", RCPT, "550 5.7.1"),
    "a sender that is no address": ("a@b@c", RCPT, "5"),
    "a domain that is not ours": (SENDER, "+12025550142@elsewhere.example", "550 5.1.2"),
    "no number": (SENDER, f"postmaster@{REALM}", "553 5.1.3"),
    "letters": (SENDER, f"1800-FLOWERS@{REALM}", "553 5.1.3"),
    "too short": (SENDER, f"911@{REALM}", "553 5.1.3"),
    "not valid": (SENDER, f"+1202555@{REALM}", "553 5.1.3"),
    "percent hack": (SENDER, f"+12025550142%evil.example@{REALM}", "553 5.1.3"),
    "extension": (SENDER, f"+12025550142;ext=9@{REALM}", "5"),
    "comment": (SENDER, f"+1(202)5550142@{REALM}", "5"),
    "encoded word": (SENDER, f"=?utf-8?q?=31900?=@{REALM}", "553 5.1.3"),
    "a country where no faxes go": (SENDER, f"+442071838750@{REALM}", "550 5.7.1"),
    "a premium number": (SENDER, f"+19002345678@{REALM}", "550 5.7.1"),
    "a satellite": (SENDER, f"+870773111632@{REALM}", "550 5.7.1"),
}


#: These are no paths at all, so nothing of them is kept but the reply.
_SYNTAX = {"a sender that is no address", "extension", "comment"}


@pytest.mark.parametrize("door", ENGINES[:1], indirect=True)
@pytest.mark.parametrize("name", REFUSALS)
async def test_what_cannot_be_is_refused_at_once_and_recorded(door: Door, name: str) -> None:
    sender, recipient, beginning = REFUSALS[name]
    replies = await door.send(recipient, sender=sender)
    assert len(replies) == 1, "no message is sent"
    assert replies[0].startswith(beginning), replies
    assert await all_faxes(door) == []
    assert await door.house.jobs() == []
    row = await door.log()
    assert row["errors"] == replies
    assert row["fax_ids"] == []
    if name not in _SYNTAX:
        assert (row["sender"], row["recipients"][0]["written"]) == (sender, recipient)
        assert (row["account_id"] == door.house.account.id) == recipient.endswith(REALM)


async def test_the_inactive_and_the_nameless_send_nothing(door: Door) -> None:
    application, faxbox = door.house.application.id, door.house.faxbox.id
    await door.house.provisioning.update_application(application, {"active": False})
    assert (await door.send())[0].startswith("550 5.2.1")
    await door.house.provisioning.update_application(application, {"active": True})
    await door.house.provisioning.update_faxbox(faxbox, {"caller_id": ""})
    assert (await door.send())[0].startswith("550 5.3.5")
    await door.house.provisioning.update_faxbox(faxbox, {"caller_id": OFFICE})
    await door.taken()


async def test_good_recipients_beside_bad_ones_are_sent(door: Door) -> None:
    replies = await door.send([f"911@{REALM}", RCPT, f"+442071838750@{REALM}"])
    assert [reply[:3] for reply in replies] == ["553", "250", "550", "250"]
    (fax,) = await all_faxes(door)
    row = await door.log()
    assert row["fax_ids"] == [str(fax.id)]
    assert row["errors"] == [replies[0], replies[2]]
    assert len(row["recipients"]) == 3


async def test_a_recipient_of_another_faxbox_comes_again_by_itself(door: Door) -> None:
    lab = await second_faxbox(door, f"*@{REALM}")
    replies = await door.send([f"+12025550142@{door.house.faxbox.host}", f"+12025550143@{lab.host}"])
    assert [reply[:9] for reply in replies] == ["250 2.1.5", "452 4.5.3", "250 2.0.0"]
    (fax,) = await all_faxes(door)
    assert fax.faxbox_id == door.house.faxbox.id


async def test_at_the_realm_the_most_exact_permission_decides(door: Door) -> None:
    lab = await second_faxbox(door, SENDER)
    await door.taken()
    assert (await all_faxes(door))[0].faxbox_id == lab.id


async def test_where_two_faxboxes_fit_as_well_the_sender_is_told_their_hosts(door: Door) -> None:
    lab = await second_faxbox(door, f"*@{REALM}")
    (reply,) = await door.send()
    assert reply.startswith("550 5.7.1")
    assert lab.host in reply
    assert door.house.faxbox.host in reply
    await door.taken(f"+12025550142@{lab.host}")
    assert (await all_faxes(door))[0].faxbox_id == lab.id


async def test_more_numbers_than_one_mail_takes_come_again(door: Door) -> None:
    replies = await door.send([f"+12025554{number:03}@{REALM}" for number in range(52)])
    assert [reply[:3] for reply in replies] == ["250"] * 50 + ["452"] * 2 + ["250"]
    assert len(await all_faxes(door)) == 50


# -- refused for what is in it -----------------------------------------------------------------------------------------

CONTENTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing to fax": (lambda: mail([]), "554 5.6.1"),
    "only a picture": (lambda: mail([Attachment("logo.png", samples.png(), "image/png")]), "554 5.6.1"),
    "encrypted": (lambda: mail([Attachment("a.pdf", samples.encrypted_pdf())]), "554 5.6.3"),
    "broken": (lambda: mail([Attachment("a.pdf", samples.broken_pdf())]), "554 5.6.5"),
    "one of two broken": (lambda: mail([PDF, Attachment("b.pdf", samples.broken_pdf())]), "554 5.6.5"),
    "an automatic reply": (lambda: mail([PDF], headers=[("Auto-Submitted", "auto-replied")]), "554 5.7.1"),
    "list mail": (lambda: mail([PDF], headers=[("List-Id", "<l.example.org>")]), "554 5.7.1"),
    "our own": (lambda: mail([PDF], headers=[("X-Fax-Id", "x")]), "554 5.7.1"),
}


@pytest.mark.parametrize("door", ENGINES[:1], indirect=True)
@pytest.mark.parametrize("name", CONTENTS)
async def test_a_mail_that_cannot_be_faxed_is_refused_and_leaves_nothing_but_its_record(door: Door, name: str) -> None:
    make, beginning = CONTENTS[name]
    before = _blobs(door)
    replies = await door.send(content=make())
    assert replies[0].startswith("250")
    assert replies[1].startswith(beginning), replies
    assert await all_faxes(door) == []
    assert await rows(door.house.db, schema.messages) == []
    assert _blobs(door) == before, "no message stays on the disk"
    row = await door.log()
    assert (row["reply"], row["errors"]) == (replies[1], [replies[1]])
    assert row["message_id"] == "<sample-1@example.org>"
    if name not in {"nothing to fax"}:
        assert row["found"]


def _blobs(door: Door) -> set[str]:
    return {path.name for path in door.house.blobs.root.rglob("*") if path.is_file()}


# -- the same mail again -----------------------------------------------------------------------------------------------


async def test_the_same_mail_again_is_answered_with_its_first_fax(door: Door) -> None:
    first = await door.taken()
    before = _blobs(door)
    for _ in range(3):
        assert await door.taken() == first
    assert len(await all_faxes(door)) == 1
    assert len(await door.house.jobs()) == 1
    assert _blobs(door) == before
    found = await rows(door.house.db, schema.smtplog)
    assert [row["fax_ids"] for row in found] == [[str(first[0])]] * 4
    assert "taken before" in max(found, key=lambda row: row["at"])["reply"]


async def test_through_another_route_it_is_still_the_same_mail(door: Door) -> None:
    first = await door.taken()
    routed = b"Received: from a by b; Mon, 02 Nov 2026 10:00:01 +0000\r\nX-Spam: no\r\n" + mail([PDF])
    assert await door.taken(content=routed) == first


@pytest.mark.parametrize(
    "change",
    [
        {"recipients": f"+12025550143@{REALM}"},
        {"sender": f"bob@{REALM}"},
        {"content": mail([PDF], message_id="<sample-2@example.org>")},
        {"content": mail([Attachment("letter.pdf", samples.pdf(3))])},
    ],
    ids=["number", "sender", "Message-ID", "text"],
)
async def test_another_mail_is_another_fax(door: Door, change: dict[str, Any]) -> None:
    first = await door.taken()
    assert await door.taken(**change) != first
    assert len(await all_faxes(door)) == 2


async def test_one_new_number_in_the_same_mail_is_one_new_fax(door: Door) -> None:
    (first,) = await door.taken()
    both = await door.taken([RCPT, f"+12025550143@{REALM}"])
    assert both[0] == first
    assert [fax.id for fax in await all_faxes(door)] == both


async def test_without_a_message_id_the_same_text_counts_for_five_minutes(door: Door) -> None:
    content = mail([PDF], message_id="")
    first = await door.taken(content=content)
    assert await door.taken(content=content) == first
    await _pass(door, timedelta(minutes=6))
    assert await door.taken(content=content) != first


async def test_with_a_message_id_it_counts_for_two_days(door: Door) -> None:
    first = await door.taken()
    await _pass(door, timedelta(hours=47))
    assert await door.taken() == first
    await _pass(door, timedelta(hours=2))
    assert await door.taken() != first


async def _pass(door: Door, time: timedelta) -> None:
    """Let *time* have passed since every claim."""
    for row in await rows(door.house.db, schema.submissions):
        change = schema.submissions.update().where(schema.submissions.c.key == row["key"])
        earlier = change.values(at=row["at"] - time, until=row["until"] - time)
        await door.house.db.write(lambda tx, earlier=earlier: tx.execute(earlier))  # type: ignore[misc]  # called at once


@pytest.mark.parametrize("end", [State.FAILED, State.CANCELED, State.DELIVERED])
async def test_after_a_failure_the_same_mail_is_a_new_fax(door: Door, end: State) -> None:
    first = await door.taken()
    await door.house.db.write(lambda tx: faxes.change(tx, first[0], list(State), state=end))
    second = await door.taken()
    assert (second == first) == (end is State.DELIVERED)
    assert await door.taken() == second


async def test_several_copies_at_once_are_one_fax(door: Door) -> None:
    outcomes = await asyncio.gather(*[door.taken() for _ in range(5)])
    assert len({tuple(ids) for ids in outcomes}) == 1
    assert len(await all_faxes(door)) == 1


# -- our own troubles --------------------------------------------------------------------------------------------------


async def test_a_database_that_fails_is_answered_with_a_4xx_and_keeps_nothing(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the disk fell out")

    before = _blobs(door)
    monkeypatch.setattr(door.house.db, "write", fails)
    replies = await door.send()
    assert replies[-1].startswith("451 4.3.0")
    assert "disk fell" not in replies[-1]
    monkeypatch.undo()
    assert await all_faxes(door) == []
    await door.taken()
    assert len(_blobs(door) - before) == 1


async def test_a_disk_that_is_nearly_full_is_answered_before_the_message(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(door.house.blobs), "free_bytes", lambda _: 1000)
    replies = await door.send()
    assert replies[-1].startswith("452 4.3.1")
    assert (await door.log())["reply"] == replies[-1]


async def test_prepare_refuses_what_may_not_be_dialled_any_more(door: Door) -> None:
    """The settings may have changed since the mail was taken; the number is checked again before it is dialled."""
    (fax_id,) = await door.taken(f"+16135550142@{REALM}")
    await door.house.drain(PREPARE, TRANSMIT, RESOLVE)  # of a house that sends to the US alone
    fax = await door.house.fax(fax_id)
    assert (fax.state, fax.failure_reason) == (State.FAILED, "destination_not_allowed")
    assert await door.house.told() == [("failure", SENDER)]
    assert door.house.emulator.faxes == []
