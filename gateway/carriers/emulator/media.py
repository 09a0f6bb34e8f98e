"""The carrier's media storage: documents under names, for a time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.dialects.telnyx import write_time

DEFAULT_TTL = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """One stored document."""

    name: str
    content: bytes
    content_type: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime

    def as_object(self) -> dict[str, Any]:
        """Return Telnyx's Media."""
        return {
            "media_name": self.name,
            "content_type": self.content_type,
            "created_at": write_time(self.created_at),
            "updated_at": write_time(self.updated_at),
            "expires_at": write_time(self.expires_at),
        }


class MediaStorage:
    """All stored documents; expired ones are gone."""

    def __init__(self) -> None:
        self._stored: dict[str, StoredMedia] = {}

    def put(self, name: str, content: bytes, content_type: str, ttl: timedelta = DEFAULT_TTL) -> StoredMedia:
        """Store a document, replacing one of the same name."""
        now = datetime.now(UTC)
        before = self.get(name)
        created = before.created_at if before else now
        self._stored[name] = StoredMedia(name, content, content_type, created, now, now + ttl)
        return self._stored[name]

    def get(self, name: str) -> StoredMedia | None:
        """Return the document of this name."""
        stored = self._stored.get(name)
        return stored if stored and stored.expires_at > datetime.now(UTC) else None

    def remove(self, name: str) -> bool:
        """Remove a document; False when there is none."""
        found = self.get(name) is not None
        self._stored.pop(name, None)
        return found

    def all(self) -> list[StoredMedia]:
        """Return what is stored, newest first."""
        return [stored for name in reversed(self._stored) if (stored := self.get(name))]
