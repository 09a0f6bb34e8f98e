"""What the tests of the store and of the stories share: migrated databases, and the house's parts put together.

The neighbours are real and on loopback: the carrier (emulator), the mail server (catcher), our own HTTP door. Jobs are
done by hand (``step``), one at a time and without waiting for their time to come, or by a worker (``working``).
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import pytest
from sqlalchemy import Table, update

from gateway.account import Account
from gateway.application import Application
from gateway.archive import SCRAP, Archive
from gateway.attempt import Attempt
from gateway.carrier_event import CarrierEvent, Happened
from gateway.carriers.carrier import Carrier, HandingOver, Order
from gateway.carriers.emulator import Connection, EmulatedFax, Emulator, EmulatorSettings
from gateway.carriers.telnyx import Telnyx
from gateway.courier import WEBHOOK, Courier
from gateway.demo.catcher import CaughtMail, MailCatcher
from gateway.document import Header, Inspection, MediaType, Offers, Reading, RenderedDocument, StampedDocument, claimed
from gateway.documents import convert, render, stamp
from gateway.documents import open as documents
from gateway.documents.raster import Raster
from gateway.events import EVENT, Events
from gateway.expiry import EXPIRE, Expiry
from gateway.fax import Direction, Fax, Origin, Quality, State
from gateway.faxbox import Faxbox
from gateway.fetch import Fetcher
from gateway.ids import new_id
from gateway.inbox import FORWARD, RETRIEVE, Inbox
from gateway.intake.submit import Submit
from gateway.limits import Limits
from gateway.links import Links
from gateway.mail import evidence, parse
from gateway.mail.smarthost import Smarthost
from gateway.notify import DELIVER, Notify, Sender
from gateway.outbox import (
    CANCEL,
    COLLECT,
    HELD,
    PREPARE,
    RESOLVE,
    TEXT,
    TRANSMIT,
    WITHDRAW,
    Collect,
    Command,
    Hold,
    Policy,
    Prepare,
    Resolve,
    Settle,
    Text,
    Transmit,
)
from gateway.provisioning import Provisioning
from gateway.reconcile import Reconcile
from gateway.sandbox import Outputs, Sandbox, Source
from gateway.sandbox import jobs as child
from gateway.sandbox.reader import DOCUMENTS, THE_DOCUMENT, mapped, note, release, whole
from gateway.store import attempts, faxes, jobs, mailbag, migrate, schema
from gateway.store.database import Database, Row, Tx, open_database
from gateway.store.folder import Folder
from gateway.store.jobs import Job
from gateway.telling import Tale
from gateway.web.app import WebParts, make_app
from gateway.web.server import HttpServer
from gateway.worker import Story, Worker
from tests import samples

ENGINES = ["sqlite", "postgresql"]
#: Ends a test that would never end, in seconds.
HANG = 30
#: The kinds of number that may be dialled.
KINDS = ["fixed_line_or_mobile"]
NODE = "by hand"
REALM = "acme.example"
SENDER = f"alice@{REALM}"
OPERATOR = f"operator@{REALM}"
OFFICE, CLINIC = "+12025550100", "+12025550101"
NUMBER = "+12025550142"
KEY = "key of the trial"


# -- databases ---------------------------------------------------------------------------------------------------------

_template: dict[str, bytes | str] = {}
#: One folder of blobs for a session: its 256 sub-folders take longer to make than a test to run, and keys are random.
_blobs: list[Folder] = []


@asynccontextmanager
async def store(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Database]:
    """An empty, migrated database of the engine ``request.param``. Migrations run once in a session for each engine."""
    url = await (_sqlite(folder) if request.param == "sqlite" else _postgres(request))
    db = await open_database(url)
    try:
        yield db
    finally:
        await db.close()


async def _sqlite(folder: Path) -> str:
    if "sqlite" not in _template:
        await _migrate(f"sqlite:///{folder}/template.db")
        _template["sqlite"] = (folder / "template.db").read_bytes()
    content = _template["sqlite"]
    assert isinstance(content, bytes)
    (folder / "faxgate.db").write_bytes(content)
    return f"sqlite:///{folder}/faxgate.db"


async def _postgres(request: pytest.FixtureRequest) -> str:
    server = request.getfixturevalue("postgres_server")
    if "postgresql" not in _template:
        _template["postgresql"] = server.create("house")
        await _migrate(server.url("house"))
    url = _template["postgresql"]
    assert isinstance(url, str)
    await _empty(url)
    return url


async def _migrate(url: str) -> None:
    db = await open_database(url)
    try:
        await migrate.upgrade(db)
    finally:
        await db.close()


async def _empty(url: str) -> None:
    def unit(tx: Tx) -> None:
        for table in reversed(schema.metadata.sorted_tables):
            tx.execute(table.delete())  # six times as fast as TRUNCATE where there is little

    db = await open_database(url)
    try:
        await db.write(unit)
    finally:
        await db.close()


async def rows(db: Database, table: Table, **equal: Any) -> list[Row]:
    """All rows of *table* in the order of its primary key, those that *equal* says."""
    wanted = [table.c[name] == value for name, value in equal.items()]
    return await db.rows(table.select().where(*wanted).order_by(*table.primary_key.columns))


async def until(true: Callable[[], Awaitable[object]], what: str) -> None:
    """Wait until *true* holds; fail after the hang limit."""
    try:
        async with asyncio.timeout(HANG):
            while not await true():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{what} did not come") from None


# -- the sandbox -------------------------------------------------------------------------------------------------------


class OpenSandbox(Sandbox):
    """The sandbox's work, done in this process: the documents of these tests do no harm, and no process must start.

    ``renderings`` counts what was rendered; ``failing`` is raised instead of converting and stamping.
    """

    def __init__(self) -> None:
        super().__init__(1, 1)
        self.renderings = 0
        self.failing: Exception | None = None

    async def read_mail(self, message_fd: int, size: int, body: str = "ignore") -> Reading:
        message = mapped(message_fd, size)
        try:
            return parse.read(message, DOCUMENTS, body)
        finally:
            release(message)

    async def offers(self, message_fd: int, size: int, authserv: str = "") -> Offers:
        message = mapped(message_fd, size)
        try:
            return evidence.offers(message, authserv)
        finally:
            release(message)

    async def verify(self, message_fd: int, size: int, records: dict[str, str], which: list[int]) -> dict[int, str]:
        message = mapped(message_fd, size)
        try:
            return evidence.verify(message, records, which)
        finally:
            release(message)

    async def read_note(self, message_fd: int) -> str:
        return note(whole(message_fd))

    async def inspect(self, document_fd: int, name: str = "", media_type: str = "") -> Inspection:
        return documents.inspect(whole(document_fd), THE_DOCUMENT, claimed(media_type, name))

    async def render(
        self,
        source_fds: Sequence[int],
        source: Source,
        outputs: Outputs,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> RenderedDocument:
        self.renderings += 1
        await asyncio.sleep(0)  # as long as others need to come in between
        if source.kind == "mail":
            inputs = [render.Input(*parse.extract(whole(source_fds[0]), index)) for index in source.parts]
        else:
            inputs = child._documents(source, list(source_fds))
        files = render.Files(_file(outputs.tiff_fd), _file(outputs.pdf_fd), _file(outputs.preview_fd))
        result = render.render(inputs, Raster.of(source.quality, source.paper), files, lambda _: None)
        for file in (files.tiff, files.pdf, files.preview):
            file.flush()
        return result

    async def stamp(
        self, rendered_fds: Sequence[int], header: Header | None, pdf_fd: int, preview_fd: int
    ) -> StampedDocument:
        if self.failing is not None:
            raise self.failing
        pdf, preview = _file(pdf_fd), _file(preview_fd)
        result = stamp.stamp([whole(rendered) for rendered in rendered_fds], header, pdf, preview, lambda _: None)
        for file in (pdf, preview):
            file.flush()
        return result

    async def convert(self, document_fd: int, to: MediaType, output_fd: int) -> int:
        if self.failing is not None:
            raise self.failing
        output = _file(output_fd)
        pages = convert.convert(whole(document_fd), THE_DOCUMENT, to, output, lambda _: None)
        output.flush()
        return pages


def _file(descriptor: int) -> BinaryIO:
    return open(descriptor, "w+b", closefd=False)


# -- the house ---------------------------------------------------------------------------------------------------------


@dataclass
class House:
    """The parts of the gateway and its neighbours. ``account``, ``application`` and ``faxbox`` are provisioned."""

    db: Database
    blobs: Folder
    emulator: Emulator
    catcher: MailCatcher
    carrier: Carrier
    sandbox: OpenSandbox
    policy: Policy
    http: str
    fetcher: Fetcher
    limits: Limits = field(default_factory=lambda: Limits(["US"], KINDS))
    notify: Notify = field(init=False)
    settle: Settle = field(init=False)
    inbox: Inbox = field(init=False)
    events: Events = field(init=False)
    transmit: Transmit = field(init=False)
    resolve: Resolve = field(init=False)
    command: Command = field(init=False)
    submit: Submit = field(init=False)
    archive: Archive = field(init=False)
    reconcile: Reconcile = field(init=False)
    provisioning: Provisioning = field(init=False)
    links: Links = field(init=False)
    courier: Courier = field(init=False)
    stories: dict[str, Story] = field(init=False)
    account: Account = field(init=False)
    application: Application = field(init=False)
    faxbox: Faxbox = field(init=False)
    document: bytes = field(init=False)
    epoch: int = field(init=False)

    def connect(self) -> None:
        """Put the parts together; again after ``policy`` has been replaced."""
        smarthost = Smarthost("127.0.0.1", self.catcher.port, tls="none", timeout=5)
        self.notify = Notify(
            self.db, self.blobs, smarthost, Sender(f"fax@{REALM}", 10_000_000, OPERATOR, public_url=self.http)
        )
        self.settle = Settle(self.notify, self.policy)
        self.inbox = Inbox(self.db, self.blobs, self.carrier, self.fetcher, self.sandbox, self.notify)
        self.events = Events(self.db, self.settle, self.inbox)
        prepare = Prepare(self.db, self.blobs, self.sandbox, self.limits, self.settle, self.policy)
        self.transmit = Transmit(
            self.db, self.blobs, self.sandbox, self.carrier, self.limits, self.settle, self.notify, self.policy
        )
        self.resolve = Resolve(self.db, self.carrier, self.settle, self.notify, self.policy)
        self.command = Command(self.settle, 3)
        self.archive = Archive(self.db, self.blobs, self.limits)
        self.submit = Submit(self.db, self.blobs, self.limits, self.sandbox)
        self.reconcile = Reconcile(self.db, self.carrier, self.events)
        self.provisioning = Provisioning(self.db, mail_host=f"fax.{REALM}")
        self.links = Links(self.db, self.http)
        self.courier = Courier(self.db, self.fetcher, self.links)
        self.stories = {
            COLLECT: Collect(self.db, self.blobs, self.fetcher, self.settle).run,
            PREPARE: prepare.run,
            TRANSMIT: self.transmit.run,
            HELD: Hold(self.db, self.notify).run,
            CANCEL: self.transmit.cancel,
            WITHDRAW: self.transmit.withdraw,
            RESOLVE: self.resolve.run,
            TEXT: Text(self.db, self.carrier, self.limits, OFFICE).run,
            EVENT: self.events.dispatch,
            RETRIEVE: self.inbox.retrieve,
            FORWARD: self.inbox.forward,
            DELIVER: self.notify.deliver,
            SCRAP: self.archive.scrap,
            WEBHOOK: self.courier.deliver,
            EXPIRE: Expiry(self.db).media,
        }

    async def talk_to(self, carrier: Carrier) -> None:
        """Reach the carrier by *carrier* from now on."""
        await self.carrier.close()
        self.carrier = carrier
        self.connect()

    async def provision(self) -> None:
        """Make an account with an application, a faxbox that sends from OFFICE, and the number CLINIC."""
        self.account, _ = await self.provisioning.create_account("Acme", REALM)
        program = {
            "name": "main",
            "webhook_event_url": "https://acme.example/events",
            "fax_email_recipient": f"inbox@{REALM}",
            "upstream_connection_id": "77",
        }
        made = await self.provisioning.create_application(self.account.id, program)
        # No program listens, unless a test says so.
        self.application = await self.provisioning.update_application(made.id, {"webhook_event_url": ""})
        box = {
            "name": "ward",
            "application_id": self.application.id,
            "caller_id": OFFICE,
            "permit": [f"*@{REALM}"],
            "inbound_emails": [f"ward@{REALM}"],
        }
        self.faxbox = await self.provisioning.create_faxbox(self.account.id, box)
        await self.provisioning.assign_number(CLINIC, self.application.id, self.faxbox.id)
        self.epoch = await self.db.write(lambda tx: jobs.register(tx, NODE))

    # -- work ----------------------------------------------------------------------------------------------------------

    async def claim(self, kind: str) -> list[Job]:
        """Take every job of *kind* that is not blocked, due or not."""

        def unit(tx: Tx) -> list[Job]:
            waiting = (schema.jobs.c.kind == kind, schema.jobs.c.state == "scheduled")
            tx.execute(update(schema.jobs).where(*waiting).values(due=datetime.now(UTC)))
            jobs.move_due(tx)
            return jobs.claim(tx, NODE, self.epoch, kind, 1000)

        return await self.db.write(unit)

    async def step(self, kind: str, times: int = 1) -> int:
        """Do every job of *kind* that is not blocked, so many *times*; return how many were done."""
        done = 0
        for _ in range(times):
            for job in await self.claim(kind):
                await self.stories[kind](job)
                done += 1
        return done

    async def drain(self, *kinds: str) -> None:
        """Do jobs of these *kinds* until there are none."""
        async with asyncio.timeout(HANG):
            while sum([await self.step(kind) for kind in kinds]):
                pass

    @asynccontextmanager
    async def working(self, name: str = "worker") -> AsyncIterator[Worker]:
        """Have a worker of this *name* do the jobs while the block runs."""
        worker = Worker(self.db, name, self.policy.lease, self.stories, dict.fromkeys(self.stories, 4) | {WEBHOOK: 20})
        await worker.start()
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            await worker.stop(HANG)
            await running

    async def hear(self) -> None:
        """Wait until the carrier has ended every fax and told it, and apply what it said."""
        await self.emulator.settle()
        await self.drain(EVENT)

    async def hear_of(self, *events: CarrierEvent) -> None:
        """Have the carrier say *events*, and apply each before the next."""
        for event in events:
            assert await self.events.record(event, "webhook")
            await self.step(EVENT)

    # -- faxes ---------------------------------------------------------------------------------------------------------

    async def queue(self, number: str = NUMBER, **changes: Any) -> UUID:
        """Make a fax whose pages are ready, with its job to transmit it; return its id."""
        blob = await self.blobs.put_bytes(self.document)
        now = datetime.now(UTC)
        fax = Fax(
            id=new_id(),
            account_id=self.account.id,
            application_id=self.application.id,
            faxbox_id=self.faxbox.id,
            direction=Direction.OUTBOUND,
            origin=Origin.MAIL,
            state=State.QUEUED,
            from_number=OFFICE,
            to_number=number,
            created_at=now,
            updated_at=now,
            pages=1,
            pages_blob=blob,
            media_type="application/pdf",
            tries_allowed=3,
            rendering_id=new_id(),
            notify=[SENDER],
        )
        fax = replace(fax, **changes)
        tiff = await self.blobs.put_bytes(_TIFF)
        kept = {"tiff_blob": tiff, "pdf_blob": blob, "preview_blob": blob}
        rendering = {"id": fax.rendering_id, "key": fax.id.hex, "pages": 1, **kept}

        def unit(tx: Tx) -> None:
            if fax.rendering_id is not None:
                mailbag.insert_rendering(tx, rendering)
            faxes.insert(tx, fax)
            jobs.enqueue(tx, TRANSMIT, fax.id, keys=self.policy.lines(tx, fax))

        await self.db.write(unit)
        return fax.id

    async def fax(self, fax_id: UUID) -> Fax:
        """Return a fax."""
        found = await faxes.fetch(self.db, fax_id)
        assert found is not None
        return found

    async def only_fax(self) -> Fax:
        """Return the fax, of which there is exactly one."""
        (found,) = await faxes.page(self.db)
        return found

    async def attempts(self, fax_id: UUID) -> list[Attempt]:
        """Return a fax's attempts."""
        return await attempts.of_fax(self.db, fax_id)

    async def jobs(self, *kinds: str) -> list[Row]:
        """Return the jobs of these *kinds*, or all."""
        return [row for row in await rows(self.db, schema.jobs) if not kinds or row["kind"] in kinds]

    async def told(self, *tales: Tale) -> list[tuple[str, str]]:
        """Return whom something is or was told, and what, in order."""
        found = await rows(self.db, schema.outgoing)
        return sorted((row["tale"], row["recipient"]) for row in found if not tales or row["tale"] in tales)

    def sent(self, number: str = NUMBER) -> list[EmulatedFax]:
        """Return the faxes to *number* that the carrier took."""
        return [fax for fax in self.emulator.faxes if fax.direction is Direction.OUTBOUND and fax.to_number == number]

    def mails(self, *recipients: str) -> list[CaughtMail]:
        """Return the mails that came to these *recipients*, or all."""
        return [mail for mail in self.catcher.mails if not recipients or mail.envelope_to[0] in recipients]


