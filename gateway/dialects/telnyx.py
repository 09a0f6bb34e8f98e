"""Telnyx's words and shapes for our nouns (Programmable Fax, API v2): events, faxes, statuses, failure reasons.

Their lists are open: a word that we do not know becomes OTHER, a field that is missing is "not told", and nothing
but an event or a fax without identity is refused.
"""

from datetime import UTC, datetime
from typing import Any

from gateway.address import shown
from gateway.carrier_event import CarrierEvent, CarrierFax, Happened
from gateway.fax import Direction, State
from gateway.retry import Outcome

#: Event types of the fax webhooks. None is sent when the carrier dials (status ``originated``).
EVENT_TYPES = {
    "fax.queued": Happened.QUEUED,
    "fax.media.processed": Happened.MEDIA_PROCESSED,
    "fax.sending.started": Happened.SENDING,
    "fax.delivered": Happened.DELIVERED,
    "fax.failed": Happened.FAILED,
    "fax.receiving.started": Happened.RECEIVING,
    "fax.media.processing.started": Happened.PROCESSING,
    "fax.received": Happened.RECEIVED,
}
EVENT_NAMES = {happened: name for name, happened in EVENT_TYPES.items()}

#: The ``status`` of a fax. The first word of each meaning is the one that is written.
STATUSES = {
    "queued": Happened.QUEUED,
    "media.processed": Happened.MEDIA_PROCESSED,
    "originated": Happened.CALLING,
    "sending": Happened.SENDING,
    "sending.started": Happened.SENDING,
    "delivered": Happened.DELIVERED,
    "failed": Happened.FAILED,
    "receiving": Happened.RECEIVING,
    "initiated": Happened.RECEIVING,
    "media.processing": Happened.PROCESSING,
    "received": Happened.RECEIVED,
}
STATUS_WORDS = {happened: word for word, happened in reversed(STATUSES.items())}

_INBOUND = frozenset({Happened.RECEIVING, Happened.PROCESSING, Happened.RECEIVED})

#: Our states in Telnyx's words. They know no "canceled" (it is failed, with that reason) and nothing like "held".
STATE_WORDS = {
    State.PREPARING: "queued",
    State.QUEUED: "media.processed",
    State.HELD: "queued",
    State.CALLING: "originated",
    State.SENDING: "sending",
    State.UNKNOWN: "sending",
    State.DELIVERED: "delivered",
    State.FAILED: "failed",
    State.CANCELED: "failed",
    State.RECEIVING: "receiving",
    State.PROCESSING: "media.processing",
    State.RECEIVED: "received",
}

#: Our own words beside Telnyx's failure reasons: what happened before the carrier had the fax.
REJECTED = "rejected_by_carrier"
UNAUTHENTICATED = "carrier_authentication_failed"
UNREACHABLE = "carrier_unreachable"
CANCELED = "canceled"
#: Telnyx's words for what is wrong with a document before anybody is called.
NOT_FETCHED = "file_download_failed"
TOO_LARGE = "file_size_limit_exceeded"

_CHECK_NUMBER = "Please check the number."
_TELL_ADMIN = "Please tell your administrator."
_SEND_LATER = "Please send it again later."
_DIALLED_WRONG = f"The number does not exist or cannot be reached. {_CHECK_NUMBER}"
_NO_AGREEMENT = f"The two fax machines did not understand each other. {_SEND_LATER}"
_TOO_MANY_CALLS = f"All lines to the carrier were in use. {_SEND_LATER}"
_TOO_MANY_PAGES = "The document has more pages than the carrier takes (350). Please send it in parts."
_UNVERIFIED = f"The carrier has not verified a number of this fax. {_TELL_ADMIN}"

