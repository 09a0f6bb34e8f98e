"""The HTTP application: every door of the house that speaks HTTP, put together."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from gateway import logs
from gateway.archive import Archive
from gateway.carriers.carrier import Carrier
from gateway.events import Events
from gateway.fetch import Fetcher
from gateway.intake.submit import Submit
from gateway.links import Links
from gateway.outbox import Command, Decide
from gateway.provisioning import Provisioning
from gateway.sandbox import Sandbox
from gateway.store.blobs import Blobs
from gateway.store.database import Database
from gateway.web import kazoo, telnyx
from gateway.web.access import access, add_headers
from gateway.web.decide import DecidePages
from gateway.web.documents import Documents
from gateway.web.errors import answering
from gateway.web.health import Ready, measurements, probes
from gateway.web.home import home
from gateway.web.openapi import Operation
from gateway.web.reference import Reference
from gateway.web.webhooks import Webhooks

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebParts:
    """What the doors lead to.

    ``ready`` asks every part of the process how it is. ``max_upload_bytes`` bounds any request. ``public_url`` is ""
    when the carrier cannot reach us. ``metrics_here`` is False when /metrics has an address of its own.
    Without ``sandbox`` documents are given out as they are, and not converted.
    """

    db: Database
    blobs: Blobs
    events: Events
    carrier: Carrier
    public_keys: Sequence[str]
    provisioning: Provisioning
    submit: Submit
    archive: Archive
    command: Command
    fetcher: Fetcher
    links: Links
    ready: Ready
    max_upload_bytes: int
    public_url: str
    metrics_here: bool = True
    sandbox: Sandbox | None = None


def make_app(parts: WebParts) -> web.Application:
    """Return the application behind ``[http] address``."""
    if parts.public_url and not parts.public_keys:
        log.warning("no public_key of the carrier is set: every webhook is refused")
    app = _app(parts.max_upload_bytes)
    app.add_routes(home(parts.public_url, metrics_here=parts.metrics_here))
    app.add_routes(probes(parts.ready))
    if parts.metrics_here:
        app.add_routes(measurements())
    app.add_routes(Webhooks(parts.events, parts.carrier, parts.public_keys).routes())
    app.add_routes(Documents(parts.db, parts.blobs).routes())
    app.add_routes(DecidePages(Decide(parts.db, parts.command)).routes())
    operations = api(parts)
    app.add_routes([operation.route() for operation in operations])
    app.add_routes(Reference(operations).routes())
    return app


def api(parts: WebParts) -> list[Operation]:
    """Return the table of both APIs' routes."""
    return [
        *kazoo.operations(
            parts.db,
            parts.blobs,
            parts.provisioning,
            submit=parts.submit,
            archive=parts.archive,
            command=parts.command,
            fetcher=parts.fetcher,
            sandbox=parts.sandbox,
        ),
        *telnyx.operations(
            parts.db,
            parts.blobs,
            parts.provisioning,
            parts.fetcher,
            parts.links,
            submit=parts.submit,
            archive=parts.archive,
            command=parts.command,
        ),
    ]


def metrics_app(ready: Ready) -> web.Application:
    """Return the application behind ``[http] metrics_address``: /metrics and the probes, and nothing else."""
    app = _app(1024)
    app.add_routes([*measurements(), *probes(ready)])
    return app


def _app(max_bytes: int) -> web.Application:
    app = web.Application(
        client_max_size=max_bytes, middlewares=[access, answering({**kazoo.DIALECT, **telnyx.DIALECT})]
    )
    app.on_response_prepare.append(add_headers)
    return app
