"""Texting: who asked for it is told of the end of a fax by a short text (SMS) through the carrier.

A text costs money, and its number is chosen by whoever may send faxes: it may go where faxes may go. One that was sent
just before a crash is sent once more; one that the carrier refuses is not.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from gateway import logs
from gateway.carriers.carrier import Carrier, CarrierError
from gateway.errors import Refusal
from gateway.fax import Fax, State
from gateway.limits import Limits
from gateway.retry import spread
from gateway.store import faxes, jobs
from gateway.store.database import Database, Tx
from gateway.store.jobs import Job

log = logs.logger(__name__)
TEXT = "text"
#: In ``Fax.extra``: the numbers (E.164) that get a text at the end.
NUMBERS = "texts"
#: Between tries; there is one more try than there are steps.
STEPS = [timedelta(seconds=s) for s in (30, 300, 1800)]
#: What is told of a fax that a person has given up, and that the carrier may have sent.
MAYBE_SENT = "It is not known whether the carrier has sent the fax, and it is not sent again."


def enqueue(tx: Tx, fax: Fax) -> None:
    """Make the jobs for the texts about a fax that has ended."""
    for number in fax.extra.get(NUMBERS, []):
        jobs.enqueue(tx, TEXT, f"{fax.id} {number}", priority=jobs.LATER)


class Text:
    """The job ``text``; its subject is the fax and the number. Nothing is sent without ``sender``, a number of ours."""

    def __init__(self, db: Database, carrier: Carrier, limits: Limits, sender: str) -> None:
        self._db = db
        self._carrier = carrier
        self._limits = limits
        self._sender = sender

    async def run(self, job: Job) -> None:
        """Send one text."""
        identity, _, number = job.subject.partition(" ")
        fax = await faxes.fetch(self._db, UUID(identity))
        error = None
        if fax is not None and self._sender:
            try:
                self._limits.check(number)
                job.lease.require()
                await self._carrier.text(self._sender, number, words(fax))
                log.info("texted", fax=identity)
            except (CarrierError, Refusal) as failure:
                error = failure
        await self._db.write(lambda tx: self._settle(tx, job, error))

    def _settle(self, tx: Tx, job: Job, error: CarrierError | Refusal | None) -> None:
        # 4xx but 408 and 429 is said of this text, and will be said again.
        passing = isinstance(error, CarrierError) and (error.status in {0, 408, 429} or error.status >= 500)
        if error is None or not passing or job.tries >= len(STEPS):
            if error is not None:
                log.warning("not texted", fax=job.subject.partition(" ")[0], why=str(error))
            jobs.finish(tx, job)
            return
        jobs.again(tx, job, datetime.now(UTC) + spread(STEPS[job.tries]), str(error))


def words(fax: Fax) -> str:
    """Return what the text says, within 160 characters."""
    if fax.state is State.DELIVERED:
        pages = f", {fax.pages_sent} pages" if fax.pages_sent else ""
        return f"Your fax to {fax.to_number} has been delivered{pages}."
    if fax.failure_text == MAYBE_SENT:
        return f"Your fax to {fax.to_number} was canceled, and may have been sent."
    return f"Your fax to {fax.to_number} was not delivered: {fax.failure_text or fax.failure_reason}"[:160]
