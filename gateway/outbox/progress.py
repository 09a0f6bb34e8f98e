"""How far the rendering of a fax is, for everybody who asks the database."""

import asyncio
import time
from uuid import UUID

from gateway import logs
from gateway.fax import State
from gateway.store import faxes
from gateway.store.database import Database

log = logs.logger(__name__)
#: Seconds between two notes: most documents are done before the first.
EVERY = 2.0


class Progress:
    """Call it with pages done and pages in all; ``end`` must follow. A note that fails costs nothing but itself."""

    def __init__(self, db: Database, fax_id: UUID, every: float = EVERY) -> None:
        self._db = db
        self._fax_id = fax_id
        self._every = every
        self._last = time.monotonic()
        self._note: asyncio.Task[None] | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last < self._every or (self._note is not None and not self._note.done()):
            return
        self._last = now
        self._note = asyncio.create_task(self._write(done, total))

    async def end(self) -> None:
        """Wait for what is being written: nothing may come after what follows."""
        if self._note is not None:
            await asyncio.gather(self._note, return_exceptions=True)

    async def _write(self, done: int, total: int) -> None:
        values = {"pages_done": done, "pages_to_do": total}
        try:
            await self._db.write(lambda tx: faxes.change(tx, self._fax_id, [State.PREPARING], **values))
        except Exception:
            log.exception("the progress of a fax was not noted", fax=str(self._fax_id))
