"""``faxgate check``: what is right, what is wrong, which key, and what to do."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.carriers.emulator import Connection, Emulator, EmulatorSettings
from gateway.cli.check_sandbox import office, sandbox
from gateway.cli.finding import Verdict
from gateway.demo.catcher import MailCatcher
from gateway.sandbox import locks, offices
from gateway.sandbox.locks import Locks
from gateway.store import migrate
from tests.integration.cli_house import Faxgate, new_house

KEY = "KEY0123456789"
HANG = 30


@pytest.fixture
def faxgate(tmp_path: Path) -> Faxgate:
    return new_house(tmp_path)


@contextmanager
def running(*servers: Any) -> Iterator[None]:
    """Run servers in a loop of their own: the command has one, too."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def do(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(HANG)

    try:
        for server in servers:
            do(server.start())
        yield
        for server in servers:
            do(server.stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(HANG)
        loop.close()


def findings(faxgate: Faxgate, *options: str, code: int = 0) -> dict[str, list[tuple[str, str]]]:
    """Return what check finds: per part, its verdicts and sentences."""
    report = json.loads(faxgate("check", "--json", *options, code=code).stdout)
    assert report["ok"] is (code == 0)
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in report["findings"]:
        found.setdefault(finding["part"], []).append((finding["verdict"], finding["sentence"]))
    return found


def test_check_passes_on_each_engine(tmp_path: Path, database_url: str) -> None:
    found = findings(new_house(tmp_path, database_url), "--offline")
    assert [verdict for verdict, _ in found["database"]] == ["ok"]
    # A database for several machines, and documents that only this one has.
    shared = database_url.startswith("postgresql")
    assert [verdict for verdict, _ in found["blobs"]] == (["ok", "note"] if shared else ["ok"])
    if shared:
        told = found["blobs"][1][1]
        assert f"documents are in the folder {tmp_path}" in told
        assert "faxgate migrate --copy-blobs-from" in told


def test_a_fresh_gateway_passes_offline(faxgate: Faxgate) -> None:
    found = findings(faxgate, "--offline")
    for part in ("settings", "database", "blobs", "listeners", "public_url"):
        assert [verdict for verdict, _ in found[part]] == ["ok"], found[part]
    assert found["public_url"][0][1] == (
        "no public_url: documents go through the carrier's media storage, "
        "status and received faxes are found by polling every 20s"
    )
    assert found["smarthost"] == [("skipped", "localhost:25 is not asked (--offline)")]
    told = faxgate("check", "--offline")
    assert told.stderr == ""
    assert "ok      database" in told.stdout
    assert not (faxgate.folder / "blobs").exists()  # a check makes nothing


def test_the_blobs_are_written_to_where_they_are(faxgate: Faxgate) -> None:
    (faxgate.folder / "blobs").mkdir()
    assert "takes files and syncs them" in findings(faxgate, "--offline")["blobs"][0][1]
    assert [path for path in (faxgate.folder / "blobs").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("settings", "key", "remedy"),
    [
        ("[smtp]\nhostnam = 'x'", "[smtp] hostnam", "did you mean hostname?"),
        ("[database]\nurl = 'sqlite:///none.db'", "[database] url", "run: faxgate migrate"),
        ("[database]\nurl = 'sqlite:///no/folder.db'", "[database] url", "make it, or correct the url"),
        ("[database]\nurl = 'postgresql://u:secret@127.0.0.1:1/x'", "[database] url", "check that the server runs"),
        ("[blobs]\nurl = 'file:///dev/null/blobs'", "[blobs] url", "make it, or correct the url"),
        ("[blobs]\nurl = 'file://gateway.toml'", "[blobs] url", "correct its owner or mode"),
        (
            "[http]\npublic_url = 'https://x.example'",
            "[carrier.telnyx] public_key",
            "copy it from the carrier's portal",
        ),
        ("[[smtp.listeners]]\nmode = 'submission'", "[[smtp.listeners]]", "give it tls_certificate and tls_key"),
        (
            "[[smtp.listeners]]\ntls_certificate = 'none.pem'\ntls_key = 'none.pem'",
            "[[smtp.listeners]] tls_certificate",
            "both must be readable PEM files",
        ),
        ("[smarthost]\nca_file = 'none.pem'", "[smarthost] ca_file", "cannot be read"),
        ("[fax\n", "gateway.toml", "is not TOML"),
    ],
)
def test_what_is_wrong_names_the_key_and_the_remedy(faxgate: Faxgate, settings: str, key: str, remedy: str) -> None:
    base = "" if "[database]" in settings else f"[database]\nurl = '{faxgate.url}'\n"
    blobs = "" if "[blobs]" in settings else "[blobs]\nurl = 'file://blobs'\n"
    faxgate.config.write_text(base + blobs + settings)
    told = faxgate("check", "--offline", code=78)
    wrong = [line for line in told.stderr.splitlines() if key in line]
    assert wrong, told.output
    assert remedy in wrong[0]
    assert "secret" not in told.output
    assert any(verdict == "wrong" for found in findings(faxgate, "--offline", code=78).values() for verdict, _ in found)


def test_without_its_file_check_says_which(tmp_path: Path, faxgate: Faxgate) -> None:
    faxgate.config = tmp_path / "other.toml"
    assert f"{faxgate.config}: there is no such file" in faxgate.refuses("check", code=78)


def test_an_old_schema_is_named(faxgate: Faxgate) -> None:
    (faxgate.folder / "faxgate.db").write_bytes(b"")
    told = faxgate("check", "--offline", code=78).stderr
    assert f"is empty and this release needs {migrate.newest()}; run: faxgate migrate" in told
    assert "run: faxgate migrate" in faxgate.refuses("queue", "list", code=78)


def test_a_carrier_that_cannot_be_used_offline_is_noted(faxgate: Faxgate) -> None:
    faxgate.with_faxbox()
    told = [sentence for verdict, sentence in findings(faxgate, "--offline")["carrier"] if verdict == "note"]
    assert len(told) == 2
    assert "[carrier.telnyx] connection_id is empty" in told[0]
    assert "[carrier.telnyx] api_key is empty" in told[1]


def test_secrets_that_everybody_may_read_are_noted(faxgate: Faxgate) -> None:
    with faxgate.config.open("a") as file:
        file.write(f'[carrier.telnyx]\napi_key = "{KEY}"\n')
    faxgate.config.chmod(0o600)
    assert len(findings(faxgate, "--offline")["settings"]) == 1
    faxgate.config.chmod(0o644)
    assert "it holds secrets: chmod o=" in findings(faxgate, "--offline")["settings"][1][1]


def test_settings_are_shown_without_secrets(faxgate: Faxgate) -> None:
    with faxgate.config.open("a") as file:
        file.write(f'[carrier.telnyx]\napi_key = "{KEY}"\n[smarthost]\nusername = "u"\npassword = "hunter2"\n')
    told = faxgate.says("check", "--show", "--offline")
    assert 'hostname = "fax.example.com"' in told
    assert "[[smtp.listeners]]" in told
    assert 'api_key = "****' in told
    shown = json.loads(faxgate.says("check", "--show", "--offline", "--json"))["settings"]
    assert shown["smtp"]["hostname"] == "fax.example.com"
    for secret in (KEY, "hunter2"):
        assert secret not in told + json.dumps(shown)


def test_carrier_and_smarthost_are_asked(faxgate: Faxgate) -> None:
    emulator = Emulator(EmulatorSettings(api_key=KEY, connections=[Connection(id="1")]))
    catcher = MailCatcher()
    with running(emulator, catcher):
        settings = faxgate.config.read_text()
        world = (
            f'[carrier.telnyx]\nbase_url = "{emulator.base_url}"\nconnection_id = "1"\napi_key = "KEY"\n'
            f'[smarthost]\nhost = "127.0.0.1"\nport = {catcher.port}\ntls = "none"\nsender = "fax@fax.example.com"\n'
        )
        faxgate.config.write_text(settings + world.replace('"KEY"', f'"{KEY}"'))
        found = findings(faxgate, "--send-test", "me@acme.example")
        assert found["carrier"] == [("ok", f"{emulator.base_url} answers and accepts the API key")]
        assert found["smarthost"][0][0] == "ok"
        assert found["trial mail"][0][0] == "ok"
        (mail,) = catcher.mails
        assert mail.envelope_to == ("me@acme.example",)
        assert mail.subject == "Faxgate: test mail"

        faxgate.config.write_text(settings + world)
        told = faxgate("check", code=78).stderr
        assert "[carrier.telnyx] api_key" in told
        assert "does not accept the API key (401)" in told
    told = faxgate("check", code=78).stderr
    assert "[carrier.telnyx] base_url: no answer from the carrier" in told
    assert "[smarthost] host, port: The smarthost 127.0.0.1" in told


def test_a_trial_mail_needs_the_network_and_an_address(faxgate: Faxgate) -> None:
    assert "needs the network" in faxgate("check", "--offline", "--send-test", "a@b.example", code=2).stderr
    assert "is not a mail address" in faxgate("check", "--send-test", "nobody", code=2).stderr


@pytest.mark.parametrize("held", [Locks(True, True), Locks(False, True), Locks(True, False), Locks(False, False)])
async def test_the_locks_on_documents_are_told(monkeypatch: pytest.MonkeyPatch, held: Locks) -> None:
    monkeypatch.setattr(locks, "available", lambda: held)
    in_force, *without = await sandbox()
    assert in_force.verdict is (Verdict.NOTE if held.missing else Verdict.OK)
    for name in ("Landlock", "seccomp"):
        assert (name in in_force.sentence) is (name not in held.missing)
    assert [found.sentence.split()[1] for found in without] == held.missing


def test_check_says_how_documents_are_opened(faxgate: Faxgate) -> None:
    (verdict, sentence) = findings(faxgate, "--offline")["sandbox"][0]
    assert verdict == ("note" if locks.available().missing else "ok")
    assert "Landlock" in sentence or "seccomp" in sentence


def test_check_says_whether_word_processor_files_can_be_faxed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offices, "_installed", lambda: iter([tmp_path]))
    assert office("off").verdict is Verdict.OK
    assert office("auto").verdict is Verdict.NOTE
    assert "libreoffice-writer-nogui" in office("auto").sentence
    assert office(str(tmp_path)).verdict is not Verdict.OK
    (tmp_path / "libmergedlo.so").touch()
    assert office("auto") == office(str(tmp_path))
    assert str(tmp_path) in office("auto").sentence
