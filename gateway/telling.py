"""What is told to people: one row of the outgoing table is one mail to one address."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Tale(StrEnum):
    """What a mail tells."""

    RECEIPT = "receipt"  # to the sender: delivered
    FAILURE = "failure"  # to the sender: not delivered, and why
    DELAYED = "delayed"  # to the sender: has not gone out yet, and is tried further
    HELD = "held"  # to the sender: waits for a person's word
    RECEIVED = "received"  # a received fax, with its document
    RECEPTION_FAILED = "reception_failed"  # a fax that did not arrive
    UNROUTED = "unrouted"  # to the operator: a fax for a number that nobody owns
    OPERATOR = "operator"  # to the operator: something waits for his hand
    TRIAL = "trial"  # faxgate check --send-test


class TellingState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    NOTICE = "notice"  # sent without its document, which was too large for it: that is still to be had here only
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Telling:
    """One mail to one address. ``message_id`` is stable over every try; ``facts`` is what the text is made of."""

    id: UUID
    fax_id: UUID | None
    tale: Tale
    recipient: str
    message_id: str
    state: TellingState
    created_at: datetime
    tries: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    last_error: str = ""
    sent_at: datetime | None = None
