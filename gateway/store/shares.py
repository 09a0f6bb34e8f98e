"""Who holds a blob, where more than one row may: a document that was sent anew, a file of the media storage.

A blob without a row here has one holder, the row that names it. An owner is the id of a fax or of a media file.
"""

from sqlalchemy import Connection, delete, select

from gateway.store.database import insert_new, lock_keys
from gateway.store.schema import shares


def share(tx: Connection, blob: str, *owners: object) -> None:
    """Note that *owners* hold *blob*; all of them must be named, also the first one."""
    lock_keys(tx, [f"blob:{blob}"])
    for owner in owners:
        insert_new(tx, shares, {"blob": blob, "owner": str(owner)})


def drop(tx: Connection, blob: str, owner: object) -> bool:
    """Note that *owner* holds *blob* no longer; return whether nobody does, so that it can be deleted."""
    lock_keys(tx, [f"blob:{blob}"])
    tx.execute(delete(shares).where(shares.c.blob == blob, shares.c.owner == str(owner)))
    return tx.execute(select(shares.c.owner).where(shares.c.blob == blob).limit(1)).first() is None
