"""Kazoo's envelopes around what we answer, and its words for what we refuse."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from gateway.dialects import kazoo
from gateway.errors import Kind, Reason
from gateway.web.access import REQUEST_ID
from gateway.web.errors import Fault, phrase

#: The secret with which a request was made: Kazoo's envelopes repeat it.
AUTH_TOKEN = web.RequestKey("auth_token", str)

VALIDATION_FAILED = "validation failed"
_INVALID = frozenset({Kind.INVALID, Kind.NUMBER_INVALID})
#: The field that a refusal is about which names none itself.
_FIELDS = {
    Kind.CALLER_ID_MISSING: "from_number",
    Kind.NOTHING_TO_FAX: "document",
    Kind.DOCUMENT_ENCRYPTED: "document",
    Kind.DOCUMENT_BROKEN: "document",
    Kind.TOO_MANY_PAGES: "document",
    Kind.PAGES_DISAGREE: "document",
    Kind.RENDERING_STOPPED: "document",
    Kind.FORMAT_UNSUPPORTED: "document",
}
#: Kazoo's code word and its message by status, where it says the same to everybody.
_FIXED = {
    401: ("invalid_credentials", "invalid credentials"),
    403: ("forbidden", "forbidden"),
    404: ("not_found", "not found"),
    405: ("invalid_method", "method not allowed"),
}
#: Its code word by status, where the message is ours.
_WORDS = {
    400: "validation error",
    408: "request_timeout",
    409: "datastore_conflict",
    410: "gone",
    413: "request_entity_too_large",
    429: "too_many_requests",
    500: "internal_error",
    503: "datastore_unreachable",
    507: "datastore_fault",
}


@dataclass(frozen=True, slots=True)
class Written:
    """A list that is JSON already, of *size* rows; *revision* is one of its own."""

    raw: bytes
    revision: str
    size: int


def answered(
    request: web.Request,
    data: object,
    *,
    page: kazoo.Page | None = None,
    status: int = 200,
    auth_token: str = "",
    metadata: Mapping[str, object] | None = None,
    location: str = "",
) -> web.Response:
    """Answer *data* in the envelope of success. *auth_token* is repeated in it, by default that of the request."""
    written = data.raw if isinstance(data, Written) else json.dumps(data).encode()
    revision = data.revision if isinstance(data, Written) else hashlib.sha256(written).hexdigest()[:32]
    headers = {"Cache-Control": "no-store", "ETag": f'"{revision}"'} | ({"Location": location} if location else {})
    if status == 200 and request.method == "GET" and headers["ETag"] in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    envelope = kazoo.success(
        None,
        request_id=request[REQUEST_ID],
        at=datetime.now(UTC),
        auth_token=auth_token or request.get(AUTH_TOKEN, ""),
        revision=revision,
        page=page,
    )
    del envelope["data"]
    if metadata:
        envelope["metadata"] = dict(metadata)
    # A list is long: it is written once, for the revision and for the answer.
    return _json(b"".join((b'{"data": ', written, b", ", json.dumps(envelope)[1:].encode())), status, headers)


def refused(request: web.Request, fault: Fault) -> web.Response:
    """Answer *fault* in the envelope of errors."""
    word, data = _words(fault)
    envelope = kazoo.error(
        fault.status,
        word,
        data,
        request_id=request[REQUEST_ID],
        at=datetime.now(UTC),
        auth_token=request.get(AUTH_TOKEN, ""),
    )
    headers = {"Cache-Control": "no-store", **fault.headers}
    return _json(json.dumps(envelope).encode(), fault.status, headers)


def _json(body: bytes, status: int, headers: Mapping[str, str]) -> web.Response:
    """Answer JSON without a charset (RFC 8259, section 11): some clients compare the content type as a whole."""
    return web.Response(body=body, status=status, headers={"Content-Type": "application/json", **headers})


def invalid(path: str, rule: str, message: str, **about: object) -> Fault:
    """Return the fault 400 about the field *path* (dotted); *rule* is Kazoo's word for what it breaks."""
    return Fault(400, message, word=VALIDATION_FAILED, data=kazoo.invalid_field(path, rule, message, **about))


def bad_identifier(identifier: str) -> Fault:
    """Return the fault 404 for an id that names nothing here."""
    data = {"message": "bad identifier", "cause": identifier}
    return Fault(404, "there is nothing with this id", word="bad_identifier", data=data)


def _words(fault: Fault) -> tuple[str, object]:
    """Return Kazoo's code word and data for *fault*: its own, those of its Refusal, or those of its status."""
    if fault.data is not None:
        return fault.word, dict(fault.data)
    told = None if fault.reason is None else _of_reason(fault.reason)
    if told is not None:
        return told
    if fault.status == 413:
        return _WORDS[413], {"file": {"maxSize": {"message": fault.sentence}}}
    if fault.reason is None and fault.status in _FIXED:
        word, message = _FIXED[fault.status]
        return word, {"message": message}
    word = _WORDS.get(fault.status, phrase(fault.status).replace(" ", "_"))
    return word, {"message": fault.sentence}


def _of_reason(reason: Reason) -> tuple[str, object] | None:
    """Return code word and data for a refusal that is about an id or a field, None for another."""
    if reason.kind is Kind.NOT_FOUND:
        return "bad_identifier", {"message": "bad identifier", "cause": reason.subject}
    if reason.kind in _INVALID and reason.subject:
        return VALIDATION_FAILED, kazoo.invalid_field(reason.subject, "invalid", reason.sentence)
    if reason.kind in _FIELDS:
        return _WORDS[400], kazoo.invalid_field(_FIELDS[reason.kind], "invalid", reason.sentence)
    return None
