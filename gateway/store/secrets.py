"""The secrets table: keys that all processes of an installation share."""

import base64
import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from gateway.store.database import Database, insert_new, scalar
from gateway.store.schema import secrets as table

#: The private half (seed) of the Ed25519 key that signs webhooks.
WEBHOOKS = "webhooks"
#: The key that signs links to documents.
LINKS = "links"
#: The key that makes the Message-IDs of our mails.
MAILS = "mails"
BYTES = 32


async def shared(db: Database, name: str) -> bytes:
    """Return the secret *name*, of 32 bytes; the first who asks for it makes it."""
    found = await scalar(db, _named(name))
    return await db.write(lambda tx: within(tx, name)) if found is None else base64.b64decode(found)


def within(tx: Connection, name: str) -> bytes:
    """Return the same inside a unit."""
    found = tx.execute(_named(name)).scalar()
    if found is None:
        fresh = base64.b64encode(secrets.token_bytes(BYTES)).decode()
        # Another process may have been faster: what stands in the table counts.
        insert_new(tx, table, {"name": name, "value": fresh, "created_at": datetime.now(UTC)})
        found = tx.execute(_named(name)).scalar_one()
    return base64.b64decode(found)


def _named(name: str) -> Select[Any]:
    return select(table.c.value).where(table.c.name == name)
