"""faxgate smtp-users: people who log in to send by mail. A password is read from standard input, never from the
command line, where others could see it."""

import sys
from typing import Annotated, Any

import typer

from gateway.account import SmtpUser
from gateway.cli import lookup, show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.group import noun
from gateway.cli.options import DailyLimits, Json, OfAccount, daily_limits, given, limits_text
from gateway.store import provision, schema

app = noun()
Which = Annotated[str, typer.Argument(metavar="USER", show_default=False, help="The name or the id.")]
Addresses = Annotated[
    list[str] | None,
    typer.Option(
        "--address",
        metavar="ADDRESS",
        show_default=False,
        help="A sender's address of this user's own; again for more. Else the name is the address.",
    ),
]


@command(app, "create")
async def create(
    house: House,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="What the user logs in as.")],
    *,
    account: Annotated[
        str, typer.Option(metavar="ACCOUNT", show_default=False, help="Whose it is: id, realm or name.")
    ],
    faxbox: Annotated[
        str, typer.Option(metavar="FAXBOX", show_default=False, help="What it sends through: id, name or mail host.")
    ],
    address: Addresses = None,
    as_json: Json = False,
) -> None:
    """Make a user; the password is read from standard input."""
    owner = await lookup.account(house.db, account)
    box = await lookup.faxbox(house.db, faxbox)
    user = await house.provisioning.create_smtp_user(owner.id, box.id, name, _password(), address)
    show.one(user, _facts(user), json=as_json)


@command(app, "list")
async def list_(house: House, account: OfAccount = "", as_json: Json = False) -> None:
    """List the users."""
    users = [provision.smtp_user_from(row) for row in await house.db.rows(provision.all_of(schema.smtp_users))]
    if account:
        owner = await lookup.account(house.db, account)
        users = [one for one in users if one.account_id == owner.id]
    if as_json:
        show.as_json(users)
        return
    boxes = {row["id"]: row["name"] for row in await house.db.rows(provision.all_of(schema.faxboxes))}
    rows = [(one.name, boxes[one.faxbox_id], one.addresses, one.created_at) for one in users]
    empty = "There are no SMTP users; make one with: faxgate smtp-users create NAME --account ID --faxbox ID"
    show.table(("NAME", "FAXBOX", "SENDS AS", "CREATED"), rows, empty)


@command(app, "show")
async def show_(house: House, user: Which, as_json: Json = False) -> None:
    """Show a user."""
    found = await lookup.smtp_user(house.db, user)
    show.one(found, _facts(found), json=as_json)


@command(app, "update")
async def update(
    house: House,
    user: Which,
    *,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", show_default=False, help="What the user logs in as.")
    ] = None,
    faxbox: Annotated[
        str | None, typer.Option(metavar="FAXBOX", show_default=False, help="What it sends through.")
    ] = None,
    address: Addresses = None,
    password: Annotated[bool, typer.Option("--password", help="Read a new password from standard input.")] = False,
    daily_limit: DailyLimits = None,
    as_json: Json = False,
) -> None:
    """Change what is given of a user."""
    found = await lookup.smtp_user(house.db, user)
    box = await lookup.faxbox(house.db, faxbox) if faxbox else None
    changes: dict[str, Any] = given(
        name=name,
        faxbox_id=box.id if box else None,
        addresses=address,
        password=_password() if password else None,
    )
    if limits := daily_limits(daily_limit):
        await house.provisioning.set_daily_limits("smtp_user", found.id, limits)
    changed = await house.provisioning.update_smtp_user(found.id, **changes)
    show.one(changed, _facts(changed), json=as_json)


@command(app, "delete")
async def delete(house: House, user: Which) -> None:
    """Delete a user: no login from now on."""
    found = await lookup.smtp_user(house.db, user)
    await house.provisioning.delete_smtp_user(found.id)
    show.say(f"SMTP user {found.name} is deleted.")


def _password() -> str:
    """Return the password: typed twice at a terminal, else the first line of standard input."""
    if sys.stdin.isatty():
        typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    line = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not line:
        raise typer.BadParameter("give the password on standard input, as one line")
    return line


def _facts(user: SmtpUser) -> list[tuple[str, object]]:
    return [
        ("id", user.id),
        ("logs in as", user.name),
        ("account", user.account_id),
        ("faxbox", user.faxbox_id),
        ("sends as", user.addresses),
        ("daily limits", limits_text(user.limits)),
        ("created", user.created_at),
        ("updated", user.updated_at),
    ]
