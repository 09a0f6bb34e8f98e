"""How many mails the SMTP door takes in, each read, counted, synced and committed before its 250."""

import asyncio
import os
import sys
import tempfile
import time
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from benchmarks.figures import HEADER, cpu_seconds, spread
from tests.scenarios.installation import REALM, SENDER, Installation, installed

SESSIONS, MAILS, ROUNDS = 10, 300, 3
NUMBER = "+12025550123"

#: The SMTP role alone: what is measured is the door, not the rendering behind it.
DOOR = """
import asyncio, sys
from pathlib import Path
from gateway import logs
from gateway.daemon import Daemon
from gateway.settings import load

async def main():
    settings = load(Path(sys.argv[1]))
    logs.configure("json", "warning")
    daemon = Daemon(settings, frozenset({"smtp"}))
    await daemon.start()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await daemon.stop()

asyncio.run(main())
"""


def _mail(size: int) -> list[bytes]:
    """A mail with a PDF of about *size* bytes, cut where its Message-ID goes."""
    # Bytes that do not compress, in a stream that no page uses, make a small PDF as large as wanted.
    from tests import samples

    pdf = samples.pdf(1)
    padded = pdf.replace(b"%%EOF", b"%" + os.urandom(size).hex().encode()[:size] + b"\n%%EOF")
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = SENDER, f"{NUMBER}@{REALM}", "Letter"
    message["Message-ID"] = "<MARK@bench>"
    message.set_content("Please see the attachment.")
    message.add_attachment(padded, maintype="application", subtype="pdf", filename="letter.pdf")
    return message.as_bytes().split(b"MARK")


async def _session(port: int, pieces: list[bytes], count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)

    async def say(line: bytes, expect: bytes) -> None:
        writer.write(line + b"\r\n")
        while True:
            answer = await reader.readline()
            if answer[3:4] != b"-":
                break
        if not answer.startswith(expect):
            raise RuntimeError(f"{line[:60]!r} was answered {answer!r}")

    await reader.readline()
    await say(b"EHLO bench", b"250")
    for _ in range(count):
        await say(f"MAIL FROM:<{SENDER}>".encode(), b"250")
        await say(f"RCPT TO:<{NUMBER}@{REALM}>".encode(), b"250")
        await say(b"DATA", b"354")
        await say(os.urandom(12).hex().encode().join(pieces) + b"\r\n.", b"250")
    await say(b"QUIT", b"221")
    writer.close()
    await writer.wait_closed()


async def _round(port: int, pid: int, pieces: list[bytes]) -> tuple[float, float]:
    """Return mails a second, and milliseconds of CPU of the whole process tree for one mail."""
    cpu, began = cpu_seconds(pid), time.perf_counter()
    await asyncio.gather(*(_session(port, pieces, MAILS // SESSIONS) for _ in range(SESSIONS)))
    return MAILS / (time.perf_counter() - began), (cpu_seconds(pid) - cpu) / MAILS * 1000


async def _measure(house: Installation, name: str, size: int) -> None:
    door = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", DOOR, str(house.config)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert door.stdout is not None
    assert door.stdin is not None
    await door.stdout.readline()
    pieces = _mail(size)
    await _session(house.smtp_port, pieces, 10)
    rounds = [await _round(house.smtp_port, door.pid, pieces) for _ in range(ROUNDS)]
    print(spread(f"{name}, {SESSIONS} sessions", [rate for rate, _ in rounds], "mails/s"))
    print(spread("  CPU of all processes", [cpu for _, cpu in rounds], "ms a mail"))
    door.stdin.close()
    await door.wait()


async def run() -> None:
    """Mails taken in a second, SQLite and folder, everything durable, the worker's role elsewhere."""
    print(HEADER)
    with tempfile.TemporaryDirectory() as folder:
        async with installed(Path(folder), f"sqlite:///{folder}/faxgate.db") as house:
            await _measure(house, "mail with a 100 KB PDF", 100_000)
            await _measure(house, "mail with a 1 MB PDF", 1_000_000)
