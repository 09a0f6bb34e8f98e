"""What we tell of a fax in Telnyx's words: its status, why it failed, and the events for programs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.carrier_event import Happened
from gateway.dialects.telnyx.failures import CANCELED, NOT_FETCHED, REJECTED, TOO_LARGE, UNAUTHENTICATED, UNREACHABLE
from gateway.dialects.telnyx.times import write_time
from gateway.dialects.telnyx.words import EVENT_NAMES, STATE_WORDS, STATUS_WORDS
from gateway.errors import Kind
from gateway.fax import Direction, Fax, State

#: Our words for what happened here, in Telnyx's; whatever the carrier said is not among them and stays as it is.
_FAILURES = {
    Kind.DOCUMENT_ENCRYPTED.value: "file_format_invalid",
    Kind.DOCUMENT_BROKEN.value: "file_format_invalid",
    Kind.MESSAGE_UNREADABLE.value: "file_format_invalid",
    Kind.NOTHING_TO_FAX.value: "file_format_invalid",
    Kind.PAGES_DISAGREE.value: "file_format_invalid",
    Kind.FORMAT_UNSUPPORTED.value: "file_format_invalid",
    Kind.RENDERING_STOPPED.value: "media_processing_exception",
    Kind.DOCUMENT_TOO_LARGE.value: TOO_LARGE,
    Kind.MESSAGE_TOO_LARGE.value: TOO_LARGE,
    Kind.TOO_MANY_PAGES.value: "page_count_limit_exceeded",
    Kind.NUMBER_INVALID.value: "destination_invalid",
    Kind.DESTINATION_NOT_ALLOWED.value: "destination_not_in_countries_whitelist",
    Kind.NOT_FOUND.value: NOT_FETCHED,
    REJECTED: "rejected",
    UNAUTHENTICATED: "service_unavailable",
    UNREACHABLE: "service_unavailable",
}
#: What else an event says about a fax, beside what every one says.
_DETAILS = {
    Happened.DELIVERED: ("page_count", "call_duration_secs"),
    Happened.FAILED: ("failure_reason",),
    Happened.PROCESSING: ("page_count",),
    Happened.RECEIVED: ("page_count", "call_duration_secs", "partial_content"),
}


def status(fax: Fax) -> str:
    """Return the status of a fax. Between two tries it stays what it was: it has been dialled at least."""
    between = fax.state is State.QUEUED and (fax.tries > 1 or (fax.tries == 1 and fax.next_try_at is not None))
    if between:
        return "sending" if fax.pages_sent is not None else "originated"
    return STATE_WORDS[fax.state]


def failure_reason(fax: Fax) -> str | None:
    """Return why a fax has failed, None when it has not."""
    if fax.state is State.CANCELED:
        return CANCELED
    return _FAILURES.get(fax.failure_reason, fax.failure_reason) if fax.state is State.FAILED else None


def event_data(identity: UUID, what: Happened, fax: Fax, at: datetime) -> dict[str, Any]:
    """Return ``data`` of the webhook that tells what has happened to a fax at a time; a received document's link is
    not in it, since it would have expired by the time of a later try."""
    return {
        "record_type": "event",
        "event_type": EVENT_NAMES[what],
        "id": str(identity),
        "occurred_at": write_time(at),
        "payload": _payload(what, fax),
    }


def webhook_body(data: dict[str, Any], attempt: int, url: str) -> dict[str, Any]:
    """Return the body of a webhook; *attempt* counts from 1, *url* is where it goes."""
    return {"data": data, "meta": {"attempt": attempt, "delivered_to": url}}


def _payload(what: Happened, fax: Fax) -> dict[str, Any]:
    common: dict[str, Any] = {
        "fax_id": str(fax.id),
        "connection_id": str(fax.application_id),
        "user_id": str(fax.account_id),
        "direction": fax.direction.value,
        "from": fax.from_number,
        "to": fax.to_number,
        "status": STATUS_WORDS[what],
    }
    details = {
        "page_count": fax.pages_sent if fax.pages_sent is not None else fax.pages,
        "call_duration_secs": fax.duration,
        "failure_reason": failure_reason(fax),
        "partial_content": fax.partial,
    }
    common |= {name: details[name] for name in _DETAILS.get(what, ())}
    return common | (_given(fax, what) if fax.direction is Direction.OUTBOUND else {"caller_id": fax.caller_id})


def _given(fax: Fax, what: Happened) -> dict[str, Any]:
    """Return what the client gave with the fax, as far as it comes back in events."""
    names = {"client_state": "client_state", "media_name": "media_name", "media_url": "original_media_url"}
    given = {theirs: fax.extra[ours] for ours, theirs in names.items() if fax.extra.get(ours)}
    if what is Happened.FAILED:
        given["internal_failure_reason"] = fax.failure_text or None
    return given
