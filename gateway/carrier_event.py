"""What a carrier says about a fax, in our words, whichever way it was learnt (webhook, poll, line)."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.fax import Direction


class Happened(StrEnum):
    QUEUED = "queued"
    MEDIA_PROCESSED = "media_processed"
    CALLING = "calling"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    RECEIVING = "receiving"
    PROCESSING = "processing"
    RECEIVED = "received"
    OTHER = "other"  # a word of the carrier that we do not know: kept, and nothing done


@dataclass(frozen=True, slots=True)
class CarrierEvent:
    """One statement of the carrier. ``id`` is unique per statement; "" for what is not told is normal."""

    id: str
    happened: Happened
    direction: Direction
    carrier_fax_id: str
    occurred_at: datetime
    connection_id: str = ""
    client_state: str = ""
    from_number: str = ""
    to_number: str = ""
    caller_id: str = ""
    media_url: str = ""
    pages: int | None = None
    duration: int | None = None
    partial: bool = False
    failure_reason: str = ""
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CarrierFax:
    """A fax as the carrier lists it."""

    id: str
    direction: Direction
    status: Happened
    from_number: str
    to_number: str
    created_at: datetime
    updated_at: datetime
    client_state: str = ""
    connection_id: str = ""
    media_url: str = ""
    media_name: str = ""
    failure_reason: str = ""
