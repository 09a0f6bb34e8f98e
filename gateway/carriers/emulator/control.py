"""What Telnyx does not have: a view behind the counter, and the switches of a trial. No key is asked for.

``/links/{token}`` is where received documents are fetched, as a signed link of the carrier's storage.
"""

import asyncio
import base64
import binascii
from dataclasses import asdict, fields
from typing import Any

from aiohttp import web

from gateway.carriers.emulator.api import RecordsApi
from gateway.carriers.emulator.errors import ApiError, invalid, not_found
from gateway.carriers.emulator.exchange import Exchange
from gateway.carriers.emulator.faxes import EmulatedFax, record
from gateway.carriers.emulator.requests import read_fields
from gateway.carriers.emulator.settings import Faults


class ControlApi:
    """Handlers of ``/emulator`` and ``/links``."""

    def __init__(self, public_key: str, faults: Faults, exchange: Exchange, records: RecordsApi) -> None:
        self._public_key = public_key
        self._faults = faults
        self._exchange = exchange
        self._records = records

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/emulator/faxes", self.faxes),
            web.get("/emulator/faxes/{id}/document", self.document),
            web.post("/emulator/inbound", self.inbound),
            web.get("/emulator/faults", self.show_faults),
            web.put("/emulator/faults", self.set_faults),
            web.get("/emulator/public_key", self.public_key),
            web.get("/emulator/messages", self.messages),
            web.get("/links/{token}", self.link),
        ]

    async def faxes(self, request: web.Request) -> web.Response:
        """List every fax, oldest first; ``?to=`` and ``?direction=`` narrow it."""
        wanted = {name: request.query[name] for name in ("to", "from", "direction", "status") if name in request.query}
        records = [record(fax) for fax in self._exchange.faxes.values()]
        found = [each for each in records if all(each[name] == value for name, value in wanted.items())]
        return web.json_response({"data": found})

    async def document(self, request: web.Request) -> web.Response:
        """Return the bytes that were sent or received."""
        fax = self._exchange.faxes.get(request.match_info["id"])
        if fax is None or fax.document is None:
            raise not_found("document")
        return _document(fax)

    async def inbound(self, request: web.Request) -> web.Response:
        """Let a fax come in: to, from, document (a file, or Base64 in JSON), partial, fail_with, caller_id."""
        body = await read_fields(request)
        for name in ("to", "from"):
            if not isinstance(body.get(name), str):
                raise invalid(name, f"{name} is required, as a string.")
        try:
            fax = self._exchange.receive(
                body["to"],
                body["from"],
                _bytes(body.get("document")),
                partial=body.get("partial") is True,
                fail_with=str(body.get("fail_with") or ""),
                caller_id=str(body.get("caller_id") or ""),
            )
        except ValueError as error:
            raise ApiError(422, "Unprocessable Entity", f"{error}.") from None
        return web.json_response({"data": record(fax)}, status=202)

    async def show_faults(self, _: web.Request) -> web.Response:
        """Return all switches."""
        return web.json_response({"data": asdict(self._faults)})

    async def set_faults(self, request: web.Request) -> web.Response:
        """Set the switches that the body names."""
        body = await read_fields(request)
        unknown = set(body) - {field.name for field in fields(Faults)}
        if unknown:
            raise invalid(sorted(unknown)[0], "There is no such fault.")
        for name, value in body.items():
            setattr(self._faults, name, _fault(name, value))
        return await self.show_faults(request)

    async def public_key(self, _: web.Request) -> web.Response:
        """Return the key that verifies webhooks."""
        return web.json_response({"data": {"public_key": self._public_key}})

    async def messages(self, _: web.Request) -> web.Response:
        """Return the text messages, oldest first."""
        return web.json_response({"data": self._records.messages})

    async def link(self, request: web.Request) -> web.StreamResponse:
        """Return a received document, or what cloud storage says of an expired link."""
        linked = self._exchange.linked(request.match_info["token"])
        if linked is None:
            raise not_found("document")
        fax, good = linked
        if not good:
            return _expired()
        for name, answer in _TROUBLES.items():
            if (left := getattr(self._faults, name)) > 0:
                setattr(self._faults, name, left - 1)
                return await answer(request, fax)
        return _document(fax)


def _fault(name: str, value: Any) -> Any:
    """Return *value* if it is of the kind that the fault *name* has; a number that may be None is None by default."""
    usual = getattr(Faults(), name)
    if isinstance(value, bool) if isinstance(usual, bool) else type(value) in (int, float):
        return value
    if usual is None and value is None:
        return None
    raise invalid(name, f"{name} is like {usual!r}.")


def _document(fax: EmulatedFax) -> web.Response:
    assert fax.document is not None
    return web.Response(body=fax.document.content, content_type=fax.document.media_type)


def _expired() -> web.Response:
    text = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    return web.Response(status=403, text=text, content_type="application/xml")


async def _cut_off(request: web.Request, fax: EmulatedFax) -> web.StreamResponse:
    """Send half of a document that was announced whole, and break off."""
    assert fax.document is not None
    content = fax.document.content
    response = web.StreamResponse(headers={"Content-Type": fax.document.media_type})
    response.content_length = len(content)
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _drops(request: web.Request, fax: EmulatedFax) -> web.StreamResponse:
    """Send a document in ten pieces, one every fifth of a second."""
    assert fax.document is not None
    content = fax.document.content
    response = web.StreamResponse(headers={"Content-Type": fax.document.media_type})
    response.content_length = len(content)
    await response.prepare(request)
    step = len(content) // 10 + 1
    for begin in range(0, len(content), step):
        await response.write(content[begin : begin + step])
        await asyncio.sleep(0.2)
    return response


async def _something_else(_request: web.Request, _fax: EmulatedFax) -> web.StreamResponse:
    """Send a page where the document should be, and call it one."""
    return web.Response(text="<html><body>Please log in.</body></html>", content_type="application/pdf")


#: Which of ``Faults`` does what to a received document.
_TROUBLES = {"cut_links": _cut_off, "slow_links": _drops, "wrong_links": _something_else}


def _bytes(document: Any) -> bytes:
    """Raises ValueError."""
    if isinstance(document, bytes):
        return document
    try:
        return base64.b64decode(document or "", validate=True)
    except (binascii.Error, TypeError):
        raise ValueError("the document is neither a file nor Base64") from None
