"""What the tests of the commands share: the command line in this process, on a gateway of its own."""

import asyncio
import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from typer.testing import CliRunner, Result

from gateway.cli.app import app
from gateway.store.database import Database, open_database

T = TypeVar("T")
SETTINGS = """
[database]
url = "{url}"
[blobs]
url = "file://blobs"
[smtp]
hostname = "fax.example.com"
"""


def new_house(folder: Path, database_url: str = "") -> "Faxgate":
    """Return a gateway in *folder* with an up-to-date, empty database: in an SQLite file, or at *database_url*."""
    house = Faxgate(folder / "gateway.toml", database_url or f"sqlite:///{folder / 'faxgate.db'}")
    if database_url:
        house("migrate")
    else:
        shutil.copy(_empty_database(), folder / "faxgate.db")
    return house


@functools.cache
def _empty_database() -> Path:
    """An SQLite file that was migrated once, to be copied."""
    folder = Path(tempfile.mkdtemp(prefix="faxgate-cli-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Faxgate(folder / "gateway.toml", f"sqlite:///{folder / 'faxgate.db'}")("migrate")
    return folder / "faxgate.db"


class Faxgate:
    """``faxgate`` with the settings file *config*: call it like the command, without its name."""

    def __init__(self, config: Path, database_url: str) -> None:
        self.config = config
        self.folder = config.parent
        self.url = database_url
        config.write_text(SETTINGS.format(url=database_url), encoding="utf-8")

    def __call__(self, *arguments: object, code: int = 0, typed: str | bytes | None = None) -> Result:
        """Run a command, which must exit with *code*; *typed* is its standard input."""
        words = [str(argument) for argument in arguments]
        result = CliRunner().invoke(app, [*words, "--config", str(self.config)], input=typed, prog_name="faxgate")
        assert result.exit_code == code, f"{words} exited {result.exit_code}:\n{result.output}\n{result.exception!r}"
        return result

    def json(self, *arguments: object, code: int = 0) -> Any:
        """Run a command with --json and return the one value that it prints."""
        return json.loads(self(*arguments, "--json", code=code).stdout)

    def says(self, *arguments: object, code: int = 0) -> str:
        """Run a command and return what it prints to standard output."""
        return str(self(*arguments, code=code).stdout)

    def refuses(self, *arguments: object, code: int = 1) -> str:
        """Run a command that must fail, print nothing, and return what it says on standard error."""
        result = self(*arguments, code=code)
        assert result.stdout == ""
        return str(result.stderr)

    def in_database(self, work: Callable[[Database], Awaitable[T]]) -> T:
        """Do what no command does, straight in the database."""

        async def opened() -> T:
            db = await open_database(self.url)
            try:
                return await work(db)
            finally:
                await db.close()

        return asyncio.run(opened())

    def with_faxbox(self) -> str:
        """Make an account Acme and its faxbox Front, which may send; return the faxbox's id."""
        self("accounts", "create", "Acme", "--realm", "fax.acme.example")
        box = self.json("faxboxes", "create", "Front", "--account", "Acme", "--caller-id", "+12025550100")
        return str(box["id"])
