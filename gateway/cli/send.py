"""faxgate send: a file goes out as a fax, from the shell."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from gateway import parts
from gateway.address import pretty
from gateway.cli import lookup, show
from gateway.cli.command import command
from gateway.cli.context import House, make_folder
from gateway.cli.group import single
from gateway.cli.options import Json
from gateway.errors import ConfigurationError
from gateway.fax import FINAL, Fax, State
from gateway.intake.shell import send_document
from gateway.store import faxes

app = single()
#: Seconds between two looks at a fax that is followed.
LOOK = 0.5


@command(app, "send")
async def send(
    house: House,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            allow_dash=True,
            show_default=False,
            help="A PDF or TIFF; - is stdin.",
        ),
    ],
    number: Annotated[
        str,
        typer.Argument(metavar="NUMBER", show_default=False, help="Where to: with +, or as dialled in its country."),
    ],
    *,
    faxbox: Annotated[
        str, typer.Option(metavar="FAXBOX", show_default=False, help="Who sends it: id, name or mail host.")
    ],
    attempts: Annotated[
        int | None, typer.Option(min=1, max=20, metavar="N", show_default=False, help="Tries in all.")
    ] = None,
    subject: Annotated[str, typer.Option(metavar="TEXT", show_default=False, help="A note for lists.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Follow it until its end; exit 1 if it fails.")] = False,
    as_json: Json = False,
) -> None:
    """Fax a file; faxgate serve sends it."""
    box = await lookup.faxbox(house.db, faxbox)
    _check_user(house)
    make_folder(house.blobs)
    document = typer.get_binary_stream("stdin").read() if file == Path("-") else file
    fax = await send_document(
        house.db,
        house.blobs,
        parts.limits(house.settings),
        faxbox_id=box.id,
        number=number,
        document=document,
        tries=attempts or house.settings.fax.attempts,
        quality=house.settings.fax.quality,
        subject=subject,
        delay_notice=house.settings.fax.delay_notice,
        actor=house.actor,
    )
    if not as_json:
        show.say(f"Fax {fax.id} to {pretty(fax.to_number)} is queued; see: faxgate queue show {fax.id}")
    if wait:
        fax = await _followed(house, fax, quiet=as_json)
    if as_json:
        show.as_json(fax)
    if wait and fax.state is not State.DELIVERED:
        raise typer.Exit(1)


def _check_user(house: House) -> None:
    """Root may write anywhere, but what root writes, the daemon's user may be unable to read."""
    folder = house.settings.blobs.folder
    if folder is None:
        return
    if os.geteuid() == 0 and folder.exists() and folder.stat().st_uid != 0:
        raise ConfigurationError(
            f"[blobs] url: {folder} belongs to another user, who could not read what root puts there; "
            f"run this as that user: sudo -u '#{folder.stat().st_uid}' faxgate send ..."
        )


async def _followed(house: House, fax: Fax, *, quiet: bool) -> Fax:
    """Wait for the end of a fax, telling each change on the way."""
    told = ""
    while True:
        now = await faxes.fetch(house.db, fax.id) or fax
        sentence = _sentence(now)
        if sentence != told and not quiet:
            show.say(sentence)
        told = sentence
        if now.state in FINAL:
            return now
        await asyncio.sleep(LOOK)


def _sentence(fax: Fax) -> str:
    if fax.state is State.DELIVERED:
        return f"delivered: {fax.pages_sent if fax.pages_sent is not None else fax.pages} pages, try {fax.tries}"
    if fax.state in FINAL:
        return f"{fax.state.value}: {fax.failure_text or fax.failure_reason}"
    if fax.held_reason:
        return f"{fax.state.value}: {fax.held_reason}"
    if fax.next_try_at is not None:
        why = f" after {fax.failure_reason}" if fax.failure_reason else ""
        return f"{fax.state.value}: try {fax.tries + 1} of {fax.tries_allowed} at {show.clock(fax.next_try_at)}{why}"
    return fax.state.value
