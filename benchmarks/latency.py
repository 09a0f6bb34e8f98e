"""How long a fax waits inside the gateway: from the 250 to the carrier, and from the carrier's word to the mail."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import HEADER, spread
from gateway.demo.sample import sample_pdf
from gateway.fax import Direction
from tests.scenarios.installation import CLINIC, OFFICE, REALM, Installation, installed

ROUNDS = 20


def _milliseconds(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds() * 1000


async def _out(house: Installation, number: str) -> float:
    await house.mail(number, document=sample_pdf())
    taken = datetime.now(UTC)
    await house.until(lambda: house.sent(number), "the fax at the carrier")
    await house.emulator.settle()
    return _milliseconds(taken, house.sent(number)[0].created_at)


async def _in(house: Installation, nth: int) -> float:
    fax = await house.emulator.receive(CLINIC, OFFICE, sample_pdf())
    await house.until(lambda: len(house.mails(f"ward@{REALM}")) == nth, "the mail")
    received = next(at for at, status in fax.history if status == "received")
    return _milliseconds(received, house.mails(f"ward@{REALM}")[-1].at)


async def run() -> None:
    """Milliseconds of a two-page fax through an idle gateway, one at a time."""
    print(HEADER)
    with tempfile.TemporaryDirectory() as folder:
        async with installed(Path(folder), f"sqlite:///{folder}/faxgate.db") as house, house.serving():
            out = [await _out(house, f"+120255501{number}") for number in range(30, 30 + ROUNDS)]
            into = [await _in(house, nth + 1) for nth in range(ROUNDS)]
    assert len([fax for fax in house.emulator.faxes if fax.direction is Direction.OUTBOUND]) == ROUNDS
    print(spread("250 to the mail client -> the carrier's POST", out, "ms"))
    print(spread("the carrier has the fax -> mailed on with its document", into, "ms"))
