"""What Telnyx says of a fax, read into our words: events (webhooks) and the Fax object.

Their lists are open: a word that we do not know becomes OTHER, a field that is missing is "not told", and nothing
but an event or a fax without identity is refused.
"""

from datetime import UTC, datetime
from typing import Any

from gateway.carrier_event import CarrierEvent, CarrierFax, Happened
from gateway.dialects.telnyx.times import read_time
from gateway.dialects.telnyx.words import EVENT_TYPES, STATUSES
from gateway.fax import Direction

_INBOUND = frozenset({Happened.RECEIVING, Happened.PROCESSING, Happened.RECEIVED})


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
        cleaned = clean(value)
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


def clean(value: Any) -> Any:
    """Drop from JSON what no database takes as text: NUL and half surrogate pairs. Strangers choose what it says."""
    if isinstance(value, str):
        return value.replace("\0", "").encode(errors="replace").decode()
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value