_DOCUMENT = samples.pdf(1)


def _rendered(document: bytes) -> bytes:
    """Return the TIFF that a rendering of *document* has."""
    tiff = BytesIO()
    files = render.Files(tiff, BytesIO(), BytesIO())
    render.render([render.Input("it", document)], Raster.of(Quality.HIGH, "letter"), files, lambda _: None)
    return tiff.getvalue()


_TIFF = _rendered(_DOCUMENT)


@asynccontextmanager
async def built(
    db: Database, folder: Path, *, webhooks: bool = True, kinds: Sequence[str] = KINDS, **policy: Any
) -> AsyncIterator[House]:
    """The house on *db*, provisioned. Without *webhooks* the carrier cannot reach it: it is behind NAT. *policy* are
    fields of Policy; nothing waits longer than it must."""
    async with AsyncExitStack() as stack:
        listening = socket.create_server(("127.0.0.1", 0))
        stack.callback(listening.close)
        origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        emulator = Emulator(EmulatorSettings(KEY, pace=0.01, webhook_backoff=0.05))
        catcher = MailCatcher()
        for part in (emulator, catcher):
            await part.start()
            stack.push_async_callback(part.stop)
        carrier = Telnyx(emulator.base_url, KEY, timeout=10)
        fetcher = Fetcher(["127.0.0.0/8"], timeout=10)
        stack.push_async_callback(fetcher.close)
        if not _blobs:
            _blobs.append(Folder(folder / "blobs"))
            _blobs[0].prepare()
        soon = {"retry_delay": timedelta(milliseconds=1), "settle_delay": timedelta(milliseconds=1)}
        url = {"public_url": origin if webhooks else "", "connection_id": "77"}
        rules = Policy(**(url | soon | policy))
        house = House(db, _blobs[0], emulator, catcher, carrier, OpenSandbox(), rules, origin, fetcher)
        house.limits = Limits(["US"], kinds)
        house.document = _DOCUMENT
        stack.push_async_callback(lambda: house.carrier.close())  # noqa: PLW0108 - the one that it has in the end
        house.connect()
        await house.provision()
        hook = f"{origin}/webhooks/telnyx" if webhooks else ""
        emulator.settings.connections = [Connection("77", hook, "", [OFFICE, CLINIC])]
        server = HttpServer(make_app(_web(house)), "", [listening])
        await server.start()
        stack.push_async_callback(server.stop, 1.0)
        yield house


