"""Collecting: the documents of a fax that its sender named by a URL are fetched and kept.

What the other side refuses for good (HTTP 3xx, 4xx, too large) ends the fax with a sentence. Trouble that may pass
(5xx, 408, 429, the network) is tried again a few times within two minutes, for somebody waits for the outcome.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gateway import crashpoint, logs
from gateway.dialects import telnyx
from gateway.document import MAX_BYTES
from gateway.fax import Fax, State
from gateway.fetch import Fetcher, FetchError, TooLarge, Wish
from gateway.outbox.policy import COLLECT, PREPARE
from gateway.outbox.settle import Settle
from gateway.retry import spread
from gateway.store import faxes, jobs
from gateway.store.blobs import Blobs, Spool
from gateway.store.database import Database, Tx
from gateway.store.jobs import Job

__all__ = ["COLLECT", "Collect"]
log = logs.logger(__name__)
#: Between tries to fetch; there is one more try than there are steps.
STEPS = [timedelta(seconds=s) for s in (5, 20, 60)]
_PASSING = {0, 408, 425, 429}


class _Failed(Exception):
    """A document was not fetched: the word and the sentence for it, and whether trying again may help."""

    def __init__(self, reason: str, text: str, *, passing: bool) -> None:
        super().__init__(text)
        self.reason, self.text, self.passing = reason, text, passing


class Collect:
    """The job ``collect``; its subject is the fax."""

    def __init__(self, db: Database, blobs: Blobs, fetcher: Fetcher, settle: Settle) -> None:
        self._db = db
        self._blobs = blobs
        self._fetcher = fetcher
        self._settle = settle

    async def run(self, job: Job) -> None:
        """Fetch what is missing, one document after the other; each is kept as soon as it is here."""
        fax = await faxes.fetch(self._db, UUID(job.subject))
        if fax is None or fax.state is not State.PREPARING:
            await self._db.write(lambda tx: _let_go(tx, job))
            return
        try:
            left = MAX_BYTES - sum(int(document.get("size", 0)) for document in fax.documents)
            for index, document in enumerate(fax.documents):
                if "blob" not in document:
                    left -= await self._fetch(fax.id, index, document, left)
        except _Failed as failed:
            why = failed
            await self._db.write(lambda tx: self._not_fetched(tx, job, fax, why))
            return
        crashpoint.reach("collect.fetched")
        await self._db.write(lambda tx: self._complete(tx, job, fax.id))

    async def _fetch(self, fax_id: UUID, index: int, document: dict[str, Any], most: int) -> int:
        """Fetch a document of at most *most* bytes, which is what is left of the fax's; return how many it has."""
        spool = self._blobs.spool()
        try:
            media_type = await self._receive(document, spool, most)
            here = {"blob": spool.key, "media_type": media_type, "size": spool.size}
            await self._db.write(lambda tx: _note(tx, fax_id, index, here), before=[spool.seal])
            return spool.size
        finally:
            spool.discard()

    async def _receive(self, document: dict[str, Any], spool: Spool, most: int) -> str:
        content = str(document["content"]).encode()
        wish = Wish(str(document["method"]).upper(), document["headers"], content)
        try:
            fetched = await self._fetcher.fetch(str(document["url"]), spool.write, most, wish)
        except TooLarge:
            reason = telnyx.TOO_LARGE
            raise _Failed(reason, telnyx.sentence(reason), passing=False) from None
        except FetchError as error:
            told = f"could not retrieve file, HTTP response {error.status}"
            text = told if error.status and error.status != 200 else f"could not retrieve file: {error}"
            passing = error.status in _PASSING or error.status >= 500
            raise _Failed(telnyx.NOT_FETCHED, text, passing=passing) from None
        return fetched.content_type

    def _not_fetched(self, tx: Tx, job: Job, fax: Fax, why: _Failed) -> None:
        log.info("document not fetched", fax=str(fax.id), why=why.text, tries=job.tries + 1, passing=why.passing)
        if why.passing and job.tries < len(STEPS):
            jobs.again(tx, job, datetime.now(UTC) + spread(STEPS[job.tries]), why.text)
            jobs.release(tx, fax.id)
            return
        self._settle.fail(tx, fax.id, [State.PREPARING], why.reason, why.text)
        _let_go(tx, job)

    def _complete(self, tx: Tx, job: Job, fax_id: UUID) -> None:
        fax = faxes.get(tx, fax_id, lock=True)
        _let_go(tx, job)
        if fax is not None and fax.state is State.PREPARING:
            jobs.enqueue(tx, PREPARE, fax_id)


def _let_go(tx: Tx, job: Job) -> None:
    """Let others fetch. Last, as everywhere: the fax is locked before what it holds."""
    jobs.finish(tx, job)
    jobs.release(tx, job.subject)


def _note(tx: Tx, fax_id: UUID, index: int, here: dict[str, Any]) -> None:
    fax = faxes.get(tx, fax_id, lock=True)
    if fax is None or "blob" in fax.documents[index]:
        return
    documents = [{**document, **here} if at == index else document for at, document in enumerate(fax.documents)]
    faxes.change(tx, fax_id, [State.PREPARING], documents=documents)
