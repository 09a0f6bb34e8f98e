"""An upgrade is killed at any system call: the schema is the old one or the new one, whole, and all rows are there."""

import asyncio
import contextlib
import random
import shutil
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from alembic import command
from sqlalchemy import Connection, column, func, insert, inspect, select, table, text

from gateway.store import migrate
from gateway.store.database import open_database
from gateway.store.schema import metadata
from gateway.store.transfer import lone_file
from tests import postgres
from tests.faults.fault import Fault, Report
from tests.faults.scene import Scene, scene

#: The first schema that there was.
OLD = "0001"
CALLS = {
    "sqlite": ("pwrite64", "fdatasync", "fsync", "write", "openat", "unlink", "fcntl"),
    "postgresql": ("sendto", "recvfrom", "epoll_wait", "openat", "write"),
}
MAILS = 8


async def run(folder: Path, size: int) -> Report:
    """*size* upgrades of each engine are killed, every one of a gateway that has faxes waiting; the last one is not."""
    report = Report(injected=2 * size)
    with postgres.running() as server:
        for engine, url in (("sqlite", ""), ("postgresql", server.create("before"))):
            place = folder / engine
            place.mkdir()
            async with scene(place, database_url=url) as stage:
                old = await _grown_old(stage, server)
                await _upgraded(stage, old, engine, size, report)
    return report


# -- a gateway as it was before the upgrade ----------------------------------------------------------------------------


