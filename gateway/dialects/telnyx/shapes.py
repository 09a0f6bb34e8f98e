"""The JSON schemas of what Telnyx's API takes and answers, for its description (OpenAPI 3.1)."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time"}
FLAG: Schema = {"type": "boolean"}
WHOLE: Schema = {"type": "integer"}


def maybe(schema: Schema) -> Schema:
    """Return the schema that also takes null."""
    return {**schema, "type": [schema["type"], "null"]}


def record(required: str = "", /, **properties: Schema) -> Schema:
    """Return the schema of an object; *required* are names, with spaces between them."""
    made: Schema = {"type": "object", "properties": {name.removesuffix("_"): of for name, of in properties.items()}}
    return made | ({"required": required.split()} if required else {})


def whole(schema: Schema) -> Schema:
    """Return the schema of an object that always has all of its fields."""
    return {**schema, "required": list(schema["properties"])}


def success(schema: Schema) -> Schema:
    """Return the envelope of one thing."""
    return record("data", data=schema)


def listed(schema: Schema) -> Schema:
    """Return the envelope of a list."""
    meta = whole(record(page_number=WHOLE, page_size=WHOLE, total_pages=WHOLE, total_results=WHOLE))
    return record("data meta", data={"type": "array", "items": schema}, meta=meta)


PROBLEM = record(
    "errors",
    errors={
        "type": "array",
        "items": record(
            "code title",
            code=TEXT,
            title=TEXT,
            detail=TEXT,
            source=record(pointer=TEXT, parameter=TEXT),
            meta=record(url=TEXT, code=TEXT),
        ),
    },
)

_INBOUND = record(
    channel_limit=maybe(WHOLE),
    sip_subdomain=maybe(TEXT),
    sip_subdomain_receive_settings=TEXT,
    inbound_fax_file_type=TEXT,
)
_OUTBOUND = record(channel_limit=maybe(WHOLE), outbound_voice_profile_id=maybe(TEXT))
_SETTABLE: dict[str, Schema] = {
    "application_name": TEXT,
    "active": FLAG,
    "anchorsite_override": TEXT,
    "webhook_event_url": TEXT,
    "webhook_event_failover_url": maybe(TEXT),
    "webhook_timeout_secs": maybe(WHOLE),
    "fax_email_recipient": maybe(TEXT),
    "tags": {"type": "array", "items": TEXT},
    "inbound": _INBOUND,
    "outbound": _OUTBOUND,
}
APPLICATION = whole(record(record_type=TEXT, id=TEXT, created_at=TIME, updated_at=TIME, **_SETTABLE))
APPLICATION_PATCH = record(**_SETTABLE)
APPLICATION_REQUEST = record("application_name webhook_event_url", **_SETTABLE)

NUMBER = whole(
    record(
        record_type=TEXT,
        id=TEXT,
        phone_number=TEXT,
        status=TEXT,
        connection_id=TEXT,
        connection_name=TEXT,
        tags={"type": "array", "items": TEXT},
        created_at=TIME,
    )
)
NUMBER_REQUEST = record("phone_number connection_id", phone_number=TEXT, connection_id=TEXT)
NUMBER_PATCH = record(connection_id=TEXT)

MEDIA = whole(
    record(record_type=TEXT, media_name=TEXT, content_type=TEXT, created_at=TIME, updated_at=TIME, expires_at=TIME)
)
MEDIA_REQUEST = record(media_url=TEXT, media_name=TEXT, ttl_secs=WHOLE)
MEDIA_FORM = record(media={"type": "string", "contentMediaType": "application/octet-stream"}, media_name=TEXT)

_HTTP = record(request=record(url=TEXT, headers={"type": "array"}), response=maybe(record(status=WHOLE, body=TEXT)))
DELIVERY = whole(
    record(
        record_type=TEXT,
        id=TEXT,
        user_id=TEXT,
        status=TEXT,
        webhook=record("id event_type payload", id=TEXT, event_type=TEXT, payload={"type": "object"}),
        started_at=TIME,
        finished_at=maybe(TIME),
        attempts={"type": "array", "items": record(status=TEXT, started_at=TIME, finished_at=TIME, http=_HTTP)},
    )
)

DONE = record("result", result=TEXT)
_NUMBERS = {"to": TEXT, "from_": TEXT}
_URL_OR_URLS: Schema = {"type": ["string", "array", "null"], "items": TEXT}
_FAX = whole(
    record(
        record_type=TEXT,
        id=TEXT,
        connection_id=maybe(TEXT),
        direction=TEXT,
        from_display_name=TEXT,
        media_url=_URL_OR_URLS,
        media_name=maybe(TEXT),
        quality=TEXT,
        status=TEXT,
        store_media=FLAG,
        stored_media_url=maybe(TEXT),
        preview_url=maybe(TEXT),
        webhook_url=TEXT,
        webhook_failover_url=TEXT,
        client_state=maybe(TEXT),
        failure_reason=maybe(TEXT),
        internal_failure_reason=maybe(TEXT),
        created_at=TIME,
        updated_at=TIME,
        **_NUMBERS,
    )
)
#: What is told besides while a fax is prepared, waits for a try, or waits for a person.
_MEANWHILE: dict[str, Schema] = {
    **dict.fromkeys(("pages_done", "pages_to_do", "attempts", "attempts_allowed"), WHOLE),
    **dict.fromkeys(("next_attempt_at", "attempts_until"), TIME),
    "held_reason": TEXT,
}
FAX: Schema = {**_FAX, "properties": _FAX["properties"] | _MEANWHILE}
_OPTIONS: dict[str, Schema] = {
    "connection_id": TEXT,
    **_NUMBERS,
    "from_display_name": TEXT,
    "quality": {"type": "string", "enum": ["normal", "high", "very_high", "ultra_light", "ultra_dark"]},
    "t38_enabled": FLAG,
    "monochrome": FLAG,
    "black_threshold": WHOLE,
    "store_media": FLAG,
    "store_preview": FLAG,
    "preview_format": TEXT,
    "webhook_url": TEXT,
    "client_state": TEXT,
}
_NEEDED = "connection_id to from"
FAX_REQUEST = record(_NEEDED, media_url=_URL_OR_URLS, media_name=TEXT, **_OPTIONS)
FAX_FORM = record(_NEEDED, contents={"type": "string", "contentMediaType": "application/octet-stream"}, **_OPTIONS)
