"""What Kazoo's clients send: an object with ``data``, in JSON whatever its Content-Type says."""

import json
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel

from gateway.dialects import kazoo
from gateway.web.body import read_json
from gateway.web.errors import Fault
from gateway.web.kazoo.answers import VALIDATION_FAILED, invalid

M = TypeVar("M", bound=BaseModel)
#: The envelope of a request, or what is wrong with it: a body can be read once.
ENVELOPE: web.RequestKey[dict[str, Any] | Fault] = web.RequestKey("envelope")
#: curl says so of everything behind ``-d``.
_JSON_TOO = {"application/json", "application/x-json", "application/x-www-form-urlencoded", "application/octet-stream"}


async def envelope_of(request: web.Request) -> dict[str, Any]:
    """Return the envelope of a JSON request. Raises Fault: 400 for what is no JSON and no envelope, 415 for a type that
    is not taken, 413 for one that is too large."""
    if not is_json(request):
        raise unsupported(request)
    known = request.get(ENVELOPE)
    if known is None:
        try:
            known = opened(await _json(request))
        except Fault as fault:
            known = fault
        request[ENVELOPE] = known
    if isinstance(known, Fault):
        raise known
    return known


async def data_of(request: web.Request) -> dict[str, Any]:
    """Return ``data`` of the request's envelope."""
    return data_in(await envelope_of(request))


def opened(value: object) -> dict[str, Any]:
    """Return *value* if it is an envelope."""
    if not isinstance(value, dict):
        raise _no_envelope()
    return value


def data_in(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return ``data`` of an *envelope*."""
    data = envelope.get("data")
    if not isinstance(data, dict):
        raise _no_envelope()
    return data


def read_as(model: type[M], data: dict[str, Any]) -> M:
    """Return *data* as a *model*. Raises the fault 400 that names every field that is wrong."""
    try:
        return kazoo.read(model, data)
    except kazoo.Invalid as error:
        raise broken(error.problems) from None


def broken(problems: kazoo.Problems) -> Fault:
    """Return the fault 400 about several fields."""
    return Fault(400, "the request breaks its schema", word=VALIDATION_FAILED, data=problems)


def is_json(request: web.Request) -> bool:
    """Return whether the body is to be read as JSON: it says so, it says nothing, or curl says something else."""
    return not request.headers.get("Content-Type") or request.content_type in _JSON_TOO


def unsupported(request: web.Request) -> Fault:
    """Return the fault 415."""
    taken = "send JSON, a PDF, a TIFF or a multipart of them"
    return Fault(415, f"a body of the type {request.content_type[:64]} is not taken here; {taken}")


def checked(value: object) -> object:
    """Return the JSON *value* of a part. Raises the fault 400 when it could not be read, or no database takes it."""
    try:
        if isinstance(value, ValueError):
            raise value
        return _storable(value)
    except ValueError as error:
        raise _bad_json(error) from None


async def _json(request: web.Request) -> object:
    try:
        return _storable(await read_json(request))
    except ValueError as error:
        raise _bad_json(error) from None


def _bad_json(error: ValueError) -> Fault:
    """Return the fault 400 for a body that is no JSON."""
    return invalid("json", "invalid", str(error), target="body")


def _storable(value: object) -> object:
    """Return *value* if every database takes it. Raises ValueError for NUL, half surrogate pairs and numbers beyond
    all bounds."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError:
        raise ValueError("the body holds half a surrogate pair, or a number that is too large") from None
    if "\\u0000" in text:
        raise ValueError("the body holds a NUL character")
    return value


def _no_envelope() -> Fault:
    message = 'the body must be an object with "data", which is an object'
    return Fault(400, message, word="invalid request envelope", data={"message": message})
