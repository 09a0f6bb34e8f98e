"""Mail of strangers: really signed, sent by a real client to a listener of mode mx, with a name server beside it."""

import base64
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway import daemon
from gateway.dns import Resolver
from gateway.errors import ConfigurationError
from gateway.fax import State
from gateway.intake.evidence import organisation
from gateway.sandbox import Sandbox
from gateway.settings import Settings
from gateway.store import migrate, schema
from gateway.store.database import open_database
from tests.integration.dns_house import Names, naming
from tests.integration.door_house import Door
from tests.integration.engines import rows
from tests.integration.house import REALM, SENDER
from tests.integration.stranger_house import KEY, NUMBER, answer, letter, publish, signed, strangers_door


@pytest.fixture
def names() -> Iterator[Names]:
    with naming() as found:
        yield found


@pytest.fixture
async def door(request: pytest.FixtureRequest, tmp_path: Path, names: Names) -> AsyncIterator[Door]:
    async with strangers_door(request, tmp_path, names) as one:
        yield one


# -- proved ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("canonical", [b"relaxed", b"simple"])
async def test_a_signature_of_the_authors_domain_proves_him(door: Door, names: Names, canonical: bytes) -> None:
    publish(names)
    assert (await answer(door, signed(letter(), canonical=canonical), "bounce@lists.example")).startswith("250 2.0.0")
    fax = await door.house.only_fax()
    assert fax.state is State.PREPARING
    # Whoever the envelope names has proved nothing, and is told nothing.
    assert fax.notify == [SENDER]
    assert (await door.log())["sender"] == "bounce@lists.example"


async def test_a_relaxed_alignment_is_enough_where_the_domain_asks_for_no_other(door: Door, names: Names) -> None:
    publish(names, f"mail.{REALM}")
    names.texts[f"_dmarc.{REALM}"] = "v=DMARC1; p=reject; adkim=r"
    assert (await answer(door, signed(letter(), f"mail.{REALM}"))).startswith("250")
    names.texts[f"_dmarc.{REALM}"] = "v=DMARC1; p=none; adkim=s"
    refusal = await answer(door, signed(letter(message_id="<2@x>"), f"mail.{REALM}"))
    assert refusal.startswith("550 5.7.26")


async def test_spf_of_the_authors_domain_proves_him(door: Door, names: Names) -> None:
    names.texts[REALM] = "v=spf1 ip4:127.0.0.1 -all"
    assert (await answer(door, letter())).startswith("250 2.0.0")
    # Nothing was asked that was not needed: no key, no other domain.
    assert set(names.asked) == {f"_dmarc.{REALM}", REALM}


# -- not proved --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "says"), [("v=spf1 -all", "fail"), ("v=spf1 ~all", "softfail"), ("v=spf1 ?all", "neutral"), ("", "none")]
)
async def test_a_sender_whom_nothing_proves_is_refused_and_told_why(
    door: Door, names: Names, policy: str, says: str
) -> None:
    if policy:
        names.texts[REALM] = policy
    names.texts[f"_dmarc.{REALM}"] = "v=DMARC1; p=none"
    refusal = await answer(door, letter())
    assert refusal.startswith("550 5.7.26 nothing proves that this mail is from")
    assert f"SPF of {REALM} says {says} for 127.0.0.1" in refusal
    assert f"no DKIM signature of {REALM}" in refusal
    assert await rows_of(door) == []
    assert (await door.log())["reply"] == refusal


async def rows_of(door: Door) -> list[object]:
    return list(await rows(door.house.db, schema.faxes))


async def test_spf_of_another_domain_than_the_authors_proves_nothing(door: Door, names: Names) -> None:
    names.texts["thief.example"] = "v=spf1 ip4:127.0.0.1 -all"
    assert (await answer(door, letter(), "thief@thief.example")).startswith("550 5.7.26")


async def test_a_signature_of_another_domain_proves_nothing(door: Door, names: Names) -> None:
    publish(names, "thief.example")
    assert (await answer(door, signed(letter(), "thief.example"))).startswith("550 5.7.26")
    assert "s1._domainkey.thief.example" not in names.asked


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace(b"Please fax", b"Please fix"),
        lambda text: text.replace(b"Subject: A fax", b"Subject: Another"),
        lambda text: b"From: Mallory <mallory@thief.example>\r\n" + text,
        lambda text: text.replace(b" b=", b" b=AAAA"),
    ],
    ids=["body", "subject", "second from", "signature"],
)
async def test_a_mail_that_was_changed_is_not_the_one_that_was_signed(door: Door, names: Names, spoil: object) -> None:
    publish(names)
    assert callable(spoil)
    assert (await answer(door, spoil(signed(letter())))).startswith("550 5.7.26")


async def test_a_signature_over_a_part_of_the_body_proves_nothing(door: Door, names: Names) -> None:
    publish(names)
    assert "over the whole mail" in await answer(door, signed(letter(), length=True))


