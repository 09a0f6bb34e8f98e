"""The rules for accounts and what they own: what is wrong is refused by name, whatever an API hands in."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway.account import Account
from gateway.errors import Kind, Refusal
from gateway.ids import digest, new_id
from gateway.provisioning import Provisioning
from gateway.store import schema
from gateway.store.database import Database
from gateway.store.provision import routing_revision
from tests.integration.engines import ENGINES, rows, store

NUMBER = "+12025550101"
PROGRAM = {"name": "main", "webhook_event_url": "https://acme.example/events"}


@pytest.fixture(params=ENGINES)
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with store(request, tmp_path) as db:
        yield db


@pytest.fixture
def rules(db: Database) -> Provisioning:
    return Provisioning(db, mail_host="fax.example.com")


@pytest.fixture
async def account(rules: Provisioning) -> Account:
    return (await rules.create_account("Acme", "acme.example"))[0]


async def refused(work: Any, kind: Kind, subject: str | None = None) -> None:
    with pytest.raises(Refusal) as refusal:
        await work
    assert refusal.value.reason.kind is kind
    assert not refusal.value.reason.temporary
    assert subject is None or refusal.value.reason.subject == subject


async def test_an_account_comes_with_an_application_and_a_key_that_is_not_kept(
    db: Database, rules: Provisioning
) -> None:
    account, key = await rules.create_account("Acme", "Fax.Acme.Example.", country="ie", timezone="Europe/Dublin")
    assert (account.realm, account.country) == ("fax.acme.example", "IE")
    (row,) = await rows(db, schema.accounts)
    assert row["api_key_digest"] == digest(key)
    (application,) = await rows(db, schema.applications)
    assert (application["account_id"], application["is_default"]) == (account.id, True)


async def test_every_change_makes_the_routing_old(db: Database, rules: Provisioning, account: Account) -> None:
    revisions = [await routing_revision(db)]

    async def changed() -> None:
        revisions.append(await routing_revision(db))
        assert revisions[-1] > revisions[-2]

    application = await rules.create_application(account.id, PROGRAM)
    await changed()
    box = await rules.create_faxbox(account.id, {"name": "ward"})
    await changed()
    await rules.update_faxbox(box.id, {"permit": ["a@b.example"]})
    await changed()
    await rules.update_application(application.id, {"active": False})
    await changed()
    await rules.update_account(account.id, realm="other.example")
    await changed()
    await rules.assign_number(NUMBER, application.id)
    await changed()
    await rules.delete_faxbox(box.id)
    await changed()


_ODD: list[Any] = [
    *([], {}, [[]], [None], ["\0"], {"a": "\0"}, {"a": float("nan")}, 7, 7.5, True, None, object()),
    *("", "\0", "a\nb", "\ud800", "x" * 5000, "http://[", "http://x y/"),
]
_FAXBOX = [
    *("name", "custom_host", "caller_id", "caller_name", "fax_header", "fax_identity", "timezone"),
    *("retries", "permit", "inbound_emails", "outbound_emails", "file_type", "extra", "application_id"),
]
_APPLICATION = [
    *("name", "webhook_event_url", "webhook_event_failover_url", "webhook_timeout_secs", "active", "is_default"),
    *("fax_email_recipient", "file_type", "upstream_connection_id", "channel_limit", "extra"),
]


async def test_whatever_is_given_for_a_faxboxs_field_is_taken_or_refused_by_name(
    rules: Provisioning, account: Account
) -> None:
    box = await rules.create_faxbox(account.id, {"name": "ward"})
    for field in _FAXBOX:
        for value in _ODD:
            await _taken_or_refused(rules.update_faxbox(box.id, {field: value}), field, value)


async def test_whatever_is_given_for_an_applications_field_is_taken_or_refused_by_name(
    rules: Provisioning, account: Account
) -> None:
    application = await rules.create_application(account.id, PROGRAM)
    for field in _APPLICATION:
        for value in _ODD:
            await _taken_or_refused(rules.update_application(application.id, {field: value}), field, value)


async def _taken_or_refused(work: Any, field: str, value: Any) -> None:
    reason = None
    try:
        await work
    except Refusal as refusal:
        reason = refusal.reason
    assert reason is None or reason.kind is Kind.NUMBER_INVALID or reason.subject == field, (field, value, reason)


async def test_an_application_may_choose_its_id_within_int64(rules: Provisioning, account: Account) -> None:
    for identity in (1, 2**63 - 1):
        assert (await rules.create_application(account.id, PROGRAM | {"id": identity})).id == identity
    for wrong in (0, -1, 2**63, "x", True, 1.5):
        await refused(rules.create_application(account.id, PROGRAM | {"id": wrong}), Kind.INVALID, "id")
    await refused(rules.create_application(account.id, PROGRAM | {"id": 1}), Kind.CONFLICT)


async def test_what_is_not_there_is_refused(rules: Provisioning, account: Account) -> None:
    nobody = new_id()
    await refused(rules.update_account(nobody, name="x"), Kind.NOT_FOUND)
    await refused(rules.delete_account(nobody), Kind.NOT_FOUND)
    await refused(rules.create_token(nobody), Kind.NOT_FOUND)
    await refused(rules.delete_token(nobody), Kind.NOT_FOUND)
    await refused(rules.create_application(nobody, PROGRAM), Kind.NOT_FOUND)
    await refused(rules.update_application(7, {"name": "x"}), Kind.NOT_FOUND)
    await refused(rules.delete_application(7), Kind.NOT_FOUND)
    await refused(rules.create_faxbox(nobody, {"name": "x"}), Kind.NOT_FOUND)
    await refused(rules.update_faxbox(nobody, {"name": "x"}), Kind.NOT_FOUND)
    await refused(rules.delete_faxbox(nobody), Kind.NOT_FOUND)
    await refused(rules.assign_number(NUMBER, 7), Kind.NOT_FOUND)
    await refused(rules.delete_number(NUMBER), Kind.NOT_FOUND)
    await refused(rules.create_account("x", "x.example", parent_id=nobody), Kind.NOT_FOUND)


async def test_a_mail_host_has_one_owner(rules: Provisioning, account: Account) -> None:
    box = await rules.create_faxbox(account.id, {"name": "ward", "custom_host": "ward.acme.example"})
    await refused(rules.create_account("Other", "acme.example"), Kind.CONFLICT, "realm")
    await refused(rules.create_account("Other", "WARD.acme.example"), Kind.CONFLICT, "realm")
    await refused(rules.create_account("Other", box.host), Kind.CONFLICT, "realm")
    other, _ = await rules.create_account("Other", "other.example")
    await refused(rules.update_account(other.id, realm="ward.acme.example"), Kind.CONFLICT, "realm")
    await refused(rules.update_faxbox(box.id, {"custom_host": "other.example"}), Kind.CONFLICT, "custom_host")
    await rules.update_faxbox(box.id, {"custom_host": "ward.acme.example"})
    await rules.update_account(other.id, realm="other.example")


async def test_what_belongs_to_another_account_cannot_be_used(rules: Provisioning, account: Account) -> None:
    other, _ = await rules.create_account("Other", "other.example")
    foreign = await rules.create_application(other.id, PROGRAM)
    own = await rules.create_application(account.id, PROGRAM)
    box = await rules.create_faxbox(account.id, {"name": "ward"})
    wrong = {"name": "x", "application_id": foreign.id}
    await refused(rules.create_faxbox(account.id, wrong), Kind.INVALID, "application_id")
    await refused(rules.update_faxbox(box.id, {"application_id": foreign.id}), Kind.INVALID, "application_id")
    await refused(rules.assign_number(NUMBER, foreign.id, box.id), Kind.INVALID, "faxbox_id")
    assert (await rules.update_faxbox(box.id, {"application_id": str(own.id)})).application_id == own.id


async def test_what_is_in_use_is_not_deleted(db: Database, rules: Provisioning, account: Account) -> None:
    application = await rules.create_application(account.id, PROGRAM)
    box = await rules.create_faxbox(account.id, {"name": "ward", "application_id": application.id})
    number = await rules.assign_number(NUMBER, application.id, box.id)
    child, _ = await rules.create_account("Child", "child.example", parent_id=account.id)
    await rules.create_token(account.id)
    await refused(rules.delete_application(application.id), Kind.CONFLICT)
    await refused(rules.delete_faxbox(box.id), Kind.CONFLICT)
    await refused(rules.delete_account(account.id), Kind.CONFLICT)
    await rules.delete_number(number.e164)
    await rules.delete_faxbox(box.id)
    await refused(rules.delete_account(account.id), Kind.CONFLICT)
    await rules.delete_account(child.id)
    await rules.delete_account(account.id)
    for table in (schema.accounts, schema.applications, schema.faxboxes, schema.numbers, schema.tokens):
        assert await rows(db, table) == [], table.name


async def test_a_number_moves_to_whom_it_is_given_last(db: Database, rules: Provisioning, account: Account) -> None:
    first, second = [await rules.create_application(account.id, PROGRAM) for _ in range(2)]
    box = await rules.create_faxbox(account.id, {"name": "ward"})
    assert (await rules.assign_number("(202) 555-0101".replace("(", "").replace(") ", "-"), first.id)).e164 == NUMBER
    await rules.assign_number(NUMBER, second.id, box.id)
    (row,) = await rows(db, schema.numbers)
    assert (row["e164"], row["application_id"], row["faxbox_id"]) == (NUMBER, second.id, box.id)


async def test_a_callers_id_is_read_as_dialled_in_the_accounts_country(rules: Provisioning) -> None:
    account, _ = await rules.create_account("Acme", "acme.example", country="IE")
    box = await rules.create_faxbox(account.id, {"name": "ward", "caller_id": "01-6797000"})
    assert box.caller_id == "+35316797000"
    await refused(rules.update_faxbox(box.id, {"caller_id": "12"}), Kind.NUMBER_INVALID)


async def test_unknown_fields_are_refused_by_name(rules: Provisioning, account: Account) -> None:
    await refused(rules.create_faxbox(account.id, {"name": "x", "colour": "red"}), Kind.INVALID, "colour")
    await refused(rules.create_faxbox(account.id, {}), Kind.INVALID, "name")
    await refused(rules.create_application(account.id, {"name": "x"}), Kind.INVALID, "webhook_event_url")
    await refused(rules.update_faxbox(UUID(int=1), {"host": "x.example"}), Kind.INVALID, "host")
