"""The commands that make, show, change and delete accounts and what they own."""

import json
import re
from pathlib import Path

import pytest

from gateway import passwords
from gateway.ids import digest
from gateway.store import provision, schema
from gateway.store.database import Database
from tests.integration.cli_house import Faxgate, new_house


@pytest.fixture
def faxgate(tmp_path: Path) -> Faxgate:
    return new_house(tmp_path)


@pytest.fixture
def anywhere(tmp_path: Path, database_url: str) -> Faxgate:
    """The same on each engine."""
    return new_house(tmp_path, database_url)


def test_an_account_lives(anywhere: Faxgate) -> None:
    made = anywhere.json("accounts", "create", "Acme", "--realm", "Fax.Acme.Example", "--country", "de")
    assert made["name"] == "Acme"
    assert made["realm"] == "fax.acme.example"
    assert made["country"] == "DE"
    assert len(made["api_key"]) == 64
    child = anywhere.json("accounts", "create", "Child", "--realm", "c.acme.example", "--parent", "acme")
    assert child["parent_id"] == made["id"]

    changed = anywhere.json(
        "accounts", "update", "fax.acme.example", "--name", "Acme Inc", "--timezone", "Europe/Berlin"
    )
    assert (changed["name"], changed["timezone"], changed["country"]) == ("Acme Inc", "Europe/Berlin", "DE")
    assert anywhere.json("accounts", "show", made["id"]) == changed
    assert changed in anywhere.json("accounts", "list")

    assert "other accounts belong to this one" in anywhere.refuses("accounts", "delete", "Acme Inc")
    anywhere("accounts", "delete", "Child")
    anywhere("accounts", "delete", made["id"])
    assert anywhere.json("accounts", "list") == []
    assert "There are no accounts; make one with" in anywhere.says("accounts", "list")


def test_a_token_lives_and_its_secret_is_shown_once(anywhere: Faxgate) -> None:
    account = anywhere.json("accounts", "create", "Acme", "--realm", "fax.acme.example")
    made = anywhere.json(
        "tokens", "create", "--account", "Acme", "--scope", "read", "--scope", "send", "--expires", "90d"
    )
    assert made["account_id"] == account["id"]
    assert made["scopes"] == ["read", "send"]
    assert made["expires_at"] > made["created_at"]

    async def owner(db: Database) -> object:
        rows = await db.rows(provision.token_by_digest(digest(made["token"])))
        return str(rows[0]["account_id"])

    assert anywhere.in_database(owner) == account["id"]
    changed = anywhere.json("tokens", "update", made["id"], "--scope", "manage", "--expires", "1d")
    assert changed["scopes"] == ["manage"]
    assert changed["expires_at"] < made["expires_at"]
    for shown in (anywhere.says("tokens", "list"), anywhere.says("tokens", "show", made["id"])):
        assert made["token"] not in shown
        assert digest(made["token"]) not in shown
    assert anywhere.json("tokens", "list", "--account", "acme") == [changed]
    anywhere("tokens", "delete", made["id"])
    assert anywhere.json("tokens", "list") == []


def test_an_application_lives(anywhere: Faxgate) -> None:
    anywhere("accounts", "create", "Acme", "--realm", "fax.acme.example")
    url = "https://acme.example/events"
    options = ["--fax-email-recipient", "desk@acme.example", "--upstream-connection-id", "77", "--id", 123456789]
    made = anywhere.json("applications", "create", "CRM", "--account", "Acme", "--webhook-event-url", url, *options)
    assert made["id"] == "123456789"
    assert made["webhook_event_url"] == url
    assert made["fax_email_recipient"] == "desk@acme.example"
    assert made["upstream_connection_id"] == "77"

    changed = anywhere.json("applications", "update", "crm", "--inactive", "--file-type", "tiff", "--channel-limit", 2)
    assert (changed["active"], changed["file_type"], changed["channel_limit"]) == (False, "tiff", 2)
    assert (
        anywhere.json("applications", "update", "crm", "--upstream-connection-id", "")["upstream_connection_id"] == ""
    )
    assert [one["name"] for one in anywhere.json("applications", "list")] == ["Acme (default)", "CRM"]
    assert "123456789" in anywhere.says("applications", "list", "--account", "Acme")
    anywhere("applications", "delete", "123456789")
    assert "there is no application 'CRM'" in anywhere.refuses("applications", "show", "CRM")


