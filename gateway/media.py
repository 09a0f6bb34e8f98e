"""Media: a file that a client has left here, to fax it by its name."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

#: Telnyx's limits: 20 MB, two days unless asked otherwise, twenty years at most.
MAX_BYTES = 20 * 1000 * 1000
LASTS = timedelta(days=2)
MAX_TTL = 630_720_000


@dataclass(frozen=True, slots=True)
class Media:
    """A file of an account; ``size`` is in bytes. After ``expires_at`` it is not there any more."""

    id: UUID
    account_id: UUID
    name: str
    blob: str
    content_type: str
    size: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
