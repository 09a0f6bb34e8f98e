"""The commands about faxes and mails: send, queue, inbox, outbox, smtplog."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from gateway.attempt import Attempt, AttemptState, Handle
from gateway.fax import Direction, Fax, Origin, State
from gateway.ids import new_id
from gateway.store import attempts, faxes, jobs, smtplog
from gateway.store.database import Database, Tx
from gateway.store.folder import Folder
from gateway.transaction import SmtpRecord
from tests import samples
from tests.integration.cli_house import Faxgate, new_house

HANDLE = "a-token-that-opens-the-document"


@pytest.fixture
def faxgate(tmp_path: Path) -> Faxgate:
    return furnished(new_house(tmp_path))


@pytest.fixture
def anywhere(tmp_path: Path, database_url: str) -> Faxgate:
    """The same on each engine."""
    return furnished(new_house(tmp_path, database_url))


def furnished(house: Faxgate) -> Faxgate:
    """Give a gateway a faxbox and a document."""
    house.with_faxbox()
    (house.folder / "two.pdf").write_bytes(samples.pdf(2))
    return house


def sent(faxgate: Faxgate, number: str = "+12025550123") -> str:
    """Send a document and return the fax's id."""
    return str(faxgate.json("send", faxgate.folder / "two.pdf", number, "--faxbox", "Front")["id"])


def written(faxgate: Faxgate, unit: Callable[[Tx], object]) -> None:
    """Run a unit in the gateway's database."""

    async def work(db: Database) -> None:
        await db.write(unit)

    faxgate.in_database(work)


def stored(faxgate: Faxgate, content: bytes) -> str:
    """Store a blob and return its key."""
    folder = Folder(faxgate.folder / "blobs")
    folder.prepare()
    return asyncio.run(folder.put_bytes(content))


def received(pages_blob: str = "", **about: object) -> Fax:
    """A received fax that nobody owns."""
    now = datetime.now(UTC)
    fax = Fax(
        id=new_id(),
        account_id=None,
        application_id=None,
        faxbox_id=None,
        direction=Direction.INBOUND,
        origin=Origin.CARRIER,
        state=State.RECEIVED,
        from_number="+12025550123",
        to_number="+12025550177",
        created_at=now,
        updated_at=now,
        pages_blob=pages_blob,
        media_type="image/tiff",
        pages=1,
        carrier_fax_id=str(new_id()),
    )
    return replace(fax, **about)  # type: ignore[arg-type] # field names of Fax


def test_a_file_that_is_sent_becomes_a_fax_with_its_job(anywhere: Faxgate) -> None:
    made = anywhere.json("send", anywhere.folder / "two.pdf", "(202) 555-0123", "--faxbox", "Front", "--attempts", 2)
    assert (made["state"], made["origin"], made["direction"]) == ("preparing", "shell", "outbound")
    assert (made["to_number"], made["from_number"]) == ("+12025550123", "+12025550100")
    assert (made["tries_allowed"], made["to_written"]) == (2, "(202) 555-0123")
    assert Folder(anywhere.folder / "blobs").path(made["documents"][0]["blob"]).read_bytes() == samples.pdf(2)

    shown = anywhere.json("queue", "show", made["id"])
    assert {**shown, **made} == shown
    assert [(job["kind"], job["state"]) for job in shown["jobs"]] == [("prepare", "ready")]
    assert shown["plan"] == "its pages are made now, as soon as faxgate serve gets to it"
    told = anywhere.says("send", anywhere.folder / "two.pdf", "+12025550124", "--faxbox", "Front")
    assert told.startswith("Fax ")
    assert "to +1 202-555-0124 is queued" in told


def test_what_cannot_be_sent_is_refused_and_leaves_nothing(faxgate: Faxgate) -> None:
    (faxgate.folder / "text.pdf").write_text("not a document")
    send = ("send", faxgate.folder / "text.pdf", "+12025550123", "--faxbox", "Front")
    assert "text.pdf cannot be faxed: it is no PDF, TIFF, PNG" in faxgate.refuses(*send)
    good = ("send", faxgate.folder / "two.pdf")
    assert "is not a valid phone number" in faxgate.refuses(*good, "5550123", "--faxbox", "Front")
    assert "where faxes from here may not go" in faxgate.refuses(*good, "+442079460000", "--faxbox", "Front")
    assert "there is no faxbox 'Back'" in faxgate.refuses(*good, "+12025550123", "--faxbox", "Back")
    assert faxgate("send", faxgate.folder / "none.pdf", "1", "--faxbox", "Front", code=2).stdout == ""
    faxgate("faxboxes", "update", "Front", "--caller-id", "")
    assert "has no number to send from; give it" in faxgate.refuses(*good, "+12025550123", "--faxbox", "Front")
    faxgate("applications", "update", "Acme (default)", "--inactive")
    assert "sending is switched off" in faxgate.refuses(*good, "+12025550123", "--faxbox", "Front")
    assert faxgate.json("queue", "list", "--all") == []
    assert [path for path in (faxgate.folder / "blobs").rglob("*") if path.is_file()] == []


