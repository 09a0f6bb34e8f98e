"""The settings: defaults, where values may come from, and what is said about wrong ones."""

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from gateway.errors import ConfigurationError
from gateway.settings import Settings, checked_email, find, load, parse_duration, sample, split_address

SAMPLE = Path(__file__).parents[2] / "config" / "gateway.toml"


@pytest.fixture(autouse=True)
def _no_settings_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FAXGATE_CONFIG", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def written(folder: Path, text: str) -> Path:
    file = folder / "gateway.toml"
    file.write_text(text)
    return file


def problems(folder: Path, text: str) -> list[str]:
    file = written(folder, text)
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    return str(caught.value).replace(str(file), "FILE").splitlines()


# The defaults and the sample file


def test_defaults_are_those_that_the_contract_names() -> None:
    settings = Settings()
    assert settings.database.url == "sqlite:////var/lib/faxgate/faxgate.db"
    assert settings.blobs.folder == Path("/var/lib/faxgate/blobs")
    assert settings.smtp.max_message_bytes == 36_700_160
    assert [(one.address, one.mode) for one in settings.smtp.listeners] == [("127.0.0.1:2525", "trusted")]
    assert [str(network) for network in settings.smtp.listeners[0].networks] == ["127.0.0.0/8", "::1/128"]
    assert settings.http.address == "127.0.0.1:8080"
    assert settings.carrier.telnyx.base_url == "https://api.telnyx.com/v2"
    assert (settings.smarthost.host, settings.smarthost.port, settings.smarthost.tls) == ("localhost", 25, "starttls")
    assert (settings.fax.default_country, settings.fax.attempts) == ("US", 3)
    assert settings.fax.retry_delay == timedelta(minutes=5)
    assert settings.fax.allowed_countries == ("US", "CA")


def fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each option's dotted name with its description."""
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is None or inner is not kinds[0]:
            yield f"{path}{name}", field.description or ""
        if inner is not None:
            yield from fields(inner, f"{path}{name}.")


def sample_options() -> Iterator[tuple[str, str]]:
    """Yield each option of the sample file with the comment above it."""
    table, comment = "", ""
    for line in SAMPLE.read_text().splitlines():
        if header := re.fullmatch(r"#?\[+([a-z.]+)\]+", line):
            if line.startswith("#"):
                yield header[1], comment.strip()
            table, comment = header[1], ""
        elif option := re.match(r"#([a-z_]+) = ", line):
            yield f"{table}.{option[1]}", comment.strip()
            comment = ""
        else:
            comment = f"{comment} {line.removeprefix('# ')}" if line else ""


def test_sample_file_lists_every_option_with_its_description() -> None:
    assert dict(sample_options()) == dict(fields(Settings))


def test_sample_file_shows_the_defaults() -> None:
    uncommented = re.sub(r"(?m)^#(?=[a-z_]+ = |\[\[)", "", SAMPLE.read_text())
    shown = Settings.model_validate(tomllib.loads(uncommented))
    assert shown.model_dump() == Settings().model_dump()


def test_sample_file_is_at_hand_for_a_new_installation() -> None:
    assert sample() == SAMPLE.read_text()


def test_sample_file_loads_as_it_is() -> None:
    assert load(SAMPLE).model_dump() == Settings().model_dump()


# Where values come from


