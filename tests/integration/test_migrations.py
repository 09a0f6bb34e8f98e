"""The migrations build exactly the schema, whole or not at all, and every command says what is missing."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Table, column, insert, inspect, table, text

from gateway.errors import ConfigurationError
from gateway.ids import new_id
from gateway.store import migrate, schema
from gateway.store.database import Database, Tx, Violation, open_database
from gateway.store.schema import metadata
from gateway.store.schema.trail import KEEPERS
from tests.integration.engines import BOTH, HANG, store


@pytest.fixture
async def empty(database_url: str) -> AsyncIterator[Database]:
    db = await open_database(database_url)
    yield db
    await db.close()


@pytest.fixture(params=BOTH)
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with store(request, tmp_path) as db:
        yield db


async def test_the_migrations_build_what_the_schema_says(db: Database) -> None:
    def differences(tx: Tx) -> list[Any]:
        # SQLite tells defaults in another spelling.
        defaults = tx.dialect.name == "postgresql"
        context = MigrationContext.configure(tx, opts={"compare_type": True, "compare_server_default": defaults})
        return list(compare_metadata(context, metadata))

    assert await db.migrate(differences) == []


async def test_partial_indexes_have_their_condition(db: Database) -> None:
    """Autogenerate does not compare it; without it two attempts of a fax could be open, or a queue be slow."""

    def conditions(tx: Tx) -> dict[str, str]:
        asked = {
            "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '%WHERE%'",
            "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE indexdef LIKE '%WHERE%'",
        }
        return {name: sql.partition("WHERE")[2] for name, sql in tx.execute(text(asked[tx.dialect.name]))}

    found = await db.migrate(conditions)
    wanted = {str(i.name): i for table in metadata.tables.values() for i in table.indexes}
    partial = {name for name, index in wanted.items() if index.dialect_options["sqlite"]["where"] is not None}
    assert set(found) == partial
    for name in partial:
        words = str(wanted[name].dialect_options["sqlite"]["where"]).split("'")[1::2]
        assert all(f"'{word}'" in found[name] for word in words), name


async def test_upgrading_says_from_where_to_where_and_again_changes_nothing(empty: Database) -> None:
    assert await migrate.upgrade(empty) == ("", migrate.newest())
    assert await migrate.upgrade(empty) == (migrate.newest(), migrate.newest())
    await migrate.require_current(empty)


async def test_an_empty_database_is_named_as_such_with_the_remedy(empty: Database) -> None:
    with pytest.raises(ConfigurationError, match=r"the database is empty .* run: faxgate migrate"):
        await migrate.require_current(empty)


async def test_an_older_schema_is_named_with_the_remedy(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    found = migrate.newest()
    monkeypatch.setattr(migrate, "newest", lambda: "9999")
    with pytest.raises(ConfigurationError, match=rf"has schema {found} and this release needs 9999; run: faxgate migr"):
        await migrate.require_current(db)


async def test_a_newer_schema_is_not_touched(empty: Database) -> None:
    await migrate.upgrade(empty)

    def age(tx: Tx) -> None:
        tx.execute(text("UPDATE alembic_version SET version_num = '7777'"))

    await empty.write(age)
    with pytest.raises(ConfigurationError, match=r"has schema 7777, which is newer than this release knows .* newer"):
        await migrate.require_current(empty)
    with pytest.raises(ConfigurationError, match="newer than this release knows"):
        await migrate.upgrade(empty)


async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("in the middle")

    # The last statement of an upgrade notes the new revision.
    from alembic.runtime import migration

    monkeypatch.setattr(migration.HeadMaintainer, "update_to_step", broken)
    with pytest.raises(RuntimeError, match="in the middle"):
        await migrate.upgrade(empty)
    assert await _tables(empty) - {"alembic_version"} == set()
    monkeypatch.undo()
    assert await migrate.upgrade(empty) == ("", migrate.newest())


async def _tables(db: Database) -> set[str]:
    return await db.migrate(lambda tx: set(inspect(tx).get_table_names()))


#: Killed when every table is made and nothing is committed.
_UPGRADE_AND_DIE = """
import asyncio, os, signal, sys
from alembic.runtime.migration import HeadMaintainer
from gateway.store import database, migrate

