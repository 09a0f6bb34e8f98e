"""A fax at the carrier, and the shapes in which it is shown: Telnyx's Fax object, a webhook's payload, a record."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from gateway.carriers.emulator.documents import Document
from gateway.dialects.telnyx import write_time
from gateway.fax import Direction

#: Statuses (Telnyx's words) that nothing follows.
FINAL = frozenset({"delivered", "failed", "received"})


@dataclass(slots=True)
class EmulatedFax:
    """One fax. ``given`` is the content that came with the request, ``source`` its media_url or media_name.

    ``history`` holds each status with its time. ``pages_sent`` and ``duration`` (seconds) are those of the call.
    ``unanswered``: it was accepted, and the client did not get the 202.
    """

    direction: Direction
    connection_id: str
    to_number: str
    from_number: str
    status: str
    client_state: str = ""
    media_url: str = ""
    media_name: str = ""
    given: bytes | None = None
    quality: str = "high"
    t38_enabled: bool = True
    monochrome: bool = False
    from_display_name: str = ""
    store_media: bool = False
    webhook_url: str = ""
    caller_id: str = ""
    partial: bool = False
    unanswered: bool = False
    document: Document | None = None
    failure_reason: str = ""
    pages_sent: int | None = None
    duration: int | None = None
    id: str = field(default_factory=lambda: str(uuid4()))
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    history: list[tuple[datetime, str]] = field(default_factory=list)
    canceled: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.history.append((self.created_at, self.status))

    def move(self, status: str) -> None:
        """Go on to *status*."""
        self.status = status
        self.updated_at = datetime.now(UTC)
        self.history.append((self.updated_at, status))

    @property
    def final(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in FINAL

    @property
    def sha256(self) -> str:
        """The SHA-256 of the document in hex, "" before there is one."""
        return hashlib.sha256(self.document.content).hexdigest() if self.document else ""

    @property
    def pages(self) -> int | None:
        """The pages of the document, None before there is one."""
        return self.document.pages if self.document else None


def fax_object(fax: EmulatedFax, failover_url: str = "") -> dict[str, Any]:
    """Return the Fax of ``GET /faxes/{id}``. It has no page count: only webhooks tell that."""
    return {
        "record_type": "fax",
        "id": fax.id,
        "connection_id": fax.connection_id,
        "direction": fax.direction.value,
        "from": fax.from_number,
        "to": fax.to_number,
        "from_display_name": fax.from_display_name or fax.from_number,
        "quality": fax.quality,
        "status": fax.status,
        "store_media": fax.store_media,
        "webhook_url": fax.webhook_url,
        "webhook_failover_url": failover_url,
        "failure_reason": fax.failure_reason or None,
        "internal_failure_reason": fax.failure_reason or None,
        "created_at": write_time(fax.created_at),
        "updated_at": write_time(fax.updated_at),
        **_told(client_state=fax.client_state, media_url=fax.media_url, media_name=fax.media_name),
    }


def payload(fax: EmulatedFax, user_id: str) -> dict[str, Any]:
    """Return the payload of the webhook that tells the fax's present status (telnyx.com, "Receiving webhooks")."""
    common = {
        "connection_id": fax.connection_id,
        "direction": fax.direction.value,
        "fax_id": fax.id,
        "from": fax.from_number,
        "to": fax.to_number,
        "status": fax.status,
        "user_id": user_id,
        **_told(client_state=fax.client_state),
    }
    special = _inbound(fax) if fax.direction is Direction.INBOUND else _outbound(fax)
    return common | special | _told(failure_reason=fax.failure_reason)


def record(fax: EmulatedFax) -> dict[str, Any]:
    """Return everything about a fax but its bytes, for the control API."""
    return fax_object(fax) | {
        "client_state": fax.client_state,
        "media_type": fax.document.media_type if fax.document else "",
        "sha256": fax.sha256,
        "bytes": len(fax.document.content) if fax.document else 0,
        "page_count": fax.pages,
        "pages_sent": fax.pages_sent,
        "caller_id": fax.caller_id,
        "partial_content": fax.partial,
        "history": [[write_time(at), status] for at, status in fax.history],
    }


def _outbound(fax: EmulatedFax) -> dict[str, Any]:
    if fax.status == "delivered":
        return {"page_count": fax.pages_sent, "call_duration_secs": fax.duration}
    if fax.status == "failed":
        # Telnyx documents no page count here; the emulator tells it where pages were sent.
        return _told(internal_failure_reason=fax.failure_reason, page_count=fax.pages_sent)
    return _told(media_name=fax.media_name, original_media_url=fax.media_url)


def _inbound(fax: EmulatedFax) -> dict[str, Any]:
    caller = {"caller_id": fax.caller_id}
    if fax.status == "media.processing":
        return caller | {"page_count": fax.pages}
    if fax.status == "received":
        return caller | {
            "media_url": fax.media_url,
            "page_count": fax.pages,
            "call_duration_secs": fax.duration,
            "partial_content": fax.partial,
        }
    return caller


def _told(**fields: object) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ("", None)}
