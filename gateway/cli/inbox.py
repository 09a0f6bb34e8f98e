"""faxgate inbox: received faxes, and those that nobody owns."""

from typing import Annotated

import typer

from gateway.cli import lookup, show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.faxes import Force, Output, Which, everything, faxbox_names, save
from gateway.cli.group import noun
from gateway.cli.options import Json, Limit, OfAccount
from gateway.fax import Direction
from gateway.store import faxes, schema

app = noun()


@command(app, "list")
async def list_(
    house: House,
    unrouted: Annotated[bool, typer.Option("--unrouted", help="Only those that nobody owns.")] = False,
    account: OfAccount = "",
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List received faxes, the newest first."""
    owner = await lookup.account(house.db, account) if account else None
    listing = faxes.listing(account_id=owner.id if owner else None, direction=Direction.INBOUND, limit=limit)
    if unrouted:
        listing = listing.where(schema.faxes.c.account_id.is_(None))
    found = [faxes.fax_from(row) for row in await house.db.rows(listing)]
    if as_json:
        show.as_json(found)
        return
    short, names = await lookup.short_faxes(house.db, [one.id for one in found]), await faxbox_names(house)
    rows = [
        (
            short[one.id],
            one.from_number,
            one.to_number,
            one.state.value,
            one.pages,
            one.created_at,
            "nobody" if one.account_id is None else names.get(one.faxbox_id),
        )
        for one in found
    ]
    headers = ("ID", "FROM", "TO", "STATE", "PAGES", "CAME", "FAXBOX")
    show.table(headers, rows, "No fax is unrouted." if unrouted else "No fax has been received yet.")
    if len(found) == limit:
        show.note(f"These are the newest {limit}; show more with --limit.")


@command(app, "show")
async def show_(house: House, fax: Which, as_json: Json = False) -> None:
    """Show all that is known of a received fax."""
    await everything(house, await lookup.fax(house.db, fax, Direction.INBOUND), as_json=as_json)


@command(app, "save")
async def save_(house: House, fax: Which, output: Output = None, force: Force = False) -> None:
    """Write the document of a received fax to a file."""
    found = await lookup.fax(house.db, fax, Direction.INBOUND)
    await save(house, found, found.pages_blob, found.media_type, output, force=force)


@command(app, "assign")
async def assign(
    house: House,
    fax: Which,
    faxbox: Annotated[str, typer.Option(metavar="FAXBOX", show_default=False, help="Whose it is: id, name or host.")],
) -> None:
    """Give an unrouted fax to a faxbox; it is mailed on from there."""
    from gateway.cli.stories import assigned  # noqa: PLC0415 - most of the house, which a list does not need

    found = await lookup.fax(house.db, fax, Direction.INBOUND)
    box = await lookup.faxbox(house.db, faxbox)
    show.say(await assigned(house, found.id, box.id))
