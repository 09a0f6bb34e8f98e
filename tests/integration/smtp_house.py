"""What the tests of the SMTP door share: a house behind it, the door itself, and a client that says anything."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme

from gateway.address import parse_mailbox
from gateway.errors import Kind, refuse
from gateway.smtp.auth import Authenticator
from gateway.smtp.door import SmtpLimits
from gateway.smtp.listener import Listener
from gateway.smtp.server import SmtpServer
from gateway.store.folder import Folder, FolderSpool
from gateway.transaction import Recipient, Spooled, Transaction

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
HANG = 20  # seconds; only to end a test that would never end
MAIL = "MAIL FROM:<desk@law.example>"
RCPT = "RCPT TO:<+12025550123@fax.example.com>"


class House:
    """A Reception that stores what it takes, and fails where it is told to.

    ``failing`` maps the name of a method to the exception that it raises. ``take`` waits while ``gate`` is closed, and
    ``prove`` while ``proof`` is; ``take`` and ``refused`` last ``slow`` seconds. ``keeps`` False: it takes mails
    without keeping their messages.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.failing: dict[str, BaseException] = {}
        self.taken: list[Transaction] = []
        self.messages: list[bytes] = []
        self.refusals: list[Transaction] = []
        self.proven: list[Transaction] = []
        self.began: list[Transaction] = []
        self.taking = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.proof = asyncio.Event()
        self.proof.set()
        self.slow = 0.0
        self.keeps = True
        self.changed = asyncio.Condition()

    def _fail(self, name: str) -> None:
        if name in self.failing:
            raise self.failing[name]

    def sender(self, transaction: Transaction, path: str) -> None:
        self.began.append(transaction)
        self._fail("sender")

    async def recipient(self, transaction: Transaction, path: str) -> None:
        recipient = Recipient(written=path)
        transaction.recipients.append(recipient)
        self._fail("recipient")
        mailbox = parse_mailbox(path)
        if mailbox is None or mailbox.domain != "fax.example.com":
            raise refuse(Kind.DOMAIN_UNKNOWN, "nobody here has that domain")
        recipient.accepted = True

    def spool(self, declared_size: int) -> Spooled:
        self._fail("spool")
        return _Message(self.folder, self.failing.get("write"))

    async def prove(self, transaction: Transaction, message: Spooled) -> None:
        self.proven.append(transaction)
        await self.proof.wait()
        self._fail("prove")

    async def take(self, transaction: Transaction, message: Spooled) -> str:
        self.taking.set()
        await self.gate.wait()
        await asyncio.sleep(self.slow)
        self._fail("take")
        assert isinstance(message, FolderSpool)
        self.messages.append(message.path.read_bytes())
        if self.keeps:
            message.seal()
        self.taken.append(transaction)
        await self._tell()
        return f"{transaction.id} will be faxed"

    async def refused(self, transaction: Transaction) -> None:
        await asyncio.sleep(self.slow)
        self.refusals.append(transaction)
        await self._tell()
        self._fail("refused")

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, *, taken: int = 0, refused: int = 0) -> None:
        """Wait until so many transactions have ended so."""
        async with asyncio.timeout(HANG), self.changed:
            await self.changed.wait_for(lambda: len(self.taken) >= taken and len(self.refusals) >= refused)

    def check(self) -> None:
        """Every transaction has ended in one way, once, and left nothing half written behind."""
        ended = [transaction.id for transaction in self.taken + self.refusals]
        assert len(ended) == len(set(ended))
        assert {transaction.id for transaction in self.began} <= set(ended)
        assert list(self.folder.incoming.iterdir()) == []


class _Message(FolderSpool):
    """A message that the disk may not take."""

    def __init__(self, folder: Folder, error: BaseException | None) -> None:
        super().__init__(folder)
        self._error = error

    def write(self, data: bytes) -> None:
        if self._error is not None:
            raise self._error
        super().write(data)


def make_house(root: Path) -> House:
    folder = Folder(root / "blobs")
    folder.prepare()
    return House(folder)


@asynccontextmanager
async def serving(
    house: House,
    *,
    max_message_bytes: int = 1_000_000,
    listener: Listener | None = None,
    beside: Sequence[Listener] = (),
    sockets: list[socket.socket] | None = None,
    authenticator: Authenticator | None = None,
    **limits: Any,
) -> AsyncIterator[SmtpServer]:
    """The door before *house*, on a port of its own; *beside* are more listeners."""
    server = SmtpServer(
        house,
        hostname="fax.example.com",
        max_message_bytes=max_message_bytes,
        listeners=[listener or Listener("127.0.0.1:0", networks=LOOPBACK), *beside],
        limits=SmtpLimits(**limits),
        sockets=sockets,
        authenticator=authenticator,
    )
    await server.start()
    try:
        yield server
    finally:
        async with asyncio.timeout(HANG):
            await server.stop(1)
    house.check()


async def until_nobody_is_connected(server: SmtpServer) -> None:
    """Wait until every session has ended."""
    async with asyncio.timeout(HANG):
        while server.connections:
            await asyncio.sleep(0.01)


def certified(authority: trustme.CA, folder: Path, **listener: Any) -> Listener:
    """A listener on the loopback with a certificate that *authority* has issued."""
    issued = authority.issue_cert("fax.example.com", "127.0.0.1")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    issued.private_key_pem.write_to_path(key)
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    files: dict[str, Any] = {"tls_certificate": str(certificate), "tls_key": str(key)}
    return Listener("127.0.0.1:0", networks=LOOPBACK, **files, **listener)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """What a client needs to believe *authority*."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


class Client:
    """Says what it is told to, octet by octet."""

    def __init__(self, address: tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
        """*tls*: the connection is encrypted from its first octet."""
        self._address = address
        self._tls = tls
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        name = "fax.example.com" if self._tls else None
        async with asyncio.timeout(HANG):
            opened = await asyncio.open_connection(*self._address, ssl=self._tls, server_hostname=name)
        self.reader, self.writer = opened
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    async def reply(self) -> str:
        """Return the next reply, its lines joined by newlines; "" when the connection has ended."""
        lines = []
        async with asyncio.timeout(HANG):
            while True:
                try:
                    line = (await self.reader.readline()).decode("ascii")
                except ConnectionError:
                    line = ""
                lines.append(line.removesuffix("\r\n"))
                assert line.endswith("\r\n") or not line
                if line[3:4] != "-":
                    return "\n".join(lines)

    async def rest(self) -> list[str]:
        """Return all replies until the server closes the connection."""
        replies = []
        while reply := await self.reply():
            replies.append(reply)
        return replies

    async def say(self, command: str) -> str:
        """Send one command line and return the reply."""
        await self.send(command.encode("latin-1") + b"\r\n")
        return await self.reply()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hello(self, *commands: str) -> None:
        """Read the greeting, say EHLO and *commands*, and expect each to be accepted."""
        greeting = await self.reply()
        assert greeting.startswith("220 fax.example.com "), greeting
        for command in ("EHLO client.example", *commands):
            reply = await self.say(command)
            assert reply[:1] in {"2", "3"}, (command, reply)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        async with asyncio.timeout(HANG):
            await self.writer.start_tls(context, server_hostname="fax.example.com")

    async def leave(self) -> None:
        """Cut the connection."""
        self.writer.transport.abort()
