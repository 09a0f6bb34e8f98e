"""Jobs that always raise, among others that do not."""

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.fault import Fault, Report
from tests.faults.scene import scene
from tests.scenarios.installation import REALM


async def run(folder: Path, size: int) -> Report:
    """*size* events in the database that no code can read, and ten times as many faxes."""
    async with scene(folder) as stage, stage.house.serving():
        for index in range(size):
            _plant(folder / "faxgate.db", f"poison-{index}")
        async with stage.load(mails=5, faxes=1):
            await stage.house.until(lambda: len(_aside(folder / "faxgate.db")) == size, "the poison set aside")
        verdict = await stage.judged(patience=120)
        told = stage.house.mails(f"operator@{REALM}")
        assert len(told) == size, f"the operator was told {len(told)} times of {size}"
        assert "faxgate_jobs" in (await stage.house.get("/metrics"))[1]
        status, listed = await stage.house.run("queue", "aside", "--json")
        assert (status, len(json.loads(listed))) == (0, size)
    return Report(size, verdict, note=f"{size} set aside after three runs each, the operator told")


def _plant(path: Path, name: str) -> None:
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(sep=" ")
    with sqlite3.connect(path, timeout=30) as db:
        db.execute(
            "INSERT INTO events (id, source, happened, carrier_fax_id, raw, received_at) VALUES (?,?,?,?,?,?)",
            (name, "webhook", "nonsense", "", '{"what": 1}', now),
        )
        db.execute(
            "INSERT INTO jobs (kind, subject, state, priority, due, created_at, keys) VALUES (?,?,?,?,?,?,?)",
            ("event", name, "scheduled", 5, now, now, "[]"),
        )
    db.close()


def _aside(path: Path) -> list[tuple[int]]:
    db = sqlite3.connect(path, timeout=30)
    try:
        return db.execute("SELECT id FROM jobs WHERE state = 'aside'").fetchall()
    finally:
        db.close()


FAULT = Fault("F21", "jobs that always raise, among others", run, short=2, long=20)