def test_a_fax_is_held_released_canceled_and_tried_again(anywhere: Faxgate) -> None:
    fax = sent(anywhere)
    assert anywhere.says("queue", "hold", fax) == f"Fax {fax} is held.\n"
    shown = anywhere.json("queue", "show", fax)
    assert (shown["state"], shown["jobs"]) == ("held", [])
    assert shown["plan"] == f"waits for you: faxgate queue release {fax}, or cancel"
    assert "put aside by the operator" in anywhere.says("queue", "list")
    assert "is held and cannot be tried again" in anywhere.refuses("queue", "retry", fax)

    anywhere("queue", "release", fax)
    assert anywhere.says("queue", "list").rstrip().endswith("now")
    assert [job["kind"] for job in anywhere.json("queue", "show", fax)["jobs"]] == ["prepare"]
    assert "cannot be released" in anywhere.refuses("queue", "release", fax)

    anywhere("queue", "cancel", fax)
    assert anywhere.json("queue", "list") == []
    assert [one["state"] for one in anywhere.json("outbox", "list")] == ["canceled"]
    assert "canceled" in anywhere.says("outbox")
    assert not anywhere.says("queue", "list", "--all").rstrip().endswith("now")
    anywhere("queue", "retry", fax)
    assert [one["state"] for one in anywhere.json("queue", "list")] == ["preparing"]


def test_several_faxes_are_held_in_one_unit(faxgate: Faxgate) -> None:
    first, second = sent(faxgate), sent(faxgate, "+12025550124")
    faxgate("queue", "hold", second)
    assert f"fax {second} is held and cannot be held" in faxgate.refuses("queue", "hold", first, second)
    assert faxgate.json("queue", "show", first)["state"] == "preparing"
    faxgate("queue", "cancel", first, second)
    assert faxgate.says("queue") == "No faxes are waiting.\n"


def test_faxes_are_found_by_the_short_ids_that_lists_show(anywhere: Faxgate) -> None:
    ids = {sent(anywhere, f"+1202555012{n}") for n in range(3)}
    short = [line.split()[0] for line in anywhere.says("queue", "list").splitlines()[1:]]
    assert {anywhere.json("queue", "show", one)["id"] for one in short} == ids
    assert all(len(one) < 36 for one in short)
    (some, *_) = ids
    assert (
        anywhere.json("queue", "show", f"202611-{some.replace('-', '')}")["id"] == some
    )  # as Kazoo's clients write it
    assert "fits more than one fax" in anywhere.refuses("queue", "hold", some[:4])
    assert "there is no fax 'zebra'" in anywhere.refuses("queue", "hold", "zebra")
    assert "an outgoing one; try: faxgate queue show" in anywhere.refuses("inbox", "show", some)
    told = anywhere("queue", "list", "--limit", 2)
    assert len(told.stdout.splitlines()) == 3
    assert "These are the newest 2" in told.stderr


def test_attempts_are_shown_without_the_key_to_the_document(faxgate: Faxgate) -> None:
    fax, now = UUID(sent(faxgate)), datetime.now(UTC)
    document = samples.pdf(1)
    attempt = Attempt(
        id=new_id(),
        fax_id=fax,
        ordinal=1,
        state=AttemptState.FAILED,
        client_state="state-1",
        handle_kind=Handle.TOKEN,
        handle=HANDLE,
        document_blob=stored(faxgate, document),
        intent_at=now,
        failure_reason="user_busy",
    )

    def unit(tx: Tx) -> None:
        attempts.insert(tx, attempt)
        due = now + timedelta(minutes=10)
        faxes.change(tx, fax, [State.PREPARING], state=State.QUEUED, tries=1, next_try_at=due)
        jobs.drop(tx, "prepare", fax)
        jobs.enqueue(tx, "transmit", fax, due=due)

    written(faxgate, unit)
    shown = faxgate.json("queue", "show", fax)
    assert shown["attempts"][0]["failure_reason"] == "user_busy"
    assert shown["plan"].startswith("try 2 of 3 at ")
    assert shown["plan"].endswith(" min)")
    told = faxgate.says("queue", "show", fax)
    assert "user_busy" in told
    assert HANDLE not in told + str(shown)
    assert re.search(r"try 2 of 3 at .* \(in (9|10) min\)", told)

    faxgate("outbox", "save", fax, "-o", faxgate.folder / "sent.pdf")
    assert (faxgate.folder / "sent.pdf").read_bytes() == document


