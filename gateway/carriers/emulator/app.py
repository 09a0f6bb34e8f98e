"""The emulator as a whole: its parts, and the HTTP server in front of them."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from gateway.carriers.emulator.api import FaxApi, RecordsApi, reset, silence
from gateway.carriers.emulator.api_media import MediaApi
from gateway.carriers.emulator.control import ControlApi
from gateway.carriers.emulator.errors import ApiError, unauthenticated, unavailable
from gateway.carriers.emulator.exchange import Exchange
from gateway.carriers.emulator.faxes import EmulatedFax
from gateway.carriers.emulator.media import MediaStorage
from gateway.carriers.emulator.settings import EmulatorSettings, Faults
from gateway.carriers.emulator.webhooks import Delivery, Webhooks
from gateway.carriers.signature import public_key

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_MAX_BODY = 64 * 1024 * 1024


class Emulator:
    """The carrier's side in this process: ``start``, then point a client at ``base_url``; ``stop`` at the end.

    ``settings`` and ``faults`` may be changed while it runs. It can be started again after ``stop``, on the same port
    too; faxes under way at ``stop`` stay as they are.
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self.settings = settings
        self.faults = Faults()
        self.media = MediaStorage()
        self.public_key = public_key(settings.signing_seed)
        self._webhooks = Webhooks(settings, self.faults)
        self._exchange = Exchange(settings, self.faults, self.media, self._webhooks)
        self._records = RecordsApi(self._webhooks)
        self._runner: web.AppRunner | None = None
        #: API requests that were turned away because the carrier is down.
        self.turned_away = 0
        self.port = 0
        self.origin = ""

    @property
    def base_url(self) -> str:
        """What a client calls its base URL; known after ``start``."""
        return f"{self.origin}/v2"

    @property
    def faxes(self) -> list[EmulatedFax]:
        """All faxes, oldest first."""
        return list(self._exchange.faxes.values())

    @property
    def deliveries(self) -> list[Delivery]:
        """All webhooks that were tried, oldest first."""
        return self._webhooks.deliveries

    @property
    def messages(self) -> list[dict[str, Any]]:
        """All text messages, oldest first."""
        return self._records.messages

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen on *host* and *port* (0: any free one, then in ``port``). Raises OSError when it is taken."""
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - a name, no socket
        self.origin = self._exchange.origin = f"http://{reachable}:{self.port}"

    async def stop(self) -> None:
        """Stop listening and everything that is under way. Safe to call twice."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self._exchange.close()
        await self._webhooks.close()

    async def settle(self) -> None:
        """Wait until every fax has come to its end and every webhook was delivered or given up; raises our bugs."""
        while pending := self._exchange.tasks | self._webhooks.tasks:
            await asyncio.gather(*pending)

    async def receive(
        self,
        to: str,
        from_: str,
        document: bytes,
        partial: bool = False,
        fail_with: str = "",
        caller_id: str = "",
    ) -> EmulatedFax:
        """Let a fax come in from outside; it goes on in the background (``settle`` waits for it).

        *fail_with* is a failure_reason that ends it. Raises ValueError when no connection owns *to*, or when
        *document* is no PDF, TIFF, JPEG or PNG.
        """
        return self._exchange.receive(to, from_, document, partial, fail_with, caller_id)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY, middlewares=[_errors, self._guard])
        faxes = FaxApi(self.settings, self.faults, self._exchange, self.media)
        control = ControlApi(self.public_key, self.faults, self._exchange, self._records)
        for part in (faxes, MediaApi(self.media, lambda: self._exchange.fetcher), self._records, control):
            app.add_routes(part.routes())
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Let API requests in only while the carrier is up, and only with the key."""
        if request.path.startswith("/v2/"):
            if self.faults.down_status is not None:
                self.turned_away += 1
                if self.faults.silent:
                    return await silence(request)
                if self.faults.down_status == 0:
                    return reset(request)
                raise unavailable(self.faults.down_status)
            expected = f"Bearer {self.settings.api_key}".encode()
            given = request.headers.get("Authorization", "").encode(errors="replace")
            if not hmac.compare_digest(expected, given):
                raise unauthenticated()
        return await handler(request)


@web.middleware
async def _errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Answer every error in Telnyx's envelope."""
    try:
        return await handler(request)
    except ApiError as error:
        return error.response()
    except web.HTTPException as error:
        return ApiError(error.status, error.reason, error.reason, "10015").response()
