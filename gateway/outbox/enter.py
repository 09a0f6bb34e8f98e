"""The one way by which an outgoing fax comes into the database, whichever door it came through."""

from collections.abc import Sequence

from gateway.announce import announce
from gateway.carrier_event import Happened
from gateway.fax import Fax, State
from gateway.limits import Limits
from gateway.outbox.hold import hold
from gateway.outbox.policy import COLLECT, PREPARE, fetching
from gateway.store import faxes, jobs
from gateway.store.database import Tx


def enter(tx: Tx, limits: Limits, new: Sequence[Fax]) -> list[Fax]:
    """Insert *new* faxes (of one account, faxbox and user) with their first jobs; return them as they were inserted.

    What is beyond the limits of the day is held, and its people are told.
    """
    entered = limits.admit(tx, new)
    for fax in entered:
        faxes.insert(tx, fax)
        announce(tx, fax, Happened.QUEUED)
        if fax.state is not State.HELD:
            missing = any("blob" not in document for document in fax.documents)
            jobs.enqueue(tx, COLLECT if missing else PREPARE, fax.id, keys=fetching(fax) if missing else None)
    hold(tx, [fax for fax in entered if fax.state is State.HELD])
    return entered