def test_a_faxbox_lives(anywhere: Faxgate) -> None:
    account = anywhere.json("accounts", "create", "Acme", "--realm", "fax.acme.example")
    options = ["--caller-id", "2025550100", "--permit", "*@acme.example", "--permit", "bob@x.example"]
    mails = ["--inbound-email", "desk@acme.example", "--outbound-email", "log@acme.example"]
    made = anywhere.json("faxboxes", "create", "Front desk", "--account", account["id"], *options, *mails)
    assert made["caller_id"] == "+12025550100"
    assert made["permit"] == ["*@acme.example", "bob@x.example"]
    assert made["inbound_emails"] == ["desk@acme.example"]
    assert made["outbound_emails"] == ["log@acme.example"]
    assert re.fullmatch(r"[0-9a-f]{8}\.fax\.example\.com", made["host"])

    added = anywhere.json(
        "faxboxes", "update", "front desk", "--add-permit", "eve@x.example", "--remove-permit", "BOB@x.example"
    )
    assert added["permit"] == ["*@acme.example", "eve@x.example"]
    emptied = anywhere.json("faxboxes", "update", made["host"], "--permit", "", "--inbound-email", "", "--retries", 5)
    assert (emptied["permit"], emptied["inbound_emails"], emptied["retries"]) == ([], [], 5)
    assert emptied["outbound_emails"] == ["log@acme.example"]
    shown = anywhere.says("faxboxes", "show", made["id"])
    assert f"NUMBER@{made['host']}" in shown
    assert "nobody; add senders with" in shown
    assert anywhere.json("faxboxes", "list", "--account", "Acme") == [emptied]
    anywhere("faxboxes", "delete", "Front desk")
    assert anywhere.json("faxboxes", "list") == []


def test_a_number_lives(anywhere: Faxgate) -> None:
    box = anywhere.with_faxbox()
    application = anywhere.json("applications", "list")[0]["id"]
    made = anywhere.json("numbers", "assign", "202-555-0100", "--application", application, "--faxbox", "Front")
    assert made == {**made, "e164": "+12025550100", "application_id": application, "faxbox_id": box}

    assert "numbers still lead to this faxbox" in anywhere.refuses("faxboxes", "delete", "Front")
    assert anywhere.json("numbers", "update", "12025550100", "--faxbox", "")["faxbox_id"] is None
    other = anywhere.json("numbers", "create", "+12025550101", "--application", "Acme (default)")
    assert [one["e164"] for one in anywhere.json("numbers", "list")] == ["+12025550100", "+12025550101"]
    assert anywhere.json("numbers", "show", "1 202-555-0101") == other
    anywhere("numbers", "delete", "+12025550100")
    assert anywhere.json("numbers", "list") == [other]


def test_one_permit_takes_several_senders(faxgate: Faxgate) -> None:
    faxgate("accounts", "create", "Acme", "--realm", "fax.acme.example")
    made = faxgate.json("faxboxes", "create", "Box", "--account", "Acme", "--permit", "a@x.example", "b@x.example")
    assert made["permit"] == ["a@x.example", "b@x.example"]
    told = faxgate("faxboxes", "create", "Front", "desk", "--account", "Acme", "--permit", "a@x.example", code=2)
    assert "'desk' is one word too many" in told.stderr


