"""A whole gateway as its operator runs it: the real process, its settings file, and the world around it."""

import asyncio
import contextlib
import os
import signal
import smtplib
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from uuid import UUID

import aiohttp

from gateway import parts
from gateway.application import Application
from gateway.attempt import Attempt
from gateway.carriers.emulator.app import Emulator
from gateway.carriers.emulator.documents import Document
from gateway.carriers.emulator.faxes import EmulatedFax
from gateway.carriers.emulator.settings import Connection, EmulatorSettings
from gateway.demo.catcher import CaughtMail, MailCatcher
from gateway.fax import Direction, Fax
from gateway.faxbox import Faxbox
from gateway.settings import load
from gateway.store import attempts, faxes, migrate
from gateway.store.database import open_database
from tests import samples

REALM = "acme.test.example"
SENDER = f"nurse@{REALM}"
OFFICE, CLINIC = "+12025550100", "+12025550199"
HANG = 60.0


class EndedEarly(AssertionError):
    """The process ended before it was ready."""


@dataclass
class Process:
    """One run of ``faxgate serve``. ``told`` is what it has said on its NOTIFY_SOCKET."""

    process: asyncio.subprocess.Process
    told: list[str]
    log: Path
    watching: "asyncio.Task[None] | None" = None

    async def ended(self) -> int:
        """Wait for its end and return its exit status (negative: the signal)."""
        if self.watching is not None:
            await asyncio.wait_for(asyncio.shield(self.watching), HANG)
        return await asyncio.wait_for(self.process.wait(), HANG)

    async def stop(self) -> int:
        """End it as systemd does."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """End it as a power cut does."""
        if self.process.returncode is None:
            self.process.kill()
        await self.ended()


@dataclass
class Installation:
    """The operator's machine and its neighbours: the carrier (emulator) and the mail server (catcher)."""

    root: Path
    database_url: str
    emulator: Emulator
    catcher: MailCatcher
    behind_nat: bool
    smtp_port: int
    http_port: int
    blobs: str = ""
    #: Where the world reaches it, when something stands in front of it.
    front: str = ""
    account_id: UUID = field(init=False)
    application: Application = field(init=False)
    faxbox: Faxbox = field(init=False)
    token: str = field(init=False)
    runs: list[Process] = field(default_factory=list)

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.root / "gateway.toml"

    @property
    def http(self) -> str:
        """Where its HTTP server is."""
        return f"http://127.0.0.1:{self.http_port}"

    def write_settings(self, more: str = "") -> None:
        """Write gateway.toml; *more* is appended."""
        public_url = "" if self.behind_nat else self.front or self.http
        self.config.write_text(
            f"""
[node]
name = "test"
[database]
url = "{self.database_url}"
{self.blobs or f'[blobs]{chr(10)}url = "file://{self.root}/blobs"'}
[smtp]
hostname = "fax.test.example"
listeners = [{{address = "127.0.0.1:{self.smtp_port}"}}]
[operator]
email = "operator@{REALM}"
[http]
address = "127.0.0.1:{self.http_port}"
public_url = "{public_url}"
[carrier]
settle_delay = "300ms"
[carrier.telnyx]
api_key = "{self.emulator.settings.api_key}"
base_url = "{self.emulator.base_url}"
public_key = "{self.emulator.public_key}"
connection_id = "77"
[smarthost]
host = "127.0.0.1"
port = {self.catcher.port}
tls = "none"
sender = "fax@fax.test.example"
retry_delay = "300ms"
[fetch]
allowed_networks = ["127.0.0.0/8"]
[fax]
retry_delay = "300ms"
[worker]
most_faults = 3
poll_interval = "500ms"
poll_interval_without_webhooks = "200ms"
lease = "3s"
[logs]
format = "json"
{more}
"""
        )

    async def provision(self) -> None:
        """Make the schema, an account with a faxbox, and a number of its own."""
        settings = load(self.config)
        db = await open_database(settings.database.url)
        try:
            await migrate.upgrade(db)
            rules = parts.provisioning(db, settings)
            account, _ = await rules.create_account("Acme", REALM)
            self.account_id = account.id
            _, self.token = await rules.create_token(account.id)
            fields = {
                "name": "main",
                "webhook_event_url": "https://acme.test.example/events",
                "fax_email_recipient": f"inbox@{REALM}",
                "upstream_connection_id": "77",
            }
            made = await rules.create_application(account.id, fields)
            # No program listens, unless a test says so.
            self.application = await rules.update_application(made.id, {"webhook_event_url": ""})
            box = {
                "name": "ward",
                "application_id": self.application.id,
                "caller_id": OFFICE,
                "permit": [f"*@{REALM}"],
                "inbound_emails": [f"ward@{REALM}"],
            }
            self.faxbox = await rules.create_faxbox(account.id, box)
            await rules.assign_number(CLINIC, self.application.id, self.faxbox.id)
        finally:
            await db.close()

    def tell_the_carrier(self) -> None:
        """Register our webhook URL at the carrier, as one does in its portal."""
        url = "" if self.behind_nat else f"{self.front or self.http}/webhooks/telnyx"
        self.emulator.settings.connections = [Connection("77", url, "", [OFFICE, CLINIC])]

    @contextlib.asynccontextmanager
    async def serving(self, environment: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
        """Run ``faxgate serve`` until the block ends; it is ready when the block begins."""
        running = await self.start(environment=environment)
        try:
            yield running
        finally:
            await running.stop()

    async def start(
        self,
        sockets: Sequence[socket.socket] = (),
        environment: Mapping[str, str] | None = None,
        under: Sequence[str] = (),
        only: str = "",
    ) -> Process:
        """Start ``faxgate serve``, with the roles *only*; return when it has said READY=1. *sockets* are handed over
        as systemd does it: as descriptors from 3 on, for the process that LISTEN_PID names. *under* is a command that
        runs it."""
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        address = self.root / f"notify-{os.urandom(4).hex()}"
        channel.bind(str(address))
        log = self.root / "serve.log"
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", HAND_OVER, ",".join(str(each.fileno()) for each in sockets)),
                *(*under, sys.executable, "-W", "error", "-m", "gateway", "serve", "--config", str(self.config)),
                *(["--only", only] if only else []),
                env={**os.environ, "NOTIFY_SOCKET": str(address), **(environment or {})},
                pass_fds=[each.fileno() for each in sockets],
                stdin=asyncio.subprocess.DEVNULL,
                stderr=stderr,
            )
        running = Process(process, [], log)
        self.runs = [run for run in self.runs if run.process.returncode is None] + [running]
        loop = asyncio.get_running_loop()
        loop.add_reader(channel, _hear, running, channel)
        running.watching = loop.create_task(_until_ended(running, channel))
        async with asyncio.timeout(HANG):
            while not any("READY=1" in said for said in running.told):
                if process.returncode is not None:
                    raise EndedEarly(f"serve ended with {process.returncode}: {log.read_text()[-4000:]}")
                await asyncio.sleep(0.01)
        return running

    async def mail(self, number: str, *, pages: int = 1, message_id: str = "", document: bytes = b"") -> str:
        """Mail a PDF to *number* with Python's own client; return the text of the last reply. Raises OSError or
        smtplib.SMTPException when the server is gone or refuses."""
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"] = SENDER, f"{number}@{REALM}"
        message["Subject"] = "Discharge letter"
        message["Message-ID"] = message_id or f"<{os.urandom(8).hex()}@{REALM}>"
        message.set_content("Please see the attachment.")
        content = document or samples.pdf(pages)
        message.add_attachment(content, maintype="application", subtype="pdf", filename="letter.pdf")
        # A mail that is sent again is the same to the last octet.
        message.set_boundary(f"part-of-{message['Message-ID'].strip('<>')}".replace("@", "-"))
        return await asyncio.to_thread(self._send, message, f"{number}@{REALM}")

    def _send(self, message: EmailMessage, recipient: str) -> str:
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=HANG) as client:
            client.ehlo("ward-pc.test.example")
            client.mail(SENDER)
            code, said = client.rcpt(recipient)
            if code != 250:
                raise smtplib.SMTPResponseException(code, said)
            code, said = client.data(message.as_bytes())
            if code != 250:
                raise smtplib.SMTPResponseException(code, said)
        return said.decode()

    def mails(self, to: str = "", tale: str = "") -> list[CaughtMail]:
        """The mails that were delivered, to one address or of one tale (the left side of its Message-ID)."""
        return [
            mail
            for mail in self.catcher.mails
            if (not to or to in mail.envelope_to) and (not tale or mail.parsed["Message-ID"].startswith(f"<{tale}."))
        ]

    async def until(self, true: Callable[[], object], what: str) -> None:
        """Wait until *true* holds; fail after the hang limit."""
        try:
            async with asyncio.timeout(HANG):
                while not true():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            said = (self.root / "serve.log").read_text()[-4000:]
            raise AssertionError(f"{what} did not come; the daemon said:\n{said}") from None

    async def faxes(self) -> list[Fax]:
        """All faxes, read beside the running daemon."""
        db = await open_database(self.database_url)
        try:
            return await faxes.page(db, limit=500)
        finally:
            await db.close()

    async def attempts(self, fax_id: UUID) -> list[Attempt]:
        """The attempts of a fax."""
        db = await open_database(self.database_url)
        try:
            return await attempts.of_fax(db, fax_id)
        finally:
            await db.close()

    async def get(self, path: str) -> tuple[int, str]:
        """GET a path of its HTTP server with the account's token."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.http}{path}", headers={"X-Auth-Token": self.token}) as response,
        ):
            return response.status, await response.text()

    def sent(self, number: str = "") -> list[EmulatedFax]:
        """The faxes that the carrier was given, to one number or all."""
        outbound = [fax for fax in self.emulator.faxes if fax.direction is Direction.OUTBOUND]
        return [fax for fax in outbound if number in {"", fax.to_number}]

    def document(self, direction: Direction) -> Document:
        """The document of the carrier's first fax in this direction."""
        first = next(fax for fax in self.emulator.faxes if fax.direction is direction)
        assert first.document is not None
        return first.document

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Run a ``faxgate`` command against this installation; return its exit status and what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", "error", "-m", "gateway", *arguments, "--config", str(self.config)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await asyncio.wait_for(process.communicate(), HANG)
        return process.returncode or 0, printed.decode()