def test_the_named_file_wins_over_the_variable_and_that_over_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find() in {None, Path("/etc/faxgate/gateway.toml")}
    written(tmp_path, "")
    assert find() == Path("gateway.toml")
    other, named = tmp_path / "other.toml", tmp_path / "named.toml"
    other.write_text('[logs]\nlevel = "debug"')
    named.write_text('[logs]\nlevel = "error"')
    monkeypatch.setenv("FAXGATE_CONFIG", str(other))
    assert load().logs.level == "debug"
    assert load(named).logs.level == "error"
    assert load(named).file == named


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_named_file_that_is_missing_is_an_error(
    by_variable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "missing.toml"
    if by_variable:
        monkeypatch.setenv("FAXGATE_CONFIG", str(missing))
    with pytest.raises(ConfigurationError, match=r"missing\.toml: there is no such file"):
        load(None if by_variable else missing)


def test_environment_wins_over_credentials_and_both_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "smtp.max_recipients").write_text("2\n")
    (credentials / "carrier.telnyx.api_key").write_text("KEY-credential\n")
    (credentials / "unrelated").write_text("x")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    monkeypatch.setenv("FAXGATE_SMTP__MAX_RECIPIENTS", "3")
    file = written(
        tmp_path,
        '[smtp]\nmax_recipients = 1\nmax_transfers = 1\n[carrier.telnyx]\napi_key = "KEY-file"\nconnection_id = "77"',
    )
    settings = load(file)
    assert (settings.smtp.max_recipients, settings.smtp.max_transfers) == (3, 1)
    assert settings.carrier.telnyx.api_key.get_secret_value() == "KEY-credential"
    assert settings.carrier.telnyx.connection_id == "77"


def test_lists_in_the_environment_are_words_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAXGATE_FAX__ALLOWED_COUNTRIES", "de, at")
    monkeypatch.setenv("FAXGATE_FETCH__ALLOWED_NETWORKS", '["10.0.0.0/8"]')
    listeners = [{"address": "127.0.0.1:0"}, {"address": "[::1]:0", "networks": ["::1"]}]
    monkeypatch.setenv("FAXGATE_SMTP__LISTENERS", json.dumps(listeners))
    settings = load()
    assert settings.fax.allowed_countries == ("DE", "AT")
    assert [str(network) for network in settings.fetch.allowed_networks] == ["10.0.0.0/8"]
    assert [one.address for one in settings.smtp.listeners] == ["127.0.0.1:0", "[::1]:0"]


def test_a_network_as_ipv6_sockets_name_it_is_the_ipv4_network(tmp_path: Path) -> None:
    file = written(tmp_path, '[[smtp.listeners]]\nnetworks = ["::ffff:10.0.0.0/104", "::ffff:192.0.2.7", "::/0"]')
    networks = load(file).smtp.listeners[0].networks
    assert [str(network) for network in networks] == ["10.0.0.0/8", "192.0.2.7/32", "::/0"]