#: failure_reason -> its class and a sentence for the person who sent (or waits for) the fax.
#: file_download_failed is passing: the document is ours, and each try offers it anew.
FAILURES: dict[str, tuple[Outcome, str]] = {
    "user_busy": (Outcome.BUSY, f"The line was busy. {_SEND_LATER}"),
    "receiver_no_answer": (Outcome.NO_ANSWER, f"Nobody answered the call. {_SEND_LATER}"),
    "receiver_no_response": (Outcome.NO_ANSWER, f"The number did not respond to the call. {_SEND_LATER}"),
    "receiver_call_dropped": (Outcome.DROPPED, f"The receiver's side ended the call too early. {_SEND_LATER}"),
    "sender_call_dropped": (Outcome.DROPPED, "The sender's side ended the call too early."),
    "carrier_lost": (Outcome.DROPPED, "The connection was lost during the call."),
    "receiver_communication_error": (Outcome.TRAINING, _NO_AGREEMENT),
    "sender_communication_error": (Outcome.TRAINING, "The two fax machines did not understand each other."),
    "fax_signaling_error": (Outcome.TRAINING, _NO_AGREEMENT),
    "fax_initial_communication_timeout": (
        Outcome.TRAINING,
        "The call was answered, but not by a fax machine. Please check the number, or send it again later.",
    ),
    "invalid_ecm_response_from_receiver": (Outcome.TRAINING, _NO_AGREEMENT),
    "receiver_recovery_on_timer_expire": (Outcome.CARRIER, f"The telephone network gave up the call. {_SEND_LATER}"),
    "receiver_decline": (Outcome.REFUSED, "The receiver declines calls from this number. Please ask the receiver."),
    "receiver_incompatible_destination": (Outcome.NUMBER, f"The number does not take faxes. {_CHECK_NUMBER}"),
    "receiver_invalid_number_format": (Outcome.NUMBER, _DIALLED_WRONG),
    "receiver_unallocated_number": (Outcome.NUMBER, f"The number is not in service. {_CHECK_NUMBER}"),
    "destination_invalid": (Outcome.NUMBER, _DIALLED_WRONG),
    "destination_unreachable": (Outcome.NUMBER, _DIALLED_WRONG),
    "destination_not_in_countries_whitelist": (
        Outcome.REFUSED,
        f"The carrier's account may not call the country of this number. {_TELL_ADMIN}",
    ),
    "destination_not_in_service_plan": (
        Outcome.REFUSED,
        f"The carrier's service plan does not include this number. {_TELL_ADMIN}",
    ),
    "unverified_origination_number": (Outcome.REFUSED, _UNVERIFIED),
    "unverified_destination_not_allowed": (Outcome.REFUSED, _UNVERIFIED),
    "account_disabled": (Outcome.REFUSED, f"The account at the carrier is disabled. {_TELL_ADMIN}"),
    "no_outbound_profile": (
        Outcome.REFUSED,
        f"The fax application at the carrier has no outbound voice profile. {_TELL_ADMIN}",
    ),
    "outbound_profile_daily_spend_limit_exceeded": (
        Outcome.REFUSED,
        f"The daily spending limit at the carrier is used up. {_TELL_ADMIN}",
    ),
    "user_channel_limit_exceeded": (Outcome.CARRIER, _TOO_MANY_CALLS),
    "connection_channel_limit_exceeded": (Outcome.CARRIER, _TOO_MANY_CALLS),
    "outbound_profile_channel_limit_exceeded": (Outcome.CARRIER, _TOO_MANY_CALLS),
    "service_unavailable": (Outcome.CARRIER, f"The carrier's service was not available. {_SEND_LATER}"),
    "file_download_failed": (Outcome.CARRIER, f"The carrier could not fetch the document. {_SEND_LATER}"),
    "media_processing_exception": (Outcome.CARRIER, f"The carrier could not process the document. {_SEND_LATER}"),
    "file_format_invalid": (Outcome.DOCUMENT, "The carrier could not read the document. Please send it as a PDF."),
    "file_size_limit_exceeded": (
        Outcome.DOCUMENT,
        "The document is larger than the carrier takes (50 MB). Please send it in parts.",
    ),
    "page_count_limit_exceeded": (Outcome.DOCUMENT, _TOO_MANY_PAGES),
    "page_count_limit_limit_exceeded": (Outcome.DOCUMENT, _TOO_MANY_PAGES),  # as one of their lists spells it
    "sender_canceled": (Outcome.CANCELED, "The fax was canceled by its sender."),
    CANCELED: (Outcome.CANCELED, "The fax was canceled."),
    REJECTED: (Outcome.REFUSED, f"The carrier did not accept the fax. {_TELL_ADMIN}"),
    UNAUTHENTICATED: (Outcome.REFUSED, f"The carrier did not accept the gateway's API key. {_TELL_ADMIN}"),
    UNREACHABLE: (Outcome.CARRIER, f"The carrier could not be reached. {_SEND_LATER}"),
}


def outcome(failure_reason: str) -> Outcome:
    """Return the class of a failure; OTHER for a word that is not in the table."""
    return FAILURES[failure_reason][0] if failure_reason in FAILURES else Outcome.OTHER


