"""A fault: something that is done to a running gateway, in a short run for each change and in a long one by hand."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.judge import Verdict


@dataclass
class Report:
    """What a run has shown. ``recovered`` are seconds from a fault to the gateway at work again."""

    injected: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    recovered: list[float] = field(default_factory=list)
    note: str = ""

    def worst(self) -> str:
        """The longest recovery, in words."""
        return f"{max(self.recovered):.1f} s" if self.recovered else "-"


@dataclass(frozen=True)
class Fault:
    """``run(folder, size)`` does *size* injections and raises AssertionError when a promise was broken.

    ``short`` and ``long`` are the sizes of the two runs.
    """

    name: str
    title: str
    run: Callable[[Path, int], Coroutine[Any, Any, Report]]
    short: int
    long: int
