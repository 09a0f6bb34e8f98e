"""What Kazoo's clients may say of a fax that they want sent: its schema with Kazoo's limits and defaults."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from gateway.dialects.kazoo.asked import Fields, addresses, public
from gateway.dialects.kazoo.fax import FaxRow, OutboundFax
from gateway.dialects.kazoo.faxbox import Recipients, Text, Tries
from gateway.faxbox import Faxbox

#: What goes into a header of a request to a foreign server.
_Header = Annotated[str, Field(max_length=255, pattern=r"^[\x20-\x7e]*$")]
Number = Annotated[str, Field(min_length=1, max_length=64)]


_EXAMPLE: dict[str, Any] = {
    "from_number": "+12025550100",
    "to_number": "+12025550123",
    "to_name": "Dr. Who",
    "retries": 3,
    "document": {"url": "https://example.com/fax.pdf", "method": "get"},
    "notifications": {"email": {"send_to": "ward@example.com"}},
}


class FaxDocument(Fields):
    """Where the document is fetched, and how."""

    url: Annotated[str, Field(min_length=7, max_length=2000, pattern=r"^https?://[\x21-\x7e]+$")] | None = None
    method: Literal["get", "post"] = "get"
    content: Annotated[str, Field(max_length=256)] = ""
    content_type: _Header = ""
    host: _Header = ""
    referer: _Header = ""


class FaxWay(Fields):
    email: Recipients | None = None


class FaxNotifications(Fields):
    email: Recipients | None = None
    sms: Recipients | None = None
    outbound: FaxWay | None = None


class FaxChanges(Fields):
    """What may be different when a fax is sent again, or passed on."""

    from_number: Number | None = None
    to_number: Number | None = None
    from_name: Text | None = None
    to_name: Text | None = None
    subject: Annotated[str, Field(max_length=998)] | None = None
    retries: Tries | None = 1
    attempts: Tries | None = 0
    fax_identity_name: Text | None = None
    fax_identity_number: Annotated[str, Field(max_length=64)] | None = None
    fax_timezone: Annotated[str, Field(max_length=64)] | None = None
    timezone: Annotated[str, Field(max_length=64)] | None = None
    notifications: FaxNotifications | None = None


class FaxWish(FaxChanges):
    """A fax to send."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    from_number: Number
    to_number: Number
    document: FaxDocument | None = None
    faxbox_id: Annotated[str, Field(max_length=64)] | None = None


class FaxAction(Fields):
    """What shall happen to a fax: the envelope's own field beside ``data``."""

    action: Literal["resubmit", "forward", "release"]
    data: dict[str, Any] | None = None


#: Our field -> Kazoo's dotted path, for what is wrong with it.
PATHS = {"notify": "notifications.email.send_to", "timezone": "fax_timezone", "to_number": "to_number"}


def emails(wish: FaxChanges) -> list[str]:
    """Return who is mailed the final result."""
    told = wish.notifications
    if told is None:
        return []
    outbound = told.outbound.email if told.outbound else None
    return addresses((outbound or told.email or Recipients()).send_to)


def texts(wish: FaxChanges) -> list[str]:
    """Return the numbers that are texted the final result, as they were written."""
    told = wish.notifications
    return addresses(told.sms.send_to) if told and told.sms else []


#: What only we say of a fax: who sends back what he was shown, or makes such a field up, changes nothing.
_SHOWN = OutboundFax.__annotations__.keys() | FaxRow.__annotations__.keys() | {"rx_result"}
_OWNED = _SHOWN - FaxWish.model_fields.keys()


def given(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a client may say of a fax."""
    return public(data, *_OWNED)


def as_kept(wish: FaxChanges) -> dict[str, Any]:
    """Return what a client said of a fax as it comes back to him: in the types of the schema, whatever he wrote."""
    kept = wish.model_dump(mode="json", exclude_unset=True)
    if kept.get("document"):
        kept["document"] = {"method": "get", **kept["document"]}
    return kept


def wish_defaults(box: Faxbox) -> dict[str, Any]:
    """Return what a fax that is sent through a faxbox takes from it where the client says nothing."""
    told = {
        "from_name": box.caller_name,
        "from_number": box.caller_id,
        "fax_identity_name": box.fax_header,
        "fax_identity_number": box.fax_identity,
        "fax_timezone": box.timezone,
        "retries": 3 if box.retries is None else min(box.retries, 4),
        "faxbox_id": box.id.hex,
    }
    if box.outbound_emails:
        told["notifications"] = {"email": {"send_to": list(box.outbound_emails)}}
    return {name: value for name, value in told.items() if value != ""}
