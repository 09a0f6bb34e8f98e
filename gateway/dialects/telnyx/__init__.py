"""Telnyx's words and shapes for our nouns (Programmable Fax, API v2), in both directions; pure."""

from gateway.dialects.telnyx.application import POINTERS, application_fields, application_object, number_object
from gateway.dialects.telnyx.delivery import delivery_object
from gateway.dialects.telnyx.failures import (
    CANCELED,
    FAILURES,
    NOT_FETCHED,
    REJECTED,
    TOO_LARGE,
    TOO_LATE,
    UNAUTHENTICATED,
    UNREACHABLE,
    outcome,
    sentence,
    what,
)
from gateway.dialects.telnyx.fax import fax_object
from gateway.dialects.telnyx.media import media_object
from gateway.dialects.telnyx.outgoing import event_data, failure_reason, status, webhook_body
from gateway.dialects.telnyx.reading import carrier_fax, clean, event, happened
from gateway.dialects.telnyx.times import read_time, write_time
from gateway.dialects.telnyx.wish import FaxWish, fax_wish
from gateway.dialects.telnyx.words import EVENT_NAMES, EVENT_TYPES, STATE_WORDS, STATUS_WORDS, STATUSES

__all__ = [
    "CANCELED",
    "EVENT_NAMES",
    "EVENT_TYPES",
    "FAILURES",
    "NOT_FETCHED",
    "POINTERS",
    "REJECTED",
    "STATE_WORDS",
    "STATUSES",
    "STATUS_WORDS",
    "TOO_LARGE",
    "TOO_LATE",
    "UNAUTHENTICATED",
    "UNREACHABLE",
    "FaxWish",
    "application_fields",
    "application_object",
    "carrier_fax",
    "clean",
    "delivery_object",
    "event",
    "event_data",
    "failure_reason",
    "fax_object",
    "fax_wish",
    "happened",
    "media_object",
    "number_object",
    "outcome",
    "read_time",
    "sentence",
    "status",
    "webhook_body",
    "what",
    "write_time",
]