async def upgrade():
    await migrate.upgrade(await database.open_database(sys.argv[1]))

HeadMaintainer.update_to_step = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(upgrade())
"""


async def test_kill_9_in_the_middle_of_an_upgrade_leaves_the_old_schema(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/killed.db"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _UPGRADE_AND_DIE, url)
    assert await asyncio.wait_for(process.wait(), HANG) == -signal.SIGKILL
    db = await open_database(url)
    try:
        assert await _tables(db) - {"alembic_version"} == set()
        await migrate.upgrade(db)
        await migrate.require_current(db)
    finally:
        await db.close()


async def test_the_audit_trail_is_kept_by_what_the_schema_says(db: Database) -> None:
    """Autogenerate does not compare triggers."""

    def keepers(tx: Tx) -> set[str]:
        asked = {
            "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'trigger'",
            "postgresql": "SELECT prosrc FROM pg_proc WHERE proname = 'audit_only_added' UNION ALL "
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'audit'::regclass AND NOT tgisinternal",
        }
        return set(tx.execute(text(asked[tx.dialect.name])).scalars())

    found = await db.migrate(keepers)
    function, *triggers = KEEPERS["postgresql"]
    wanted = {
        "sqlite": set(KEEPERS["sqlite"]),
        "postgresql": {function.split("$$")[1], *(words.split()[2] for words in triggers)},
    }
    assert found == wanted[db.name]


async def test_an_upgrade_from_the_first_schema_on_keeps_every_row(empty: Database) -> None:
    """Some tables are made anew on the way, on SQLite, and what refers to their rows must not go with the old one."""
    now, fax_id = datetime.now(UTC), new_id()
    fax = {"id": fax_id, "direction": "outbound", "origin": "mail", "state": "queued", "parts": [], "notify": []}
    words = ("client_state", "handle_kind", "handle", "document_blob")
    rows: dict[Table, dict[str, Any]] = {
        schema.faxes: {**fax, "created_at": now, "updated_at": now},
        schema.attempts: {
            **dict.fromkeys(words, "x"),
            "id": new_id(),
            "fax_id": fax_id,
            "ordinal": 1,
            "state": "intent",
            "intent_at": now,
        },
        schema.outgoing: {
            "id": new_id(),
            "fax_id": fax_id,
            "tale": "receipt",
            "recipient": "nurse@acme.example",
            "message_id": "<x@y>",
            "state": "waiting",
            "facts": {},
            "created_at": now,
        },
    }
    await empty.migrate(lambda tx: command.upgrade(migrate._config(tx), "0001"))

    def insert_all(tx: Tx) -> None:
        for known, values in rows.items():
            columns = [column(name, known.c[name].type) for name in values]
            tx.execute(insert(table(known.name, *columns)).values(values))

    await empty.write(insert_all)
    await migrate.upgrade(empty)
    for known, values in rows.items():
        (found,) = await empty.rows(known.select())
        assert {name: found[name] for name in values} == values


async def test_a_migration_that_leaves_a_row_without_what_it_refers_to_does_not_happen(tmp_path: Path) -> None:
    empty = await open_database(f"sqlite:///{tmp_path}/broken.db")
    try:
        await migrate.upgrade(empty)
        orphan = "INSERT INTO attempts (id, fax_id, ordinal, state, client_state, handle_kind, handle, document_blob, "
        orphan += "intent_at) VALUES ('1', '2', 1, 'intent', 'x', 'x', 'x', 'x', '2026-01-01')"
        with pytest.raises(RuntimeError, match="rows of attempts refer to rows of faxes that are not there"):
            await empty.migrate(lambda tx: tx.execute(text(orphan)))
        assert await empty.rows(schema.attempts.select()) == []
        with pytest.raises(Violation):
            await empty.write(lambda tx: tx.execute(text(orphan)))
    finally:
        await empty.close()
