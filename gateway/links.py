"""Links to documents that say by themselves until when they are good: whoever has one may fetch, and for ten minutes.

A link is signed with a key that all processes share (HMAC-SHA256), so nothing is stored for it, and any of them can
tell it from one that was made up.
"""

import hashlib
import hmac
from enum import StrEnum
from time import time
from urllib.parse import urlencode
from uuid import UUID

from gateway.store import secrets
from gateway.store.database import Database

#: How long a link is good, in seconds; Telnyx's live as long.
LASTS = 600
PATH = "/v2/files"


class Leaf(StrEnum):
    """Which document of a fax a link is for."""

    MEDIA = "media"  # what was received, or the pages that were sent
    PREVIEW_TIFF = "preview.tiff"
    PREVIEW_PDF = "preview.pdf"


class Links:
    """Makes and checks links. *base* is the URL of this gateway. ``ready`` must be awaited before anything else."""

    def __init__(self, db: Database, base: str) -> None:
        self._db = db
        self._base = base.rstrip("/")
        self._key = b""

    async def ready(self) -> "Links":
        """Return self with its key."""
        self._key = self._key or await secrets.shared(self._db, secrets.LINKS)
        return self

    def to(self, fax_id: UUID, leaf: Leaf) -> str:
        """Return a link that is good from now on."""
        expires = int(time()) + LASTS
        query = urlencode({"expires": expires, "signature": self._signature(fax_id, leaf, expires)})
        return f"{self._base}{PATH}/{fax_id}/{leaf.value}?{query}"

    def good(self, fax_id: UUID, leaf: Leaf, expires: str, signature: str) -> bool:
        """Whether a link was made here and has not expired."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12 and signature.isascii()):
            return False
        genuine = hmac.compare_digest(signature, self._signature(fax_id, leaf, int(expires)))
        return genuine and time() < int(expires)

    def _signature(self, fax_id: UUID, leaf: Leaf, expires: int) -> str:
        assert self._key, "ready() was awaited"
        signed = f"{fax_id.hex}/{leaf.value}/{expires}".encode()
        return hmac.new(self._key, signed, hashlib.sha256).hexdigest()
