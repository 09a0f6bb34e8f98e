"""faxgate restore: a backup takes the place of an empty database; nothing is sent before the carrier was asked."""

import asyncio
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway import parts
from gateway.backup import Backup, read, restore_blobs, restore_rows, restored_file
from gateway.cli import show
from gateway.cli.context import give_to_owner, make_folder, opened, this_shell
from gateway.cli.group import single
from gateway.cli.options import ConfigFile, Json
from gateway.errors import ConfigurationError
from gateway.settings import Settings, load
from gateway.store.blobs import Blobs
from gateway.store.lock import sole_owner
from gateway.store.transfer import require_empty

app = single()


@app.command("restore")
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False, help="The folder of the backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put an SQLite database that is there aside, under another name.")
    ] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Put a backup in the place of an empty database, and its documents where the settings say. The gateway must be
    stopped. When it is started, it first compares with the carrier what was sent since the backup, and sends nothing
    before; what cannot be told from the carrier's list is held."""
    settings = load(config)
    made = read(folder)
    try:
        found = asyncio.run(_restored(settings, folder, replace=replace))
    except OSError as error:
        raise ConfigurationError(f"{error.filename or folder}: {error.strerror}") from None
    _report(made, 0 if made.without_blobs else max(0, made.blobs - found), as_json=as_json)


async def _restored(settings: Settings, folder: Path, *, replace: bool) -> int:
    """Restore all; return how many documents the backup had."""
    blobs = parts.blobs(settings)
    path = settings.database.sqlite
    if path is None:
        return await _into_server(settings, folder, blobs)
    with sole_owner(path, "then restore again"):
        if path.exists() and not replace:
            raise ConfigurationError(
                f"[database] url: {path} is there already; with --replace it is put aside, under another name"
            )
        make_folder(blobs)
        found = await restore_blobs(folder, blobs)
        await _into_file(folder, path)
    if settings.blobs.folder is not None:
        give_to_owner(settings.blobs.folder)
    return found


async def _into_file(folder: Path, path: Path) -> None:
    """The new file gets its name last: a restore that is interrupted leaves the old database, or none."""
    draft = path.with_name(f"{path.name}.restoring")
    for left in path.parent.glob(f"{draft.name}*"):
        left.unlink()
    await restored_file(folder, draft, this_shell())
    aside = f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for suffix in ("", "-wal", "-shm"):
        old = path.with_name(path.name + suffix)
        if old.exists():
            os.replace(old, path.with_name(aside + suffix))
    os.replace(draft, path)
    give_to_owner(path)


async def _into_server(settings: Settings, folder: Path, blobs: Blobs) -> int:
    """A database that is in use is refused before a document is copied beside its own."""
    async with opened(settings, current=False) as house:
        await house.db.look(require_empty)
        make_folder(blobs)
        found = await restore_blobs(folder, blobs)
        with tempfile.TemporaryDirectory(prefix="faxgate-restore-") as scratch:
            await restore_rows(folder, house.db, Path(scratch) / "faxgate.db", house.actor)
        return found


def _report(made: Backup, missing: int, *, as_json: bool) -> None:
    there = made.blobs - missing
    if as_json:
        show.as_json({"at": made.at, "blobs": there, "missing": missing, "without_blobs": made.without_blobs})
        return
    show.say(f"This is the gateway as of {show.when(made.at)}, with {there:,} documents.")
    if missing:
        show.note(
            f"{missing:,} of the {made.blobs:,} documents of the backup are not in it any more. Faxes that need them "
            "fail: look for a copy that is whole, and restore that with --replace before you start."
        )
    if made.without_blobs:
        show.note("The backup has no documents: they must still be where [blobs] url says.")
    show.note("Start it now. It asks the carrier what was sent since, and sends nothing before; then look at:")
    show.note("  faxgate queue list; faxgate audit list --action restored")
