"""faxgate backup: a copy of database and documents, made while the gateway works."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gateway.audit import Action
from gateway.cli import show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.group import single
from gateway.cli.options import Json
from gateway.errors import ConfigurationError
from gateway.store import audit

app = single()


@command(app, "backup")
async def backup(
    house: House,
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", show_default=False, help="Where to: a new folder, or that of the last backup."),
    ],
    without_blobs: Annotated[
        bool, typer.Option("--without-blobs", help="Only the database: the documents are in a bucket that is safe.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy the database, as of one moment, and every message and document that it names. Into the folder of an earlier
    backup only what is new is copied. The settings file is not in it."""
    from gateway.backup import back_up  # noqa: PLC0415 - what other commands do not need

    try:
        made = await back_up(house.db, house.blobs, folder, with_blobs=not without_blobs)
    except OSError as error:
        raise ConfigurationError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
    note = partial(audit.note, actor=house.actor, action=Action.BACKED_UP, subject=str(folder.absolute()))
    await house.db.write(note)
    if as_json:
        show.as_json({**asdict(made), "folder": str(folder.absolute())})
        return
    documents = "without documents" if without_blobs else f"{made.blobs:,} documents, {made.new_blobs:,} of them new"
    show.say(f"{folder}: the database as of {show.clock(made.at)}, {documents}")
    if made.missing:
        show.note(f"{made.missing:,} documents that the database names are not there: removed meanwhile, or lost.")
    show.note("Keep a copy of it on another machine, and the settings file beside it.")
