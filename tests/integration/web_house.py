"""What the tests of the HTTP door share: a migrated database, the server on a free port, and a client."""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from aiohttp import web
from nacl.signing import SigningKey

from gateway.account import Account
from gateway.archive import Archive
from gateway.attempt import Attempt, AttemptState, Handle
from gateway.carriers.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from gateway.carriers.telnyx import Telnyx
from gateway.events import Events
from gateway.fax import Direction, Fax, Origin, State
from gateway.fetch import Fetcher
from gateway.ids import new_id, new_token
from gateway.intake.submit import Submit
from gateway.limits import Limits
from gateway.links import Links
from gateway.mail.smarthost import Smarthost
from gateway.notify import Notify, Sender
from gateway.outbox import Command, Policy, Settle
from gateway.provisioning import Provisioning
from gateway.store import attempts, faxes, smtplog
from gateway.store.database import Database, Row, Tx, open_database
from gateway.store.folder import Folder
from gateway.store.migrate import upgrade
from gateway.store.schema import metadata
from gateway.transaction import SmtpRecord
from gateway.web.app import WebParts, make_app
from gateway.web.connection import HttpLimits
from gateway.web.server import HttpServer

SEED = b"\x07" * 32
PUBLIC_KEY = base64.b64encode(bytes(SigningKey(SEED).verify_key)).decode()
LIMITS = Limits(["US"], ["fixed_line_or_mobile"])
DOCUMENT = b"%PDF-1.7\n" + bytes(range(256)) * 4096 + b"%%EOF"
#: Ends a test that would never end, in seconds.
HANG = 30
AT = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)


@dataclass
class House:
    """The running server and what is behind it; ``well`` is what its parts say of themselves."""

    db: Database
    blobs: Folder
    provisioning: Provisioning
    client: aiohttp.ClientSession
    server: HttpServer
    app: web.Application
    well: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        host, port = self.server.address
        return f"http://{host}:{port}"

    async def rows(self, table: str) -> list[Row]:
        """All rows of *table*."""
        return await self.db.rows(metadata.tables[table].select())

    async def count(self, table: str) -> int:
        """How many rows *table* has."""
        return len(await self.rows(table))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect, to say what no HTTP client would."""
        return await asyncio.open_connection(*self.server.address)

    async def say(self, raw: bytes) -> bytes:
        """Send *raw* and return everything that comes until the server closes."""
        reader, writer = await self.connect()
        try:
            writer.write(raw)
            return await asyncio.wait_for(reader.read(), HANG)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def account(self, realm: str, parent: UUID | None = None) -> tuple[Account, str]:
        """Make an account; return it and a token for it."""
        account, _ = await self.provisioning.create_account(realm, realm, parent_id=parent)
        return account, (await self.provisioning.create_token(account.id))[1]

    async def attempt(self, **changes: Any) -> Attempt:
        """Make a fax whose one attempt the carrier has accepted, with its document."""
        fax = Fax(
            id=new_id(),
            account_id=None,
            application_id=None,
            faxbox_id=None,
            direction=Direction.OUTBOUND,
            origin=Origin.MAIL,
            state=State.QUEUED,
            from_number="+12025550100",
            to_number="+12025550123",
            created_at=AT,
            updated_at=AT,
        )
        attempt = Attempt(
            id=new_id(),
            fax_id=fax.id,
            ordinal=1,
            state=AttemptState.ACCEPTED,
            client_state=new_token(),
            handle_kind=Handle.TOKEN,
            handle=new_token(),
            document_blob=await self.blobs.put_bytes(DOCUMENT),
            intent_at=AT,
        )
        attempt = replace(attempt, **changes)

        def unit(tx: Tx) -> None:
            faxes.insert(tx, fax)
            attempts.insert(tx, attempt)

        await self.db.write(unit)
        return attempt

    async def fetches(self, attempt: Attempt) -> int:
        """How often the database says that the attempt's document was fetched."""
        found = await attempts.fetch(self.db, attempt.id)
        assert found is not None
        assert (found.fetched_at is not None) == (found.fetches > 0)
        return found.fetches

    async def log(self, *records: SmtpRecord) -> None:
        """Put records into the smtplog."""

        def unit(tx: Tx) -> None:
            for one in records:
                smtplog.insert(tx, one)

        await self.db.write(unit)


