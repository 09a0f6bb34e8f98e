"""How the gateway grows: faxes per second with several workers, and what a claim costs in a long queue."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from sqlalchemy import insert, text

from benchmarks.figures import HEADER, cpu_seconds, spread
from gateway.store import claims, jobs, migrate
from gateway.store.database import Database, Tx, open_database
from gateway.store.schema import holds
from tests import postgres
from tests.faults.client import MailServer, numbers
from tests.faults.cluster import Cluster, Node, cluster

WORKERS = (1, 2, 3)
BURST, ROUNDS = 40, 5
LENGTHS = (10, 100_000, 1_000_000)
CLAIMS, AT_ONCE = 100, 8
CHANNELS = [("carrier", AT_ONCE)]


async def run() -> None:
    """Mails through PostgreSQL and S3 to the carrier and back to a receipt, and the queue's length against its cost."""
    await workers()
    await queue()


# -- workers -----------------------------------------------------------------------------------------------------------


async def workers() -> None:
    """One machine has the doors, others have a worker each; what is measured is a burst, from its first mail to its
    last receipt. All run on this computer: when its cores are busy more workers bring nothing, so what a fax costs
    each of them is measured too."""
    print(f"bursts of {BURST} mails with a page each; the rate of all, the CPU of the doors and of the workers")
    print(HEADER)
    with tempfile.TemporaryDirectory() as folder:
        async with cluster(Path(folder), ["smtp,http", *["worker"] * max(WORKERS)]) as made:
            await made.nodes[0].start()
            figures = [_Figures(number) for number in WORKERS]
            for _ in range(ROUNDS):
                for each in figures:
                    await _burst(made, each)
            for each in figures:
                each.show()


class _Figures:
    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.rate: list[float] = []
        self.doors: list[float] = []
        self.each: list[float] = []

    def show(self) -> None:
        name = f"{self.workers} worker{'s' * (self.workers > 1)}"
        print(spread(f"{name}: faxes per second", self.rate, "/s"))
        print(spread(f"{name}: CPU of the doors", self.doors, "ms a fax"))
        print(spread(f"{name}: CPU of all workers", self.each, "ms a fax"))


_numbers = numbers()


async def _burst(made: Cluster, figures: _Figures) -> None:
    doors, *rest = made.nodes
    for node in rest[: figures.workers]:
        await node.start()
    await _mails(made, 2)  # so that everything is warm
    before = _cpu([doors]), _cpu(rest[: figures.workers])
    began = time.monotonic()
    await _mails(made, BURST)
    figures.rate.append(BURST / (time.monotonic() - began))
    figures.doors.append((_cpu([doors]) - before[0]) / BURST * 1000)
    figures.each.append((_cpu(rest[: figures.workers]) - before[1]) / BURST * 1000)
    for node in rest[: figures.workers]:
        assert node.process is not None
        await node.process.stop()


async def _mails(made: Cluster, count: int) -> None:
    house, relay = made.house, MailServer(made.house.smtp_port, made.house.root / "acks.jsonl")
    told = len(house.mails(tale="receipt")) + count
    try:
        await asyncio.gather(*(relay.keep_sending(next(_numbers)) for _ in range(count)))
        await house.until(lambda: len(house.mails(tale="receipt")) >= told, "the receipts")
    finally:
        relay.close()


def _cpu(nodes: list[Node]) -> float:
    return sum(cpu_seconds(node.process.process.pid) for node in nodes if node.process is not None)


# -- the queue ---------------------------------------------------------------------------------------------------------


async def queue() -> None:
    """What a worker does about the queue in one round: let what is due become ready, claim, and finish what it took.

    *Mixed*: ten jobs are ready; of all others 4 in 10 are ready too, 4 are due later, and 2 wait for a line; those that
    are enqueued need none. *One line*: all wait for the channels of the carrier but those that have them; each that is
    finished gives its channel to the next. The lengths take turns.
    """
    print(f"\na round of {AT_ONCE} jobs: made due, claimed, finished, and as many enqueued again")
    print(HEADER)
    with postgres.running() as server, tempfile.TemporaryDirectory() as folder:
        for fill, keys in ((_mixed, []), (_one_line, CHANNELS)):
            kind = "one line" if keys else "mixed"
            files = {length: f"sqlite:///{folder}/{kind}{length}.db" for length in LENGTHS}
            await _engine(f"SQLite, {kind}", files, fill, keys)
            bases = {length: server.create(f"q{len(keys)}_{length}") for length in LENGTHS}
            await _engine(f"PostgreSQL, {kind}", bases, fill, keys)


