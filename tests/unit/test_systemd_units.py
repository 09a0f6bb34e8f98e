"""The units: that systemd understands them, how confined the daemon is, and that Python lives with that."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
SANDBOX = ("faxgate-sandbox.service", "faxgate-sandbox.socket")
NAMES = ("faxgate.service", "faxgate.socket", "faxgate-http.socket", *SANDBOX)


def settings(unit: str) -> dict[str, list[str]]:
    """Return the settings of a unit file, each with all its values (a unit may say a key many times)."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / unit).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def run(*command: str) -> str:
    """Run a program of systemd's; fail with its words when it finds something."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]} (Debian: systemd)")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = done.stdout + done.stderr
    assert done.returncode == 0, words
    return words


def test_a_wrong_configuration_is_not_restarted_for_ever() -> None:
    service = settings("faxgate.service")
    assert service["RestartPreventExitStatus"] == ["78"]
    assert service["Restart"] == ["on-failure"]


def test_the_daemon_has_longer_to_stop_than_it_gives_its_clients() -> None:
    assert int(settings("faxgate.service")["TimeoutStopSec"][0]) > 25


@pytest.mark.parametrize(("unit", "name"), [("faxgate.socket", "smtp"), ("faxgate-http.socket", "http")])
def test_sockets_come_to_the_daemon_by_name(unit: str, name: str) -> None:
    assert settings(unit)["FileDescriptorName"] == [name]
    assert settings(unit)["Service"] == ["faxgate.service"]


@pytest.mark.full
def test_systemd_finds_nothing_to_say_about_the_units(tmp_path: Path) -> None:
    for name in NAMES:
        text = (UNITS / name).read_text().replace("/usr/bin/faxgate", sys.executable)
        (tmp_path / name).write_text(text.replace("file:///usr/share/doc/faxgate/operations.md", "man:systemd(1)"))
    said = run("systemd-analyze", "--man=no", "verify", *(str(tmp_path / name) for name in NAMES))
    assert "faxgate" not in said


@pytest.mark.full
def test_the_daemon_is_confined() -> None:
    run("systemd-analyze", "security", "--offline=yes", "--threshold=12", str(UNITS / "faxgate.service"))


@pytest.mark.full
def test_documents_are_opened_in_a_service_that_is_confined_further() -> None:
    run("systemd-analyze", "security", "--offline=yes", "--threshold=3", str(UNITS / "faxgate-sandbox.service"))


def test_the_daemon_alone_may_ask_that_service() -> None:
    socket = settings("faxgate-sandbox.socket")
    assert (socket["SocketUser"], socket["SocketMode"]) == (settings("faxgate.service")["User"], ["0600"])
    assert settings("faxgate-sandbox.service")["PrivateNetwork"] == ["yes"]
    assert settings("faxgate-sandbox.service")["DynamicUser"] == ["yes"]


@pytest.mark.full
def test_users_and_folders_are_understood(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    users = run("systemd-sysusers", "--dry-run", f"--root={tmp_path}", str(UNITS / "sysusers.d" / "faxgate.conf"))
    assert "Creating user 'faxgate'" in users


UNDER_MEMORY_DENY_WRITE_EXECUTE = """
import ctypes, io, os, sys
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0):
    sys.exit(77)
import aiohttp, asyncpg, greenlet, nacl.signing, pikepdf, pydantic, pypdfium2, sqlalchemy
from PIL import Image
key = nacl.signing.SigningKey.generate()
key.verify_key.verify(key.sign(b"fax"))
made = pikepdf.new()
made.add_blank_page()
file = io.BytesIO()
made.save(file)
opened = pypdfium2.PdfDocument(file.getvalue())
page = opened[0].render().to_pil().convert("1")
page.save(io.BytesIO(), "TIFF", compression="group4")
opened.close()
child = os.fork()
if child == 0:
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.full
def test_the_libraries_work_where_no_memory_may_become_executable() -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNDER_MEMORY_DENY_WRITE_EXECUTE], capture_output=True, text=True, check=False
    )
    if done.returncode == 77:
        pytest.skip("needs Linux 6.3 for PR_SET_MDWE")
    assert done.returncode == 0, done.stderr
