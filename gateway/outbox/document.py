"""The document of one attempt: its cover and the rendered pages, under the header line of this very try."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway import metrics
from gateway.document import Header
from gateway.errors import Kind, refuse
from gateway.fax import Fax
from gateway.outbox.header import header_line
from gateway.sandbox import Sandbox
from gateway.store import mailbag, provision
from gateway.store.blobs import Blobs, Spool
from gateway.store.database import Database, one
from gateway.store.schema import accounts, faxboxes


@dataclass(frozen=True, slots=True)
class AttemptDocument:
    """Blobs of a document and of its preview ("" for the rendering's own). ``seals`` make them durable, and must run
    before a row names them; ``made`` are those that nobody else has."""

    blob: str
    preview: str = ""
    seals: tuple[Callable[[], object], ...] = ()
    made: tuple[str, ...] = ()


class Documents:
    """Makes the documents of attempts. Without *header* the rendered pages are sent as they are."""

    def __init__(self, db: Database, blobs: Blobs, sandbox: Sandbox, *, header: bool) -> None:
        self._db = db
        self._blobs = blobs
        self._sandbox = sandbox
        self._header = header

    async def make(self, fax: Fax, stack: ExitStack) -> AttemptDocument:
        """Return the document for a try that begins now; what is not sealed when *stack* closes is dropped.

        Raises Refusal when the rendered pages are gone, or cannot be read.
        """
        if not self._header and not fax.cover_blob:
            return AttemptDocument(fax.pages_blob)
        rendering = await one(self._db, mailbag.rendering(fax.rendering_id)) if fax.rendering_id else None
        if rendering is None:
            raise refuse(Kind.NOT_FOUND, "the pages of the fax have been removed", str(fax.id))
        header = await self._line(fax, datetime.now(UTC)) if self._header else None
        pdf, preview = (stack.enter_context(_spooled(self._blobs)) for _ in range(2))
        blobs = [blob for blob in (fax.cover_blob, rendering["tiff_blob"]) if blob]
        tiffs = [stack.enter_context(await self._blobs.opened(blob)) for blob in blobs]
        with metrics.stamp_seconds.time():
            await self._sandbox.stamp([tiff.fileno() for tiff in tiffs], header, pdf.fileno(), preview.fileno())
        return AttemptDocument(pdf.key, preview.key, (pdf.seal, preview.seal), (pdf.key, preview.key))

    def drop(self, document: AttemptDocument) -> None:
        """Remove what was sealed for an attempt that was not made after all. Blocking."""
        for key in document.made:
            self._blobs.remove(key)

    async def _line(self, fax: Fax, at: datetime) -> Header:
        box = await provision.fetch(self._db, faxboxes, fax.faxbox_id)
        account = await provision.fetch(self._db, accounts, fax.account_id)
        return header_line(fax, box, account, at)


@contextmanager
def _spooled(blobs: Blobs) -> Iterator[Spool]:
    spool = blobs.spool()
    try:
        yield spool
    finally:
        spool.discard()
