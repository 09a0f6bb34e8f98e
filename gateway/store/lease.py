"""For how long a worker may believe, by its own clock alone, that its jobs are still its own.

The database decides what is written: whoever has lost a job meets no row. What leaves the house it cannot take back,
so whoever is about to send something asks here first. A process that stood still (a paused machine, a debugger, a
laptop that slept) finds its lease over when it wakes, before anybody has told it.
"""

import time
from datetime import timedelta

#: The part of a lease after which nothing is begun any more: what is sent takes its time too.
MARGIN = 0.75


class LeaseLost(Exception):
    """This node no longer owns the job: another one has taken it over. Nothing was written."""


class LeaseUnsure(Exception):
    """This node has not said for too long that it lives: another may have taken the job over. Nothing was sent."""


class Lease:
    """The lease of one node. It lasts from the moment at which it was last asked for."""

    def __init__(self, lasts: timedelta) -> None:
        self._lasts = lasts.total_seconds() * MARGIN
        self._until = 0.0

    def renewed(self, asked: float) -> None:
        """The database has taken a sign of life that was sent at *asked* (``clock``)."""
        self._until = asked + self._lasts

    def require(self) -> None:
        """Raise LeaseUnsure unless what is begun now is certainly begun as the owner."""
        if clock() >= self._until:
            raise LeaseUnsure("the worker was too slow to be sure that the job is still its own")


class _Always(Lease):
    """Of a job that was claimed by hand."""

    def require(self) -> None:
        """Nobody else is there."""


ALWAYS = _Always(timedelta())


def clock() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
