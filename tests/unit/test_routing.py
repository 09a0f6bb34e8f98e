"""Whose a recipient is, and which faxbox sends: decided from memory, by host, number and sender."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from gateway.account import Account, SmtpUser
from gateway.application import Application
from gateway.errors import Kind, Refusal
from gateway.faxbox import Faxbox
from gateway.intake import Routing

NOW = datetime.now(UTC)
ACME = Account(UUID(int=1), "Acme", "acme.example", "US", NOW, NOW)
OTHER = Account(UUID(int=2), "Other", "other.example", "DE", NOW, NOW)


def faxbox(account: Account = ACME, **fields: Any) -> Faxbox:
    identity = uuid4()
    usual = {"permit": ["*@acme.example"], "caller_id": "+12025550100"}
    return Faxbox(identity, account.id, 7, "ward", f"{identity.hex[:8]}.fax.example", NOW, NOW, **(usual | fields))


def routing(*boxes: Faxbox, active: bool = True) -> Routing:
    hosts = {
        account.realm: (account, tuple(box for box in boxes if box.account_id == account.id))
        for account in (ACME, OTHER)
    }
    for box in boxes:
        owner = ACME if box.account_id == ACME.id else OTHER
        hosts |= {host: (owner, (box,)) for host in (box.host, box.custom_host) if host}
    return Routing(1, hosts, {7: Application(7, ACME.id, "main", "", NOW, NOW, active=active)})


def chosen(table: Routing, path: str, sender: str = "alice@acme.example") -> Faxbox:
    return table.choose(sender, table.route(path))


def refused(table: Routing, path: str, sender: str = "alice@acme.example") -> Kind:
    with pytest.raises(Refusal) as refusal:
        chosen(table, path, sender)
    assert not refusal.value.reason.temporary
    return refusal.value.reason.kind


def test_a_host_leads_to_its_faxbox_and_the_realm_to_all_of_the_account() -> None:
    ward, lab, foreign = faxbox(), faxbox(custom_host="lab.example"), faxbox(OTHER)
    table = routing(ward, lab, foreign)
    assert table.route(f"2025550123@{ward.host}").boxes == (ward,)
    assert table.route("2025550123@lab.example").boxes == (lab,)
    assert table.route(f"2025550123@{lab.host}").boxes == (lab,)
    assert table.route("2025550123@acme.example").boxes == (ward, lab)
    assert table.route("2025550123@LAB.Example").domain == "lab.example"


def test_national_numbers_are_read_in_the_accounts_country() -> None:
    table = routing(faxbox(), faxbox(OTHER))
    assert table.route("2025550123@acme.example").number == "+12025550123"
    assert table.route("030123456@other.example").number == "+4930123456"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("2025550123@elsewhere.example", Kind.DOMAIN_UNKNOWN),
        ("2025550123@sub.acme.example", Kind.DOMAIN_UNKNOWN),
        ("2025550123@acme.example.evil.example", Kind.DOMAIN_UNKNOWN),
        ("postmaster@acme.example", Kind.NUMBER_INVALID),
        ("acme.example", Kind.NUMBER_INVALID),
        ("2025550123@", Kind.NUMBER_INVALID),
        ("2025550123%acme.example@acme.example", Kind.NUMBER_INVALID),
        ("evil.example!2025550123@acme.example", Kind.NUMBER_INVALID),
        ("@evil.example:2025550123@acme.example", Kind.NUMBER_INVALID),
        ("2025550123@[127.0.0.1]", Kind.NUMBER_INVALID),
    ],
)
def test_what_leads_nowhere_is_refused(path: str, kind: Kind) -> None:
    assert refused(routing(faxbox()), path) is kind


def test_who_is_not_on_the_list_may_not() -> None:
    box = faxbox()
    table = routing(box)
    for sender in ("mallory@evil.example", "alice@acme.example.evil.example", "acme.example", ""):
        assert refused(table, f"2025550123@{box.host}", sender) is Kind.SENDER_NOT_PERMITTED
    assert refused(routing(), "2025550123@acme.example") is Kind.SENDER_NOT_PERMITTED


def test_the_most_exact_entry_decides_between_the_faxboxes_of_a_realm() -> None:
    anybody = faxbox(permit=[".*"])
    house = faxbox(permit=["*@acme.example"])
    hers = faxbox(permit=["Alice@Acme.Example"])
    assert chosen(routing(anybody, house, hers), "2025550123@acme.example") == hers
    assert chosen(routing(anybody, house), "2025550123@acme.example") == house
    assert chosen(routing(anybody), "2025550123@acme.example") == anybody
    assert chosen(routing(anybody, house, hers), "2025550123@acme.example", "bob@acme.example") == house


def test_a_tie_is_refused_with_the_hosts_to_choose_from() -> None:
    first, second = faxbox(), faxbox(custom_host="lab.example")
    table = routing(first, second)
    with pytest.raises(Refusal) as refusal:
        chosen(table, "2025550123@acme.example")
    assert refusal.value.reason.kind is Kind.SENDER_AMBIGUOUS
    assert first.host in refusal.value.reason.sentence
    assert "lab.example" in refusal.value.reason.sentence
    assert chosen(table, "2025550123@lab.example") == second


def test_an_inactive_application_and_a_missing_caller_id_send_nothing() -> None:
    assert refused(routing(faxbox(), active=False), "2025550123@acme.example") is Kind.APPLICATION_INACTIVE
    assert refused(routing(faxbox(caller_id="")), "2025550123@acme.example") is Kind.CALLER_ID_MISSING


def test_who_may_not_send_learns_nothing_about_the_faxbox() -> None:
    table = routing(faxbox(caller_id=""), active=False)
    assert refused(table, "2025550123@acme.example", "mallory@evil.example") is Kind.SENDER_NOT_PERMITTED


def test_the_log_knows_the_account_of_an_address_that_is_refused() -> None:
    table = routing(faxbox())
    assert table.account_of("nonsense@ACME.example") == ACME
    assert table.account_of("2025550123@elsewhere.example") is None
    assert table.account_of("") is None


def test_who_has_logged_in_sends_through_his_own_faxbox() -> None:
    ward, lab, foreign = faxbox(permit=[]), faxbox(), faxbox(OTHER, permit=["desk@acme.example"])
    desk = SmtpUser(uuid4(), ACME.id, ward.id, "desk", ["desk@acme.example"], NOW, NOW)
    table = replace(routing(ward, lab, foreign), users={desk.id: desk})

    def chosen(path: str) -> Faxbox:
        return table.choose("desk@acme.example", table.route(path), desk)

    assert chosen("2025550123@acme.example") == ward
    assert chosen(f"2025550123@{ward.host}") == ward
    assert chosen(f"2025550123@{lab.host}") == lab
    # His account says which addresses are his: that proves nothing to another one.
    with pytest.raises(Refusal) as refusal:
        chosen(f"+4930123456@{foreign.host}")
    assert refusal.value.reason.kind is Kind.SENDER_NOT_PERMITTED