def test_things_are_found_by_the_beginning_of_their_id(faxgate: Faxgate) -> None:
    made = [faxgate.json("accounts", "create", f"A{n}", "--realm", f"a{n}.example.com") for n in range(3)]
    listed = faxgate.says("accounts", "list").splitlines()
    short = {line.split()[1]: line.split()[0] for line in listed[1:]}
    for account in made:
        assert account["id"].startswith(short[account["name"]])
        assert len(short[account["name"]]) < len(account["id"])
        assert faxgate.json("accounts", "show", short[account["name"]])["name"] == account["name"]
    told = faxgate.refuses("accounts", "show", made[0]["id"][:4])
    assert "fits more than one account" in told
    assert f"{made[0]['id']} (a0.example.com)" in told


def test_a_name_that_two_things_have_is_not_guessed(faxgate: Faxgate) -> None:
    for realm in ("one.example.com", "two.example.com"):
        faxgate("accounts", "create", "Twin", "--realm", realm)
    assert "'twin' fits more than one account" in faxgate.refuses("accounts", "delete", "twin")
    assert len(faxgate.json("accounts", "list")) == 2
    faxgate("accounts", "delete", "two.example.com")


def test_what_is_not_there_is_said_so(faxgate: Faxgate) -> None:
    for noun in ("accounts", "tokens", "applications", "faxboxes", "numbers"):
        for verb in ("show", "update", "delete"):
            told = faxgate.refuses(noun, verb, "nothing")
            assert told.startswith("faxgate: there is no ")
            assert f"faxgate {noun} list" in told


def test_what_is_wrong_is_said_with_its_field(faxgate: Faxgate) -> None:
    assert "realm must be a host name like" in faxgate.refuses("accounts", "create", "A", "--realm", "not a host")
    faxgate("accounts", "create", "A", "--realm", "a.example.com")
    assert "realm a.example.com is used already" in faxgate.refuses(
        "accounts", "create", "B", "--realm", "a.example.com"
    )
    assert "must be an absolute http or https URL" in faxgate.refuses(
        "applications", "create", "X", "--account", "A", "--webhook-event-url", "ftp://x"
    )
    assert "write it like +1202" in faxgate.refuses("numbers", "assign", "12", "--application", "A (default)")


def test_lists_are_lists_of_the_nouns_own_fields(faxgate: Faxgate) -> None:
    faxgate.with_faxbox()
    for noun, table in (
        ("accounts", schema.accounts),
        ("applications", schema.applications),
        ("faxboxes", schema.faxboxes),
    ):
        (one,) = faxgate.json(noun, "list")
        assert set(one) == set(table.c.keys()) - {"api_key_digest"}
        assert all(isinstance(value, str | None) for name, value in one.items() if name.endswith("id"))


def test_the_settings_file_may_be_named_before_the_command(faxgate: Faxgate) -> None:
    from typer.testing import CliRunner

    from gateway.cli.app import app

    result = CliRunner().invoke(app, ["--config", str(faxgate.config), "accounts", "list", "--json"])
    assert json.loads(result.stdout) == []


def test_an_smtp_user_lives_and_his_password_is_shown_nowhere(anywhere: Faxgate) -> None:
    account = anywhere.json("accounts", "create", "Acme", "--realm", "fax.acme.example")
    box = anywhere.json("faxboxes", "create", "ward", "--account", "Acme", "--permit", "desk@clinic.example")
    create = ("smtp-users", "create", "Desk@Clinic.Example", "--account", account["id"], "--faxbox", box["id"])
    made = json.loads(anywhere(*create, "--json", typed="correct horse\n").stdout)
    assert made["name"] == "desk@clinic.example"
    assert made["addresses"] == ["desk@clinic.example"]
    assert (made["account_id"], made["faxbox_id"]) == (account["id"], box["id"])

    async def stored(db: Database) -> str:
        (row,) = await db.rows(provision.smtp_user_by_name("desk@clinic.example"))
        return str(row["password_hash"])

    first = anywhere.in_database(stored)
    assert passwords.fits("correct horse", first)
    anywhere("smtp-users", "update", "desk@clinic.example", "--password", typed="battery staple")
    assert passwords.fits("battery staple", anywhere.in_database(stored))
    changed = anywhere.json("smtp-users", "update", made["id"], "--address", "a@x.example", "--address", "b@x.example")
    assert changed["addresses"] == ["a@x.example", "b@x.example"]
    for shown in (anywhere.says("smtp-users", "list"), anywhere.says("smtp-users", "show", made["id"])):
        assert "a@x.example" in shown
        assert "argon2" not in shown
    assert anywhere.json("smtp-users", "list", "--account", "Acme") == [changed]

    assert "SMTP users still send through it" in anywhere.refuses("faxboxes", "delete", "ward")
    assert "still has SMTP users" in anywhere.refuses("accounts", "delete", "Acme")
    anywhere("smtp-users", "delete", "desk@clinic.example")
    assert anywhere.json("smtp-users", "list") == []
    anywhere("faxboxes", "delete", "ward")


