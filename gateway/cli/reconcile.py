"""faxgate reconcile: compare with the carrier now, and not when the worker does so by itself."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Annotated

import typer

from gateway.address import shown
from gateway.carriers.carrier import CarrierError
from gateway.cli import show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.group import single
from gateway.cli.options import Json
from gateway.errors import Kind, refuse
from gateway.store import restoring

app = single()


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise refuse(Kind.INVALID, f"--since {shown(text)} is no time; write it like 2026-11-26T01:50Z") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at > datetime.now(UTC):
        raise refuse(Kind.INVALID, f"--since {at.isoformat()} has not come yet; say of which moment the database is")
    return at


@command(app, "reconcile")
async def reconcile(
    house: House,
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            show_default=False,
            help="The database is as it was at this moment, like 2026-11-26T01:50Z: it came back by other means than "
            "faxgate restore. Before the gateway is started.",
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Ask the carrier what has become of the faxes under way, and which ones have come; after a restore, also what was
    sent since the backup. What it says is applied by faxgate serve."""
    if since:
        at = _moment(since)
        await house.db.write(lambda tx: restoring.mark_by(tx, at, house.actor))
    from gateway import parts  # noqa: PLC0415 - most of the house, which other commands do not need
    from gateway.sandbox import Sandbox  # noqa: PLC0415 - the same
    from gateway.stories import Stories, Tools  # noqa: PLC0415 - the same

    async with AsyncExitStack() as stack:
        carrier, fetcher = parts.carrier(house.settings), parts.fetcher(house.settings)
        stack.push_async_callback(carrier.close)
        stack.push_async_callback(fetcher.close)
        # Nothing is opened here, so the sandbox is not started.
        stories = Stories(house.settings, Tools(house.db, house.blobs, Sandbox(), carrier, fetcher))
        try:
            found = await stories.restored.look()
        except CarrierError as error:
            raise refuse(Kind.INTERNAL, f"the carrier's list cannot be read: {error}; try again later") from None
        news = await stories.reconcile.poll()
    if as_json:
        show.as_json({"news": news, "restored": found})
        return
    show.say(f"{news} statements of the carrier were new.")
    if found is not None:
        show.say(f"Since the backup: {len(found.again)} faxes found again, {len(found.held)} held.")
        for line in found.lost:
            show.say(f"  sent, and not in the backup: {line}")
