"""The document of one attempt: the rendered pages under the header line of this very try."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gateway import metrics
from gateway.address import pretty
from gateway.document import Header
from gateway.errors import Kind, refuse
from gateway.fax import Fax
from gateway.mail.facts import one_line
from gateway.sandbox import Sandbox
from gateway.store import mailbag, provision
from gateway.store.blobs import Blobs, Spool
from gateway.store.database import Database, Row, one
from gateway.store.schema import accounts, faxboxes

#: Longer names and numbers do not fit beside the rest of the line anyway.
_MOST_CHARACTERS = 80


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
        if not self._header:
            return AttemptDocument(fax.pages_blob)
        rendering = await one(self._db, mailbag.rendering(fax.rendering_id)) if fax.rendering_id else None
        if rendering is None:
            raise refuse(Kind.NOT_FOUND, "the pages of the fax have been removed", str(fax.id))
        header = await self._line(fax, datetime.now(UTC))
        pdf, preview = (stack.enter_context(_spooled(self._blobs)) for _ in range(2))
        tiff = stack.enter_context(await self._blobs.opened(rendering["tiff_blob"]))
        with metrics.stamp_seconds.time():
            await self._sandbox.stamp([tiff.fileno()], header, pdf.fileno(), preview.fileno())
        return AttemptDocument(pdf.key, preview.key, (pdf.seal, preview.seal), (pdf.key, preview.key))

    def drop(self, document: AttemptDocument) -> None:
        """Remove what was sealed for an attempt that was not made after all. Blocking."""
        for key in document.made:
            self._blobs.remove(key)

    async def _line(self, fax: Fax, at: datetime) -> Header:
        box = await provision.fetch(self._db, faxboxes, fax.faxbox_id)
        account = await provision.fetch(self._db, accounts, fax.account_id)
        return header_line(fax, box, account, at)


def header_line(fax: Fax, box: Row | None, account: Row | None, at: datetime) -> Header:
    """Return what the header line of *fax* says at the time *at*: its own words, else its faxbox's, else its
    account's."""
    box, account = box or {}, account or {}
    zone = ZoneInfo(str(fax.timezone or box.get("timezone") or account.get("timezone") or "UTC"))
    name = fax.header or box.get("fax_header") or fax.from_name or account.get("name", "")
    number = fax.identity or box.get("fax_identity") or pretty(fax.from_number)
    when = f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}"
    return Header(when, one_line(name, _MOST_CHARACTERS), one_line(number, _MOST_CHARACTERS))


@contextmanager
def _spooled(blobs: Blobs) -> Iterator[Spool]:
    spool = blobs.spool()
    try:
        yield spool
    finally:
        spool.discard()
