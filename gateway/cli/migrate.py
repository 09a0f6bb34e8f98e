"""faxgate migrate: the database's schema, from what it is to what this release needs; and another database's rows."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import show
from gateway.cli.command import command
from gateway.cli.context import House, answering, give_to_owner
from gateway.cli.group import single
from gateway.cli.options import Json
from gateway.errors import ConfigurationError
from gateway.store import migrate
from gateway.store.folder import Folder
from gateway.store.lock import sole_owner
from gateway.store.references import referenced
from gateway.store.transfer import require_empty

app = single()


@command(app, "migrate", current=False)
async def migrate_(
    house: House,
    copy_from: Annotated[
        str,
        typer.Option(
            metavar="URL",
            show_default=False,
            help="Copy every row of another database, sqlite:///PATH, into this one, which must be empty.",
        ),
    ] = "",
    copy_blobs_from: Annotated[
        str,
        typer.Option(metavar="URL", show_default=False, help="Copy the documents of a folder, file:///PATH, as well."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Bring the database's schema up to date, in one transaction; an empty database gets its tables."""
    source = _path(copy_from, "sqlite:///", "--copy-from") if copy_from else None
    blobs = _path(copy_blobs_from, "file://", "--copy-blobs-from") if copy_blobs_from else None
    before, after = await upgraded(house)
    rows, copied = await _copied(house, source, blobs)
    missing = await _missing(house) if source else 0
    if as_json:
        show.as_json({"from": before, "to": after, "rows": rows, "blobs": copied, "missing": missing})
        return
    if before == after:
        show.say(f"The schema is {after}: nothing to do.")
    else:
        show.say(f"The schema was {before or 'empty'} and is {after} now.")
    if source:
        show.say(f"{sum(rows.values()):,} rows are copied, {rows['faxes']:,} faxes among them.")
    if blobs:
        show.say(f"{copied:,} documents are in {house.blobs.place}.")
    if missing:
        show.note(
            f"{missing:,} documents that the rows name are not in {house.blobs.place}: faxes that need them will fail. "
            "Copy them from where they are before you start, with --copy-blobs-from alone."
        )


async def upgraded(house: House) -> tuple[str, str]:
    """Bring the schema up to date and return it as it was and as it is."""
    revisions = await migrate.upgrade(house.db)
    if not revisions[0] and (path := house.settings.database.sqlite):
        give_to_owner(path)
    return revisions


def _path(url: str, scheme: str, option: str) -> Path:
    path = Path(url.removeprefix(scheme))
    if not url.startswith(scheme) or not path.exists():
        raise ConfigurationError(f"{option}: {url} is not there; write it like {scheme}/var/lib/faxgate/...")
    return path


async def _copied(house: House, source: Path | None, folder: Path | None) -> tuple[dict[str, int], int]:
    """Copy documents, and then all rows in one transaction, while nobody writes either database: what is interrupted
    can be begun anew, and no row is there before its document."""
    from gateway.backup import copy_blobs, copy_database  # noqa: PLC0415 - what a mere migration does not need

    with ExitStack() as stack:
        if source:
            stack.enter_context(sole_owner(source, "then copy again"))
            await house.db.look(require_empty)
        try:
            copied = await copy_blobs(Folder(folder), house.blobs) if folder else 0
        except OSError as error:
            raise ConfigurationError(f"--copy-blobs-from: {error.filename or folder}: {error.strerror}") from None
        if source is None:
            return {}, copied
        with answering(house.settings):
            return await copy_database(source, house.db), copied


async def _missing(house: House) -> int:
    """Return how many documents the rows name that are not there."""
    named = await house.db.look(lambda tx: set(referenced(tx, surely=True)))
    return len(named - await asyncio.to_thread(lambda: {key for key, _ in house.blobs.names()}))
