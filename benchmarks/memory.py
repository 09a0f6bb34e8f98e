"""What an idle daemon needs."""

import asyncio
import tempfile
from pathlib import Path

from benchmarks.figures import memory_mib, tree
from tests.scenarios.installation import CLINIC, REALM, installed


async def run() -> None:
    """Memory of the daemon after its start, and after a fax has gone out and come in."""
    with tempfile.TemporaryDirectory() as folder:
        async with installed(Path(folder), f"sqlite:///{folder}/faxgate.db") as house, house.serving() as running:
            await asyncio.sleep(2)
            _print("idle, just started", running.process.pid)
            await house.mail(CLINIC)
            await house.until(lambda: house.mails(f"ward@{REALM}"), "the fax")
            await asyncio.sleep(2)
            _print("idle, after a fax out and in", running.process.pid)


def _print(name: str, pid: int) -> None:
    own, whole = memory_mib(pid)
    print(f"{name:<40} daemon {own:6.1f} MiB resident; all {len(tree(pid))} processes {whole:6.1f} MiB proportional")
