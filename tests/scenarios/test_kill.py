"""Killed at each named step of both stories and started again, the gateway loses nothing and does nothing twice."""

import os
import signal
import smtplib
from pathlib import Path

import pytest

from gateway.fax import Direction, State
from tests import samples
from tests.scenarios.installation import CLINIC, OFFICE, REALM, SENDER, Installation, Process, installed

#: Each test starts the daemon twice: together they take minutes.
pytestmark = pytest.mark.full

NUMBER = "+12025550123"
OUT = [
    "intake.read",
    "intake.sealed",
    "intake.committed",
    "prepare.rendered",
    "prepare.queued",
    "transmit.stamped",
    "transmit.sealed",
    "transmit.intended",
    "transmit.answered",
    "transmit.committed",
    "document.fetched",
    "event.recorded",
    "event.dispatched",
    "deliver.composed",
    "deliver.sent",
]
IN = [
    "event.recorded",
    "event.dispatched",
    "retrieve.fetched",
    "retrieve.kept",
    "forward.converted",
    "forward.told",
    "deliver.composed",
    "deliver.sent",
]


async def _killed(running: Process) -> None:
    assert await running.ended() == -signal.SIGKILL, "the process was to die where it was told to"


async def _mail_like_a_mail_server(house: Installation, message_id: str, document: bytes) -> bool:
    """Send the mail; False when the server died before its 250, so that it has to be sent again."""
    try:
        await house.mail(NUMBER, message_id=message_id, document=document)
    except (OSError, smtplib.SMTPException):
        return False
    return True


async def _send_through_a_kill(house: Installation, point: str) -> None:
    message_id, document = f"<{os.urandom(8).hex()}@{REALM}>", samples.pdf(2)
    running = await house.start(environment={"FAXGATE_CRASH_AT": point})
    taken = await _mail_like_a_mail_server(house, message_id, document)
    await _killed(running)
    async with house.serving():
        if not taken:
            assert await _mail_like_a_mail_server(house, message_id, document)
        await house.until(lambda: house.mails(SENDER), "the receipt")
        await house.emulator.settle()
    # A carrier that asked for the document while the gateway was down has sent nothing.
    sent = [fax for fax in house.sent(NUMBER) if fax.failure_reason != "file_download_failed"]
    assert [fax.status for fax in sent] == ["delivered"], "one mail is one fax at the carrier"
    assert [fax.state for fax in await house.faxes()] == [State.DELIVERED]
    # A mail whose 250 was lost comes again under the same Message-ID, which is how it is known to be the same.
    assert len({mail.parsed["Message-ID"] for mail in house.catcher.mails}) == 1
    assert "delivered" in house.mails(SENDER)[0].subject


@pytest.mark.parametrize("point", OUT)
async def test_a_mail_survives_a_kill_at(point: str, tmp_path: Path) -> None:
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house:
        await _send_through_a_kill(house, point)


@pytest.mark.parametrize("point", ["transmit.intended", "transmit.uploaded", "transmit.answered", "resolve.decided"])
async def test_a_mail_behind_nat_survives_a_kill_at(point: str, tmp_path: Path) -> None:
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db", behind_nat=True) as house:
        if point == "resolve.decided":
            house.emulator.faults.reset_after_accept = 1
        await _send_through_a_kill(house, point)


@pytest.mark.parametrize("point", IN)
async def test_a_received_fax_survives_a_kill_at(point: str, tmp_path: Path) -> None:
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house:
        running = await house.start(environment={"FAXGATE_CRASH_AT": point})
        await house.emulator.receive(CLINIC, OFFICE, samples.pdf(2))
        await _killed(running)
        async with house.serving():
            await house.until(lambda: house.mails(f"inbox@{REALM}") and house.mails(f"ward@{REALM}"), "the fax")
            await house.emulator.settle()
        assert [fax.state for fax in await house.faxes()] == [State.RECEIVED]
        told = {(mail.envelope_to, mail.parsed["Message-ID"]) for mail in house.catcher.mails}
        assert len(told) == 2, "each recipient has the fax under one Message-ID"
        for mail in house.catcher.mails:
            attached = [part.get_content() for part in mail.parsed.iter_attachments()]
            assert attached == [house.document(Direction.INBOUND).content]


async def test_a_kill_on_postgresql(tmp_path: Path, postgres_server: object) -> None:
    name = f"kill_{os.urandom(4).hex()}"
    url = postgres_server.create(name)  # type: ignore[attr-defined]  # tests.postgres.Postgres
    async with installed(tmp_path, url) as house:
        await _send_through_a_kill(house, "transmit.answered")
    postgres_server.drop(name)  # type: ignore[attr-defined]  # tests.postgres.Postgres
