"""What a process tree has used, read from /proc, and how figures are printed."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median

TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return *pid* and all its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # this thread has just ended
                found.extend(int(child) for child in task.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process tree, ended children included."""
    total = 0
    for each in tree(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # its parent has its time now
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(field) for field in fields[11:15])
    return total / TICKS


def memory_mib(pid: int) -> tuple[float, float]:
    """Return the resident size of a process, and the proportional size (shared pages divided) of its whole tree."""

    def field(each: int, file: str, name: str) -> int:
        line = next(line for line in Path(f"/proc/{each}/{file}").read_text().splitlines() if line.startswith(name))
        return int(line.split()[1])

    whole = sum(field(each, "smaps_rollup", "Pss:") for each in tree(pid))
    return field(pid, "status", "VmRSS:") / 1024, whole / 1024


def spread(name: str, figures: Sequence[float], unit: str) -> str:
    """Return a row: the least, the median and the most of *figures*."""
    low, middle, high = min(figures), median(figures), max(figures)
    return f"{name:<58} {low:>9.2f} {middle:>9.2f} {high:>9.2f}  {unit}"


HEADER = f"{'':<58} {'least':>9} {'median':>9} {'most':>9}"
