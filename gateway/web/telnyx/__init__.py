"""Telnyx's fax API: routes, and the words of its answers. What a program sends to Telnyx it can send here."""

from collections.abc import Mapping

from gateway.archive import Archive
from gateway.fetch import Fetcher
from gateway.intake.submit import Submit
from gateway.links import Links
from gateway.outbox import Command
from gateway.provisioning import Provisioning
from gateway.store.blobs import Blobs
from gateway.store.database import Database
from gateway.web.auth import Auth
from gateway.web.errors import Render
from gateway.web.openapi import Operation
from gateway.web.telnyx.answers import refused
from gateway.web.telnyx.applications import Applications
from gateway.web.telnyx.deliveries import Deliveries
from gateway.web.telnyx.faxes import Faxes
from gateway.web.telnyx.files import Files
from gateway.web.telnyx.media import MediaStorage
from gateway.web.telnyx.numbers import Numbers
from gateway.web.telnyx.sending import Sending

_PATHS = ("/v2/faxes", "/v2/fax_applications", "/v2/phone_numbers", "/v2/media", "/v2/webhook_deliveries", "/v2/files")
#: Below these paths a fault is told in Telnyx's envelope.
DIALECT: Mapping[str, Render] = dict.fromkeys(_PATHS, refused)


def operations(
    db: Database,
    blobs: Blobs,
    provisioning: Provisioning,
    fetcher: Fetcher,
    links: Links,
    submit: Submit,
    archive: Archive,
    command: Command,
) -> list[Operation]:
    """Return everything that is served in Telnyx's words."""
    auth = Auth(db)
    shown = Faxes(db, auth, links, archive, command)
    rooms = (
        shown,
        Sending(db, blobs, auth, fetcher, submit, shown),
        Applications(db, auth, provisioning, fetcher),
        Numbers(db, auth, provisioning),
        MediaStorage(db, blobs, auth, fetcher),
        Files(db, blobs, links),
        Deliveries(db, auth, links),
    )
    return [operation for room in rooms for operation in room.operations()]
