"""The migrations build exactly the schema, whole or not at all, and every command says what is missing."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from gateway.errors import ConfigurationError
from gateway.store import migrate
from gateway.store.database import Database, Tx, open_database
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
