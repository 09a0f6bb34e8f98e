"""What a mail costs that the SMTP door takes in, in turn with Postfix, which parses and opens nothing.

Both promise the same with their 250: the message is on the disk. The door has besides read the MIME structure, opened
the PDF in a confined process and counted its pages, and committed the fax. Of Postfix all processes count, until its
queue (discard transport) is empty again; of the door the daemon and its readers. The client counts for neither.
"""

import asyncio
import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from statistics import median

import pikepdf

from benchmarks.figures import cpu_seconds, memory_mib
from tests import samples
from tests.postfix import Postfix, postfix, there_is_a_postfix
from tests.scenarios.installation import REALM, SENDER, Installation, installed

NUMBER = "+12025550123"
ROUNDS = 5
#: Size of the PDF in bytes, and mails in a round.
SIZES = {"100 KB": (100_000, 400), "1 MB": (1_000_000, 120)}
SESSIONS = (1, 10, 50)

#: The SMTP role alone: what is measured is the door, not the rendering behind it.
DOOR = """
import asyncio, sys
from pathlib import Path
from gateway import logs
from gateway.daemon import Daemon
from gateway.settings import load

async def main():
    settings = load(Path(sys.argv[1]))
    logs.configure("json", "info", open(sys.argv[2], "w"))
    daemon = Daemon(settings, frozenset({"smtp"}))
    await daemon.start()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await daemon.stop()

asyncio.run(main())
"""


@dataclass
class Server:
    """Who is measured: where it listens, and the root of its processes."""

    name: str
    port: int
    pid: int
    postfix: Postfix | None = None
    cost: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)


def document(size: int) -> bytes:
    """Return a PDF of about *size* bytes: a page of text, and a picture that does not compress."""
    made = io.BytesIO()
    with pikepdf.open(io.BytesIO(samples.pdf(1))) as pdf:
        picture = pdf.make_stream(os.urandom(size), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image)
        picture.Width, picture.Height = 100, size // 100
        picture.ColorSpace, picture.BitsPerComponent = pikepdf.Name.DeviceGray, 8
        pdf.pages[0].add_resource(picture, pikepdf.Name.XObject)
        pdf.save(made, compress_streams=False)
    return made.getvalue()


def mail(size: int) -> list[bytes]:
    """Return a mail with a PDF of about *size* bytes, cut where its Message-ID goes."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = SENDER, f"{NUMBER}@{REALM}", "Letter"
    message["Message-ID"] = "<MARK@bench>"
    message.set_content("Please see the attachment.")
    message.add_attachment(document(size), maintype="application", subtype="pdf", filename="letter.pdf")
    return message.as_bytes().split(b"MARK")


async def session(port: int, pieces: list[bytes], count: int) -> None:
    """Send *count* mails, one after the other, over one connection."""
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


async def measure(server: Server, pieces: list[bytes], sessions: int, mails: int) -> None:
    """One round: note milliseconds of CPU for one mail, and mails a second until the last 250."""
    cpu, began = cpu_seconds(server.pid), time.perf_counter()
    await asyncio.gather(*(session(server.port, pieces, mails // sessions) for _ in range(sessions)))
    took = time.perf_counter() - began
    if server.postfix is not None:
        await server.postfix.idle()
    await asyncio.sleep(0.1)
    server.cost.append((cpu_seconds(server.pid) - cpu) / (mails // sessions * sessions) * 1000)
    server.rate.append(mails // sessions * sessions / took)


@contextlib.asynccontextmanager
async def door(house: Installation) -> AsyncIterator[Server]:
    """The daemon with its SMTP role alone."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", DOOR, str(house.config), str(house.root / "log")),
        env={**os.environ, "FAXGATE_SMTP__MAX_CONNECTIONS_PER_PEER": "100"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        await process.stdout.readline()
        yield Server("faxgate", house.smtp_port, process.pid)
    finally:
        process.stdin.close()
        await process.wait()


def _row(label: str, ours: Server, theirs: Server | None) -> str:
    row = f"{label:<22} {_spread(ours.cost, 2)} {median(ours.rate):>8.0f}"
    if theirs is None:
        return row
    ratios = [mine / other for mine, other in zip(ours.cost, theirs.cost, strict=True)]
    return f"{row}   {_spread(theirs.cost, 2)} {median(theirs.rate):>8.0f}   {_spread(ratios, 2)}"


def _spread(figures: list[float], digits: int) -> str:
    return " ".join(f"{figure:>6.{digits}f}" for figure in (min(figures), median(figures), max(figures)))


async def _compare(ours: Server, theirs: Server | None) -> None:
    for size, (octets, mails) in SIZES.items():
        pieces = mail(octets)
        for sessions in SESSIONS:
            for server in filter(None, (ours, theirs)):
                server.cost.clear()
                server.rate.clear()
                await session(server.port, pieces, 10)
            for _ in range(ROUNDS):
                for server in filter(None, (ours, theirs)):
                    await measure(server, pieces, sessions, mails)
            print(_row(f"{size}, {sessions} sessions", ours, theirs), flush=True)


async def run() -> None:
    """Milliseconds of CPU for a mail with a PDF (least, median, most of the rounds), mails a second, and the ratio."""
    print(f"{'':<22} {'faxgate: ms CPU':<20} {'mails/s':>8}   {'Postfix: ms CPU':<20} {'mails/s':>8}   ratio")
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        house = await stack.enter_async_context(installed(Path(folder), f"sqlite:///{folder}/faxgate.db"))
        ours = await stack.enter_async_context(door(house))
        theirs = None
        if there_is_a_postfix():
            other = await stack.enter_async_context(postfix("default_transport = discard:\n"))
            theirs = Server("Postfix", other.port, other.pid, other)
        else:
            print("no Postfix here, or no right to start it: no ratio")
        await _compare(ours, theirs)
        own, whole = memory_mib(ours.pid)
        print(f"memory: daemon {own:.0f} MiB resident, with its readers {whole:.0f} MiB proportional")
