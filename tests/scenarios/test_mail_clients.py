"""The mail clients that people have, each in its own way: swaks, msmtp, curl, and Postfix in front, over TLS."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
import trustme

from gateway import parts
from gateway.fax import State
from gateway.settings import load
from gateway.store.database import open_database
from tests import samples
from tests.integration.smtp_house import certified
from tests.postfix import postfix, there_is_a_postfix
from tests.scenarios.installation import HANG, REALM, SENDER, Installation, installed, reserved

pytestmark = pytest.mark.full
NUMBER = "12025550142"
NAME, PASSWORD = "front.desk", "correct horse 9"
HOST = "fax.example.com"
ROOT = Path(__file__).parents[2]


@dataclass
class Place:
    """A gateway with three listeners: ``trusted``, ``submission`` and ``submissions`` are their ports."""

    house: Installation
    trusted: int
    submission: int
    submissions: int
    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"

    async def run(self, *words: str, identity: str = "letter") -> str:
        """Run a client with a mail as its input; return what it said. It must succeed."""
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(letter(identity)), HANG)
        assert process.returncode == 0, f"{words}: {said.decode()}"
        return said.decode()

    async def delivered(self, count: int) -> None:
        """Wait for the faxes that the mails have become, one each."""
        await self.house.until(lambda: len(self.house.mails(SENDER, "receipt")) == count, "the receipts")
        faxes = await self.house.faxes()
        assert len(faxes) == count
        assert {(fax.state, fax.to_number, fax.pages) for fax in faxes} == {(State.DELIVERED, f"+{NUMBER}", 2)}


def letter(identity: str) -> bytes:
    message = EmailMessage(policy=SMTP)  # curl sends its input as it is
    message["From"], message["To"], message["Subject"] = SENDER, f"{NUMBER}@{REALM}", "Discharge letter"
    message["Message-ID"] = f"<{identity}@{REALM}>"
    message.set_content("Please see the attachment.\n.\n..two lines of dots above.")
    message.add_attachment(samples.pdf(2), maintype="application", subtype="pdf", filename="letter.pdf")
    return message.as_bytes()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    keys = certified(authority, tmp_path)
    with ExitStack() as ports:
        submission, submissions = (ports.enter_context(reserved()) for _ in range(2))
        async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house:
            open_doors(
                house, {submission: "submission", submissions: "submissions"}, keys.tls_certificate, keys.tls_key
            )
            await employ(house)
            async with house.serving():
                yield Place(house, house.smtp_port, submission, submissions, tmp_path)


def open_doors(house: Installation, more: dict[int, str], certificate: str, key: str) -> None:
    files = f'tls_certificate = "{certificate}", tls_key = "{key}"'
    doors = {house.smtp_port: "trusted"} | more
    lines = [f'{{address = "127.0.0.1:{port}", mode = "{mode}", {files}}}' for port, mode in doors.items()]
    before = f'listeners = [{{address = "127.0.0.1:{house.smtp_port}"}}]'
    settings = house.config.read_text()
    assert before in settings
    house.config.write_text(settings.replace(before, f"listeners = [{', '.join(lines)}]"))


async def employ(house: Installation) -> None:
    settings = load(house.config)
    db = await open_database(settings.database.url)
    try:
        rules = parts.provisioning(db, settings)
        await rules.create_smtp_user(house.account_id, house.faxbox.id, NAME, PASSWORD, addresses=[SENDER])
    finally:
        await db.close()


def swaks(place: Place, port: int, *more: str) -> list[str]:
    mail = ["--data", "-", "--from", SENDER, "--to", f"{NUMBER}@{REALM}", "--tls-ca-path", str(place.authority)]
    return ["swaks", "--server", "127.0.0.1", "--port", str(port), *mail, "--tls-verify", *more]


def curl(place: Place, url: str, *more: str) -> list[str]:
    mail = ["--mail-from", SENDER, "--mail-rcpt", f"{NUMBER}@{REALM}", "--upload-file", "-"]
    return ["curl", "-sS", url, "--cacert", str(place.authority), *mail, *more]


def msmtp(place: Place, port: int, *more: str) -> list[str]:
    tls = [f"--tls-trust-file={place.authority}", "--tls=on"]
    who = ["--host=127.0.0.1", f"--port={port}", f"--from={SENDER}"]
    return ["msmtp", "--file=/dev/null", *who, *tls, *more, "--", f"{NUMBER}@{REALM}"]


LOGIN = ("--auth-user", NAME, "--auth-password", PASSWORD)


def asked(place: Place) -> list[str]:
    """msmtp takes a password from a program only."""
    secret = place.folder / "password"
    secret.write_text(PASSWORD)
    return ["--auth=on", f"--user={NAME}", f"--passwordeval=cat {secret}"]


WAYS = {
    "swaks, STARTTLS": lambda place: swaks(place, place.trusted, "--tls"),
    "swaks, in the clear": lambda place: swaks(place, place.trusted),
    "swaks, PLAIN": lambda place: swaks(place, place.submission, "--tls", "--auth", "PLAIN", *LOGIN),
    "swaks, LOGIN": lambda place: swaks(place, place.submissions, "--tlsc", "--auth", "LOGIN", *LOGIN),
    "curl, STARTTLS": lambda place: curl(place, f"smtp://127.0.0.1:{place.trusted}", "--ssl-reqd"),
    "curl, submission": lambda place: curl(
        place, f"smtp://127.0.0.1:{place.submission}", "--ssl-reqd", "--user", f"{NAME}:{PASSWORD}"
    ),
    "curl, submissions": lambda place: curl(
        place, f"smtps://127.0.0.1:{place.submissions}", "--user", f"{NAME}:{PASSWORD}"
    ),
    "msmtp, STARTTLS": lambda place: msmtp(place, place.trusted),
    "msmtp, submission": lambda place: msmtp(place, place.submission, *asked(place)),
    "msmtp, submissions": lambda place: msmtp(place, place.submissions, "--tls-starttls=off", *asked(place)),
}


async def test_every_client_sends_its_fax(place: Place) -> None:
    for number, way in enumerate(WAYS):
        words = WAYS[way](place)
        if shutil.which(words[0]) is None:
            pytest.skip(f"there is no {words[0]}")
        await place.run(*words, identity=f"letter-{number}")
    await place.delivered(len(WAYS))


async def test_a_wrong_password_is_told_to_the_person(place: Place) -> None:
    words = curl(place, f"smtps://127.0.0.1:{place.submissions}", "--user", f"{NAME}:guess", "-v")
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), HANG)
    assert process.returncode == 67, "curl: login denied"
    assert b"535 5.7.8" in said
    log = (place.house.root / "serve.log").read_text().splitlines()
    (line,) = [line for line in log if "login failed" in line]
    found = re.match(failregex(), line)
    assert found is not None, line
    assert found["host"] == "127.0.0.1"
    assert NAME not in line, "it may be a password"


def failregex() -> str:
    """Return the expression that we advise for fail2ban, as it is read there."""
    lines = (ROOT / "config/examples/fail2ban-filter.conf").read_text().splitlines()
    (words,) = [line.partition(" = ")[2] for line in lines if line.startswith("failregex")]
    return words.replace("<HOST>", "(?P<host>[0-9a-f.:]+)")


async def test_postfix_in_front_verifies_us_and_passes_a_mail_on(place: Place) -> None:
    if not there_is_a_postfix():
        pytest.skip("there is no Postfix, or not the right to start it")
    tls = f"smtp_tls_security_level = secure\nsmtp_tls_CAfile = {place.authority}\nsmtp_tls_secure_cert_match = {HOST}"
    more = f"relayhost = [127.0.0.1]:{place.trusted}\n{tls}\nsmtp_tls_loglevel = 1\n"
    async with postfix(more) as front:
        await place.run(*swaks(place, front.port)[:-1])
        await place.delivered(1)
        await front.idle()
        assert "Verified TLS connection established" in front.log
        assert "status=sent (250 2.0.0 taken as " in front.log
