"""What the tests of the store and of the stories share: migrated databases, and the house's parts put together.

The neighbours are real and on loopback: the carrier (emulator), the mail server (catcher), our own HTTP door. Jobs are
done by hand (``step``), one at a time and without waiting for their time to come, or by a worker (``working``).
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import update

from gateway.account import Account
from gateway.application import Application
from gateway.archive import SCRAP, Archive
from gateway.attempt import Attempt
from gateway.carrier_event import CarrierEvent, Happened
from gateway.carriers.carrier import Carrier
from gateway.carriers.emulator import Connection, EmulatedFax, Emulator, EmulatorSettings
from gateway.carriers.telnyx import Telnyx
from gateway.courier import WEBHOOK, Courier
from gateway.demo.catcher import CaughtMail, MailCatcher
from gateway.documents import render
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
from gateway.store import attempts, claims, faxes, jobs, mailbag, schema
from gateway.store.database import Database, Row, Tx
from gateway.store.folder import Folder
from gateway.store.jobs import Job
from gateway.telling import Tale
from gateway.web.app import WebParts, make_app
from gateway.web.server import HttpServer
from gateway.worker import Story, Worker
from tests import samples
from tests.integration.engines import HANG, rows
from tests.integration.open_sandbox import OpenSandbox

#: The kinds of number that may be dialled.
KINDS = ["fixed_line_or_mobile"]
NODE = "by hand"
REALM = "acme.example"
SENDER = f"alice@{REALM}"
OPERATOR = f"operator@{REALM}"
OFFICE, CLINIC = "+12025550100", "+12025550101"
NUMBER = "+12025550142"
KEY = "key of the trial"


#: One folder of blobs for a session: its 256 sub-folders take longer to make than a test to run, and keys are random.
_blobs: list[Folder] = []


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
    max_attachment_bytes: int = 10_000_000
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
            self.db,
            self.blobs,
            smarthost,
            Sender(f"fax@{REALM}", self.max_attachment_bytes, OPERATOR, public_url=self.http),
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
        self.submit = Submit(self.db, self.blobs, self.limits, self.sandbox, self.policy.delay_notice)
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
            return claims.claim(tx, NODE, self.epoch, kind, 1000)

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
        rooms = dict.fromkeys(self.stories, 4) | {WEBHOOK: 20, COLLECT: 20}
        worker = Worker(self.db, name, self.policy.lease, self.stories, rooms)
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


def said(
    happened: Happened, carrier_fax_id: str, direction: Direction = Direction.OUTBOUND, **more: Any
) -> CarrierEvent:
    """A statement of the carrier."""
    return CarrierEvent(str(new_id()), happened, direction, carrier_fax_id, datetime.now(UTC), **more)


def subjects(mails: Iterable[CaughtMail]) -> list[str]:
    """The subjects of *mails*, in order."""
    return [mail.subject for mail in mails]
