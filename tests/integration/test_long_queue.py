"""What is done every few seconds costs the same however long the queue and the list of faxes are."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Select, event, insert

from gateway import metrics
from gateway.fax import Direction
from gateway.gauges import Gauges
from gateway.store import attempts, faxes, jobs, schema
from gateway.store.database import Database, Row, Tx
from gateway.store.plan import Plan
from tests.integration.engines import BOTH, rows, store

NOW = datetime.now(UTC)
_Statement = tuple[str, Any]


@pytest.fixture(params=BOTH)
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with store(request, tmp_path) as db:
        yield db


@pytest.fixture(params=["sqlite"])
async def lite(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with store(request, tmp_path) as db:
        yield db


def job(subject: str, state: str = "ready", kind: str = "transmit", **more: Any) -> dict[str, Any]:
    values = {"kind": kind, "subject": subject, "state": state, "priority": 5, "due": NOW, "created_at": NOW}
    return values | {"keys": [], "blocked_on": None} | more


def shown(name: str) -> dict[tuple[str, ...], float]:
    """The samples of a metric by their labels."""
    families = text_string_to_metric_families(metrics.render().decode())
    samples = [sample for family in families if family.name == name for sample in family.samples]
    return {tuple(sorted(sample.labels.values())): sample.value for sample in samples}


async def put(db: Database, *some: dict[str, Any]) -> None:
    await db.write(lambda tx: tx.execute(insert(schema.jobs), list(some)))


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 100])
async def test_the_queue_is_counted_whole_in_parts_of_any_size(at_once: int, db: Database) -> None:
    await put(
        db,
        *(job(f"{number}") for number in range(3)),
        job("late", due=NOW - timedelta(hours=2)),
        job("aside", "aside", due=NOW - timedelta(days=9)),
        job("tomorrow", "scheduled", kind="deliver", due=NOW + timedelta(days=1)),
        job("busy", "blocked", blocked_on="number:+1"),
    )
    await Gauges(db, at_once).show()
    assert shown("faxgate_jobs") == {
        ("ready", "transmit"): 4,
        ("aside", "transmit"): 1,
        ("deliver", "scheduled"): 1,
        ("blocked", "transmit"): 1,
    }
    oldest = shown("faxgate_oldest_job_seconds")[()]
    assert 2 * 3600 <= oldest < 24 * 3600, "of what is aside nobody expects that it is done"
    await db.write(lambda tx: tx.execute(schema.jobs.delete()))
    await Gauges(db, at_once).show()
    assert (shown("faxgate_jobs"), shown("faxgate_oldest_job_seconds")[()] < 60) == ({}, True)


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
async def test_who_waits_for_a_free_key_is_found_in_one_of_the_looks(
    at_once: int, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LOOK_AT_ONCE", at_once)
    await put(db, *(job(f"{key}{index}", "blocked", blocked_on=key) for key in "abcdef" for index in range(9)))

    def busy(tx: Tx) -> None:
        held = [{"key": key, "slot": 0, "owner": "x", "until": NOW + timedelta(hours=1)} for key in "abcde"]
        tx.execute(insert(schema.holds), held)

    await db.write(busy)
    looks, at = 0, ""
    while True:
        at = await db.write(partial(jobs.sweep, after=at))
        looks += 1
        if not at:
            break
    assert looks <= 7
    woken = {row["subject"] for row in await rows(db, schema.jobs) if row["state"] == "ready"}
    assert woken == {f"f{index}" for index in range(9)}, "they need no key themselves"


async def test_what_is_asked_again_and_again_reads_no_whole_table(lite: Database) -> None:
    """SQLite finds an index of some rows only by the words that the index was made with."""
    poller = _Asked()
    await faxes.under_way(cast(Database, poller), Direction.INBOUND, 10)
    await attempts.open_ones(cast(Database, poller))
    asked = [faxes.waiting_for_a_person(), attempts.unknown(), jobs.counts(0, 1000), *poller.statements]
    statements: list[_Statement] = [(plan.sql, plan.parameters({})) for plan in map(Plan, asked)]
    units: list[Callable[[Tx], object]] = [
        faxes.out_of_time,
        faxes.late,
        jobs.sweep,
        jobs.move_due,
        lambda tx: jobs.give_back(tx, "a", 1, [7]),
    ]
    for unit in units:
        statements += await lite.write(partial(_made_by, unit=unit))
    for sql, values in statements:
        plan = await lite.write(partial(_explained, sql=sql, values=values))
        tables = {f"SCAN {table}" for table in ("faxes", "jobs", "attempts", "holds")}
        assert not tables & set(plan), f"{sql}: {plan}"
        assert "ix_faxes_created" not in " ".join(plan), f"{sql}: {plan}"


class _Asked:
    """A database that notes what it is asked, and has no rows."""

    def __init__(self) -> None:
        self.statements: list[Select[Any]] = []

    async def rows(self, statement: Select[Any]) -> list[Row]:
        self.statements.append(statement)
        return []


def _made_by(tx: Tx, unit: Callable[[Tx], object]) -> list[_Statement]:
    found: list[_Statement] = []

    def note(_connection: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
        found.append((sql, values))

    event.listen(tx.engine, "before_cursor_execute", note)
    try:
        unit(tx)
    finally:
        event.remove(tx.engine, "before_cursor_execute", note)
    return found


def _explained(tx: Tx, sql: str, values: Any) -> list[str]:
    return [row[3] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
