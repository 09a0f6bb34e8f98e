"""Named places where a test can have the process killed or stopped, to see that nothing is lost or sent twice."""

import os
import signal
from collections import Counter

VARIABLE, PAUSE = "FAXGATE_CRASH_AT", "FAXGATE_STOP_AT"


def _parse(wish: str) -> tuple[str, int]:
    """Read ``name`` or ``name:n``: the place, and at which passage the process ends."""
    name, _, count = wish.partition(":")
    return name, int(count) if count.isdigit() else 1


_name, _count = _parse(os.environ.get(VARIABLE, "") or os.environ.get(PAUSE, ""))
_signal = signal.SIGKILL if os.environ.get(VARIABLE) else signal.SIGSTOP
_passages: Counter[str] = Counter()


def reach(name: str) -> None:
    """Mark that the program has come to *name*. Kills the process (SIGKILL) when FAXGATE_CRASH_AT names this passage;
    has it stopped (SIGSTOP) when FAXGATE_STOP_AT does, until somebody sends it a SIGCONT.

    The variable is read once, when this module is imported.
    """
    if name != _name:
        return
    _passages[name] += 1
    if _passages[name] == _count:
        os.kill(os.getpid(), _signal)
