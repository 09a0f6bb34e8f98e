"""Telnyx's fax_application and phone_number for our Application and Number.

Fields that belong to the carrier (anchorsite_override, sip_*, the limit of its inbound channels) are kept in ``extra``
as they were given, and shown.
"""

import re
from typing import Any

from gateway.application import Application, Number
from gateway.dialects.telnyx.times import write_time
from gateway.errors import Kind, Refusal, refuse

SITES = (
    "Latency",
    "Chicago, IL",
    "Ashburn, VA",
    "San Jose, CA",
    "Sydney, Australia",
    "Amsterdam, Netherlands",
    "London, UK",
    "Toronto, Canada",
    "Vancouver, Canada",
    "Frankfurt, Germany",
)
RECEIVE_SETTINGS = ("only_my_connections", "from_anyone")
_FILE_TYPES = ("pdf", "tiff")
_MAX_CHANNELS = 1_000_000
_LABEL = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")

#: Our names of fields -> where a client finds them in the body (RFC 6901).
POINTERS = {
    "name": "/application_name",
    "webhook_event_url": "/webhook_event_url",
    "webhook_event_failover_url": "/webhook_event_failover_url",
    "webhook_timeout_secs": "/webhook_timeout_secs",
    "active": "/active",
    "anchorsite_override": "/anchorsite_override",
    "tags": "/tags",
    "fax_email_recipient": "/fax_email_recipient",
    "inbound": "/inbound",
    "inbound.channel_limit": "/inbound/channel_limit",
    "sip_subdomain": "/inbound/sip_subdomain",
    "sip_subdomain_receive_settings": "/inbound/sip_subdomain_receive_settings",
    "file_type": "/inbound/inbound_fax_file_type",
    "outbound": "/outbound",
    "channel_limit": "/outbound/channel_limit",
    "outbound_voice_profile_id": "/outbound/outbound_voice_profile_id",
}
_PLAIN = {
    "application_name": "name",
    "webhook_event_url": "webhook_event_url",
    "webhook_event_failover_url": "webhook_event_failover_url",
    "webhook_timeout_secs": "webhook_timeout_secs",
    "active": "active",
    "fax_email_recipient": "fax_email_recipient",
}


def application_object(application: Application) -> dict[str, Any]:
    """Return the FaxApplication of an application."""
    extra = application.extra
    inbound, outbound = _kept(extra, "inbound"), _kept(extra, "outbound")
    return {
        "record_type": "fax_application",
        "id": str(application.id),
        "application_name": application.name,
        "active": application.active,
        "anchorsite_override": extra.get("anchorsite_override") or SITES[0],
        "webhook_event_url": application.webhook_event_url,
        "webhook_event_failover_url": application.webhook_event_failover_url,
        "webhook_timeout_secs": application.webhook_timeout_secs,
        "fax_email_recipient": application.fax_email_recipient or None,
        "tags": extra.get("tags") or [],
        "inbound": {
            "channel_limit": inbound.get("channel_limit"),
            "sip_subdomain": inbound.get("sip_subdomain"),
            "sip_subdomain_receive_settings": inbound.get("sip_subdomain_receive_settings") or RECEIVE_SETTINGS[1],
            "inbound_fax_file_type": application.file_type,
        },
        "outbound": {
            "channel_limit": application.channel_limit,
            "outbound_voice_profile_id": outbound.get("outbound_voice_profile_id"),
        },
        "created_at": write_time(application.created_at),
        "updated_at": write_time(application.updated_at),
    }


def number_object(number: Number, application_name: str) -> dict[str, Any]:
    """Return the PhoneNumber of a number; its id is its digits."""
    return {
        "record_type": "phone_number",
        "id": number.e164.removeprefix("+"),
        "phone_number": number.e164,
        "status": "active",
        "connection_id": str(number.application_id),
        "connection_name": application_name,
        "tags": [],
        "created_at": write_time(number.created_at),
    }


def application_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Read the fields of a FaxApplication that *body* has into those of ``Application``; fields that nobody knows are
    left out. Raises Refusal(INVALID) that names the field; what is checked here is what provisioning does not know."""
    values = {ours: body[theirs] for theirs, ours in _PLAIN.items() if theirs in body}
    if "webhook_event_url" in values and not values["webhook_event_url"]:
        raise _invalid("webhook_event_url", "must be an absolute http or https URL")
    for name in ("webhook_event_url", "webhook_event_failover_url", "fax_email_recipient"):
        if not isinstance(values.get(name, ""), str | None):
            raise _invalid(name, "must be a text")
    extra: dict[str, Any] = {}
    if "anchorsite_override" in body:
        extra["anchorsite_override"] = _word("anchorsite_override", body["anchorsite_override"], SITES)
    if "tags" in body:
        extra["tags"] = _tags(body["tags"])
    inbound, outbound = _section(body, "inbound"), _section(body, "outbound")
    if "inbound_fax_file_type" in inbound:
        values["file_type"] = _word("file_type", inbound["inbound_fax_file_type"], _FILE_TYPES) or _FILE_TYPES[0]
    if "channel_limit" in outbound:
        values["channel_limit"] = outbound["channel_limit"]
    extra |= {name: kept for name, kept in (("inbound", _inbound(inbound)), ("outbound", _outbound(outbound))) if kept}
    return values | ({"extra": extra} if extra else {})


def _inbound(given: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if "channel_limit" in given:
        kept["channel_limit"] = _channels(given["channel_limit"])
    if "sip_subdomain" in given:
        kept["sip_subdomain"] = _label(given["sip_subdomain"])
    if "sip_subdomain_receive_settings" in given:
        name = "sip_subdomain_receive_settings"
        kept[name] = _word(name, given[name], RECEIVE_SETTINGS)
    return kept


def _outbound(given: dict[str, Any]) -> dict[str, Any]:
    name = "outbound_voice_profile_id"
    if name not in given:
        return {}
    value = given[name]
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is not None and not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20):
        raise _invalid(name, "must be the number of a profile, as a text")
    return {name: value}


def _section(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _invalid(name, "must be an object")
    return value


def _word(name: str, value: object, words: tuple[str, ...]) -> str | None:
    if value is None:
        return None
    if value not in words:
        raise _invalid(name, f"must be one of {', '.join(words)}")
    return str(value)


def _tags(value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > 100 or not all(isinstance(tag, str) and tag for tag in value):
        raise _invalid("tags", "must be a list of at most 100 texts")
    return [tag[:255] for tag in value]


def _channels(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_CHANNELS:
        raise _invalid("inbound.channel_limit", f"must be a whole number from 0 to {_MAX_CHANNELS}")
    return value


def _label(value: object) -> str | None:
    if value in (None, ""):
        return None
    if not isinstance(value, str) or not _LABEL.fullmatch(value):
        raise _invalid("sip_subdomain", "must be one label of a host name")
    return value


def _kept(extra: dict[str, Any], name: str) -> dict[str, Any]:
    value = extra.get(name)
    return value if isinstance(value, dict) else {}


def _invalid(name: str, sentence: str) -> Refusal:
    return refuse(Kind.INVALID, f"{name} {sentence}", name)
