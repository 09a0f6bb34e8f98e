"""Telnyx's fax API: routes, and the words of its answers. What a program sends to Telnyx it can send here."""

from collections.abc import Mapping

from gateway.fetch import Fetcher
from gateway.links import Links
from gateway.provisioning import Provisioning
from gateway.store.blobs import Blobs
from gateway.store.database import Database
from gateway.web.auth import Auth
from gateway.web.errors import Render
from gateway.web.openapi import Operation
from gateway.web.telnyx.answers import refused
from gateway.web.telnyx.applications import Applications
from gateway.web.telnyx.deliveries import Deliveries
from gateway.web.telnyx.files import Files
from gateway.web.telnyx.media import MediaStorage
from gateway.web.telnyx.numbers import Numbers

_PATHS = ("/v2/faxes", "/v2/fax_applications", "/v2/phone_numbers", "/v2/media", "/v2/webhook_deliveries", "/v2/files")
#: Below these paths a fault is told in Telnyx's envelope.
DIALECT: Mapping[str, Render] = dict.fromkeys(_PATHS, refused)


def operations(
    db: Database, blobs: Blobs, provisioning: Provisioning, fetcher: Fetcher, links: Links
) -> list[Operation]:
    """Return everything that is served in Telnyx's words."""
    auth = Auth(db)
    rooms = (
        Applications(db, auth, provisioning, fetcher),
        Numbers(db, auth, provisioning),
        MediaStorage(db, blobs, auth, fetcher),
        Files(db, blobs, links),
        Deliveries(db, auth, links),
    )
    return [operation for room in rooms for operation in room.operations()]
