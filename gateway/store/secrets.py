"""The secrets table: keys that all processes of an installation share."""

import base64
import secrets
from datetime import UTC, datetime

from sqlalchemy import Connection, select

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
    found = await scalar(db, select(table.c.value).where(table.c.name == name))
    return base64.b64decode(found if found is not None else await db.write(lambda tx: _made(tx, name)))


def within(tx: Connection, name: str) -> bytes:
    """Return the secret *name* inside a unit."""
    found = tx.execute(select(table.c.value).where(table.c.name == name)).scalar()
    return base64.b64decode(found if found is not None else _made(tx, name))


def _made(tx: Connection, name: str) -> str:
    fresh = base64.b64encode(secrets.token_bytes(BYTES)).decode()
    # Another process may have been faster: what stands in the table counts.
    insert_new(tx, table, {"name": name, "value": fresh, "created_at": datetime.now(UTC)})
    return str(tx.execute(select(table.c.value).where(table.c.name == name)).scalar_one())