def test_a_received_fax_is_saved(faxgate: Faxgate) -> None:
    document = samples.tiff(1)
    fax = received(stored(faxgate, document))
    written(faxgate, lambda tx: faxes.insert(tx, fax))
    told = faxgate.says("inbox", "save", fax.id, "-o", faxgate.folder)
    (saved,) = faxgate.folder.glob("fax-from-+12025550123-*.tif")
    assert saved.read_bytes() == document
    assert told == f"{saved}: {len(document):,} bytes, image/tiff\n"
    assert "is there already; name another file with -o" in faxgate.refuses("inbox", "save", fax.id, "-o", saved)
    saved.write_bytes(b"")
    faxgate("inbox", "save", fax.id, "-o", saved, "--force")
    assert saved.read_bytes() == document
    assert faxgate("inbox", "save", fax.id, "-o", "-").stdout_bytes == document

    coming = received(state=State.RECEIVING)
    written(faxgate, lambda tx: faxes.insert(tx, coming))
    assert "is receiving and has none yet" in faxgate.refuses("inbox", "save", coming.id)


def test_an_unrouted_fax_is_assigned_and_mailed_on(anywhere: Faxgate) -> None:
    fax = received()
    written(anywhere, lambda tx: faxes.insert(tx, fax))
    assert [one["id"] for one in anywhere.json("inbox", "list", "--unrouted")] == [str(fax.id)]
    assert "nobody" in anywhere.says("inbox", "list")
    assert anywhere.json("inbox", "list", "--account", "Acme") == []
    assert "belongs to faxbox Front now" in anywhere.says("inbox", "assign", fax.id, "--faxbox", "Front")
    assert "belongs to faxbox" in anywhere.refuses("inbox", "assign", fax.id, "--faxbox", "Front")
    assert anywhere.says("inbox", "list", "--unrouted") == "No fax is unrouted.\n"
    shown = anywhere.json("inbox", "show", fax.id)
    assert [job["kind"] for job in shown["jobs"]] == ["forward"]
    assert shown["plan"] == "it is mailed on now, as soon as faxgate serve gets to it"


def record(reply: str, at: datetime, *errors: str, sender: str = "bob@x.example") -> SmtpRecord:
    part = {"index": 1, "name": "scan.png", "media_type": "image/png", "size": 7, "used": False, "pages": 0}
    return SmtpRecord(
        id=new_id(),
        account_id=None,
        faxbox_id=None,
        at=at,
        listener="127.0.0.1:2525",
        peer="192.0.2.7",
        helo="mail.x.example",
        tls="TLSv1.3",
        user="",
        sender=sender,
        recipients=[{"written": "12025550123@fax.example.com", "number": "+12025550123", "domain": "fax.example.com"}],
        size=1234,
        message_id="<1@x.example>",
        subject="Invoice",
        found=[{**part, "why": "a picture; only PDF and TIFF documents are faxed"}],
        errors=list(errors),
        reply=reply,
        fax_ids=[str(new_id())] if reply.startswith("2") else [],
    )


def test_the_smtplog_says_what_was_refused_and_why(anywhere: Faxgate) -> None:
    now = datetime.now(UTC)
    taken = record("250 2.0.0 taken as 1", now - timedelta(minutes=2))
    refused = record("554 5.6.0 nothing to fax", now, "550 5.7.1 not you", "554 5.6.0 nothing to fax")
    for one in (taken, refused):
        written(anywhere, lambda tx, one=one: smtplog.insert(tx, one))  # type: ignore[misc] # bound at once
    assert [one["id"] for one in anywhere.json("smtplog", "list")] == [str(refused.id), str(taken.id)]
    (only,) = anywhere.json("smtplog", "list", "--refused")
    assert only["errors"] == ["550 5.7.1 not you", "554 5.6.0 nothing to fax"]
    listed = anywhere.says("smtplog")
    assert "taken: 1 fax" in listed
    assert "(2 min ago)" in listed

    told = anywhere.says("smtplog", "show", listed.splitlines()[1].split()[0])
    assert told.index("550 5.7.1 not you") < told.index("554 5.6.0 nothing to fax")
    for fact in ("192.0.2.7", "bob@x.example", "+12025550123", "scan.png", "ignored: a picture; only PDF"):
        assert fact in told
    assert anywhere.json("smtplog", "show", refused.id)["found"][0]["name"] == "scan.png"
    assert "there is no record 'x'" in anywhere.refuses("smtplog", "show", "x")


def test_what_strangers_write_does_not_reach_the_terminal(faxgate: Faxgate) -> None:
    bad = record("550 5.7.1 \x1b[31mred", datetime.now(UTC), sender="a\x1b]0;title\x07@\x9b31m\nx.example")
    written(faxgate, lambda tx: smtplog.insert(tx, bad))
    for told in (faxgate.says("smtplog", "list"), faxgate.says("smtplog", "show", bad.id)):
        assert not {char for char in told if not char.isprintable()} - {"\n"}
    assert faxgate("smtplog", "show", bad.id, "--json").stdout.isascii()