def _web(house: House) -> WebParts:
    async def ready() -> dict[str, str]:
        return {}

    return WebParts(
        db=house.db,
        blobs=house.blobs,
        events=house.events,
        carrier=house.carrier,
        public_keys=[house.emulator.public_key],
        provisioning=house.provisioning,
        submit=house.submit,
        sandbox=house.sandbox,
        archive=house.archive,
        command=house.command,
        fetcher=house.fetcher,
        links=house.links,
        ready=ready,
        max_upload_bytes=10_000_000,
        public_url=house.http,
    )


class Between(Telnyx):
    """The carrier's client, with something happening just before and just after its one request."""

    def __init__(self, house: House) -> None:
        super().__init__(house.emulator.base_url, KEY, timeout=10)
        self.orders: list[Order] = []

    async def before(self) -> None:
        """What happens before the request is made."""

    async def after(self) -> None:
        """What happens between the carrier's answer and its commit."""

    async def hand_over(self, order: Order) -> HandingOver:
        self.orders.append(order)
        await self.before()
        answer = await super().hand_over(order)
        await self.after()
        return answer


def said(
    happened: Happened, carrier_fax_id: str, direction: Direction = Direction.OUTBOUND, **more: Any
) -> CarrierEvent:
    """A statement of the carrier."""
    return CarrierEvent(str(new_id()), happened, direction, carrier_fax_id, datetime.now(UTC), **more)


def subjects(mails: Iterable[CaughtMail]) -> list[str]:
    """The subjects of *mails*, in order."""
    return [mail.subject for mail in mails]
