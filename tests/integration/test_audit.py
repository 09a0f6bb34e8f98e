"""The audit trail: what is noted, by whom, and that it cannot be changed unseen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from gateway.audit import Action, Actor
from gateway.ids import new_id
from gateway.store import audit, schema
from gateway.store.database import Database, Tx, Violation
from gateway.store.schema.trail import KEEPERS
from tests import samples
from tests.integration.cli_house import new_house
from tests.integration.engines import BOTH, store

CLERK = Actor("token", "t-1", "192.0.2.7")


@pytest.fixture(params=BOTH)
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with store(request, tmp_path) as db:
        yield db


async def noted(db: Database, count: int) -> None:
    for _ in range(count):
        await db.write(lambda tx: audit.note(tx, CLERK, Action.VIEWED, fax_id=new_id(), half=0.5))


async def test_a_line_says_who_did_what_from_where_to_which_fax(db: Database) -> None:
    fax_id, account_id = new_id(), new_id()
    await noted(db, 1)
    await db.write(
        lambda tx: audit.note(
            tx, CLERK, Action.RELEASED, account_id=account_id, fax_id=fax_id, state="unknown", after={"days": [1, 2]}
        )
    )
    (line,) = await audit.page(db, fax_id=fax_id)
    assert (line.actor_kind, line.actor, line.peer) == ("token", "t-1", "192.0.2.7")
    assert (line.action, line.account_id) == ("released", account_id)
    assert line.details == {"state": "unknown", "after": {"days": [1, 2]}}
    assert abs(datetime.now(UTC) - line.at) < timedelta(minutes=1)
    assert [line.id for line in await audit.page(db, account_id=account_id)] == [2]
    assert await audit.page(db, actor="somebody else") == []


async def test_lines_of_units_that_run_at_once_form_one_chain(db: Database) -> None:
    await asyncio.gather(*(noted(db, 3) for _ in range(8)))
    count, broken, digest = await audit.verify(db)
    assert (count, broken) == (24, None)
    assert digest == (await audit.page(db, limit=1))[0].digest


#: Ways to change or delete what was noted, in the language of each engine.
ATTACKS = {
    "sqlite": ["INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE id = 2"],
    "postgresql": ["TRUNCATE audit"],
}
BOTH = [
    *("UPDATE audit SET actor = 't-2' WHERE id = 2", "UPDATE audit SET peer = peer"),
    *("DELETE FROM audit WHERE id = 2", "DELETE FROM audit"),
]


async def test_the_database_itself_refuses_to_change_or_delete_a_line(db: Database) -> None:
    await noted(db, 3)
    before = await audit.page(db)
    for statement in BOTH + ATTACKS[db.name]:
        with pytest.raises(Violation, match="lines of the audit trail are only added"):
            await db.write(lambda tx, attack=statement: tx.exec_driver_sql(attack))  # type: ignore[misc]
        assert await audit.page(db) == before
    await noted(db, 1)
    assert (await audit.verify(db))[:2] == (4, None)


async def test_what_the_retention_may_delete_nobody_may_change(db: Database) -> None:
    await noted(db, 3)
    await db.write(lambda tx: audit.forget(tx, datetime.now(UTC) + timedelta(days=1)))
    with pytest.raises(Violation, match="only added"):
        await db.write(lambda tx: tx.execute(update(schema.audit).values(actor="t-2")))


@asynccontextmanager
async def without_keepers(db: Database) -> AsyncIterator[None]:
    """Let the table be as it is for somebody who may alter it."""

    def drop(tx: Tx) -> None:
        names = [words.split()[2] for words in KEEPERS[db.name] if words.startswith("CREATE TRIGGER")]
        for name in names:
            tx.exec_driver_sql(f"DROP TRIGGER {name}" + ("" if db.name == "sqlite" else " ON audit"))

    def put_back(tx: Tx) -> None:
        for words in KEEPERS[db.name]:
            if words.startswith("CREATE TRIGGER"):
                tx.exec_driver_sql(words)

    await db.migrate(drop)
    try:
        yield
    finally:
        await db.migrate(put_back)


@pytest.mark.parametrize(
    "change", [{"actor": "t-2"}, {"at": datetime(2026, 1, 1, tzinfo=UTC)}, {"details": {"n": 7}}, {"digest": "0" * 64}]
)
async def test_a_line_that_was_changed_is_found(db: Database, change: dict[str, object]) -> None:
    await noted(db, 5)
    async with without_keepers(db):
        await db.write(lambda tx: tx.execute(update(schema.audit).where(schema.audit.c.id == 3).values(**change)))
    assert (await audit.verify(db))[1] == 3


async def test_a_line_that_was_taken_out_is_found(db: Database) -> None:
    await noted(db, 5)
    async with without_keepers(db):
        await db.write(lambda tx: tx.execute(delete(schema.audit).where(schema.audit.c.id == 3)))
    assert (await audit.verify(db))[1] == 4


async def test_what_has_passed_its_time_goes_from_the_beginning_and_breaks_nothing(db: Database) -> None:
    await noted(db, 5)
    now = datetime.now(UTC)
    assert await db.write(lambda tx: audit.forget(tx, now - timedelta(minutes=1))) == 0
    third = (await audit.page(db, limit=3))[-1]
    assert await db.write(lambda tx: audit.forget(tx, third.at)) == 2
    assert (await audit.verify(db))[:2] == (3, None)
    # The last line stays, so that the chain goes on where it was.
    assert await db.write(lambda tx: audit.forget(tx, now + timedelta(days=1))) == 2
    await noted(db, 1)
    assert (await audit.verify(db))[:2] == (2, None)


def test_the_commands_note_what_they_do_and_show(tmp_path: Path) -> None:
    faxgate = new_house(tmp_path)
    faxgate.with_faxbox()
    (tmp_path / "two.pdf").write_bytes(samples.pdf(2))
    fax = faxgate.json("send", tmp_path / "two.pdf", "+12025550123", "--faxbox", "Front")["id"]
    for command in (["hold"], ["release"], ["cancel"], ["show"]):
        faxgate("queue", *command, fax)
    found = faxgate.json("audit", "list", "--fax", fax)
    assert [line["action"] for line in reversed(found)] == ["sent", "held", "released", "canceled", "viewed"]
    assert {line["actor_kind"] for line in found} == {"shell"}
    changes = faxgate.json("audit", "list", "--action", "changed")
    assert [line["subject"].split(":")[0] for line in reversed(changes)] == ["account", "faxbox"]
    shown = faxgate.says("audit", "list", "--fax", fax[:13])
    assert "released" in shown
    assert fax in shown
    assert faxgate.json("audit", "verify")["broken_at"] is None


def test_a_refused_command_notes_nothing(tmp_path: Path) -> None:
    faxgate = new_house(tmp_path)
    faxgate.with_faxbox()
    (tmp_path / "two.pdf").write_bytes(samples.pdf(2))
    fax = faxgate.json("send", tmp_path / "two.pdf", "+12025550123", "--faxbox", "Front")["id"]
    faxgate.refuses("queue", "release", fax)
    assert [line["action"] for line in faxgate.json("audit", "list", "--fax", fax)] == ["sent"]


def test_how_long_an_account_keeps_its_faxes_is_checked_and_noted(tmp_path: Path) -> None:
    faxgate = new_house(tmp_path)
    faxgate.with_faxbox()
    changed = faxgate.json("accounts", "update", "Acme", "--keep-documents", "30d", "--keep-records", "forever")
    assert (changed["keep_documents"], changed["keep_records"]) == ("30d", "forever")
    assert "keep_documents must be a duration" in faxgate.refuses(
        "accounts", "update", "Acme", "--keep-documents", "a while"
    )
    assert faxgate.json("audit", "list", "--limit", 1)[0]["details"] == {
        "did": "updated",
        "fields": ["keep_documents", "keep_records"],
    }