async def test_a_mail_that_was_sent_to_others_does_not_become_a_fax_to_a_thiefs_number(
    door: Door, names: Names
) -> None:
    """DKIM holds for everybody who has the mail: what counts is that the signed To names the number."""
    publish(names)
    elsewhere = signed(letter(to="bob@elsewhere.example"))
    assert "do not name every number" in await answer(door, elsewhere)
    two = [NUMBER, f"+12025550199@{REALM}"]
    assert "do not name every number" in await answer(door, signed(letter()), to=two)
    unsigned_to = signed(letter(), headers=[b"from", b"date"])
    assert "does not cover To and Cc" in await answer(door, unsigned_to)
    both = signed(letter(to=f"{NUMBER}, Bob <(202) 555@x>, 2025550199@{REALM}"))
    assert (await answer(door, both, to=two)).startswith("250")


async def test_a_signature_counts_for_a_week_after_the_date_that_it_covers(door: Door, names: Names) -> None:
    """Whoever has the mail could have it faxed for ever."""
    publish(names)
    now = datetime.now(UTC)
    undated = signed(letter(), headers=[b"from", b"to", b"subject"])
    assert f"no DKIM signature of {REALM} over the whole mail and its Date" in await answer(door, undated)
    for days in (-8, 2):
        refusal = await answer(door, signed(letter(written_at=now + timedelta(days=days))))
        assert "its Date is not of the last 7 days, so its DKIM signature does not count" in refusal
    unreadable = signed(letter().replace(b"\r\nDate: ", b"\r\nDate: the day after "))
    assert "its Date is not of the last 7 days" in await answer(door, unreadable)
    assert (await answer(door, signed(letter(written_at=now - timedelta(days=6))))).startswith("250 ")
    (claim,) = await rows(door.house.db, schema.submissions)
    assert claim["until"] > now + timedelta(days=8)  # it cannot be sent once more after that


async def test_who_may_not_send_is_refused_before_anything_is_looked_up(door: Door, names: Names) -> None:
    publish(names, "stranger.example")
    content = signed(letter(sender="x@stranger.example"), "stranger.example")
    # The sender of the envelope may be anybody: the list is about the author.
    assert (await answer(door, content, SENDER)).startswith("550 5.7.1 x@stranger.example may not send")
    assert names.asked == []


@pytest.mark.parametrize("sender", ["Alice <a@x.example>, Bob <b@x.example>", "undisclosed", ""])
async def test_a_mail_without_one_certain_author_is_refused(door: Door, names: Names, sender: str) -> None:
    content = letter().replace(f"From: Alice <{SENDER}>".encode(), f"From: {sender}".encode())
    assert "exactly one plain address" in await answer(door, content)


async def test_a_key_that_is_none_proves_nothing(door: Door, names: Names) -> None:
    for record in ("v=DKIM1; k=ed25519; p=", "v=DKIM1; k=ed25519; p=AAAA", "v=spf1 -all", "p", "k=rsa; p=" + "A" * 300):
        names.texts[f"s1._domainkey.{REALM}"] = record
        assert "DKIM of acme.example: " in await answer(door, signed(letter()))


async def test_a_policy_of_the_organisation_holds_below_it_and_two_records_are_none(door: Door, names: Names) -> None:
    """RFC 7489, 6.6.3: a domain without a record of its own has its organisation's."""
    below = f"ward@sub.{REALM}"
    await door.house.provisioning.update_faxbox(door.house.faxbox.id, {"permit": [below]})
    publish(names, f"sub.{REALM}")
    publish(names, REALM)
    content = letter(sender=below)
    names.texts[f"_dmarc.{REALM}"] = "v=DMARC1; p=none; sp=reject; adkim=s; aspf=s"
    assert (await answer(door, signed(content, REALM), below)).startswith("550 5.7.26")
    names.texts[f"_dmarc.sub.{REALM}"] = "v=DMARC1; p=none; adkim=r"
    assert (await answer(door, signed(content, REALM), below)).startswith("250")


# -- not known now -----------------------------------------------------------------------------------------------------


async def test_while_the_dns_does_not_answer_the_mail_comes_again(door: Door, names: Names) -> None:
    names.texts[REALM] = "v=spf1 -all"
    names.broken.add(f"s1._domainkey.{REALM}")
    assert (await answer(door, signed(letter()))).startswith("451 4.4.3 whether this mail is from")
    names.broken.clear()
    publish(names)
    assert (await answer(door, signed(letter()))).startswith("250")


async def test_spf_that_cannot_be_read_now_is_no_refusal_for_ever(door: Door, names: Names) -> None:
    names.broken.add(REALM)
    assert (await answer(door, letter())).startswith("451 4.4.3")


async def test_a_reverse_name_that_cannot_be_looked_up_fits_nobody(door: Door, names: Names) -> None:
    names.broken.add("1.0.0.127.in-addr.arpa")
    names.texts[REALM] = "v=spf1 ptr ip4:127.0.0.1 -all"
    assert (await answer(door, letter())).startswith("250")
    names.texts[REALM] = "v=spf1 ptr -all"
    assert "SPF of acme.example says fail" in await answer(door, letter(message_id="<2@acme.example>"))


