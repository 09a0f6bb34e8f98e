"""The telephone network: takes faxes, and walks each through its states at the pace of the settings.

Outgoing: queued, media.processed, originated, sending, delivered or failed. Incoming: initiated, receiving,
media.processing, received or failed. A fax to a number of ours rings there while it is being sent.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.carriers.emulator.documents import CallFailed, Document, read_document
from gateway.carriers.emulator.faxes import EmulatedFax
from gateway.carriers.emulator.journal import Journal
from gateway.carriers.emulator.media import MediaStorage
from gateway.carriers.emulator.numbers import behaviour
from gateway.carriers.emulator.settings import EmulatorSettings, Faults
from gateway.carriers.emulator.webhooks import Webhooks
from gateway.fax import Direction
from gateway.fetch import Fetcher, FetchError, TooLarge

_EVERYWHERE = ("0.0.0.0/0", "::/0")


class Exchange:
    """All faxes of the emulator. ``origin`` (http://host:port) is where links to received documents point."""

    def __init__(self, settings: EmulatorSettings, faults: Faults, media: MediaStorage, webhooks: Webhooks) -> None:
        self._settings = settings
        self._faults = faults
        self._media = media
        self._webhooks = webhooks
        self._journal = Journal(settings.log)
        self.fetcher = Fetcher(_EVERYWHERE, timeout=30)
        self._calls: Counter[str] = Counter()
        self._links: dict[str, tuple[EmulatedFax, datetime]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.faxes: dict[str, EmulatedFax] = {}
        self.origin = ""

    def accept(self, fax: EmulatedFax) -> None:
        """Take an outgoing fax; from here on it is the carrier's."""
        self.faxes[fax.id] = fax
        self._journal.note(fax)
        self._webhooks.tell(fax)
        self._start(self._send(fax))

    def receive(
        self,
        to: str,
        from_: str,
        document: bytes,
        partial: bool = False,
        fail_with: str = "",
        caller_id: str = "",
    ) -> EmulatedFax:
        """Let a fax come in from outside. Raises ValueError when no connection owns *to* or it is no document."""
        try:
            content = read_document(document)
        except CallFailed as failure:
            raise ValueError(f"the document cannot be faxed: {failure.reason}") from failure
        fax = self._ring(to, from_, partial, caller_id)
        if fax is None:
            raise ValueError(f"no connection owns the number {to}")
        self._start(self._take(fax, content, fail_with))
        return fax

    def cancel(self, fax: EmulatedFax) -> bool:
        """Ask to stop an outgoing fax; False when it is too late."""
        if fax.direction is Direction.INBOUND or fax.final:
            return False
        fax.canceled.set()
        return True

    def renew_link(self, fax: EmulatedFax, valid: bool = True) -> None:
        """Give a received fax a new link."""
        if fax.direction is Direction.INBOUND and fax.document:
            token = secrets.token_urlsafe(24)
            lifetime = timedelta(seconds=self._settings.link_seconds if valid else 0)
            self._links[token] = (fax, datetime.now(UTC) + lifetime)
            fax.media_url = f"{self.origin}/links/{token}"

    def linked(self, token: str) -> tuple[EmulatedFax, bool] | None:
        """Return the fax of a link and whether the link is still good; None for a link never made."""
        if token not in self._links:
            return None
        fax, expires_at = self._links[token]
        return fax, datetime.now(UTC) < expires_at

    async def close(self) -> None:
        """Stop every fax where it is."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.fetcher.close()
        self._journal.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _send(self, fax: EmulatedFax) -> None:
        try:
            await self._process(fax)
            await self._dial(fax)
            await self._transfer(fax)
        except CallFailed as failure:
            self._fail(fax, failure)
        self._journal.note(fax)

    async def _process(self, fax: EmulatedFax) -> None:
        await self._pause(fax)
        content = await self._content(fax)
        fax.document = await asyncio.to_thread(read_document, content)
        self._journal.note(fax)
        self._move(fax, "media.processed")

    async def _content(self, fax: EmulatedFax) -> bytes:
        if fax.given is not None:
            return fax.given
        if fax.media_name:
            # Looked up now and not before: what has been deleted in the meantime is not sent.
            stored = self._media.get(fax.media_name)
            if stored is None:
                raise CallFailed("file_download_failed")
            return stored.content
        return await self._fetch(fax.media_url)

    async def _fetch(self, url: str) -> bytes:
        content = bytearray()
        try:
            await self.fetcher.fetch(url, content.extend)
        except TooLarge as error:
            raise CallFailed("file_size_limit_exceeded") from error
        except FetchError as error:
            raise CallFailed("file_download_failed") from error
        return bytes(content)

    async def _dial(self, fax: EmulatedFax) -> None:
        await self._pause(fax)
        self._move(fax, "originated", tell=False)
        self._calls[fax.to_number] += 1
        await self._pause(fax)
        manner = behaviour(fax.to_number)
        if self._calls[fax.to_number] <= manner.busy_calls:
            raise CallFailed("user_busy")
        if manner.fails_with and not manner.fails_after:
            raise CallFailed(manner.fails_with)

    async def _transfer(self, fax: EmulatedFax) -> None:
        self._move(fax, "sending")
        received = self._ring(fax.to_number, fax.from_number, caller_id=fax.from_display_name)
        try:
            await self._pages(fax)
        except CallFailed:
            if received:
                reason = "sender_canceled" if fax.canceled.is_set() else "sender_call_dropped"
                self._fail(received, CallFailed(reason))
            raise
        fax.pages_sent = fax.pages
        fax.duration = 20 + 30 * (fax.pages or 0)
        self._move(fax, "delivered")
        if received and fax.document:
            self._start(self._take(received, fax.document))

    async def _pages(self, fax: EmulatedFax) -> None:
        await self._pause(fax)
        manner = behaviour(fax.to_number)
        if manner.fails_with:
            raise CallFailed(manner.fails_with, manner.fails_after)

    def _ring(self, to: str, from_: str, partial: bool = False, caller_id: str = "") -> EmulatedFax | None:
        """Begin an incoming fax at the connection that owns *to*; None when there is none."""
        connection = self._settings.owner(to)
        if connection is None:
            return None
        fax = EmulatedFax(Direction.INBOUND, connection.id, to, from_, "initiated", partial=partial)
        fax.caller_id = caller_id or from_
        self.faxes[fax.id] = fax
        self._move(fax, "receiving")
        self._journal.note(fax)
        return fax

    async def _take(self, fax: EmulatedFax, document: Document, fail_with: str = "") -> None:
        await asyncio.sleep(self._settings.pace)
        if fail_with:
            self._fail(fax, CallFailed(fail_with))
            return
        fax.document = document
        fax.duration = 20 + 30 * document.pages
        self._move(fax, "media.processing")
        await asyncio.sleep(self._settings.pace)
        self.renew_link(fax, valid=not self._faults.expire_links)
        self._move(fax, "received")
        self._journal.note(fax)

    def _fail(self, fax: EmulatedFax, failure: CallFailed) -> None:
        fax.failure_reason = failure.reason
        fax.pages_sent = failure.pages
        self._move(fax, "failed")
        if fax.direction is Direction.INBOUND:
            self._journal.note(fax)

    def _move(self, fax: EmulatedFax, status: str, tell: bool = True) -> None:
        fax.move(status)
        if tell:
            self._webhooks.tell(fax)

    async def _pause(self, fax: EmulatedFax) -> None:
        """Let one step's time pass. Raises CallFailed as soon as the fax is canceled."""
        try:
            await asyncio.wait_for(fax.canceled.wait(), self._settings.pace)
        except TimeoutError:
            return
        raise CallFailed("sender_canceled")