def sentence(failure_reason: str) -> str:
    """Return what a failure means and what to do, for people; an unknown word is shown as it came."""
    if failure_reason in FAILURES:
        return FAILURES[failure_reason][1]
    if not failure_reason:
        return f"The fax failed; the carrier gave no reason. {_SEND_LATER}"
    return f"The fax failed; the carrier calls the reason {shown(failure_reason)}. {_SEND_LATER}"


def happened(status: str, direction: Direction) -> Happened:
    """Return the meaning of a fax's ``status``."""
    return _in_direction(STATUSES.get(status, Happened.OTHER), direction)


def event(body: dict[str, Any]) -> CarrierEvent:
    """Read a webhook: ``{"data": {"id", "event_type", "occurred_at", "payload"}, "meta"}``, or ``data`` alone.

    Raises ValueError, naming the field, when it is no event of a fax that can be told from others.
    """
    body = _object(body, "event")
    data = _object(body.get("data", body), "data")
    payload = _object(data.get("payload"), "data.payload")
    what = EVENT_TYPES.get(_required(data, "event_type"), Happened.OTHER)
    direction = _direction(payload, what)
    return CarrierEvent(
        id=_required(data, "id"),
        happened=_in_direction(what, direction),
        direction=direction,
        carrier_fax_id=_text(payload, "fax_id") if what is Happened.OTHER else _required(payload, "fax_id"),
        occurred_at=read_time(_required(data, "occurred_at")),
        connection_id=_text(payload, "connection_id"),
        client_state=_text(payload, "client_state"),
        from_number=_text(payload, "from"),
        to_number=_text(payload, "to"),
        caller_id=_text(payload, "caller_id"),
        media_url=_text(payload, "media_url"),
        pages=_count(payload, "page_count"),
        duration=_count(payload, "call_duration_secs"),
        partial=payload.get("partial_content") is True,
        failure_reason=_text(payload, "failure_reason"),
        raw=body,
    )


def carrier_fax(obj: dict[str, Any]) -> CarrierFax:
    """Read a Fax object. Every field but ``id`` may be missing; an unreadable time becomes 1970.

    Raises ValueError when it is no object with an id.
    """
    obj = _object(obj, "fax")
    word = _text(obj, "status")
    direction = _direction(obj, STATUSES.get(word, Happened.OTHER))
    created = _time_or(obj, "created_at", datetime.fromtimestamp(0, UTC))
    return CarrierFax(
        id=_required(obj, "id"),
        direction=direction,
        status=happened(word, direction),
        from_number=_text(obj, "from"),
        to_number=_text(obj, "to"),
        created_at=created,
        updated_at=_time_or(obj, "updated_at", created),
        client_state=_text(obj, "client_state"),
        connection_id=_text(obj, "connection_id"),
        media_url=_text(obj, "media_url"),
        media_name=_text(obj, "media_name"),
        failure_reason=_text(obj, "failure_reason"),
    )


def read_time(text: str) -> datetime:
    """Read an ISO 8601 time; without an offset it is UTC (older answers leave the Z out). Raises ValueError."""
    time = datetime.fromisoformat(text)
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is no time") from error


def write_time(time: datetime) -> str:
    """Return *time* as Telnyx writes it: UTC with microseconds and ``Z``."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _in_direction(what: Happened, direction: Direction) -> Happened:
    """A received fax is sometimes said to be "delivered"."""
    inbound_end = what is Happened.DELIVERED and direction is Direction.INBOUND
    return Happened.RECEIVED if inbound_end else what


def _direction(fields: dict[str, Any], what: Happened) -> Direction:
    told = fields.get("direction")
    if told in ("inbound", "outbound"):
        return Direction(told)
    return Direction.INBOUND if what in _INBOUND else Direction.OUTBOUND


def _object(value: object, name: str) -> dict[str, Any]:
    try:
        cleaned = _clean(value)
    except RecursionError:
        cleaned = None
    if isinstance(cleaned, dict):
        return cleaned
    raise ValueError(f"{name} is not an object")


def _required(fields: dict[str, Any], name: str) -> str:
    if not (text := _text(fields, name)):
        raise ValueError(f"{name} is missing")
    return text


def _text(fields: dict[str, Any], name: str) -> str:
    """Ids have come as numbers, and media_url may be a list of URLs."""
    value = fields.get(name)
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _count(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else None


def _time_or(fields: dict[str, Any], name: str, default: datetime) -> datetime:
    try:
        return read_time(_text(fields, name))
    except ValueError:
        return default


def _clean(value: Any) -> Any:
    """Drop what no database takes as text: NUL and half surrogate pairs. Senders choose the caller id."""
    if isinstance(value, str):
        return value.replace("\0", "").encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