async def test_while_the_policy_is_not_known_only_the_same_domain_counts(door: Door, names: Names) -> None:
    publish(names)
    publish(names, f"mail.{REALM}")
    names.broken.add(f"_dmarc.{REALM}")
    assert (await answer(door, signed(letter(message_id="<1@x>"), f"mail.{REALM}"))).startswith("451 4.4.3")
    assert (await answer(door, signed(letter(message_id="<2@x>")))).startswith("250")


# -- a relay of ours in front ------------------------------------------------------------------------------------------


async def test_what_a_relay_of_ours_has_found_out_counts_and_what_others_claim_does_not(
    door: Door, names: Names
) -> None:
    claim = f"Authentication-Results: mx.front.example; spf=pass smtp.mailfrom={SENDER}\r\n".encode()
    foreign = claim.replace(b"mx.front", b"mx.other")
    # Sent by anybody, its name is worth nothing.
    assert (await answer(door, claim + letter())).startswith("550 5.7.26")
    door.source = "127.0.0.2"
    assert (await answer(door, foreign + letter())).startswith("550 5.7.26")
    # Only the topmost field of that name is the relay's.
    denied = claim.replace(b"spf=pass", b"spf=fail")
    assert "spf=fail" in await answer(door, denied + claim + letter())
    assert (await answer(door, foreign + claim + letter())).startswith("250")


async def test_a_signature_is_verified_here_whatever_a_relay_says_of_it(door: Door, names: Names) -> None:
    """Its word would not say which of several signatures it means."""
    door.source = "127.0.0.2"
    claim = f"Authentication-Results: mx.front.example; dkim=pass header.d={REALM}\r\n".encode()
    assert (await answer(door, claim + letter())).startswith("550 5.7.26")
    assert "there is no key" in await answer(door, claim + signed(letter()))
    publish(names)
    assert (await answer(door, claim.replace(b"pass", b"fail") + signed(letter()))).startswith("250")


async def test_what_a_relay_could_not_find_out_now_may_be_known_later(door: Door, names: Names) -> None:
    door.source = "127.0.0.2"
    claim = f"Authentication-Results: mx.front.example; spf=temperror smtp.mailfrom={SENDER}\r\n".encode()
    assert (await answer(door, claim + letter())).startswith("451 4.4.3")


# -- the name server itself --------------------------------------------------------------------------------------------


async def test_a_name_server_is_checked_before_strangers_are_let_in(names: Names) -> None:
    assert await Resolver([names.address]).check() == f"name servers answer: 127.0.0.1 port {names.address[1]}"
    with pytest.raises(ConfigurationError, match=r"\[dns\] servers: no name server answers"):
        await Resolver([("127.0.0.1", 1)], timeout=0.3).check()


def test_the_organisation_is_one_label_below_the_public_suffix() -> None:
    assert organisation("mail.clinic.co.uk") == "clinic.co.uk"
    assert organisation("a.b.example.com") == "example.com"
    # Below a name where everybody may have one of his own, neighbours are strangers.
    assert organisation("a.github.io") == "a.github.io"
    assert organisation("clinic.local") == "clinic.local"
    assert organisation("co.uk") == "co.uk"


async def test_a_daemon_that_takes_mail_of_strangers_does_not_start_without_a_name_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "DNS_PATIENCE", (0.0,))
    settings = Settings.model_validate(
        {
            "database": {"url": f"sqlite:///{tmp_path / 'faxgate.db'}"},
            "blobs": {"url": f"file://{tmp_path / 'blobs'}"},
            "smtp": {"hostname": "fax.example", "listeners": [{"address": "127.0.0.1:0", "mode": "mx"}]},
            "dns": {"servers": ["127.0.0.1:1"], "timeout": "300ms"},
        }
    )
    db = await open_database(settings.database.url)
    await migrate.upgrade(db)
    await db.close()
    with pytest.raises(ConfigurationError, match=r"\[dns\] servers: no name server answers"):
        await daemon.Daemon(settings, frozenset({"smtp"})).start()


async def test_signatures_are_verified_in_a_confined_reader(tmp_path: Path) -> None:
    public = base64.b64encode(bytes(KEY.verify_key)).decode()
    records = {f"s1._domainkey.{REALM}": f"v=DKIM1; k=ed25519; p={public}"}
    content = signed(letter())
    file = tmp_path / "mail.eml"
    file.write_bytes(content)
    sandbox = Sandbox(readers=1, renderers=1)
    await sandbox.start()
    try:
        with file.open("rb") as opened_file:
            descriptor = opened_file.fileno()
            offers = await sandbox.offers(descriptor, len(content))
            assert offers.header_from == SENDER
            (signature,) = offers.signatures
            assert signature.addressed == (NUMBER,)
            assert signature.key_name in records
            assert await sandbox.verify(descriptor, len(content), records, [signature.number, 7]) == {
                0: "",
                7: "the signature does not fit",
            }
            assert (await sandbox.verify(descriptor, len(content), {}, [0]))[0]
    finally:
        await sandbox.stop()
