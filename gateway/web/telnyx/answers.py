"""Telnyx's envelopes around what we answer, and its words for what we refuse.

Errors come in two dialects: the fax endpoints (and 404 and 422 of the fax applications) repeat the HTTP status as
``code``; everything else has codes of five digits, explained at ``meta.url``
(developers.telnyx.com, "API errors").
"""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from gateway.errors import Kind, Reason
from gateway.web.errors import Fault

MISSING, INVALID_URL, BAD_REQUEST = "10004", "10003", "10015"
NOT_E164, NOT_LISTED, OUT_OF_RANGE = "10016", "10032", "10033"
_TITLES = {
    "10003": "Invalid URL",
    "10004": "Missing required parameter",
    "10005": "Resource not found",
    "10007": "Unexpected error",
    "10008": "Request timeout",
    "10009": "Authentication failed",
    "10010": "Authorization failed",
    "10011": "Too many requests",
    "10014": "Unsupported media type",
    "10015": "Bad Request",
    "10016": "Phone number must be in +E.164 format",
    "10032": "Invalid enumerated value",
    "10033": "Value outside of range",
}
_BY_STATUS = {401: "10009", 403: "10010", 404: "10005", 408: "10008", 415: "10014", 429: "10011"}
_URL = "https://developers.telnyx.com/docs/overview/errors/"
#: The platform in front of every product answers these in its own dialect.
_OF_THE_PLATFORM = frozenset({401, 403, 429})
#: Kinds whose status differs from that of the other doors. Never 409: Telnyx's libraries would simply ask again.
_STATUS = {Kind.SENDER_NOT_PERMITTED: 403, Kind.DESTINATION_NOT_ALLOWED: 403, Kind.NOT_FOUND: 404}
_OURS = frozenset({413, 500, 503, 507})


def answered(data: object, *, meta: Mapping[str, int] | None = None, status: int = 200) -> web.Response:
    """Answer *data*; *meta* is where a list stands."""
    envelope = {"data": data} if meta is None else {"data": data, "meta": dict(meta)}
    return web.json_response(envelope, status=status, headers={"Cache-Control": "no-store"})


def refused(request: web.Request, fault: Fault) -> web.Response:
    """Answer *fault* in the envelope of errors."""
    status = _status(fault)
    given = fault.data["errors"] if fault.data and "errors" in fault.data else None
    errors = given if isinstance(given, list) else [_error(fault)]
    by_status = _repeats_status(request.path, status)
    body = {"errors": [_worded(error, status, by_status=by_status) for error in errors]}
    headers = {"Cache-Control": "no-store", **fault.headers}
    if status >= 500 and request.method == "POST" and request.path == "/v2/faxes":
        headers["x-should-retry"] = "false"  # the libraries would send the fax again
    return web.json_response(body, status=status, headers=headers)


def invalid(pointer: str, detail: str, code: str = BAD_REQUEST, status: int = 422) -> Fault:
    """Return the fault about one field of the body; *pointer* is its JSON pointer (RFC 6901)."""
    return Fault(status, detail, data={"errors": [problem(pointer, detail, code)]})


def problem(pointer: str, detail: str, code: str = BAD_REQUEST) -> dict[str, object]:
    """Return one of several errors of a fault."""
    return {"code": code, "detail": detail, "source": {"pointer": pointer}}


def several(problems: list[dict[str, object]]) -> Fault:
    """Return the fault 422 about several fields."""
    return Fault(422, str(problems[0]["detail"]), data={"errors": problems})


def bad_query(parameter: str, detail: str, code: str = BAD_REQUEST) -> Fault:
    """Return the fault 400 about one parameter of the query."""
    error = {"code": code, "detail": detail, "source": {"parameter": parameter}}
    return Fault(400, detail, data={"errors": [error]})


def unknown(what: str) -> Fault:
    """Return the fault 404."""
    return Fault(404, f"there is no {what} with this id")


def pointed(reason: Reason, pointers: Mapping[str, str]) -> Fault:
    """Return the fault of a refusal. *pointers* maps our names of fields, and kinds of reasons, to JSON pointers."""
    pointer = pointers.get(reason.subject) or pointers.get(reason.kind.value, "")
    sentence = reason.sentence
    if pointer and sentence.startswith(f"{reason.subject} "):
        sentence = pointer.rpartition("/")[2] + sentence.removeprefix(reason.subject)
    code = NOT_E164 if reason.kind is Kind.NUMBER_INVALID else BAD_REQUEST
    error = {"code": code, "detail": sentence} | ({"source": {"pointer": pointer}} if pointer else {})
    return Fault(_status_of(reason.kind, 0), sentence, data={"errors": [error]})


def _status(fault: Fault) -> int:
    return fault.status if fault.reason is None else _status_of(fault.reason.kind, fault.status)


def _status_of(kind: Kind, usual: int) -> int:
    if kind in _STATUS:
        return _STATUS[kind]
    return usual if usual in _OURS else 422


def _error(fault: Fault) -> dict[str, object]:
    return {"code": _BY_STATUS.get(fault.status, "10007" if fault.status >= 500 else BAD_REQUEST), "detail": str(fault)}


def _repeats_status(path: str, status: int) -> bool:
    if status in _OF_THE_PLATFORM:
        return False
    faxes = path == "/v2/faxes" or path.startswith("/v2/faxes/")
    return faxes or (path.startswith("/v2/fax_applications") and status in (404, 422))


def _worded(error: Mapping[str, object], status: int, *, by_status: bool) -> dict[str, object]:
    code = str(error["code"])
    worded = {"code": str(status), "title": _phrase(status)} if by_status else {"code": code, "title": _TITLES[code]}
    about = {name: error[name] for name in ("detail", "source") if name in error}
    meta = {"url": _URL + code, "code": code} if by_status else {"url": _URL + code}
    return {**worded, **about, "meta": meta}


def _phrase(status: int) -> str:
    # "Unprocessable Content" since RFC 9110; Telnyx writes it as it was before.
    return "Unprocessable Entity" if status == 422 else HTTPStatus(status).phrase