async def _engine(name: str, urls: dict[int, str], fill: Callable[[Tx, int], None], keys: jobs.Keys) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        filled = {length: await enter(_filled(url, length, fill, keys)) for length, url in urls.items()}
        figures: dict[int, list[float]] = {length: [] for length in urls}
        for _ in range(CLAIMS):
            for length, queue in filled.items():
                before = queue.cpu()
                await queue.db.write(queue.round)
                figures[length].append((queue.cpu() - before) * 1000)
    for length, found in figures.items():
        print(spread(f"{name}, {length:,} waiting jobs", found, "ms of CPU"))
    base = median(figures[LENGTHS[0]])
    ratios = [f"{length:,}: {median(found) / base:.2f}" for length, found in figures.items()]
    print(f"{name}, medians against {LENGTHS[0]} jobs: {', '.join(ratios)}")


@dataclass
class _Queue:
    db: Database
    epoch: int
    backend: int
    keys: jobs.Keys

    def cpu(self) -> float:
        """Seconds that this process and the server's process for it have computed."""
        theirs = Path(f"/proc/{self.backend}/schedstat").read_text().split()[0] if self.backend else 0
        return time.process_time() + int(theirs) / 1e9

    def round(self, tx: Tx) -> None:
        jobs.move_due(tx)
        taken = claims.claim(tx, "bench", self.epoch, "transmit", AT_ONCE)
        claims.claim_suspect(tx, "bench", self.epoch, ["transmit"])  # there is none
        jobs.next_due(tx)
        assert len(taken) == AT_ONCE
        for job in taken:
            jobs.finish(tx, job)
            jobs.release(tx, job.subject)
            jobs.enqueue(tx, "transmit", job.subject, keys=self.keys)


@asynccontextmanager
async def _filled(url: str, length: int, fill: Callable[[Tx, int], None], keys: jobs.Keys) -> AsyncIterator[_Queue]:
    db = await open_database(url)
    try:
        await migrate.upgrade(db)
        await db.migrate(lambda tx: fill(tx, length))
        epoch = await db.write(lambda tx: jobs.register(tx, "bench"))
        yield _Queue(db, epoch, await db.write(_backend), keys)
    finally:
        await db.close()


def _backend(tx: Tx) -> int:
    return int(tx.execute(text("SELECT pg_backend_pid()")).scalar_one()) if tx.dialect.name == "postgresql" else 0


#: For each engine: numbers from 1 on, and what a parameter is cast to.
_SERIES = {
    "postgresql": "generate_series(1, :length) AS n(n)",
    "sqlite": "(WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :length) SELECT n FROM n)",
}
_TYPES = {"postgresql": ("timestamptz", "jsonb"), "sqlite": ("text", "text")}


def _mixed(tx: Tx, length: int) -> None:
    engine = tx.dialect.name
    at, json = _TYPES[engine]
    early, late = (f"CAST('{year}-01-01 00\\:00\\:00.000000' AS {at})" for year in (2026, 2099))
    statement = f"""INSERT INTO jobs (kind, subject, state, priority, due, created_at, keys, blocked_on)
        SELECT 'transmit', 'fax ' || n, CASE WHEN n <= 10 OR n % 10 < 4 THEN 'ready' WHEN n % 10 < 8 THEN 'scheduled'
            ELSE 'blocked' END, 5, CASE WHEN n > 10 AND n % 10 BETWEEN 4 AND 7 THEN {late} ELSE {early} END, {early},
            CAST('[]' AS {json}),
            CASE WHEN n > 10 AND n % 10 > 7 THEN 'number:' || n END
        FROM {_SERIES[engine]}"""
    tx.execute(text(statement), {"length": length})
    _known(tx)


def _one_line(tx: Tx, length: int) -> None:
    engine = tx.dialect.name
    at, json = _TYPES[engine]
    day = f"CAST('2026-01-01 00\\:00\\:00.000000' AS {at})"
    statement = f"""INSERT INTO jobs (kind, subject, state, priority, due, created_at, keys, blocked_on)
        SELECT 'transmit', 'fax ' || n, CASE WHEN n <= {AT_ONCE} THEN 'ready' ELSE 'blocked' END, 5, {day}, {day},
            CAST('[["carrier",{AT_ONCE}]]' AS {json}), CASE WHEN n > {AT_ONCE} THEN 'carrier' END
        FROM {_SERIES[engine]}"""
    tx.execute(text(statement), {"length": length})
    until = datetime.now(UTC) + timedelta(days=1)
    held = [{"key": "carrier", "slot": n, "owner": f"fax {n + 1}", "until": until} for n in range(AT_ONCE)]
    tx.execute(insert(holds), held)
    _known(tx)


def _known(tx: Tx) -> None:
    """Let the engine know its tables, which autovacuum does in a queue that grows by itself."""
    if tx.dialect.name == "postgresql":
        tx.execute(text("ANALYZE jobs"))
