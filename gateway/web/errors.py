"""What goes wrong with a request, and the one table from a ``Reason`` to an HTTP status.

Handlers raise ``Fault``, ``Refusal`` or aiohttp's own exceptions; ``answering`` turns every exception into an answer,
in the words of the API that was asked. Nothing internal is told: an unexpected exception is logged whole and answered
with a sentence that names no cause.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.typedefs import Handler, Middleware

from gateway import logs
from gateway.errors import Kind, Refusal

log = logs.logger(__name__)
T = TypeVar("T")

#: The HTTP status of every kind of refusal (RFC 9110; 507 is RFC 4918).
STATUS = {
    Kind.SENDER_NOT_PERMITTED: 403,
    Kind.SENDER_AMBIGUOUS: 400,
    Kind.SENDER_INVALID: 400,
    Kind.DOMAIN_UNKNOWN: 400,
    Kind.NUMBER_INVALID: 400,
    Kind.DESTINATION_NOT_ALLOWED: 403,
    Kind.ANOTHER_FAXBOX: 400,
    Kind.TOO_MANY_RECIPIENTS: 400,
    Kind.APPLICATION_INACTIVE: 409,
    Kind.CALLER_ID_MISSING: 400,
    Kind.LOGIN_FAILED: 401,
    Kind.LOGIN_LATER: 429,
    Kind.SENDER_UNPROVEN: 403,
    Kind.EVIDENCE_MISSING: 503,
    Kind.SETTINGS_CHANGED: 503,
    Kind.BOUNCE: 400,
    Kind.AUTOMATIC_MAIL: 400,
    Kind.MESSAGE_TOO_LARGE: 413,
    Kind.MESSAGE_UNREADABLE: 400,
    Kind.NOTHING_TO_FAX: 400,
    Kind.DOCUMENT_ENCRYPTED: 400,
    Kind.DOCUMENT_BROKEN: 400,
    Kind.DOCUMENT_TOO_LARGE: 413,
    Kind.TOO_MANY_PAGES: 400,
    Kind.PAGES_DISAGREE: 400,
    Kind.RENDERING_STOPPED: 400,
    Kind.FORMAT_UNSUPPORTED: 400,
    Kind.STORAGE_FULL: 507,
    Kind.STORAGE_BUSY: 503,
    Kind.SHUTTING_DOWN: 503,
    Kind.INTERNAL: 500,
    Kind.NOT_FOUND: 404,
    Kind.INVALID: 400,
    Kind.CONFLICT: 409,
    Kind.WRONG_STATE: 409,
}

#: What is said where aiohttp refuses a request before any handler of ours sees it.
_SENTENCES = {
    404: "there is nothing at this address",
    405: "this address does not take this method; the header Allow names those that it takes",
}
_UNEXPECTED = "something went wrong in the gateway; its log tells more under the request id of this answer"
_COME_AGAIN = "the gateway's database does not answer; try again later"
#: For how many seconds a client shall stay away after a 503.
_RETRY_AFTER = "10"
#: Written to the log for a client that left before he was answered, as nginx does; nobody receives it.
_CLIENT_LEFT = 499


class Fault(Exception):
    """The answer to a request that cannot be fulfilled: an HTTP *status* and a public *sentence*.

    *word* and *data* are those of the API that was asked, where it has its own; *reason* is the Refusal's.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        word: str = "",
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        refusal: Refusal | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.word = word
        self.data = data
        self.headers = dict(headers or {})
        self.reason = refusal.reason if refusal else None


#: Writes a fault in the words of one API.
Render = Callable[[web.Request, Fault], web.Response]


def fault_of(error: Exception) -> Fault:
    """Return the answer to *error*. What is a fault of ours is logged here, with its traceback."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, Refusal):
        status = STATUS[error.reason.kind]
        return Fault(status, error.reason.sentence, headers=_patience(status), refusal=error)
    if isinstance(error, web.HTTPException):
        kept = {name: value for name, value in error.headers.items() if name in {"Allow", "Location"}}
        return Fault(error.status, _SENTENCES.get(error.status, error.reason.lower()), headers=kept)
    if isinstance(error, web.RequestPayloadError | BadHttpMessage):  # the latter in the header of a part
        return Fault(400, "the body of the request is malformed or incomplete")
    log.error("a request failed", exc_info=error)
    if isinstance(error, ConnectionError | TimeoutError):  # of a peer of ours, such as the database
        return Fault(503, _COME_AGAIN, headers=_patience(503))
    return Fault(500, _UNEXPECTED)


def answering(dialects: Mapping[str, Render]) -> Middleware:
    """Return the middleware that answers every exception. *dialects* maps beginnings of paths to who words faults
    there; everywhere else they are ``plain``."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Exception as error:
            if isinstance(error, ConnectionError) and _left(request):
                return web.Response(status=_CLIENT_LEFT)
            fault = fault_of(error)
        render = next((render for start, render in dialects.items() if _under(start, request.path)), plain)
        return render(request, fault)

    return answer


def plain(_request: web.Request, fault: Fault) -> web.Response:
    """Answer *fault* as a JSON object with one sentence."""
    return web.json_response({"error": fault.sentence}, status=fault.status, headers=fault.headers)


async def or_come_again(work: Awaitable[T], patience: float) -> T:
    """Await the database for at most *patience* seconds. Whatever goes wrong is the fault 503, "come again": it is
    said to a carrier that can and will. What was begun may still be committed."""
    try:
        async with asyncio.timeout(patience):
            return await work
    except Exception as error:
        log.exception("the carrier is asked to come again")
        raise Fault(503, _COME_AGAIN, headers=_patience(503)) from error


def phrase(status: int) -> str:
    """Return the name of *status* in lower case (RFC 9110), "error" for one that has none."""
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return "error"


def _patience(status: int) -> dict[str, str]:
    return {"Retry-After": _RETRY_AFTER} if status == 503 else {}


def _under(start: str, path: str) -> bool:
    return path == start or path.startswith(f"{start}/")


def _left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