@asynccontextmanager
async def opened(
    database_url: str, folder: Path, limits: HttpLimits | None = None, **changes: Any
) -> AsyncIterator[House]:
    """Serve on *database_url*; *changes* are fields of WebParts."""
    await _migrate(database_url)
    db = await open_database(database_url)
    blobs = _blobs(folder)
    well = {"database": ""}

    async def ready() -> dict[str, str]:
        return well

    fetcher = Fetcher(["127.0.0.0/8"], timeout=10)
    try:
        provisioning = Provisioning(db, mail_host="fax.example.com")
        parts: dict[str, Any] = {
            "db": db,
            "blobs": blobs,
            "events": Events(db, None, None),  # type: ignore[arg-type]  # recording needs neither settle nor inbox
            "carrier": Telnyx("http://127.0.0.1:1/v2", "KEY"),
            "public_keys": [PUBLIC_KEY],
            "provisioning": provisioning,
            "fetcher": fetcher,
            "links": Links(db, "https://fax.example.com"),
            "ready": ready,
            "max_upload_bytes": 50_000_000,
            "public_url": "https://fax.example.com",
            "submit": Submit(db, blobs, LIMITS),
            "archive": Archive(db, blobs, LIMITS),
            "command": Command(Settle(_notify(db, blobs), Policy()), 3),
        }
        app = make_app(WebParts(**(parts | changes)))
        server = HttpServer(app, "127.0.0.1:0", limits=limits)
        await server.start()
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as client:
                yield House(db, blobs, provisioning, client, server, app, well)
        finally:
            await server.stop(0)
    finally:
        await fetcher.close()
        await db.close()


def _notify(db: Database, blobs: Folder) -> Notify:
    return Notify(db, blobs, Smarthost("127.0.0.1", 1), Sender("fax@fax.example.com", 1_000_000))


_template: list[bytes] = []


async def _migrate(database_url: str) -> None:
    """Make the schema; on SQLite once, and then by copying the file."""
    sqlite = database_url.removeprefix("sqlite:///") if database_url.startswith("sqlite") else ""
    if sqlite and _template:
        await asyncio.to_thread(Path(sqlite).write_bytes, _template[0])
        return
    db = await open_database(database_url)
    try:
        await upgrade(db)
    finally:
        await db.close()
    if sqlite:
        _template.append(await asyncio.to_thread(Path(sqlite).read_bytes))


def _blobs(folder: Path) -> Folder:
    """Return a blob store that all tests of the session share: keys are random, and 256 folders take their time."""
    blobs = Folder(folder.parent / "web-blobs")
    if not blobs.incoming.exists():
        blobs.prepare()
    return blobs


def record(account_id: UUID | None, at: datetime = AT, **changes: Any) -> SmtpRecord:
    """Return the record of a mail that was taken."""
    fields: dict[str, Any] = {
        "id": new_id(),
        "account_id": account_id,
        "faxbox_id": None,
        "at": at,
        "listener": "127.0.0.1:2525",
        "peer": "192.0.2.7",
        "helo": "mail.example.org",
        "tls": "",
        "user": "",
        "sender": "Alice@Example.org",
        "recipients": [
            {"written": "2025550123@fax.example.com", "number": "+12025550123", "domain": "fax.example.com"}
        ],
        "size": 4711,
        "message_id": "<1@example.org>",
        "subject": "A fax",
        "found": [],
        "errors": [],
        "reply": "250 2.0.0 ok",
        "fax_ids": [],
    }
    return SmtpRecord(**(fields | changes))


def event(event_id: str = "bc004786-f166-4dd3-8c5d-737990b501bc", **data: Any) -> bytes:
    """Return the body of a webhook."""
    told = {
        "event_type": "fax.sending.started",
        "id": event_id,
        "occurred_at": "2026-11-01T12:00:00.000000Z",
        "payload": {"connection_id": "1", "direction": "outbound", "fax_id": "9fbc3f0d-5495-42af-9a4e-c57a235d9182"},
        "record_type": "event",
    }
    return json.dumps({"data": told | data, "meta": {"attempt": 1}}).encode()


def signed(raw: bytes, seed: bytes = SEED, at: float | None = None) -> dict[str, str]:
    """Return the headers of a webhook, signed at *at* (Unix seconds; default: now)."""
    timestamp = str(int(time.time() if at is None else at))
    return {
        SIGNATURE_HEADER: sign(seed, timestamp, raw),
        TIMESTAMP_HEADER: timestamp,
        "Content-Type": "application/json",
    }
