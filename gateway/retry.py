"""When a fax is tried again: by the class of its failure."""

import random
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Outcome(StrEnum):
    """Classes of failure; a dialect's table maps the carrier's words to them."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    DROPPED = "dropped"
    TRAINING = "training"  # the machines did not come to terms (T.30 phase B)
    CARRIER = "carrier"  # the carrier's own trouble, or its channel limits
    NUMBER = "number"  # the number does not exist or takes no faxes
    REFUSED = "refused"  # the account or the destination is not allowed
    DOCUMENT = "document"
    CANCELED = "canceled"
    OTHER = "other"


#: Trying again can help.
PASSING = frozenset(
    {Outcome.BUSY, Outcome.NO_ANSWER, Outcome.DROPPED, Outcome.TRAINING, Outcome.CARRIER, Outcome.OTHER}
)

#: How much longer than the usual distance a class waits: who does not answer is not there, and will not be for a while.
PATIENCE = {Outcome.NO_ANSWER: 2}

#: Mails to people are tried again for this long, at these multiples of the first distance (the last one repeats).
MAIL_PATIENCE = timedelta(days=5)
MAIL_STEPS = (1, 5, 15, 30, 60)

#: Looks at an attempt whose outcome is unknown, after it became so: 5, 15, 30, 60 s, then each minute.
UNKNOWN_STEPS = tuple(timedelta(seconds=s) for s in (5, 10, 15, 30, 60))


def spread(wait: timedelta) -> timedelta:
    """Vary *wait* by a fifth either way: what failed together shall not come back together."""
    return wait * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret


def next_try(outcome: Outcome, tries: int, allowed: int, delay: timedelta) -> timedelta | None:
    """Return how long to wait after *tries* failed tries, or None when no further one is allowed.

    *delay* is the distance to the second try, for some classes longer (``PATIENCE``). It doubles from then on and stays
    within an hour (or the first distance, if that is longer).
    """
    if outcome not in PASSING or tries >= max(1, allowed):
        return None
    first = delay * PATIENCE.get(outcome, 1)
    return spread(min(first * 2 ** max(0, tries - 1), max(first, timedelta(hours=1))))


def step(steps: tuple[T, ...], done: int) -> T:
    """Return the distance to the try after *done* tries; the last of *steps* repeats."""
    return steps[min(done, len(steps) - 1)]
