"""What a message that is far too large does to the daemon, and to everybody else who talks to it."""

import tempfile
from pathlib import Path
from statistics import quantiles

from tests.scenarios.flood import LINES, NO_LINES, Flood, flood, quiet
from tests.scenarios.installation import CLINIC, SENDER, installed

MB = 1_000_000
ROUNDS = 3
WHAT = {"200 MB of lines": (200 * MB, LINES), "600 MB without a line end": (600 * MB, NO_LINES)}


async def run() -> None:
    """Megabytes of memory that a flood costs, and milliseconds that five others wait for a reply meanwhile."""
    print(f"{'':<28} {'sent MB':>8} {'more MiB':>9} {'median ms':>10} {'p99 ms':>8}  reply")
    with tempfile.TemporaryDirectory() as folder:
        async with installed(Path(folder), f"sqlite:///{folder}/faxgate.db") as house, house.serving() as running:
            await house.mail(CLINIC)
            await house.until(lambda: house.mails(SENDER, "receipt"), "the receipt")
            for name, (total, chunk) in WHAT.items():
                for _ in range(ROUNDS):
                    _print("nothing", await quiet(house.smtp_port, running.process.pid))
                    _print(name, await flood(house.smtp_port, running.process.pid, total, chunk))


def _print(name: str, found: Flood) -> None:
    cuts = quantiles(found.waits, n=100)
    print(
        f"{name:<28} {found.sent / MB:>8.0f} {found.largest - found.before:>9.1f} {cuts[49]:>10.2f} "
        f"{cuts[98]:>8.2f}  {found.reply[:9]}"
    )
