"""What Telnyx's own documents show of its API: objects and events whose fields ours must have."""

import json
from typing import Any

APPLICATION: dict[str, Any] = {
    "active": False,
    "anchorsite_override": "Amsterdam, Netherlands",
    "application_name": "fax-router",
    "created_at": "2018-02-02T22:25:27.521Z",
    "id": "1293384261075731499",
    "inbound": {
        "channel_limit": 10,
        "sip_subdomain": "example",
        "sip_subdomain_receive_settings": "only_my_connections",
    },
    "outbound": {"channel_limit": 10, "outbound_voice_profile_id": "1293384261075731499"},
    "record_type": "fax_application",
    "updated_at": "2018-02-02T22:25:27.521Z",
    "webhook_event_failover_url": "https://failover.example.com",
    "webhook_event_url": "https://example.com",
    "webhook_timeout_secs": 25,
}
#: The fields of a request that makes it.
APPLICATION_REQUEST = {
    name: value for name, value in APPLICATION.items() if name not in {"id", "record_type", "created_at", "updated_at"}
}

FAX: dict[str, Any] = {
    "record_type": "fax",
    "id": "0ccc7b54-4df3-4bca-a65a-3da1ecc777f0",
    "connection_id": "c-1",
    "direction": "outbound",
    "from": "+123",
    "to": "+456",
    "media_url": "http://www.example.com/fax.pdf",
    "store_media": True,
    "stored_media_url": "https://s3.amazonaws.com/faxes-dev/x.pdf?X-Amz-Expires=7200",
    "preview_url": "https://s3.amazonaws.com/faxes-dev/x_preview.tiff?X-Amz-Expires=7200",
    "quality": "high",
    "webhook_url": "http://www.example.com/webhooks",
    "webhook_failover_url": "",
    "status": "queued",
    "client_state": "aGF2ZSBhIG5pY2UgZGF5ID1d",
    "created_at": "2020-05-05T09:59:12",
    "updated_at": "2020-05-05T09:59:12",
}

_COMMON = {
    "connection_id": "1447842681660114324",
    "direction": "inbound",
    "fax_id": "f72eebbe-f9b6-4f0f-b652-03e742e110d5",
    "from": "+16132484850",
    "to": "+17733372863",
    "user_id": "19a75cea-02c6-4b9a-84fa-c9bc8341feb8",
}


def _event(event_type: str, **more: Any) -> dict[str, Any]:
    return {
        "data": {
            "event_type": event_type,
            "id": "bc004786-f166-4dd3-8c5d-737990b501bc",
            "occurred_at": "2020-08-27T16:33:29.684247Z",
            "payload": _COMMON | more,
            "record_type": "event",
        },
        "meta": {"attempt": 1, "delivered_to": "https://1a3097.ngrok.io/"},
    }


#: The events of a received fax.
EVENTS = {
    "fax.receiving.started": _event("fax.receiving.started", status="receiving"),
    "fax.media.processing.started": _event("fax.media.processing.started", status="media.processing"),
    "fax.received": _event("fax.received", status="received", media_url="https://s3.amazonaws.com/x.pdf?X-Amz-Expires"),
    "fax.failed": _event("fax.failed", status="failed", failure_reason="sender_call_dropped"),
}


#: What newer documents than these objects have beside them.
NEWER_FAX = {"from_display_name", "media_name", "failure_reason", "internal_failure_reason"}
NEWER_APPLICATION = {"tags", "fax_email_recipient", "inbound.inbound_fax_file_type"}
_INBOUND = {*_COMMON, "status", "caller_id"}
_OUTBOUND = {*_COMMON, "status", "client_state", "original_media_url"}
#: The fields of each event's payload, by direction, in the newest documents.
PAYLOADS = {
    ("outbound", "fax.queued"): _OUTBOUND,
    ("outbound", "fax.media.processed"): _OUTBOUND,
    ("outbound", "fax.sending.started"): _OUTBOUND,
    ("outbound", "fax.delivered"): _OUTBOUND | {"page_count", "call_duration_secs"},
    ("outbound", "fax.failed"): _OUTBOUND | {"failure_reason", "internal_failure_reason"},
    ("inbound", "fax.receiving.started"): _INBOUND,
    ("inbound", "fax.media.processing.started"): _INBOUND | {"page_count"},
    ("inbound", "fax.received"): _INBOUND | {"media_url", "page_count", "call_duration_secs", "partial_content"},
    ("inbound", "fax.failed"): _INBOUND | {"failure_reason"},
}


def missing(sample: dict[str, Any], ours: dict[str, Any], path: str = "") -> list[str]:
    """Return the paths of *sample* that *ours* has not, through inner objects."""
    found = [f"{path}{name}" for name in sample if name not in ours]
    for name, value in sample.items():
        if isinstance(value, dict) and isinstance(ours.get(name), dict):
            found += missing(value, ours[name], f"{path}{name}.")
    return found


def fields(obj: dict[str, Any], path: str = "") -> set[str]:
    """Return the paths of all fields of an object and of the objects in it."""
    found = {f"{path}{name}" for name in obj}
    for name, value in obj.items():
        found |= fields(value, f"{path}{name}.") if isinstance(value, dict) else set()
    return found


def times(obj: dict[str, Any]) -> list[str]:
    """Return every time in an object of ours."""
    text = json.loads(json.dumps(obj))
    return [value for name, value in text.items() if name.endswith("_at") and value is not None]
