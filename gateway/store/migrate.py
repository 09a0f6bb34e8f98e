"""Bringing the schema up to date, and saying whether it is."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gateway.errors import ConfigurationError
from gateway.store.database import Database


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    """Return the revision that this release needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def revision(tx: Connection) -> str:
    """Return the revision of the schema, "" of an empty database."""
    return MigrationContext.configure(tx).get_current_revision() or ""


async def current(db: Database) -> str:
    """Return the revision of the database, "" when it is empty."""
    return await db.migrate(revision)


async def upgrade(db: Database) -> tuple[str, str]:
    """Bring the schema to ``newest`` in one transaction; return the revisions before and after. Raises
    ConfigurationError for the schema of a later release."""
    before = await current(db)
    _require_known(before)
    await db.migrate(lambda tx: command.upgrade(_config(tx), "head"))
    return before, await current(db)


async def require_current(db: Database) -> None:
    """Raise ConfigurationError, naming the remedy, unless the schema is the one that this release needs."""
    found, needed = await current(db), newest()
    if found == needed:
        return
    _require_known(found)
    state = f"has schema {found}" if found else "is empty"
    raise ConfigurationError(f"the database {state} and this release needs {needed}; run: faxgate migrate")


def _require_known(found: str) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found and found not in known:
        raise ConfigurationError(
            f"the database has schema {found}, which is newer than this release knows ({newest()}); "
            "install the newer release of faxgate again"
        )
