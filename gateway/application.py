"""Fax applications (Telnyx's fax_application) and the numbers that are assigned to them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

#: Why a job waits, as its ``last_error`` says: its application is switched off.
INACTIVE = "application inactive"


@dataclass(frozen=True, slots=True)
class Application:
    """How faxes are sent and received. ``id`` is a positive int64, shown as a string, and is the connection_id.

    ``upstream_connection_id`` is the carrier's own connection ("" for the one of the settings);
    ``file_type`` (pdf or tiff) is the format in which received faxes are mailed;
    ``extra`` keeps fields that belong to the carrier, as they were given.
    """

    id: int
    account_id: UUID
    name: str
    webhook_event_url: str
    created_at: datetime
    updated_at: datetime
    webhook_event_failover_url: str = ""
    webhook_timeout_secs: int | None = None
    active: bool = True
    is_default: bool = False
    fax_email_recipient: str = ""
    file_type: str = "pdf"
    upstream_connection_id: str = ""
    channel_limit: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Number:
    """A fax number of ours (E.164 with +): received faxes go to its application and faxbox."""

    e164: str
    account_id: UUID
    application_id: int
    faxbox_id: UUID | None
    created_at: datetime