def _hear(running: Process, channel: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while said := channel.recv(4096):
            running.told.append(said.decode())


async def _until_ended(running: Process, channel: socket.socket) -> None:
    await running.process.wait()
    asyncio.get_running_loop().remove_reader(channel)
    with contextlib.closing(channel):
        _hear(running, channel)


#: Moves descriptors to 3, 4 ... as systemd does, and becomes the command that follows them.
HAND_OVER = """
import os, sys
given = [int(number) for number in sys.argv[1].split(",") if number]
spare = [os.dup2(number, 100 + index) for index, number in enumerate(given)]
for index, number in enumerate(spare):
    os.dup2(number, 3 + index, inheritable=True)
if given:
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)))
os.execv(sys.argv[2], sys.argv[2:])
"""


@contextlib.contextmanager
def reserved() -> Iterator[int]:
    """Keep a port of the loopback for whoever will listen there, until the block ends: a socket that is bound and
    does not listen keeps it from being given away, and with SO_REUSEADDR lets another one listen beside it (ip(7))."""
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield int(keeper.getsockname()[1])


@contextlib.asynccontextmanager
async def installed(
    root: Path, database_url: str, *, behind_nat: bool = False, blobs: str = ""
) -> AsyncIterator[Installation]:
    """An installation with everything set up, its daemon not yet started. *blobs* is its section of the settings,
    when they are not kept in a folder."""
    emulator = Emulator(EmulatorSettings(api_key="key", pace=0.03, webhook_backoff=0.2, log=root / "carrier.jsonl"))
    catcher = MailCatcher(log=root / "mails.jsonl")
    await emulator.start()
    await catcher.start()
    with reserved() as smtp_port, reserved() as http_port:
        house = Installation(root, database_url, emulator, catcher, behind_nat, smtp_port, http_port, blobs)
        try:
            house.write_settings()
            await house.provision()
            house.tell_the_carrier()
            yield house
        finally:
            for run in house.runs:
                await run.kill()
            await emulator.stop()
            await catcher.stop()
