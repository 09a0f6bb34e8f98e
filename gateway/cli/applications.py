"""faxgate applications: connections to the carrier, and where the events of their faxes go."""

from typing import Annotated, Any, Literal

import typer

from gateway.application import Application
from gateway.cli import lookup, show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.group import noun
from gateway.cli.options import Json, OfAccount, given
from gateway.store import provision, schema

app = noun()
Which = Annotated[str, typer.Argument(metavar="APPLICATION", show_default=False, help="Its id or name.")]
Recipient = Annotated[
    str | None, typer.Option(metavar="ADDRESS", show_default=False, help="Who gets received faxes by mail.")
]
FileType = Annotated[
    Literal["pdf", "tiff"] | None, typer.Option(show_default=False, help="The format of received faxes in mails.")
]
Failover = Annotated[
    str | None, typer.Option(metavar="URL", show_default=False, help="Where events go when that does not answer.")
]
Timeout = Annotated[
    int | None, typer.Option(metavar="SECONDS", show_default=False, help="How long an event waits for its answer.")
]
Upstream = Annotated[
    str | None,
    typer.Option(metavar="ID", show_default=False, help="The carrier's own connection; else the one of the settings."),
]
Channels = Annotated[
    int | None, typer.Option("--channel-limit", metavar="N", show_default=False, help="Calls at the same time.")
]
Active = Annotated[
    bool | None, typer.Option("--active/--inactive", show_default=False, help="Whether it sends and receives.")
]


@command(app, "create")
async def create(
    house: House,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="What people call it.")],
    *,
    account: Annotated[
        str, typer.Option(metavar="ACCOUNT", show_default=False, help="Whose it is: id, realm or name.")
    ],
    webhook_event_url: Annotated[str, typer.Option(metavar="URL", show_default=False, help="Where its events go.")],
    webhook_event_failover_url: Failover = None,
    webhook_timeout_secs: Timeout = None,
    fax_email_recipient: Recipient = None,
    file_type: FileType = None,
    identity: Annotated[
        int | None, typer.Option("--id", metavar="INT", show_default=False, help="Its id; else one is made up.")
    ] = None,
    upstream_connection_id: Upstream = None,
    channel_limit: Channels = None,
    active: Active = None,
    as_json: Json = False,
) -> None:
    """Make an application."""
    owner = await lookup.account(house.db, account)
    fields: dict[str, Any] = given(
        name=name,
        webhook_event_url=webhook_event_url,
        webhook_event_failover_url=webhook_event_failover_url,
        webhook_timeout_secs=webhook_timeout_secs,
        fax_email_recipient=fax_email_recipient,
        file_type=file_type,
        id=identity,
        upstream_connection_id=upstream_connection_id,
        channel_limit=channel_limit,
        active=active,
    )
    application = await house.provisioning.create_application(owner.id, fields)
    show.one(application, _facts(application), json=as_json)


@command(app, "list")
async def list_(house: House, account: OfAccount = "", as_json: Json = False) -> None:
    """List the applications."""
    owner = await lookup.account(house.db, account) if account else None
    found = await house.db.rows(provision.all_of(schema.applications, owner.id if owner else None))
    applications = [provision.application_from(row) for row in found]
    if as_json:
        show.as_json(applications)
        return
    names = {row["id"]: row["name"] for row in await house.db.rows(provision.all_of(schema.accounts))}
    rows = [
        (one.id, one.name, names[one.account_id], one.active, one.fax_email_recipient, one.webhook_event_url)
        for one in applications
    ]
    headers = ("ID", "NAME", "ACCOUNT", "ACTIVE", "RECIPIENT", "WEBHOOK")
    show.table(headers, rows, "There are no applications; every account is made with one")


@command(app, "show")
async def show_(house: House, application: Which, as_json: Json = False) -> None:
    """Show an application."""
    found = await lookup.application(house.db, application)
    show.one(found, _facts(found), json=as_json)


@command(app, "update")
async def update(
    house: House,
    application: Which,
    *,
    name: Annotated[str | None, typer.Option(metavar="NAME", show_default=False, help="What people call it.")] = None,
    webhook_event_url: Annotated[
        str | None, typer.Option(metavar="URL", show_default=False, help="Where its events go.")
    ] = None,
    webhook_event_failover_url: Failover = None,
    webhook_timeout_secs: Timeout = None,
    fax_email_recipient: Recipient = None,
    file_type: FileType = None,
    upstream_connection_id: Upstream = None,
    channel_limit: Channels = None,
    active: Active = None,
    as_json: Json = False,
) -> None:
    """Change what is given of an application; "" empties a text."""
    found = await lookup.application(house.db, application)
    changes = given(
        name=name,
        webhook_event_url=webhook_event_url,
        webhook_event_failover_url=webhook_event_failover_url,
        webhook_timeout_secs=webhook_timeout_secs,
        fax_email_recipient=fax_email_recipient,
        file_type=file_type,
        upstream_connection_id=upstream_connection_id,
        channel_limit=channel_limit,
        active=active,
    )
    changed = await house.provisioning.update_application(found.id, changes)
    show.one(changed, _facts(changed), json=as_json)


@command(app, "delete")
async def delete(house: House, application: Which) -> None:
    """Delete an application that no faxbox and no number uses any more."""
    found = await lookup.application(house.db, application)
    await house.provisioning.delete_application(found.id)
    show.say(f"Application {found.name} is deleted.")


def _facts(application: Application) -> list[tuple[str, object]]:
    return [
        ("id", application.id),
        ("name", application.name),
        ("account", application.account_id),
        ("active", application.active),
        ("default", application.is_default),
        ("recipient of faxes", application.fax_email_recipient),
        ("their format", application.file_type),
        ("webhook", application.webhook_event_url),
        ("webhook failover", application.webhook_event_failover_url),
        ("webhook timeout", application.webhook_timeout_secs),
        ("upstream connection", application.upstream_connection_id or "the one of the settings"),
        ("channels", application.channel_limit or "not limited"),
        ("created", application.created_at),
        ("updated", application.updated_at),
    ]
