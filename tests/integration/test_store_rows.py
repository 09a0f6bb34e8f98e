"""What is written is read back the same, whichever engine keeps it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Column, DateTime, Integer, Select, String, Uuid, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import StatementError

from gateway.ids import new_id
from gateway.store.database import Database, Tx, add, older_than, one, scalar
from gateway.store.schema import events, faxes, metadata, revisions, smtplog, watermarks
from gateway.store.types import UtcDateTime
from tests.integration.engines import BOTH, rows, store

IDENTITY = new_id()
SMTPLOG, EVENTS = smtplog.columns.keys(), events.columns.keys()
AT = datetime(2026, 11, 2, 23, 59, 59, 999999, timezone(timedelta(hours=-5)))
WORDS = "Größe 漢字 '; -- \" % : ? \\ \u2028"
JSON_VALUE: dict[str, Any] = {"list": [1, 2.5, None, True, [], {}], "text": WORDS, "nested": {"a": {"b": "c"}}}


@pytest.fixture(params=BOTH)
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with store(request, tmp_path) as db:
        yield db


def value_for(column: Column[Any]) -> Any:
    """A telling value for a column of its type, the same one for each, so that foreign keys are met."""
    kinds: list[tuple[type[Any], Any]] = [
        (UtcDateTime, AT),
        (Uuid, IDENTITY),
        (Boolean, True),
        (BigInteger, 2**62),
        (Integer, 2**31 - 1),
        (JSON, JSON_VALUE),
    ]
    for kind, value in kinds:
        if isinstance(column.type, kind):
            return value
    assert isinstance(column.type, String)
    return WORDS[: column.type.length]


EMPTY: tuple[Any, ...] = ([], {}, None, 0, "", False)


async def test_json_that_is_empty_reads_back_as_it_was_written(db: Database) -> None:
    made = {column.name: value_for(column) for column in events.columns}

    def several(tx: Tx) -> None:
        for value in EMPTY:
            add(tx, events, {**made, "id": repr(value), "raw": value})

    await db.write(several)
    found = {row["id"]: row["raw"] for row in await rows(db, events)}
    for value in EMPTY:
        assert (found[repr(value)], type(found[repr(value)])) == (value, type(value))


TIMES = (AT, datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, 0, 5, UTC), datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize("at", TIMES)
def test_a_time_is_written_for_sqlite_as_sqlalchemy_writes_it(at: datetime) -> None:
    ours = UtcDateTime().dialect_impl(sqlite.dialect()).bind_processor(sqlite.dialect())
    theirs = DateTime().dialect_impl(sqlite.dialect()).bind_processor(sqlite.dialect())
    assert ours is not None
    assert theirs is not None
    assert ours(at) == theirs(at.astimezone(UTC).replace(tzinfo=None))


async def test_every_column_of_every_table_reads_back_as_it_was_written(db: Database) -> None:
    def full(tx: Tx) -> None:
        for table in metadata.sorted_tables:
            add(tx, table, {column.name: value_for(column) for column in table.columns})

    await db.write(full)
    for table in metadata.sorted_tables:
        (row,) = await rows(db, table)
        for column in table.columns:
            wanted, found = value_for(column), row[column.name]
            assert found == wanted, f"{table.name}.{column.name}"
            assert isinstance(found, type(wanted)), f"{table.name}.{column.name}"
            if isinstance(found, datetime):
                assert found.tzinfo is UTC


async def test_what_is_left_out_is_none_or_its_default(db: Database) -> None:
    needed = {name: value_for(faxes.c[name]) for name in ("id", "parts", "notify", "created_at", "updated_at")}
    words = {"direction": "outbound", "origin": "mail", "state": "queued"}
    await db.write(lambda tx: add(tx, faxes, needed | words))
    (row,) = await rows(db, faxes)
    empty = {name for name, value in row.items() if value is None}
    assert {"account_id", "pages", "next_try_at", "finished_at", "message_id"} <= empty
    assert (row["partial"], row["tries"], row["tries_allowed"], row["subject"]) == (False, 0, 1, "")


async def test_json_keeps_null_inside_and_the_empty_list(db: Database) -> None:
    for value in ([], {}, [None], {"a": None}, "text", [0, -1, 0.5]):
        record = {name: value_for(smtplog.c[name]) for name in SMTPLOG} | {"id": new_id(), "found": value}
        await db.write(lambda tx, record=record: add(tx, smtplog, record))  # type: ignore[misc]
        assert await scalar(db, select(smtplog.c.found).where(smtplog.c.id == record["id"])) == value


async def test_lists_of_any_type_can_be_searched_for(db: Database) -> None:
    ids, times = [new_id() for _ in range(3)], [AT + timedelta(seconds=n) for n in range(3)]

    def unit(tx: Tx) -> None:
        for identity, at in zip(ids, times, strict=True):
            add(tx, events, {name: value_for(events.c[name]) for name in EVENTS} | _event(identity, at))

    await db.write(unit)
    for column, wanted in ((events.c.fax_id, ids), (events.c.received_at, times), (events.c.id, [str(i) for i in ids])):
        found = await db.rows(select(events.c.id).where(column.in_(wanted[:2])).order_by(events.c.received_at))
        assert [row["id"] for row in found] == [str(identity) for identity in ids[:2]], column.name
        assert await db.rows(select(events).where(column.in_([]))) == []
        assert len(await db.rows(select(events).where(column.not_in(wanted[:1])))) == 2


def _event(identity: UUID, at: datetime) -> dict[str, Any]:
    return {"id": str(identity), "fax_id": identity, "received_at": at}


async def test_times_of_other_zones_are_compared_as_the_moments_they_are(db: Database) -> None:
    def unit(tx: Tx) -> None:
        for hours in (-11, 0, 14):
            zone = timezone(timedelta(hours=hours))
            add(tx, watermarks, {"name": str(hours), "at": (AT + timedelta(minutes=hours)).astimezone(zone)})

    await db.write(unit)
    tokyo = AT.astimezone(timezone(timedelta(hours=9)))
    found = await db.rows(select(watermarks.c.name).where(watermarks.c.at <= tokyo).order_by(watermarks.c.at))
    assert [row["name"] for row in found] == ["-11", "0"]


async def test_a_time_without_a_zone_is_refused(db: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"):
        await db.write(lambda tx: add(tx, watermarks, {"name": "x", "at": datetime(2026, 11, 2)}))


async def test_functions_and_labels_come_back_typed(db: Database) -> None:
    await db.write(lambda tx: add(tx, watermarks, {"name": "x", "at": AT}))
    asked: Select[Any, Any] = select(func.count().label("number"), func.min(watermarks.c.at).label("oldest"))
    assert await one(db, asked) == {"number": 1, "oldest": AT}
    assert await one(db, select(watermarks).where(watermarks.c.name == "y")) is None
    assert await scalar(db, select(watermarks.c.at).where(watermarks.c.name == "y")) is None


async def test_keyset_paging_shows_each_row_once_also_where_times_are_the_same(db: Database) -> None:
    ids = sorted(new_id() for _ in range(7))

    def unit(tx: Tx) -> None:
        for number, identity in enumerate(ids):
            at = AT + timedelta(microseconds=number // 3)
            add(
                tx,
                smtplog,
                {name: value_for(smtplog.c[name]) for name in SMTPLOG} | {"id": identity, "at": at},
            )

    await db.write(unit)
    seen: list[UUID] = []
    position = (AT + timedelta(days=1), IDENTITY)
    newest = select(smtplog.c.at, smtplog.c.id).order_by(smtplog.c.at.desc(), smtplog.c.id.desc()).limit(2)
    while page := await db.rows(newest.where(older_than(smtplog.c.at, smtplog.c.id, position))):
        seen += [row["id"] for row in page]
        position = (page[-1]["at"], page[-1]["id"])
    assert seen == ids[::-1]


async def test_many_readers_at_once_each_get_their_own_answer(db: Database) -> None:
    def unit(tx: Tx) -> None:
        for number in range(50):
            add(tx, revisions, {"name": str(number), "counter": number})

    await db.write(unit)
    asked = [select(revisions.c.counter).where(revisions.c.name == str(number)) for number in range(50)]
    assert await asyncio.gather(*[scalar(db, statement) for statement in asked]) == list(range(50))


async def test_a_reader_that_was_cancelled_leaves_the_next_one_in_peace(db: Database) -> None:
    await db.write(lambda tx: add(tx, revisions, {"name": "x", "counter": 7}))
    for _ in range(10):
        task = asyncio.create_task(rows(db, revisions))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert [row["counter"] for row in await rows(db, revisions)] == [7]
