"""Kazoo's fax documents and rows: our fax in its fields, with what a client gave it and wants back."""

from typing import Any, NotRequired

from typing_extensions import TypedDict

from gateway.dialects.kazoo.results import Result, result
from gateway.dialects.kazoo.words import dated_id, place_of, plain_id, to_gregorian
from gateway.fax import Direction, Fax, State, plan, progress

#: In ``Fax.extra``: the fields that a client gave, as he gave them.
KEPT = "kazoo"
#: What Kazoo writes where it knows nothing.
UNDEFINED = "undefined"

# A field whose name is a word of Python cannot be written as a class.
OutgoingRow = TypedDict(
    "OutgoingRow",
    {
        "id": str,
        "status": str,
        "to": str,
        "from": str,
        "attempts": int,
        "created": int,
        "faxbox_id": NotRequired[str],
        "from_name": NotRequired[str],
        "to_name": NotRequired[str],
        "held_reason": NotRequired[str],
        "pages_done": NotRequired[int],
        "pages_to_do": NotRequired[int],
        "next_attempt": NotRequired[int],
        "attempts_until": NotRequired[int],
    },
)


class OutboundFax(TypedDict, extra_items=Any):  # type: ignore[call-arg]  # PEP 728
    """A fax on its way out, or one that has been sent; also with whatever fields a client gave it."""

    id: str
    from_number: str
    from_name: str
    to_number: str
    to_name: str
    status: str
    folder: str
    created: int
    delivered: int | str
    attempts: int
    retries: int
    fax_timezone: str
    fax_identity_name: str
    fax_identity_number: str
    tx_result: Result
    pages: NotRequired[int]
    document: NotRequired[dict[str, Any]]
    notifications: NotRequired[dict[str, Any]]
    faxbox_id: NotRequired[str]
    subject: NotRequired[str]
    held_reason: NotRequired[str]
    pages_done: NotRequired[int]
    pages_to_do: NotRequired[int]
    retry_after: NotRequired[int]
    next_attempt: NotRequired[int]
    attempts_until: NotRequired[int]
    _read_only: NotRequired[dict[str, Any]]


class InboundFax(TypedDict, extra_items=Any):  # type: ignore[call-arg]  # PEP 728
    """A fax that is being received, or has been."""

    id: str
    name: str
    description: str
    source_type: str
    folder: str
    timestamp: int
    created: int
    from_number: str
    from_name: str
    to_number: str
    media_type: str
    rx_result: Result
    status: NotRequired[str]
    pages: NotRequired[int]
    faxbox_id: NotRequired[str]
    call_id: NotRequired[str]
    _read_only: NotRequired[dict[str, Any]]


_Row = TypedDict("_Row", {"id": str, "to": str, "from": str, "created": int})


class FaxRow(_Row, extra_items=Any):  # type: ignore[call-arg]  # PEP 728
    """A row of a list: the whole document, and the short names beside the long ones."""


def outgoing_row(fax: Fax) -> OutgoingRow:
    """Return a row of the list of faxes on their way out."""
    row: OutgoingRow = {
        "id": plain_id(fax.id),
        "status": _status(fax),
        "to": fax.to_number,
        "from": _from_number(fax),
        "attempts": fax.tries,
        "created": to_gregorian(fax.created_at),
    }
    more = {
        "faxbox_id": plain_id(fax.faxbox_id) if fax.faxbox_id else "",
        "from_name": fax.from_name,
        "to_name": fax.to_name,
        "held_reason": fax.held_reason,
    }
    known = {name: value for name, value in more.items() if value}
    return {**row, **known, **progress(fax), **_plan(fax)}  # type: ignore[typeddict-item]  # by name


def fax_row(fax: Fax) -> FaxRow:
    """Return a row of every other list: the whole document, and the short names beside the long ones."""
    shown = fax_shown(fax)
    return {**shown, "to": fax.to_number, "from": _from_number(fax)}  # type: ignore[typeddict-unknown-key]  # PEP 728


def fax_shown(fax: Fax, *, outgoing: bool = False) -> OutboundFax | InboundFax:
    """Return a fax as the details show it; *outgoing* keeps the id that it had while it was on its way."""
    if fax.direction is Direction.INBOUND:
        return inbound(fax)
    return outbound(fax, outgoing=outgoing)


