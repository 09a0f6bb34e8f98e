"""The fax resource, ``/v2/faxes``, with the records of its webhooks and text messages."""

import asyncio
import random
import socket
import struct
from collections import Counter
from typing import Any
from uuid import uuid4

from aiohttp import web

from gateway.carriers.emulator import listing
from gateway.carriers.emulator.errors import invalid, not_found, unavailable
from gateway.carriers.emulator.exchange import Exchange
from gateway.carriers.emulator.faxes import EmulatedFax, fax_object
from gateway.carriers.emulator.media import MediaStorage
from gateway.carriers.emulator.numbers import behaviour
from gateway.carriers.emulator.requests import new_fax, read_fields
from gateway.carriers.emulator.settings import EmulatorSettings, Faults
from gateway.carriers.emulator.webhooks import Webhooks

_OK = {"data": {"result": "ok"}}


class FaxApi:
    """Handlers of ``/v2/faxes``."""

    def __init__(self, settings: EmulatorSettings, faults: Faults, exchange: Exchange, media: MediaStorage) -> None:
        self._settings = settings
        self._faults = faults
        self._exchange = exchange
        self._media = media
        self._posts: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post("/v2/faxes", self.create),
            web.get("/v2/faxes", self.list),
            web.get("/v2/faxes/{id}", self.show),
            web.delete("/v2/faxes/{id}", self.delete),
            web.post("/v2/faxes/{id}/actions/cancel", self.cancel),
            web.post("/v2/faxes/{id}/actions/refresh", self.refresh),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Accept a fax, or behave as the faults and the number ask."""
        fax = new_fax(await read_fields(request), self._settings, self._media)
        self._posts[fax.to_number] += 1
        if self._faults.fail_before_accept > 0:
            self._faults.fail_before_accept -= 1
            raise unavailable(503)
        if self._posts[fax.to_number] <= behaviour(fax.to_number).unavailable:
            raise unavailable(503)
        self._exchange.accept(fax)
        if self._faults.answer_delay:
            await asyncio.sleep(self._faults.answer_delay)
        fax.unanswered = self._resets(fax)
        if fax.unanswered and self._faults.silent:
            return await silence(request)
        if fax.unanswered and self._faults.ambiguous_status:
            raise unavailable(self._faults.ambiguous_status)
        if fax.unanswered:
            return reset(request)
        return web.json_response({"data": self._shown(fax)}, status=202)

    async def list(self, request: web.Request) -> web.Response:
        """List faxes, newest first."""
        faxes = [fax for fax in reversed(self._exchange.faxes.values()) if _passes(request, fax)]
        return listing.page(request, [self._shown(fax) for fax in faxes])

    async def show(self, request: web.Request) -> web.Response:
        """Return one fax."""
        return web.json_response({"data": self._shown(self._find(request))})

    async def delete(self, request: web.Request) -> web.Response:
        """Forget a fax."""
        del self._exchange.faxes[self._find(request).id]
        return web.Response(status=204)

    async def cancel(self, request: web.Request) -> web.Response:
        """Ask to stop an outgoing fax."""
        if not self._exchange.cancel(self._find(request)):
            raise invalid("", "The fax can no longer be canceled.")
        return web.json_response(_OK, status=202)

    async def refresh(self, request: web.Request) -> web.Response:
        """Renew the link of a received fax; the new one is in the fax, not in this answer."""
        self._exchange.renew_link(self._find(request))
        return web.json_response(_OK)

    def _find(self, request: web.Request) -> EmulatedFax:
        fax = self._exchange.faxes.get(request.match_info["id"])
        if fax is None:
            raise not_found("fax")
        return fax

    def _shown(self, fax: EmulatedFax) -> dict[str, Any]:
        connection = self._settings.connection(fax.connection_id)
        return fax_object(fax, connection.failover_url if connection else "")

    def _resets(self, fax: EmulatedFax) -> bool:
        if behaviour(fax.to_number).resets:
            return True
        if self._faults.reset_after_accept > 0:
            self._faults.reset_after_accept -= 1
            return True
        return random.random() < self._faults.ambiguous_rate  # noqa: S311 - chance, not a secret


def _passes(request: web.Request, fax: EmulatedFax) -> bool:
    return (
        listing.equal(request, "direction", fax.direction.value)
        and listing.equal(request, "to", fax.to_number)
        and listing.equal(request, "from", fax.from_number)
        and listing.in_time(request, "created_at", fax.created_at)
    )


def reset(request: web.Request) -> web.Response:
    """Reset the connection (TCP RST) in place of an answer; what is returned reaches nobody."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response(status=500)


async def silence(request: web.Request) -> web.Response:
    """Keep the client waiting for as long as it stays; what is returned reaches nobody."""
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
    return web.Response(status=500)


class RecordsApi:
    """Handlers of ``/v2/webhook_deliveries`` and ``/v2/messages``. ``messages`` are the texts that were sent."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks
        self.messages: list[dict[str, Any]] = []

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/v2/webhook_deliveries", self.deliveries),
            web.get("/v2/webhook_deliveries/{id}", self.delivery),
            web.post("/v2/messages", self.message),
        ]

    async def deliveries(self, request: web.Request) -> web.Response:
        """List webhooks that have been tried, newest first."""
        query = request.query
        types = query.get("filter[event_type]", "").split(",")
        found = [
            delivery.as_object()
            for delivery in reversed(self._webhooks.deliveries)
            if listing.equal(request, "status", delivery.status)
            and (types == [""] or delivery.event["event_type"] in types)
            and query.get("filter[webhook][contains]", "") in str(delivery.event)
            and query.get("filter[attempts][contains]", "") in str(delivery.attempts)
            and listing.in_time(request, "started_at", delivery.started_at)
            and listing.in_time(request, "finished_at", delivery.finished_at)
        ]
        return listing.page(request, found)

    async def delivery(self, request: web.Request) -> web.Response:
        """Return one record."""
        for delivery in self._webhooks.deliveries:
            if delivery.id == request.match_info["id"]:
                return web.json_response({"data": delivery.as_object()})
        raise not_found("webhook delivery")

    async def message(self, request: web.Request) -> web.Response:
        """Take a text message; it is recorded and goes nowhere."""
        fields = await read_fields(request)
        for name in ("to", "text"):
            if not isinstance(fields.get(name), str) or not fields[name]:
                raise invalid(name, f"{name} is required, as a string.")
        message = {
            "record_type": "message",
            "id": str(uuid4()),
            "direction": "outbound",
            "type": "SMS",
            "from": {"phone_number": fields.get("from", "")},
            "to": [{"phone_number": fields["to"], "status": "queued"}],
            "text": fields["text"],
        }
        self.messages.append(message)
        return web.json_response({"data": message})
