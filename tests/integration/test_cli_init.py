"""``faxgate init``: from nothing to a gateway that passes its check."""

import json
import stat
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.app import app
from gateway.ids import digest
from gateway.settings import load
from gateway.store import provision
from gateway.store.database import Database
from tests.integration.cli_house import Faxgate

KEY = "KEY0123456789"
PUBLIC_KEY = "e5RtPlK0VU0pmsjGXYkTSOX/u1SQa8Rz8Wl1LdLYkLg="
OPTIONS = [
    *("--hostname", "fax.acme.example", "--account", "Acme", "--country", "US", "--timezone", "America/New_York"),
    *("--number", "202-555-0100", "--permit", "*@acme.example", "--permit", "bob@x.example"),
    *("--recipient", "desk@acme.example", "--operator", "ops@acme.example", "--api-key", KEY, "--connection-id", "77"),
    *("--public-url", "https://fax.acme.example", "--public-key", PUBLIC_KEY, "--smarthost", "mail.acme.example:465"),
    *("--smarthost-user", "fax", "--smarthost-password", 'p"ss'),
]


def init(config: Path, *options: str, code: int = 0, typed: str = "") -> Result:
    """Run init for the settings file *config*."""
    result = CliRunner().invoke(app, ["init", "--config", str(config), *options], input=typed, prog_name="faxgate")
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result


def existing(config: Path) -> Faxgate:
    """The commands on a gateway that init has made."""
    house = Faxgate.__new__(Faxgate)
    house.config, house.folder = config, config.parent
    house.url = load(config).database.url
    return house


def test_init_asks_nothing_with_yes_and_everything_passes(tmp_path: Path) -> None:
    config = tmp_path / "new" / "gateway.toml"
    made = json.loads(init(config, "--yes", "--json", *OPTIONS).stdout)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert (config.parent / "blobs" / "incoming").is_dir()
    assert not (config.parent / "gateway.toml.new").exists()
    assert (made["account"]["name"], made["account"]["realm"]) == ("Acme", "fax.acme.example")
    assert made["account"]["timezone"] == "America/New_York"
    assert made["application"]["fax_email_recipient"] == "desk@acme.example"
    assert made["faxbox"]["caller_id"] == made["number"]["e164"] == "+12025550100"
    assert made["faxbox"]["permit"] == ["*@acme.example", "bob@x.example"]
    assert made["number"]["faxbox_id"] == made["faxbox"]["id"]
    assert made["webhook_url"] == "https://fax.acme.example/webhooks/telnyx"
    assert "fax.acme.example.    MX   10 fax.acme.example." in made["dns"]

    faxgate = existing(config)
    assert faxgate("check", "--offline").stderr == ""
    assert [one["e164"] for one in faxgate.json("numbers", "list")] == ["+12025550100"]

    async def owners(db: Database) -> list[object]:
        token = await db.rows(provision.token_by_digest(digest(made["token"])))
        account = await db.rows(provision.account_by_key_digest(digest(made["api_key"])))
        return [str(token[0]["account_id"]), str(account[0]["id"])]

    assert faxgate.in_database(owners) == [made["account"]["id"]] * 2


def test_the_settings_hold_the_answers_among_all_options(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    init(config, "--yes", *OPTIONS)
    written = tomllib.loads(config.read_text())
    assert written["smtp"] == {"hostname": "fax.acme.example"}
    assert written["operator"] == {"email": "ops@acme.example"}
    assert written["http"] == {"public_url": "https://fax.acme.example"}
    assert written["carrier"]["telnyx"] == {"api_key": KEY, "public_key": PUBLIC_KEY, "connection_id": "77"}
    assert written["smarthost"] == {
        "host": "mail.acme.example",
        "port": 465,
        "tls": "tls",
        "username": "fax",
        "password": 'p"ss',
    }
    assert "#retry_delay" in config.read_text()


def test_yes_alone_is_enough_and_says_what_is_missing(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    told = init(config, "--yes").stdout
    assert f"faxgate check --config {config}" in told
    assert "faxgate faxboxes update Main --add-permit ADDRESS" in told
    assert "no webhook URL is needed" in told
    assert existing(config)("check", "--offline").exit_code == 0


def test_init_asks_what_it_cannot_guess(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    answers = ["fax.acme.example", "Acme", "", "xx", "de", "Europe/Berlin", "030 123", "030-1234567", "*@acme.example"]
    answers += ["desk@acme.example", "", KEY, "77", "https://fax.acme.example", PUBLIC_KEY, "mail.acme.example", ""]
    told = init(config, typed="\n".join(answers) + "\n")
    assert "it must be the two letters of a country" in told.stderr
    assert "030 123 is not a fax number" in told.stderr
    faxgate = existing(config)
    (account,) = faxgate.json("accounts", "list")
    assert (account["realm"], account["country"]) == ("fax.acme.example", "DE")
    settings = load(config)
    assert settings.operator.email == "desk@acme.example"
    assert settings.fax.allowed_countries == ("DE",)
    assert settings.fax.paper == "a4"
    assert settings.smarthost.tls == "starttls"
    assert [one["e164"] for one in faxgate.json("numbers", "list")] == ["+49301234567"]


def test_a_settings_file_is_not_overwritten_unasked(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text("precious")
    told = init(config, "--yes", code=1)
    assert "is there already; name another with --config, or overwrite it with --force" in told.stderr
    assert config.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [config]


def test_init_again_keeps_what_is_there(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    first = json.loads(init(config, "--yes", "--json", "--hostname", "fax.acme.example").stdout)
    again = json.loads(init(config, "--yes", "--force", "--json", *OPTIONS, "--account", "Main").stdout)
    assert again["account"]["id"] == first["account"]["id"]
    assert again["faxbox"]["id"] == first["faxbox"]["id"]
    assert again["faxbox"]["caller_id"] == "+12025550100"
    assert again["api_key"] == ""
    assert len(existing(config).json("accounts", "list")) == 1


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--number", "12", "is not a"),
        ("--realm", "nothing", "must be a host name"),
        ("--country", "Narnia", "must be the two letters"),
        ("--recipient", "nobody", "is not a mail address"),
        ("--public-url", "fax.example.com", "is not a web address"),
        ("--public-key", "abc", "is not an Ed25519 public key"),
        ("--smarthost", "mail.example.com:99999", "must be at most 65535"),
        ("--permit", "((", "no regular expression"),
        ("--api-key", "a\x1bb", "cannot be printed"),
    ],
)
def test_a_bad_answer_is_wrong_usage_and_makes_nothing(tmp_path: Path, option: str, value: str, sentence: str) -> None:
    told = init(tmp_path / "gateway.toml", "--yes", option, value, code=2).stderr
    assert option in told
    assert sentence in " ".join(told.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    told = init(Path("/dev/null/gateway.toml"), "--yes", "--state-dir", str(tmp_path), code=78).stderr
    assert "cannot be written" in told
    assert "name other places with --config and --state-dir" in told


def test_a_database_that_does_not_answer_leaves_no_settings(tmp_path: Path) -> None:
    url = "postgresql://u:secret@127.0.0.1:1/x"
    told = init(tmp_path / "gateway.toml", "--yes", "--database-url", url, code=78).stderr
    assert "[database] url: postgresql://u:********@127.0.0.1:1/x does not answer" in told
    assert list(tmp_path.iterdir()) == []
