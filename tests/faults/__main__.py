"""The long runs: ``python -m tests.faults``. Each fault is run at full size, and docs/reliability.md gets its line."""

import argparse
import asyncio
import re
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.catalogue import FAULTS
from tests.faults.fault import Fault, Report

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
HEAD = "| fault | what happens | injections | faxes out | faxes in | lost | doubled | stuck | back within | run |"
RULE = "|---|---|---|---|---|---|---|---|---|---|"
BEGIN, END = "<!-- faults -->", "<!-- /faults -->"


def main() -> int:
    """Run the faults that are named, or all, and return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="F1", help="which faults; all of them without a name")
    parser.add_argument("--share", type=float, default=1.0, help="size of the runs, 1 being the long one")
    parser.add_argument("--short", action="store_true", help="the sizes that every change is tested with")
    parser.add_argument("--write", action="store_true", help="put the lines into docs/reliability.md")
    options = parser.parse_args()
    failed = False
    for fault in FAULTS:
        if options.names and fault.name not in options.names:
            continue
        size = fault.short if options.short else max(1, round(fault.long * options.share))
        line, good = _run(fault, size)
        failed |= not good
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        if options.write:
            write(PAGE, fault.name, line)
    return int(failed)


def _run(fault: Fault, size: int) -> tuple[str, bool]:
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="faxgate-fault-"))
    try:
        report = asyncio.run(fault.run(folder, size))
    except AssertionError as broken:
        sys.stderr.write(f"{fault.name}: {broken}\neverything that was left is in {folder}\n")
        return f"| {fault.name} | {fault.title} | {size} | | | **broken** | | | | {_today()} |", False
    shutil.rmtree(folder)
    return _line(fault, report, time.monotonic() - began), True


def _line(fault: Fault, report: Report, seconds: float) -> str:
    verdict = report.verdict
    title = f"{fault.title}; {report.note}" if report.note else fault.title
    ended = ", ".join(f"{number} {word}" for word, number in sorted(verdict.outcomes.items())) or "0"
    counts = " | ".join(str(verdict.count(kind)) for kind in ("lost", "doubled", "stuck"))
    figures = f"{report.injected} | {ended} | {verdict.received} | {counts} | {report.worst()}"
    return f"| {fault.name} | {title} | {figures} | {_today()}, {seconds:.0f} s |"


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def write(page: Path, name: str, line: str) -> None:
    """Put *line* into the page's table, in place of an earlier one of the same fault, in the order of the catalogue."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    lines = {found[1]: row for row in table.splitlines() if (found := re.match(r"\| (F\d+b?) \|", row))}
    lines[name] = line
    order = [fault.name for fault in FAULTS if fault.name in lines]
    rows = "\n".join([HEAD, RULE, *(lines[each] for each in order)])
    page.write_text(f"{before}{BEGIN}\n{rows}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
