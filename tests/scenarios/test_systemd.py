"""The daemon as systemd sees it: what it says, when it stops saying it, and sockets that are there before it is."""

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.integration.test_sandbox_faults import children
from tests.integration.test_sandbox_service import listening, service
from tests.scenarios.installation import CLINIC, REALM, SENDER, Installation, Process, installed

#: Starts whole processes: together they take long for a run in between.
pytestmark = pytest.mark.full


def _fed(running: Process) -> int:
    return sum("WATCHDOG=1" in said for said in running.told)


async def test_it_says_when_it_is_ready_lives_and_stops(tmp_path: Path) -> None:
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house:
        running = await house.start(environment={"WATCHDOG_USEC": "400000"})
        assert any("READY=1" in said for said in running.told)
        await house.until(lambda: _fed(running) >= 3, "the third sign of life")
        assert await running.stop() == 0
        await house.until(lambda: any("STOPPING=1" in said for said in running.told), "its good-bye")


async def test_the_watchdog_is_not_fed_while_the_database_does_not_answer(tmp_path: Path) -> None:
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house:
        running = await house.start(environment={"WATCHDOG_USEC": "400000"})
        try:
            await house.until(lambda: _fed(running), "the first sign of life")
            with contextlib.closing(sqlite3.connect(tmp_path / "faxgate.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                await asyncio.sleep(0.5)  # what was under way when the lock was taken
                before = _fed(running)
                await asyncio.sleep(1.5)
                assert _fed(running) == before, "a daemon that cannot write must not look alive"
                other.execute("ROLLBACK")
            await house.until(lambda: _fed(running) > before, "a sign of life after the database answers again")
        finally:
            assert await running.stop() == 0


async def test_sockets_that_systemd_opened_are_served(tmp_path: Path) -> None:
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house:
        with (
            socket.create_server(("127.0.0.1", 0)) as smtp,
            socket.create_server(("127.0.0.1", 0)) as http,
        ):
            house.smtp_port, house.http_port = smtp.getsockname()[1], http.getsockname()[1]
            house.tell_the_carrier()
            house.write_settings()
            # The settings name ports where nothing could listen: only the sockets that are handed over can serve.
            house.config.write_text(house.config.read_text().replace(f"127.0.0.1:{house.smtp_port}", "192.0.2.1:25"))
            running = await house.start([smtp, http], {"LISTEN_FDNAMES": "smtp:http"})
        try:
            await house.mail(CLINIC)
            await house.until(lambda: house.mails(SENDER) and house.mails(f"ward@{REALM}"), "receipt and fax")
            status, _ = await house.get("/readyz")
            assert status == 200
        finally:
            assert await running.stop() == 0


async def test_documents_are_opened_in_a_service_of_their_own(tmp_path: Path) -> None:
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house:
        with listening(tmp_path) as end:
            async with service(end) as apart:
                running = await house.start(environment={"FAXGATE_SANDBOX__SERVICE": end.getsockname()})
                try:
                    assert len(children(apart.pid)) == 3, "two readers, and the zygote"
                    assert children(running.process.pid) == []
                    await house.mail(CLINIC)
                    await house.until(lambda: house.mails(SENDER) and house.mails(f"ward@{REALM}"), "receipt and fax")
                finally:
                    assert await running.stop() == 0
                assert children(apart.pid) == []


async def test_a_mail_under_way_is_finished_before_it_stops(tmp_path: Path) -> None:
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house:
        running = await house.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", house.smtp_port)
        await _say(reader, writer, b"", b"220")
        for line, answer in (
            (b"EHLO client", b"250"),
            (f"MAIL FROM:<{SENDER}>".encode(), b"250"),
            (f"RCPT TO:<{CLINIC}@{REALM}>".encode(), b"250"),
            (b"DATA", b"354"),
        ):
            await _say(reader, writer, line, answer)
        running.process.send_signal(signal.SIGTERM)
        await house.until(lambda: any("STOPPING=1" in said for said in running.told), "its good-bye")
        await _say(reader, writer, _a_mail() + b"\r\n.", b"250")
        writer.close()
        assert await running.ended() == 0
        assert len(await house.faxes()) == 1
        await _goes_out_later(house)


async def _goes_out_later(house: Installation) -> None:
    async with house.serving():
        await house.until(lambda: house.mails(SENDER), "the receipt")


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes, answer: bytes) -> None:
    if line:
        writer.write(line + b"\r\n")
    async with asyncio.timeout(30):
        said = await reader.readline()
        while said[3:4] == b"-":
            said = await reader.readline()
    assert said.startswith(answer), said


def _a_mail() -> bytes:
    from tests import samples

    return (
        f"From: {SENDER}\r\nMessage-ID: <{os.urandom(8).hex()}@{REALM}>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: application/pdf; name="letter.pdf"\r\nContent-Disposition: attachment\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    ).encode() + _base64(samples.pdf(1))


def _base64(content: bytes) -> bytes:
    import base64

    return base64.encodebytes(content).replace(b"\n", b"\r\n").rstrip()
