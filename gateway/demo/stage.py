"""The demo's embedded parts, all on the loopback: the carrier (emulator), the mail server (catcher), the gateway.

The gateway is the real one, with a settings file of its own, so that every command of ``faxgate`` works on it.
"""

import socket
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from gateway import parts
from gateway.attempt import Attempt
from gateway.carrier_event import CarrierEvent, Happened
from gateway.carriers.emulator import Connection, Emulator, EmulatorSettings
from gateway.daemon import Daemon
from gateway.demo.cast import CLINIC, OFFICE, OPERATOR, REALM, Cast, engage
from gateway.demo.catcher import MailCatcher
from gateway.demo.state import StateFolder
from gateway.errors import ConfigurationError
from gateway.events import EVENT
from gateway.fax import Direction
from gateway.settings import Settings
from gateway.store import attempts, events, jobs, migrate
from gateway.store.database import Database, Tx, open_database
from gateway.web.webhooks import PATH as WEBHOOKS

HOST = "127.0.0.1"
CONNECTION = "1700000000000000001"
#: Between two steps of a fax at the carrier, in seconds: slow enough to follow, and nothing like a real call.
PACE = 0.3

_SETTINGS = """\
# Written by faxgate demo each time it starts; what is changed here is gone after the next start.

[node]
name = "demo"

[database]
url = "sqlite:///faxgate.db"

[blobs]
url = "file://blobs"

[smtp]
hostname = "{realm}"

[[smtp.listeners]]
address = "{host}:{smtp}"
mode = "trusted"

[operator]
email = "{operator}"

[http]
address = "{host}:{http}"
public_url = "http://{host}:{http}"

# The emulator answers sooner than a carrier would, so everything that waits for one waits less.
[carrier]
settle_delay = "1s"
unknown_patience = "30s"

[carrier.telnyx]
api_key = "{api_key}"
base_url = "{base_url}"
public_key = "{public_key}"
connection_id = "{connection}"

[smarthost]
host = "{host}"
port = {mail}
tls = "none"

[fetch]
allowed_networks = ["127.0.0.0/8"]

[fax]
allowed_countries = ["US"]
retry_delay = "3s"

[worker]
poll_interval = "10s"

# One visitor; fewer processes start sooner.
[sandbox]
readers = 1
renderers = 1
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the gateway listens."""

    smtp: int
    http: int


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs."""

    folder: StateFolder
    ports: Ports
    emulator: Emulator
    catcher: MailCatcher
    daemon: Daemon
    cast: Cast


@contextmanager
def reserved(option: str, port: int) -> Iterator[int]:
    """Keep *port*, or a free one for 0, for whoever will listen there, until the block ends. Raises
    ConfigurationError naming the *option* when it cannot be had.

    A socket that is bound and does not listen keeps the port from being given away, and with SO_REUSEADDR lets another
    one of ours listen beside it (ip(7)).
    """
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            keeper.bind((HOST, port))
        except OSError as error:
            raise ConfigurationError(
                f"port {port} on {HOST} cannot be had ({error.strerror}); "
                f"choose another with {option} (0 takes any free one)"
            ) from None
        yield int(keeper.getsockname()[1])


@asynccontextmanager
async def staged(folder: StateFolder, ports: Ports) -> AsyncIterator[Stage]:
    """Start everything, and stop it when the block ends. Raises ConfigurationError."""
    async with AsyncExitStack() as stack:
        catcher = MailCatcher(folder=folder.mails)
        await catcher.start(HOST)
        stack.push_async_callback(catcher.stop)
        emulator = Emulator(_carrier(folder, ports))
        await emulator.start(HOST)
        stack.push_async_callback(emulator.stop)
        settings = _settings(folder, ports, emulator, catcher)
        cast = await _prepare(settings, folder)
        daemon = Daemon(settings)
        await daemon.start()
        stack.push_async_callback(daemon.stop)
        yield Stage(folder, ports, emulator, catcher, daemon, cast)


def _carrier(folder: StateFolder, ports: Ports) -> EmulatorSettings:
    webhooks = f"http://{HOST}:{ports.http}{WEBHOOKS}"
    connection = Connection(CONNECTION, webhooks, numbers=[OFFICE.number, CLINIC.number])
    return EmulatorSettings(api_key=uuid4().hex, connections=[connection], pace=PACE, signing_seed=folder.seed())


def _settings(folder: StateFolder, ports: Ports, emulator: Emulator, catcher: MailCatcher) -> Settings:
    """Write gateway.toml and read it; not by ``settings.load``, for FAXGATE_ variables are not meant for a demo."""
    text = _SETTINGS.format(
        host=HOST,
        smtp=ports.smtp,
        http=ports.http,
        mail=catcher.port,
        realm=REALM,
        operator=OPERATOR,
        api_key=emulator.settings.api_key,
        base_url=emulator.base_url,
        public_key=emulator.public_key,
        connection=CONNECTION,
    )
    folder.write_config(text)
    return Settings.model_validate(tomllib.loads(text), context={"folder": folder.root})


async def _prepare(settings: Settings, folder: StateFolder) -> Cast:
    """Bring the database to what the round needs."""
    db = await open_database(settings.database.url)
    try:
        await migrate.upgrade(db)
        await _end_calls(db)
        return await engage(db, parts.provisioning(db, settings), folder)
    finally:
        await db.close()


async def _end_calls(db: Database) -> None:
    """Say for the carrier that calls of an earlier run were cut off: the emulator has forgotten them, and each would
    keep the line to its number."""
    for attempt in await attempts.open_ones(db):
        await db.write(partial(_cut_off, attempt))


def _cut_off(attempt: Attempt, tx: Tx) -> None:
    event = CarrierEvent(
        id=f"demo:{attempt.id}",
        happened=Happened.FAILED,
        direction=Direction.OUTBOUND,
        carrier_fax_id=attempt.carrier_fax_id,
        occurred_at=datetime.now(UTC),
        client_state=attempt.client_state,
        failure_reason="carrier_lost",
    )
    if events.record(tx, event, "demo"):
        jobs.enqueue(tx, EVENT, event.id)
