"""Kazoo's faxbox: its schema, and the way from its fields to ours and back.

Fields that the gateway does not act on (flags, sms, callbacks, whatever a client adds) are kept in ``Faxbox.extra``
under KEPT and come back as they were given.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from gateway.dialects.kazoo.asked import Fields, addresses, merged, public
from gateway.dialects.kazoo.words import plain_id
from gateway.faxbox import Faxbox

KEPT = "kazoo"
#: Our field -> Kazoo's, where a value goes from one to the other as it is.
_SAME = {
    "name": "name",
    "caller_id": "caller_id",
    "caller_name": "caller_name",
    "fax_header": "fax_header",
    "fax_identity": "fax_identity",
    "custom_host": "custom_smtp_email_address",
    "permit": "smtp_permission_list",
    "retries": "retries",
    "timezone": "fax_timezone",
}
#: Our field -> Kazoo's dotted path, for what is wrong with it.
PATHS = {
    **_SAME,
    "inbound_emails": "notifications.inbound.email.send_to",
    "outbound_emails": "notifications.outbound.email.send_to",
}
#: What Kazoo makes itself; a client that sends it back changes nothing.
_OURS = ("smtp_email_address", "account_id", "created", "modified")
#: Shown of a box that has no tries of its own.
RETRIES = 1
Text = Annotated[str, Field(max_length=128)]
Tries = Annotated[int, Field(ge=0, le=4)]


_EXAMPLE: dict[str, Any] = {
    "name": "Ward 3",
    "caller_id": "+12025550100",
    "smtp_permission_list": ["nurse@example.com"],
    "notifications": {"inbound": {"email": {"send_to": "ward3@example.com"}}},
}


class Recipients(Fields):
    send_to: str | list[str] | None = None


class Callback(Fields):
    url: Annotated[str, Field(pattern=r"^https?://", max_length=2000)] | None = None
    method: Literal["post", "put"] | None = None
    type: Literal["json", "www-url-form-encoded"] | None = None


class Way(Fields):
    email: Recipients | None = None
    sms: Recipients | None = None
    callback: Callback | None = None


class FaxboxNotifications(Fields):
    inbound: Way | None = None
    outbound: Way | None = None


class FaxboxMedia(Fields):
    fax_option: bool | Literal["auto"] | None = None


class FaxboxWish(Fields):
    """What a client wants a faxbox to be."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Annotated[str, Field(min_length=1, max_length=128)]
    caller_id: Text | None = None
    caller_name: Text | None = None
    fax_header: Text | None = None
    fax_identity: Text | None = None
    fax_timezone: Annotated[str, Field(max_length=64)] | None = None
    retries: Tries | None = None
    attempts: Tries | None = None
    custom_smtp_email_address: Annotated[str, Field(max_length=253)] | None = None
    smtp_permission_list: list[str] | None = None
    flags: list[str] | None = None
    media: FaxboxMedia | None = None
    notifications: FaxboxNotifications | None = None


class FaxboxPatch(FaxboxWish):
    """Some fields of a faxbox; null takes one away."""

    name: Annotated[str, Field(min_length=1, max_length=128)] | None = None  # type: ignore[assignment]


class FaxboxShown(TypedDict, extra_items=Any, total=False):  # type: ignore[call-arg]  # PEP 728
    """A faxbox; also with whatever fields a client gave it."""

    id: str
    name: str
    smtp_email_address: str
    custom_smtp_email_address: str
    caller_id: str
    caller_name: str
    fax_header: str
    fax_identity: str
    fax_timezone: str
    retries: int
    attempts: int
    smtp_permission_list: list[str]
    flags: list[str]
    media: dict[str, Any]
    notifications: dict[str, Any]


def faxbox_shown(box: Faxbox) -> FaxboxShown:
    """Return a faxbox as Kazoo shows it."""
    kept = dict(box.extra.get(KEPT, {}))
    told = {theirs: getattr(box, ours) for ours, theirs in _SAME.items() if getattr(box, ours) not in ("", None)}
    shown: dict[str, Any] = {"attempts": 0, "retries": RETRIES, "flags": [], "media": {}, "smtp_permission_list": []}
    shown |= kept | told
    notifications = _notifications(box, kept.get("notifications") or {})
    return {**shown, "notifications": notifications, "id": plain_id(box.id), "smtp_email_address": box.host}  # type: ignore[typeddict-item]  # names of ours and theirs


def faxbox_changes(wish: FaxboxWish, box: Faxbox | None = None) -> dict[str, Any]:
    """Return all fields of ``Faxbox`` for a *wish*, which says everything that Kazoo can say; *box* is what it was."""
    given = public(wish.model_dump(mode="json", exclude_unset=True, exclude_none=True), *_OURS)
    changes = {ours: given.pop(theirs, None) for ours, theirs in _SAME.items()}
    if changes["timezone"] == "inherit":
        given["fax_timezone"], changes["timezone"] = "inherit", ""
    changes["permit"] = changes["permit"] or []
    notifications = given.get("notifications", {})
    for way in ("inbound", "outbound"):
        changes[f"{way}_emails"] = addresses(_send_to(notifications, way))
    return {**changes, "extra": {**(box.extra if box else {}), KEPT: given}}


def faxbox_replaced(given: dict[str, Any], box: Faxbox) -> dict[str, Any]:
    """Return what a client means who sends a whole faxbox: one that writes back the ``retries`` that it was shown of a
    box without tries of its own has not asked for one try."""
    shown = box.retries is None and given.get("retries") == RETRIES
    return {name: value for name, value in given.items() if not (shown and name == "retries")}


def faxbox_merged(given: dict[str, Any], box: Faxbox) -> dict[str, Any]:
    """Return what a client means who sends some fields of a faxbox."""
    return merged(faxbox_replaced(dict(faxbox_shown(box)), box), given)


def _send_to(notifications: dict[str, Any], way: str) -> Any:
    return ((notifications.get(way) or {}).get("email") or {}).get("send_to")


def _notifications(box: Faxbox, kept: dict[str, Any]) -> dict[str, Any]:
    """Return the notifications as they were given, with the addresses that count: others may have changed them."""
    shown = {name: dict(value) if isinstance(value, dict) else value for name, value in kept.items()}
    for way, emails in (("inbound", box.inbound_emails), ("outbound", box.outbound_emails)):
        if addresses(_send_to(kept, way)) != emails:
            told = shown.setdefault(way, {})
            told["email"] = {**(told.get("email") or {}), "send_to": list(emails)}
    return shown
