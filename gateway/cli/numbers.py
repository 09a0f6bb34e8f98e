"""faxgate numbers: fax numbers of ours, and where the faxes for them go."""

from typing import Annotated

import typer

from gateway.application import Number
from gateway.cli import lookup, show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.group import noun
from gateway.cli.options import Json, OfAccount
from gateway.store import provision, schema

app = noun()
Which = Annotated[str, typer.Argument(metavar="NUMBER", show_default=False, help="The number, like +12025550123.")]
Faxbox = Annotated[
    str | None,
    typer.Option(metavar="FAXBOX", show_default=False, help="The faxbox that its faxes go to: id, name or host."),
]


@command(app, "create")
@command(app, "assign")
async def assign(
    house: House,
    number: Which,
    application: Annotated[
        str, typer.Option(metavar="APPLICATION", show_default=False, help="The application: id or name.")
    ],
    faxbox: Faxbox = None,
    as_json: Json = False,
) -> None:
    """Give a number to an application and a faxbox, anew if somebody has it."""
    owner = await lookup.application(house.db, application)
    box = await lookup.faxbox(house.db, faxbox) if faxbox else None
    assigned = await house.provisioning.assign_number(number, owner.id, box.id if box else None)
    show.one(assigned, _facts(assigned), json=as_json)


@command(app, "list")
async def list_(house: House, account: OfAccount = "", as_json: Json = False) -> None:
    """List our numbers."""
    owner = await lookup.account(house.db, account) if account else None
    found = await house.db.rows(provision.all_of(schema.numbers, owner.id if owner else None))
    numbers = [provision.number_from(row) for row in found]
    if as_json:
        show.as_json(numbers)
        return
    programs = {row["id"]: row["name"] for row in await house.db.rows(provision.all_of(schema.applications))}
    boxes = {row["id"]: row["name"] for row in await house.db.rows(provision.all_of(schema.faxboxes))}
    rows = [(one.e164, programs[one.application_id], boxes.get(one.faxbox_id), one.created_at) for one in numbers]
    empty = "There are no numbers; assign one with: faxgate numbers assign +12025550123 --application ID --faxbox ID"
    show.table(("NUMBER", "APPLICATION", "FAXBOX", "CREATED"), rows, empty)


@command(app, "show")
async def show_(house: House, number: Which, as_json: Json = False) -> None:
    """Show whose a number is."""
    found = await lookup.number(house.db, number)
    show.one(found, _facts(found), json=as_json)


@command(app, "update")
async def update(
    house: House,
    number: Which,
    application: Annotated[
        str | None, typer.Option(metavar="APPLICATION", show_default=False, help="The application: id or name.")
    ] = None,
    faxbox: Faxbox = None,
    as_json: Json = False,
) -> None:
    """Give a number to another application or faxbox; --faxbox "" leaves it without a faxbox."""
    found = await lookup.number(house.db, number)
    application_id, faxbox_id = found.application_id, found.faxbox_id
    if application is not None:
        application_id = (await lookup.application(house.db, application)).id
    if faxbox is not None:
        faxbox_id = (await lookup.faxbox(house.db, faxbox)).id if faxbox else None
    changed = await house.provisioning.assign_number(found.e164, application_id, faxbox_id)
    show.one(changed, _facts(changed), json=as_json)


@command(app, "delete")
async def delete(house: House, number: Which) -> None:
    """Forget a number: faxes for it are unrouted from then on."""
    found = await lookup.number(house.db, number)
    await house.provisioning.delete_number(found.e164)
    show.say(f"Number {found.e164} is deleted.")


def _facts(number: Number) -> list[tuple[str, object]]:
    return [
        ("number", number.e164),
        ("account", number.account_id),
        ("application", number.application_id),
        ("faxbox", number.faxbox_id),
        ("created", number.created_at),
    ]