def test_secrets_may_be_in_files_beside_the_settings(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("KEY123\n")
    (tmp_path / "database").write_text("postgresql://fax:secret@db/fax\n")
    file = written(tmp_path, '[carrier.telnyx]\napi_key_file = "key"\n[database]\nurl_file = "database"')
    settings = load(file)
    assert settings.carrier.telnyx.api_key.get_secret_value() == "KEY123"
    assert settings.database.url == "postgresql://fax:secret@db/fax"


def test_a_secret_given_twice_or_unreadable_is_an_error(tmp_path: Path) -> None:
    text = '[carrier.telnyx]\napi_key = "a"\napi_key_file = "b"\n[smarthost]\nusername = "u"\npassword_file = "nowhere"'
    assert problems(tmp_path, text) == [
        "FILE: [carrier.telnyx]: has both api_key and api_key_file: keep one of them",
        f"FILE: [smarthost]: names {tmp_path}/nowhere in password_file, which cannot be read: "
        "No such file or directory",
    ]


def test_relative_paths_start_at_the_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(
        tmp_path,
        '[database]\nurl = "sqlite:///data/fax.db"\n[blobs]\nurl = "file://blobs"\n'
        '[[smtp.listeners]]\ntls_certificate = "tls/cert.pem"\ntls_key = "/etc/key.pem"',
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = load(Path("..") / file.name)
    assert settings.database.sqlite is not None
    assert settings.database.sqlite.resolve() == tmp_path / "data/fax.db"
    assert settings.blobs.folder is not None
    assert settings.blobs.folder.resolve() == tmp_path / "blobs"
    listener = settings.smtp.listeners[0]
    assert Path(listener.tls_certificate).resolve() == tmp_path / "tls/cert.pem"
    assert listener.tls_key == "/etc/key.pem"


def test_the_sender_is_fax_at_the_hostname_unless_named(tmp_path: Path) -> None:
    file = written(tmp_path, '[smtp]\nhostname = "Fax.Example.com"')
    assert load(file).smarthost.sender == "fax@fax.example.com"
    file = written(tmp_path, '[smtp]\nhostname = "fax.example.com"\n[smarthost]\nsender = "Office@Clinic.LOCAL"')
    assert load(file).smarthost.sender == "Office@clinic.local"


def test_the_carrier_is_polled_often_where_webhooks_cannot_reach_us(tmp_path: Path) -> None:
    assert Settings().poll_interval == timedelta(seconds=20)
    file = written(tmp_path, '[http]\npublic_url = "https://fax.example.com/"')
    settings = load(file)
    assert settings.poll_interval == timedelta(minutes=5)
    assert settings.http.public_url == "https://fax.example.com"


# What is said about wrong values


def test_every_problem_is_told_at_once_with_file_key_and_remedy(tmp_path: Path) -> None:
    text = '[smtp]\nhostnam = "x"\nmax_recipients = 0\n[smpt]\n[logs]\nlevel = "loud"'
    assert problems(tmp_path, text) == [
        "FILE: [smtp] max_recipients: must be at least 1",
        "FILE: [smtp] hostnam: there is no such key; did you mean hostname?",
        "FILE: [logs] level: must be one of 'debug', 'info', 'warning' or 'error'",
        "FILE: [smpt]: there is no such section; did you mean smtp?",
    ]


def test_a_wrong_value_in_the_environment_is_told_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAXGATE_SMTP__MAX_RECIPIENTS", "many")
    monkeypatch.setenv("FAXGATE_SMTP__HOSTNAM", "x")
    monkeypatch.setenv("FAXGATE_SMPT__HOSTNAME", "x")
    monkeypatch.setenv("FAXGATE_CRASH_AT", "somewhere")
    assert problems(tmp_path, "[smtp]\nmax_recipients = 5") == [
        "FAXGATE_SMPT__HOSTNAME: there is no such section; did you mean smtp?",
        "FAXGATE_SMTP__MAX_RECIPIENTS: is not a whole number",
        "FAXGATE_SMTP__HOSTNAM: there is no such key; did you mean hostname?",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[smtp]\nhostname = "a b"', "[smtp] hostname: 'a b' is not a host name"),
        ('[[smtp.listeners]]\naddress = ":25"', "[[smtp.listeners]] number 1 address: ':25' names no host"),
        ('[[smtp.listeners]]\naddress = "::1:25"', "needs brackets around its IPv6 address"),
        ('[[smtp.listeners]]\naddress = "[::x]:25"', "has no IPv6 address between its brackets"),
        ('[[smtp.listeners]]\naddress = "localhost:99999"', "is no address to listen on"),
        ('[[smtp.listeners]]\nadress = "localhost:1"', "did you mean address?"),
        ('[[smtp.listeners]]\ntls_key = "k"', "number 1: needs both tls_certificate and tls_key"),
        ('[[smtp.listeners]]\n[[smtp.listeners]]\nmode = "submission"', "number 2: has mode submission, where"),
        ("[[smtp.listeners]]\nnetworks = []", "lets nobody in"),
        ('[[smtp.listeners]]\nmode = "mx"\nnetworks = ["10.0.0.0/8"]', "only a trusted listener knows"),
        ('[[smtp.listeners]]\nnetworks = ["10/8"]', "[[smtp.listeners]] number 1 networks: '10/8' is not a network"),
        ('[operator]\nemail = "me"', "[operator] email: is not a mail address"),
        ('[http]\npublic_url = "fax.example.com"', "[http] public_url: 'fax.example.com' is not a web address"),
        ('[http]\npublic_url = "https://u:pw@host"', "is a plain address"),
        ('[database]\nurl = "mysql://x/y"', "is neither sqlite:////absolute/path"),
        ('[database]\nurl = "postgresql://u:p/w@host/n"', "is a / in the password?"),
        ('[database]\nurl = "sqlite://"', "is neither sqlite:////absolute/path"),
        ('[blobs]\nurl = "ftp://host/folder"', "[blobs] url: names a folder or a bucket"),
        ('[blobs]\nurl = "s3://UPPER"', "[blobs] url: names a folder or a bucket"),
        ('[blobs]\nregion = "eu-west-1"', "has region, which only a bucket knows"),
        ('[blobs]\nurl = "s3://box"\naccess_key_id = "me"', "needs both access_key_id and secret_access_key"),
        ('[carrier]\nkind = "twilio"', "[carrier] kind: must be one of 'telnyx'"),
        ('[carrier]\ntelnyx = "x"', "[carrier.telnyx]: must be a table of keys"),
        ('[carrier.telnyx]\npublic_key = "abc"', "[carrier.telnyx] public_key: is not an Ed25519 public key"),
        ('[smarthost]\nusername = "u"', "[smarthost]: needs both username and password"),
        ('[fax]\ndefault_country = "USA"', "'USA' is not a country"),
        ('[fax]\nretry_delay = "5"', "is not a duration"),
        ("[fax]\nretry_delay = 5", "is not a duration"),
        ('[worker]\nlease = "0s"', "must be longer than nothing"),
        ('[carrier]\ntimeout = "0s"', "must be longer than nothing"),
        ("[smtp\n", "FILE: is not TOML"),
    ],
)
def test_a_wrong_value_is_told_with_its_key(text: str, said: str, tmp_path: Path) -> None:
    (line,) = problems(tmp_path, text)
    assert line.startswith("FILE: ")
    assert said in line


def test_no_problem_repeats_a_secret(tmp_path: Path) -> None:
    text = (
        '[database]\nurl = "postgres://fax:hunter2@host/n"\n[carrier.telnyx]\napi_key = ["hunter2"]\n'
        '[smarthost]\npassword = "hunter2"'
    )
    lines = problems(tmp_path, text)
    assert len(lines) == 3
    assert "hunter2" not in "\n".join(lines)


# Values


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("5m", 300), ("12h", 43200), ("2d", 172800), ("1h30m", 5400)]
)
def test_durations_are_numbers_with_units(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5min", "1.5h", "99999999999d", "٣s", None, 5, True])
def test_other_durations_are_refused(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Fax@Example.COM", "Fax@example.com"),
        ("office@clinic.local", "office@clinic.local"),
        ("a@b.test", "a@b.test"),
        ("root@localhost", "root@localhost"),
        ("x@bücher.example", "x@xn--bcher-kva.example"),
    ],
)
def test_mail_addresses_are_checked_without_asking_the_network(text: str, address: str) -> None:
    assert checked_email(text) == address