def outbound(fax: Fax, *, outgoing: bool = False) -> OutboundFax:
    """Return a fax that goes, or has gone, out."""
    place = place_of(fax.direction, fax.state)
    plain = outgoing or place.folder == "outgoing"
    created = to_gregorian(fax.created_at)
    delivered = fax.state is State.DELIVERED and fax.finished_at is not None
    shown: dict[str, Any] = {
        **fax.extra.get(KEPT, {}),
        "id": plain_id(fax.id) if plain else dated_id(fax.id, fax.created_at),
        "from_number": _from_number(fax),
        "from_name": fax.from_name,
        "to_number": fax.to_number,
        "to_name": fax.to_name,
        "status": _status(fax),
        "folder": place.folder,
        "created": created,
        "delivered": to_gregorian(fax.finished_at) if delivered and fax.finished_at else UNDEFINED,
        "attempts": fax.tries,
        "retries": _retries(fax),
        "fax_timezone": fax.timezone or UNDEFINED,
        "fax_identity_name": fax.header,
        "fax_identity_number": fax.identity,
        "tx_result": result(fax),
    }
    shown |= _when_known(fax)
    if fax.notify and "notifications" not in shown:
        shown["notifications"] = {"email": {"send_to": list(fax.notify)}}
    if fax.next_try_at is not None:
        shown["retry_after"] = max(0, int((fax.next_try_at - fax.updated_at).total_seconds()))
    if place.folder == "outbox" and not outgoing:
        shown["_read_only"] = {"created": created, "status": place.status}
    return shown  # type: ignore[return-value]  # names of ours and of the client


def inbound(fax: Fax) -> InboundFax:
    """Return a fax that is being received, or has been."""
    place = place_of(fax.direction, fax.state)
    created = to_gregorian(fax.created_at)
    shown: dict[str, Any] = {
        "id": dated_id(fax.id, fax.created_at),
        "name": f"fax message received at {fax.created_at:%Y-%m-%d %H:%M:%S} UTC",
        "description": "fax document received",
        "source_type": "incoming_fax",
        "folder": place.folder,
        "timestamp": created,
        "created": created,
        "from_number": fax.from_number,
        "from_name": fax.caller_id or fax.from_name or fax.from_number,
        "to_number": fax.to_number,
        "media_type": "tiff" if fax.media_type == "image/tiff" else "pdf",
        "rx_result": result(fax),
        **_when_known(fax),
    }
    if place.status:
        shown["status"] = place.status
    if fax.carrier_fax_id:
        shown["call_id"] = fax.carrier_fax_id
    shown["_read_only"] = {"created": created, **({"status": place.status} if place.status else {})}
    return shown  # type: ignore[return-value]  # collected by name


def deleted(shown: OutboundFax | InboundFax) -> dict[str, Any]:
    """Return a fax as the answer to its deletion shows it for the last time."""
    return {**shown, "_read_only": {"deleted": True}}


def _status(fax: Fax) -> str:
    """Kazoo's word for where a fax stands. What is fetched from a URL waits there as pending from the start."""
    fetched = fax.state is State.PREPARING and any("url" in document for document in fax.documents)
    return place_of(fax.direction, State.QUEUED if fetched else fax.state).status


def _retries(fax: Fax) -> int:
    """The tries that the client asked for: none and one are the same to us."""
    asked = fax.extra.get(KEPT, {}).get("retries")
    return asked if type(asked) is int else fax.tries_allowed


def _when_known(fax: Fax) -> dict[str, Any]:
    more = {
        "pages": fax.pages,
        "faxbox_id": plain_id(fax.faxbox_id) if fax.faxbox_id else None,
        "subject": fax.subject,
        "held_reason": fax.held_reason,
    }
    return {name: value for name, value in more.items() if value not in (None, "")} | progress(fax) | _plan(fax)


def _plan(fax: Fax) -> dict[str, int]:
    """When it is tried next, and until when: ours, in Kazoo's time."""
    return {name: to_gregorian(at) for name, at in plan(fax).items()}


def _from_number(fax: Fax) -> str:
    """The number to send from as the client wrote it, which is how he compares it."""
    return str(fax.extra.get(KEPT, {}).get("from_number") or fax.from_number)
