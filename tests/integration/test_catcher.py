"""The mail catcher: it keeps what it gets, writes it down, and misbehaves when told to."""

import asyncio
import hashlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import aiosmtplib
import pytest

from gateway.demo.catcher import MailCatcher


def message(subject: str, message_id: str = "<1@fax.example.com>") -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "Faxgate <fax@fax.example.com>"
    mail["To"] = "alice@example.org"
    mail["Subject"] = subject
    mail["Message-ID"] = message_id
    mail["X-Fax-Id"] = "0193a2b4-0000-7000-8000-00000000beef"
    mail.set_content("Hello.\n")
    return mail.as_bytes()


@pytest.fixture
async def catcher() -> AsyncIterator[MailCatcher]:
    running = MailCatcher()
    await running.start()
    yield running
    await running.stop()


async def send(port: int, content: bytes, recipient: str = "alice@example.org", sender: str = "") -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, timeout=20, local_hostname="client.test") as smtp:
        await smtp.sendmail(sender, recipient, content)


async def test_mails_are_kept_in_order_with_envelope_and_message(catcher: MailCatcher) -> None:
    await send(catcher.port, message("first"))
    await send(catcher.port, message("zweite für Jürgen"), sender="fax@fax.example.com")
    assert [mail.subject for mail in catcher.mails] == ["first", "zweite für Jürgen"]
    assert [mail.envelope_from for mail in catcher.mails] == ["", "fax@fax.example.com"]
    assert catcher.mails[0].content == message("first")
    assert catcher.mails[0].parsed.get_content().split() == ["Hello."]


async def test_wait_for_returns_a_mail_that_came_before_and_one_that_comes_later(catcher: MailCatcher) -> None:
    await send(catcher.port, message("early"))
    assert (await catcher.wait_for(lambda mail: mail.subject == "early", 20)).subject == "early"
    waiting = asyncio.create_task(catcher.wait_for(lambda mail: mail.subject == "late", 20))
    await send(catcher.port, message("other"))
    await send(catcher.port, message("late"))
    assert (await waiting).subject == "late"


async def test_wait_for_says_what_came_instead(catcher: MailCatcher) -> None:
    await send(catcher.port, message("another one"))
    with pytest.raises(TimeoutError, match="another one"):
        await catcher.wait_for(lambda mail: mail.subject == "never", 0.05)


async def test_folder_and_log_hold_every_mail_that_was_accepted(tmp_path: Path) -> None:
    folder, log = tmp_path / "caught", tmp_path / "caught.jsonl"
    catcher = MailCatcher(folder=folder, log=log)
    await catcher.start()
    await send(catcher.port, message("Fax to +1 202-555-0123: delivered (3 pages)"))
    await send(catcher.port, message("zwei", "<2@fax.example.com>"), sender="fax@fax.example.com")
    catcher.refuse_with = (550, "5.1.1 no")
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await send(catcher.port, message("refused"))
    await catcher.stop()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["message_id"] for line in lines] == ["<1@fax.example.com>", "<2@fax.example.com>"]
    assert set(lines[0]) == {"at", "message_id", "from", "to", "subject", "x_fax_id", "sha256", "documents"}
    assert lines[0]["subject"] == "Fax to +1 202-555-0123: delivered (3 pages)"
    assert (lines[0]["from"], lines[0]["to"]) == ("", "alice@example.org")
    assert lines[0]["x_fax_id"] == "0193a2b4-0000-7000-8000-00000000beef"
    files = sorted(folder.glob("*.eml"))
    assert [hashlib.sha256(file.read_bytes()).hexdigest() for file in files] == [line["sha256"] for line in lines]


async def test_a_mail_taken_before_a_reset_is_kept_and_the_next_one_is_answered(catcher: MailCatcher) -> None:
    catcher.reset_after_dot = 2
    for _ in range(2):
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await send(catcher.port, message("again"))
    await send(catcher.port, message("again"))
    assert len(catcher.mails) == 3


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_a_refusal_ends_when_the_switch_is_turned_back(catcher: MailCatcher, command: str) -> None:
    catcher.refuse_at, catcher.refuse_with = command, (451, "4.3.0 not now")
    with pytest.raises(aiosmtplib.SMTPException, match="not now"):
        await send(catcher.port, message("first"))
    catcher.refuse_with = None
    await send(catcher.port, message("second"))
    assert [mail.subject for mail in catcher.mails] == ["second"]


async def test_a_disk_that_refuses_the_log_makes_the_mail_wait(tmp_path: Path) -> None:
    catcher = MailCatcher(log=tmp_path)  # a folder: no line can be appended
    await catcher.start()
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await send(catcher.port, message("not written down"))
    assert refused.value.code == 451
    assert catcher.mails == []
    await catcher.stop()


async def test_it_takes_large_mails_and_international_addresses(catcher: MailCatcher) -> None:
    large = message("large") + b"0123456789012345678901234567890123456789012345678901234567890123\r\n" * 300_000
    await send(catcher.port, large)
    assert len(catcher.mails[0].content) == len(large)
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=catcher.port, timeout=20) as smtp:
        await smtp.sendmail("", "jürgen@example.org", message("utf8"), mail_options=["SMTPUTF8"])
        assert smtp.esmtp_extensions["size"] == str(60 * 1024 * 1024)
    assert catcher.mails[1].envelope_to == ("jürgen@example.org",)


async def test_stopping_drops_clients_that_are_still_connected() -> None:
    catcher = MailCatcher()
    await catcher.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", catcher.port)
    assert (await reader.readline()).startswith(b"220 ")
    await catcher.stop()
    await catcher.stop()
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    with suppress(ConnectionResetError):
        await writer.wait_closed()


async def test_the_command_catches_mail_until_it_is_told_to_stop(tmp_path: Path) -> None:
    folder, log = tmp_path / "caught", tmp_path / "caught.jsonl"
    options = ("--port", "0", "--folder", str(folder), "--log", str(log))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.demo.catcher", *options, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        greeting = (await process.stdout.readline()).decode()
        assert greeting.startswith("catching mail on 127.0.0.1:")
        await send(int(greeting.rpartition(":")[2]), message("from outside"))
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert json.loads(log.read_text())["subject"] == "from outside"
    assert len(list(folder.glob("*.eml"))) == 1
