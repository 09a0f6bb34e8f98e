"""What a mail costs that the SMTP door takes in, in turn with Postfix, which parses and opens nothing.

Both promise the same with their 250: the message is on the disk. The door has besides read the MIME structure, opened
the PDF in a confined process and counted its pages, and committed the fax. Of Postfix all processes count, until its
queue (discard transport) is empty again; of the door the daemon and its readers. The client counts for neither.

The two rows at the end are mails of strangers: the same to a listener of mode mx, proved by SPF, or by a signature with
an RSA key of 2048 bits. A Postfix that did so would have a milter beside it, so there is nothing to compare them with.
"""

import asyncio
import base64
import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime
from pathlib import Path
from statistics import median

import dkim
import pikepdf
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.figures import cpu_seconds, memory_mib
from tests import samples
from tests.integration.dns_house import Names, naming
from tests.postfix import Postfix, postfix, there_is_a_postfix
from tests.scenarios.installation import REALM, SENDER, Installation, installed

NUMBER = "+12025550123"
ROUNDS = int(os.environ.get("R", "5"))
#: Size of the PDF in bytes, and mails in a round.
SIZES = {"100 KB": (100_000, 400), "1 MB": (1_000_000, 120)}
SESSIONS = (1, 10, 50)

#: The SMTP role alone: what is measured is the door, not the rendering behind it.
DOOR = """
import asyncio, sys
from pathlib import Path
from gateway import logs
from gateway.daemon import Daemon, settle
from gateway.settings import load

async def main():
    settings = load(Path(sys.argv[1]))
    logs.configure("json", "info", open(sys.argv[2], "w"))
    daemon = Daemon(settings, frozenset({"smtp"}))
    await daemon.start()
    settle()
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


#: Makes a mail that was never sent before.
Letters = Callable[[], bytes]


def letters(size: int) -> Letters:
    """Return what makes mails with a PDF of about *size* bytes: the same one, each time with another mark in it."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = SENDER, f"{NUMBER}@{REALM}", "Letter"
    message["Message-ID"], message["Date"] = "<MARK@bench>", localtime()
    message.set_content("Please see the attachment of letter MARK.")
    message.add_attachment(document(size), maintype="application", subtype="pdf", filename="letter.pdf")
    pieces = message.as_bytes().split(b"MARK")
    return lambda: os.urandom(12).hex().encode().join(pieces)


async def session(port: int, letter: Letters, count: int) -> None:
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
        await say(letter() + b"\r\n.", b"250")
    await say(b"QUIT", b"221")
    writer.close()
    await writer.wait_closed()


async def measure(server: Server, letter: Letters, sessions: int, mails: int) -> None:
    """One round: note milliseconds of CPU for one mail, and mails a second until the last 250."""
    cpu, began = cpu_seconds(server.pid), time.perf_counter()
    await asyncio.gather(*(session(server.port, letter, mails // sessions) for _ in range(sessions)))
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
        letter = letters(octets)
        for sessions in SESSIONS:
            await _measure_in_turn([server for server in (ours, theirs) if server], letter, sessions, mails)
            print(_row(f"{size}, {sessions} sessions", ours, theirs), flush=True)


async def _measure_in_turn(servers: list[Server], letter: Letters, sessions: int, mails: int) -> None:
    for server in servers:
        server.cost.clear()
        server.rate.clear()
        await session(server.port, letter, 10)
    for _ in range(ROUNDS):
        for server in servers:
            await measure(server, letter, sessions, mails)


async def _strangers() -> None:
    octets, mails = SIZES["100 KB"]
    letter, sign = letters(octets), Signer()
    proofs: dict[str, tuple[dict[str, str], Letters]] = {
        "SPF": ({REALM: "v=spf1 ip4:127.0.0.1 -all"}, letter),
        "DKIM": ({f"s1._domainkey.{REALM}": sign.record}, lambda: sign(letter())),
    }
    for name, (texts, proved) in proofs.items():
        with naming() as names:
            names.texts, names.ttl = {f"_dmarc.{REALM}": "v=DMARC1; p=reject", **texts}, 300
            async with _mx(names) as ours:
                await _measure_in_turn([ours], proved, 10, mails)
                print(_row(f"100 KB, 10, mx, {name}", ours, None), flush=True)


@contextlib.asynccontextmanager
async def _mx(names: Names) -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        async with installed(Path(folder), f"sqlite:///{folder}/faxgate.db") as house:
            settings, listener = house.config.read_text(), f'{{address = "127.0.0.1:{house.smtp_port}"'
            assert listener in settings
            name_server = "{}:{}".format(*names.address)
            mode = f'[dns]\nservers = ["{name_server}"]\n'
            house.config.write_text(settings.replace(listener, f'{listener}, mode = "mx"') + mode)
            async with door(house) as ours:
                yield ours


class Signer:
    """Signs mails; ``record`` is what the domain publishes of the key."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        self._key = key.private_bytes(serialization.Encoding.PEM, form, plain)
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        public = key.public_key().public_bytes(serialization.Encoding.DER, info)
        self.record = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"

    def __call__(self, message: bytes) -> bytes:
        headers = [b"from", b"to", b"subject", b"date", b"message-id"]
        way = (b"relaxed", b"relaxed")
        return (
            bytes(dkim.sign(message, b"s1", REALM.encode(), self._key, canonicalize=way, include_headers=headers))
            + message
        )


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
        await _strangers()
        own, whole = memory_mib(ours.pid)
        print(f"memory: daemon {own:.0f} MiB resident, with its readers {whole:.0f} MiB proportional")
