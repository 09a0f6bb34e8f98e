"""Kazoo's API (Crossbar), as far as it is about faxes: routes, and the words of its answers."""

from collections.abc import Mapping

from gateway.archive import Archive
from gateway.fetch import Fetcher
from gateway.intake.submit import Submit
from gateway.outbox import Command
from gateway.provisioning import Provisioning
from gateway.sandbox import Sandbox
from gateway.store.blobs import Blobs
from gateway.store.database import Database
from gateway.web.auth import Auth
from gateway.web.errors import Render
from gateway.web.kazoo.actions import Actions
from gateway.web.kazoo.answers import refused
from gateway.web.kazoo.api_auth import ApiAuth
from gateway.web.kazoo.attachment import Attachment
from gateway.web.kazoo.create import Create
from gateway.web.kazoo.faxboxes import Faxboxes
from gateway.web.kazoo.faxes import Faxes
from gateway.web.kazoo.reach import Reach
from gateway.web.kazoo.smtplog import Smtplog
from gateway.web.openapi import Operation

#: Below these paths a fault is told in Kazoo's envelope.
DIALECT: Mapping[str, Render] = {"/v2/accounts": refused, "/v2/api_auth": refused}


def operations(
    db: Database,
    blobs: Blobs,
    provisioning: Provisioning,
    *,
    submit: Submit,
    archive: Archive,
    command: Command,
    fetcher: Fetcher,
    sandbox: Sandbox | None = None,
) -> list[Operation]:
    """Return everything that is served in Kazoo's words."""
    auth = Auth(db)
    reach = Reach(db, auth)
    rooms = (
        Faxes(db, reach),  # first, for paths are tried in this order, and programs ask for lists all day
        ApiAuth(auth, provisioning),
        Faxboxes(db, auth, provisioning),
        Create(db, blobs, reach, submit, command, fetcher),
        Actions(db, reach, archive, command),
        Attachment(db, blobs, reach, sandbox),
        Smtplog(db, auth),
    )
    return [operation for room in rooms for operation in room.operations()]