@pytest.mark.parametrize(
    ("name", "typed", "says"),
    [
        ("desk", "short", "8 characters"),
        ("desk", "with\ttab in it", "printable"),
        ("de sk", "correct horse", "user name"),
        ("desk", "x" * 2000, "at most"),
    ],
)
def test_an_smtp_user_without_a_usable_name_or_password_is_refused(
    faxgate: Faxgate, name: str, typed: str, says: str
) -> None:
    faxgate("accounts", "create", "Acme", "--realm", "fax.acme.example")
    faxgate("faxboxes", "create", "ward", "--account", "Acme")
    create = ("smtp-users", "create", name, "--account", "Acme", "--faxbox", "ward")
    assert says in faxgate(*create, code=1, typed=typed).stderr
    assert "standard input" in faxgate(*create, code=2, typed="").stderr


def test_an_smtp_user_has_a_name_of_his_own_and_a_faxbox_of_his_account(faxgate: Faxgate) -> None:
    for name in ("Acme", "Other"):
        faxgate("accounts", "create", name, "--realm", f"{name.lower()}.example")
        faxgate("faxboxes", "create", f"{name}-box", "--account", name)
    made = ("smtp-users", "create", "desk", "--account", "Acme", "--faxbox", "Acme-box", "--json")
    assert json.loads(faxgate(*made, typed="correct horse").stdout)["addresses"] == ["desk@acme.example"]
    again = ("smtp-users", "create", "DESK", "--account", "Other", "--faxbox", "Other-box")
    assert "there is an SMTP user desk already" in faxgate(*again, code=1, typed="correct horse").stderr
    foreign = ("smtp-users", "create", "spy", "--account", "Other", "--faxbox", "Acme-box")
    assert "no faxbox of this account" in faxgate(*foreign, code=1, typed="correct horse").stderr


def test_a_daily_limit_of_ones_own_is_set_shown_and_taken_away(faxgate: Faxgate) -> None:
    faxgate("accounts", "create", "Acme", "--realm", "fax.acme.example")
    faxgate("faxboxes", "create", "ward", "--account", "Acme")
    faxgate("smtp-users", "create", "desk", "--account", "Acme", "--faxbox", "ward", typed="correct horse")
    for group, name in (("accounts", "Acme"), ("faxboxes", "ward"), ("smtp-users", "desk")):
        limits = ("--daily-limit", "faxes=100", "--daily-limit", "new_destinations=5")
        assert faxgate.json(group, "update", name, *limits)["limits"] == {"faxes": 100, "new_destinations": 5}
        assert "faxes=100, new_destinations=5" in faxgate.says(group, "show", name)
        assert faxgate.json(group, "update", name, "--daily-limit", "faxes=")["limits"] == {"new_destinations": 5}
        assert "may name faxes, pages" in faxgate.refuses(group, "update", name, "--daily-limit", "spend=1")
        assert "write it like faxes=100" in faxgate(group, "update", name, "--daily-limit", "faxes", code=2).stderr
