"""faxgate accounts: whose faxes these are."""

from typing import Annotated

import typer

from gateway.account import Account
from gateway.cli import lookup, show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.group import noun
from gateway.cli.options import DailyLimits, Json, daily_limits, given, limits_text
from gateway.store import provision, schema

app = noun()
Which = Annotated[str, typer.Argument(metavar="ACCOUNT", show_default=False, help="Its id, realm or name.")]
Country = Annotated[
    str | None,
    typer.Option(metavar="CC", show_default=False, help="Where numbers without + are dialled (ISO 3166, like US)."),
]
Timezone = Annotated[
    str | None, typer.Option(metavar="ZONE", show_default=False, help="For times in mails, like Europe/Dublin.")
]


@command(app, "create")
async def create(
    house: House,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="What people call it.")],
    realm: Annotated[str, typer.Option(metavar="HOST", show_default=False, help="Its mail domain: NUMBER@HOST.")],
    country: Country = None,
    parent: Annotated[
        str | None, typer.Option(metavar="ACCOUNT", show_default=False, help="The account that it belongs to.")
    ] = None,
    timezone: Timezone = None,
    as_json: Json = False,
) -> None:
    """Make an account, with a default application. Its api_key is shown this once."""
    above = await lookup.account(house.db, parent) if parent else None
    account, api_key = await house.provisioning.create_account(
        name, realm, country=country or "", parent_id=above.id if above else None, timezone=timezone or "UTC"
    )
    show.one(show.plain(account) | {"api_key": api_key}, [*_facts(account), ("api key", api_key)], json=as_json)
    show.note("Keep the api key now: it is not stored and cannot be shown again.")


@command(app, "list")
async def list_(house: House, as_json: Json = False) -> None:
    """List the accounts."""
    accounts = [provision.account_from(row) for row in await house.db.rows(provision.all_of(schema.accounts))]
    if as_json:
        show.as_json(accounts)
        return
    short = lookup.shortened(one.id for one in accounts)
    rows = [(short[one.id], one.name, one.realm, one.country, one.timezone, one.created_at) for one in accounts]
    headers = ("ID", "NAME", "REALM", "COUNTRY", "TIMEZONE", "CREATED")
    show.table(headers, rows, "There are no accounts; make one with: faxgate accounts create NAME --realm HOST")


@command(app, "show")
async def show_(house: House, account: Which, as_json: Json = False) -> None:
    """Show an account."""
    found = await lookup.account(house.db, account)
    show.one(found, _facts(found), json=as_json)


@command(app, "update")
async def update(
    house: House,
    account: Which,
    *,
    name: Annotated[str | None, typer.Option(metavar="NAME", show_default=False, help="What people call it.")] = None,
    realm: Annotated[str | None, typer.Option(metavar="HOST", show_default=False, help="Its mail domain.")] = None,
    country: Country = None,
    timezone: Timezone = None,
    keep_documents: Annotated[
        str | None,
        typer.Option(
            metavar="90d",
            show_default=False,
            help='How long after its end the documents of a fax are kept: a duration, "forever", or "" as '
            "[retention] says; 0s removes them once they are delivered.",
        ),
    ] = None,
    keep_records: Annotated[
        str | None,
        typer.Option(metavar="90d", show_default=False, help="The same for what is known about a fax."),
    ] = None,
    daily_limit: DailyLimits = None,
    channel_limit: Annotated[
        int | None,
        typer.Option(metavar="N", show_default=False, help="Calls at the same time; 0 for no limit."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Change what is given of an account."""
    found = await lookup.account(house.db, account)
    changes = given(
        name=name,
        realm=realm,
        country=country,
        timezone=timezone,
        keep_documents=keep_documents,
        keep_records=keep_records,
    )
    if limits := daily_limits(daily_limit):
        await house.provisioning.set_daily_limits("account", found.id, limits)
    if channel_limit is not None:
        changes["channel_limit"] = channel_limit or None
    changed = await house.provisioning.update_account(found.id, **changes)
    show.one(changed, _facts(changed), json=as_json)


@command(app, "delete")
async def delete(house: House, account: Which) -> None:
    """Delete an account that has no faxboxes and numbers any more, with its tokens and applications."""
    found = await lookup.account(house.db, account)
    await house.provisioning.delete_account(found.id)
    show.say(f"Account {found.name} is deleted.")


def _facts(account: Account) -> list[tuple[str, object]]:
    return [
        ("id", account.id),
        ("name", account.name),
        ("realm", account.realm),
        ("country", account.country),
        ("timezone", account.timezone),
        ("keeps documents", account.keep_documents),
        ("keeps records", account.keep_records),
        ("channels", account.channel_limit or "not limited"),
        ("parent", account.parent_id),
        ("daily limits", limits_text(account.limits)),
        ("created", account.created_at),
        ("updated", account.updated_at),
    ]