@pytest.mark.parametrize(
    "text", ["", "a", "a@", "@b.example", "a@b", "a b@c.example", "A <a@b.example>", "a@b.example, c@d.example"]
)
def test_other_mail_addresses_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not a mail address: "):
        checked_email(text)


@pytest.mark.parametrize(
    ("text", "pair"),
    [("127.0.0.1:25", ("127.0.0.1", 25)), ("[::]:0", ("::", 0)), ("localhost:8080", ("localhost", 8080))],
)
def test_addresses_split_into_host_and_port(text: str, pair: tuple[str, int]) -> None:
    assert split_address(text) == pair


def test_masked_shows_everything_but_secrets(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[database]\nurl = "postgresql://fax:hunter2@db.example:5432/fax"\n[carrier.telnyx]\napi_key = "hunter2"\n'
        '[smarthost]\nusername = "u"\npassword = "hunter2"',
    )
    settings = load(file)
    masked: dict[str, Any] = settings.masked()
    assert masked["database"]["url"] == "postgresql://fax:********@db.example:5432/fax"
    assert masked["carrier"]["telnyx"]["api_key"] == "**********"
    assert masked["fax"]["retry_delay"] == "5m"
    assert "hunter2" not in json.dumps(masked)
    assert "hunter2" not in repr(settings)