class Old:
    """The database of an old gateway, which can be had back. ``rows`` counts what is in it."""

    def __init__(self, stage: Scene, server: postgres.Postgres | None) -> None:
        self.stage, self.server = stage, server
        self.rows: dict[str, int] = {}
        self.saved = stage.house.root / "old.db"

    async def save(self, whole: Path) -> None:
        """Make it of the file *whole*, which is of the new schema: what the old one did not know is left out."""
        if self.server is None:
            self.stage.house.database_url = f"sqlite:///{self.saved}"
        else:
            self.stage.house.database_url = self.server.create("old")
        async with self.opened() as db:
            await db.migrate(lambda tx: command.upgrade(migrate._config(tx), OLD))
            with lone_file(whole) as source:
                await db.migrate(lambda tx: _shrink(source, tx))
            self.rows = await db.migrate(_counted)
        if self.server is not None:
            self.stage.house.database_url = self.server.url("upgraded")
        else:
            self.stage.house.database_url = f"sqlite:///{self.stage.house.root}/upgraded.db"
        self.stage.house.write_settings()

    def again(self) -> None:
        """Put it in its place, whatever is there."""
        if self.server is not None:
            self.server.drop("upgraded")
            self.server.create("upgraded", template="old")
            return
        for suffix in ("", "-wal", "-shm", "-journal"):
            (self.stage.house.root / f"upgraded.db{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self.saved, self.stage.house.root / "upgraded.db")

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        """The database as it is now."""
        db = await open_database(self.stage.house.database_url)
        try:
            yield db
        finally:
            await db.close()


async def _grown_old(stage: Scene, server: postgres.Postgres) -> Old:
    """Let a gateway take mails and faxes, stop it in the middle, and give it the oldest schema."""
    house = stage.house
    running = await house.start()
    async with stage.load(mails=4, faxes=1):
        await asyncio.sleep(3.0)
        for _ in range(MAILS):
            stage.mail()
        await stage.answered()
        await running.kill()
    await stage.house.emulator.settle()
    old = Old(stage, server if house.database_url.startswith("postgresql") else None)
    async with old.opened() as db:
        await db.snapshot(house.root / "whole.db")
    await old.save(house.root / "whole.db")
    return old


def _shrink(source: Connection, target: Connection) -> None:
    there = inspect(target)
    for known in metadata.sorted_tables:
        if not there.has_table(known.name):
            continue
        names = {each["name"] for each in there.get_columns(known.name)}
        columns = [each for each in known.columns if each.name in names]
        rows = [dict(row) for row in source.execute(select(*columns).order_by(*known.primary_key)).mappings()]
        if rows:
            target.execute(insert(table(known.name, *(column(each.name, each.type) for each in columns))), rows)
        counting = known.autoincrement_column
        if target.dialect.name == "postgresql" and counting is not None and rows:
            highest = max(row[counting.name] for row in rows)
            target.execute(select(func.setval(func.pg_get_serial_sequence(known.name, counting.name), highest)))


def _counted(tx: Connection) -> dict[str, int]:
    names = sorted({known.name for known in metadata.sorted_tables} & set(inspect(tx).get_table_names()))
    return {name: tx.execute(select(func.count()).select_from(table(name))).scalar_one() for name in names}


# -- the upgrade -------------------------------------------------------------------------------------------------------


async def _upgraded(stage: Scene, old: Old, engine: str, size: int, report: Report) -> None:
    dice = random.Random(f"{engine} {size}")
    finished = 0
    old.again()
    for number in range(size):
        await _killed(stage, dice, engine)
        finished += await _whole(old, engine)
        if number % 10 == 0:
            await _refuses_to_serve(stage, old)
    if finished == size and size > 1:
        raise AssertionError("no upgrade was killed before its end: nothing was tried")
    began = time.monotonic()
    code, printed = await stage.house.run("migrate")
    assert code == 0, printed
    async with old.opened() as db:
        found = await db.migrate(_counted)
    assert {name: found[name] for name in old.rows} == old.rows, "rows were lost by the upgrade"
    running = await stage.house.start()
    report.recovered.append(time.monotonic() - began)
    async with stage.load(mails=3, faxes=0.5):
        await asyncio.sleep(1.0)
    verdict = await stage.judged(patience=90)
    await running.stop()
    report.verdict.acked += verdict.acked
    report.verdict.outcomes += verdict.outcomes
    report.verdict.received += verdict.received
    report.note = f"{report.note}{', ' if report.note else ''}{finished} were through on {engine}"
    await _refuses_a_newer_one(stage, old)


async def _killed(stage: Scene, dice: random.Random, engine: str) -> None:
    """Begin an upgrade that dies at one of its calls; those of its start do not count."""
    call = f"inject={dice.choice(CALLS[engine])}:signal=KILL:when={dice.randint(1, 60)}"
    process = await asyncio.create_subprocess_exec(
        *(shutil.which("strace") or "strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", call),
        *(sys.executable, "-W", "error", "-m", "gateway", "migrate", "--config", str(stage.house.config)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    await asyncio.wait_for(process.wait(), 60)


async def _whole(old: Old, engine: str) -> bool:
    """Require that the schema is the old one or the new one; put the old one back, and say whether it was the new."""
    async with old.opened() as db:
        found = await migrate.current(db)
        assert found in {OLD, migrate.newest()}, f"half an upgrade: {found}"
        counts = await db.migrate(_counted)
        tables = await db.migrate(lambda tx: len(inspect(tx).get_table_names()))
        if engine == "sqlite":
            assert await db.migrate(lambda tx: tx.execute(text("PRAGMA integrity_check")).scalar()) == "ok"
    assert {name: counts[name] for name in old.rows} == old.rows, f"rows were lost by half an upgrade to {found}"
    if found == OLD:
        assert tables == len(old.rows) + 1, "tables of half an upgrade"
        return False
    old.again()
    return True


async def _refuses_to_serve(stage: Scene, old: Old) -> None:
    code, printed = await stage.house.run("serve")
    assert code == 78, printed
    assert "run: faxgate migrate" in printed
    async with old.opened() as db:
        assert await migrate.current(db) == OLD


async def _refuses_a_newer_one(stage: Scene, old: Old) -> None:
    """What a later release has made of the database is left alone by this one."""
    async with old.opened() as db:
        await db.write(lambda tx: tx.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    for refused in ("serve", "migrate"):
        code, printed = await stage.house.run(refused)
        assert code == 78, printed
        assert "newer than this release knows" in printed


FAULT = Fault("F30", "an upgrade from the first schema on, killed at any system call", run, short=4, long=300)
