"""A fax: the noun that every flow is about, and the states it passes through."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Direction(StrEnum):
    OUTBOUND = "outbound"
    INBOUND = "inbound"


class Origin(StrEnum):
    """Where a fax came from: the door it entered through."""

    MAIL = "mail"
    SHELL = "shell"
    KAZOO = "kazoo"
    TELNYX = "telnyx"
    CARRIER = "carrier"


class State(StrEnum):
    """Where a fax stands. Outbound: preparing .. canceled; inbound: receiving, processing, received, failed."""

    PREPARING = "preparing"  # accepted; documents are being fetched and rendered
    QUEUED = "queued"  # pages ready, waiting for its turn, its next try or the carrier's first word
    CALLING = "calling"  # the carrier dials
    SENDING = "sending"  # pages are on the line
    HELD = "held"  # waits for a person: over a limit, or put aside by the operator
    UNKNOWN = "unknown"  # the carrier may or may not have it; not sent again without a person's word
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELED = "canceled"
    RECEIVING = "receiving"
    PROCESSING = "processing"
    RECEIVED = "received"


#: States that nothing follows.
FINAL = frozenset({State.DELIVERED, State.FAILED, State.CANCELED, State.RECEIVED})

#: How far each state is along its way; an event never moves a fax back.
RANK = {
    State.PREPARING: 0,
    State.QUEUED: 1,
    State.HELD: 1,
    State.CALLING: 2,
    State.SENDING: 3,
    State.UNKNOWN: 3,
    State.DELIVERED: 9,
    State.FAILED: 9,
    State.CANCELED: 9,
    State.RECEIVING: 2,
    State.PROCESSING: 3,
    State.RECEIVED: 9,
}


class Quality(StrEnum):
    """Resolution of the pages, in Telnyx's words; dots per inch across and down."""

    NORMAL = "normal"  # 204x98
    HIGH = "high"  # 204x196
    VERY_HIGH = "very_high"  # 204x391
    ULTRA_LIGHT = "ultra_light"  # 408x391, photographs as dots
    ULTRA_DARK = "ultra_dark"  # 408x391, everything black or white


class Sight(StrEnum):
    """What a page is taken for when it becomes black and white."""

    AUTO = "auto"  # each part of it for what it is
    TEXT = "text"  # text and drawings: no dots for pictures
    PHOTO = "photo"  # one photograph: dots all over
    SCAN = "scan"  # paper with ink on it, however grey


@dataclass(frozen=True, slots=True)
class Fax:
    """One document for one number, or one document received.

    Numbers are E.164 with ``+``. ``to_written`` is the recipient as the sender wrote it. ``pages`` counts the pages
    of the document, ``pages_sent`` what the carrier reported, ``duration`` is in seconds; None is "not reported".
    ``source`` is the blob of the message or document that the fax was made from and ``parts`` the indexes of the
    parts of a message to fax (empty: the whole blob is one document). ``pages_blob`` holds the rendered or received
    document, ``media_type`` its type, ``cover_blob`` its cover page ("" for none). While a long document is rendered
    ``pages_done`` of ``pages_to_do`` are ready; both are None at any other time. ``tries`` counts attempts made,
    ``tries_allowed`` all that may be made; none begins after ``deadline_at`` (None until its pages are ready: then the
    settings decide). At ``delay_at`` its sender is told that it still waits; None when that was told, or never is.
    ``user`` is who logged in to send it, ``approved`` that a person let it pass the limits of the day.

    ``documents`` lists the files of a fax that did not come by mail (``as_document`` and ``as_remote`` of
    ``intake/submit.py`` say what is in each). ``black_threshold`` (1..100) counts where ``monochrome`` is set; ``t38``
    False asks the carrier for T.30 over audio. ``header`` is the sender's name in the header line, ``identity`` the
    station id (T.30 TSI), ``timezone`` that of the header's clock, each "" for the faxbox's. ``extra`` keeps what an
    API's client gave and wants to see again. ``erased_at`` is set where nothing but the row is left,
    ``carrier_forgets`` when its deletion at the carrier has been ordered.
    """

    id: UUID
    account_id: UUID | None
    application_id: int | None
    faxbox_id: UUID | None
    direction: Direction
    origin: Origin
    state: State
    from_number: str
    to_number: str
    created_at: datetime
    updated_at: datetime
    to_written: str = ""
    from_name: str = ""
    to_name: str = ""
    subject: str = ""
    quality: Quality = Quality.HIGH
    message_id: UUID | None = None
    source: str = ""
    parts: list[int] = field(default_factory=list)
    rendering_id: UUID | None = None
    pages_blob: str = ""
    media_type: str = ""
    pages: int | None = None
    pages_done: int | None = None
    pages_to_do: int | None = None
    cover_blob: str = ""
    pages_sent: int | None = None
    duration: int | None = None
    partial: bool = False
    tries: int = 0
    tries_allowed: int = 1
    next_try_at: datetime | None = None
    deadline_at: datetime | None = None
    delay_at: datetime | None = None
    failure_reason: str = ""
    failure_text: str = ""
    held_reason: str = ""
    approved: bool = False
    user: str = ""
    carrier_fax_id: str = ""
    connection_id: str = ""
    caller_id: str = ""
    notify: list[str] = field(default_factory=list)
    finished_at: datetime | None = None
    documents: list[dict[str, Any]] = field(default_factory=list)
    monochrome: bool = False
    black_threshold: int | None = None
    t38: bool = True
    header: str = ""
    identity: str = ""
    timezone: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    erased_at: datetime | None = None
    carrier_forgets: bool = False


def progress(fax: Fax) -> dict[str, int]:
    """Return how far the pages of *fax* are, by the names of its fields; {} when there is nothing to tell."""
    if fax.pages_done is None or fax.pages_to_do is None:
        return {}
    return {"pages_done": fax.pages_done, "pages_to_do": fax.pages_to_do}


def plan(fax: Fax) -> dict[str, datetime]:
    """Return when *fax* is tried next (``next_attempt``) and when its last try may begin (``attempts_until``), if that
    is known; {} for one that does not wait for a try."""
    if fax.state is not State.QUEUED:
        return {}
    times = {"next_attempt": fax.next_try_at, "attempts_until": fax.deadline_at}
    return {name: at for name, at in times.items() if at is not None}
