"""An attempt: one handing-over of a fax to the carrier, the step that must happen never twice."""

import base64
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class AttemptState(StrEnum):
    INTENT = "intent"  # committed; the one POST may or may not have been made
    ACCEPTED = "accepted"  # the carrier has it
    UNKNOWN = "unknown"  # the POST's outcome is not known; settled by evidence only
    REJECTED = "rejected"  # the carrier certainly does not have it
    VOID = "void"  # was unknown; its document was withdrawn unfetched and the carrier does not list it
    DELIVERED = "delivered"
    FAILED = "failed"


#: The attempt may still become a fax at the carrier, so its document must stay reachable.
OPEN = frozenset({AttemptState.INTENT, AttemptState.ACCEPTED, AttemptState.UNKNOWN})


def client_state(attempt_id: UUID, fax_id: UUID) -> str:
    """Return what the carrier is asked to remember of an attempt, in Base64 as Telnyx demands it. It is unique, and
    says which fax it was for even to a gateway that has lost the attempt."""
    return base64.b64encode(f"faxgate:{attempt_id.hex}:{fax_id.hex}".encode()).decode()


def parse_client_state(text: str) -> tuple[UUID, UUID] | None:
    """Return attempt and fax of a ``client_state`` of ours, or None."""
    try:
        ours, attempt_id, fax_id = base64.b64decode(text, validate=True).decode().split(":")
        return (UUID(attempt_id), UUID(fax_id)) if ours == "faxgate" else None
    except ValueError:
        return None


class Handle(StrEnum):
    """How the carrier gets the document."""

    TOKEN = "token"  # noqa: S105 - the word for it, no secret: it fetches /m/{token} from our public_url
    MEDIA = "media"  # we upload it to the carrier's media storage under this name


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one fax. ``ordinal`` counts from 1; ``client_state`` and ``handle`` are unique per attempt.

    ``document_blob`` is what the carrier gets, ``preview_blob`` a picture of its first page, "" for the rendering's.
    """

    id: UUID
    fax_id: UUID
    ordinal: int
    state: AttemptState
    client_state: str
    handle_kind: Handle
    handle: str
    document_blob: str
    intent_at: datetime
    preview_blob: str = ""
    unknown_at: datetime | None = None
    list_answered_at: datetime | None = None
    fetched_at: datetime | None = None
    fetches: int = 0
    revoked_at: datetime | None = None
    carrier_fax_id: str = ""
    failure_reason: str = ""
    pages_sent: int | None = None
    duration: int | None = None
    settled_at: datetime | None = None
