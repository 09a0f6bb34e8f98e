"""What a command works in: the settings, the database and the blobs, opened for one run and closed after it."""

import os
import pwd
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway import parts
from gateway.audit import Actor
from gateway.errors import ConfigurationError, Refusal
from gateway.provisioning import Provisioning
from gateway.settings import Settings
from gateway.settings.values import without_password
from gateway.store import migrate
from gateway.store.blobs import Blobs
from gateway.store.database import Database, open_database
from gateway.store.folder import Folder


@dataclass(frozen=True, slots=True)
class House:
    """The gateway as a command finds it, whether the daemon is up or down."""

    settings: Settings
    db: Database
    blobs: Blobs

    @property
    def provisioning(self) -> Provisioning:
        """The rules for accounts and what they own."""
        return parts.provisioning(self.db, self.settings).by(self.actor)

    @property
    def actor(self) -> Actor:
        """Who runs this command, for the audit trail."""
        return this_shell()


def this_shell() -> Actor:
    """Return who runs this command, for the audit trail: behind sudo the one who called it."""
    return Actor("shell", os.environ.get("SUDO_USER") or _user_name(os.getuid()))


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container runs it as a number that has no name
        return str(number)


@asynccontextmanager
async def opened(settings: Settings, *, current: bool = True) -> AsyncIterator[House]:
    """Open database and blobs.

    With *current* the schema must be the one of this release; without, a missing SQLite file is made. Raises
    ConfigurationError for both, and when the database does not answer.
    """
    _check_sqlite(settings, must_exist=current)
    with answering(settings):
        db = await open_database(settings.database.url)
    try:
        with answering(settings):
            await (migrate.require_current(db) if current else migrate.current(db))
        yield House(settings, db, parts.blobs(settings))
    finally:
        await db.close()


def make_folder(blobs: Blobs) -> None:
    """Make the blobs' folder where it is missing, or ask the bucket. Raises ConfigurationError when it cannot be
    written."""
    is_new = isinstance(blobs, Folder) and not blobs.root.exists()
    try:
        blobs.prepare()
        if is_new and isinstance(blobs, Folder):
            give_to_owner(blobs.root)
    except OSError as error:
        raise ConfigurationError(
            f"[blobs] url: {blobs.place} cannot be written: {error.strerror}; correct its owner or mode, or run this "
            "as the user of faxgate serve"
        ) from None
    except Refusal as refusal:
        raise ConfigurationError(
            f"[blobs] url: {blobs.place} does not answer: {str(refusal.__cause__ or refusal).splitlines()[0]}; check "
            "endpoint, region, the name of the bucket and the key"
        ) from None


def give_to_owner(made: Path) -> None:
    """Give what root has just made to the owner of the folder it is in: the daemon runs as that user."""
    if os.geteuid() != 0:
        return
    owner = made.parent.stat()
    for path in (made, *(made.rglob("*") if made.is_dir() else made.parent.glob(f"{made.name}-*"))):
        os.chown(path, owner.st_uid, owner.st_gid)


def _check_sqlite(settings: Settings, *, must_exist: bool) -> None:
    path = settings.database.sqlite
    if path is None or path.is_file():
        return
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"[database] url: the folder {path.parent} does not exist; make it, or correct the url"
        )
    if must_exist:
        raise ConfigurationError(f"[database] url: there is no database at {path} yet; run: faxgate migrate")


@contextmanager
def answering(settings: Settings) -> Iterator[None]:
    """Say of a database that does not answer which one it is and what to look at; drivers raise all sorts of things."""
    try:
        yield
    except ConfigurationError as error:
        raise error if "[database]" in str(error) else ConfigurationError(f"[database] url: {error}") from None
    except Refusal as refusal:
        if settings.database.sqlite is not None:
            raise
        raise _away(settings, refusal.__cause__ or refusal) from refusal
    except Exception as error:
        raise _away(settings, error) from error


def _away(settings: Settings, error: BaseException) -> ConfigurationError:
    why = str(getattr(error, "orig", None) or error or type(error).__name__).splitlines()[0]
    remedy = "correct its owner or mode, or run this as the user of faxgate serve"
    if settings.database.sqlite is None:
        remedy = "check that the server runs, and the host, user, password and name in the url"
    url = without_password(settings.database.url)
    return ConfigurationError(f"[database] url: {url} does not answer: {why}; {remedy}")
