"""faxgate faxboxes: who may send by mail, with which number, and who gets what."""

from typing import Annotated, Any, Literal

import typer

from gateway.cli import lookup, show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.group import noun
from gateway.cli.options import DailyLimits, Json, OfAccount, daily_limits, given, limits_text
from gateway.faxbox import Faxbox
from gateway.store import provision, schema

app = noun()
Which = Annotated[str, typer.Argument(metavar="FAXBOX", show_default=False, help="Its id, name or mail host.")]
Application = Annotated[
    str | None,
    typer.Option(metavar="APPLICATION", show_default=False, help="Its application (id or name); else the default one."),
]
CallerId = Annotated[
    str | None, typer.Option(metavar="E164", show_default=False, help="The number that its faxes come from.")
]
Permit = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SENDER",
        show_default=False,
        help="Who may send: an address, *@domain or a regular expression; give it again for more.",
    ),
]
InboundEmails = Annotated[
    list[str] | None,
    typer.Option(
        "--inbound-email", metavar="ADDRESS", show_default=False, help="Who gets received faxes; again for more."
    ),
]
OutboundEmails = Annotated[
    list[str] | None,
    typer.Option(
        "--outbound-email", metavar="ADDRESS", show_default=False, help="Who is told of sent faxes; again for more."
    ),
]
CustomHost = Annotated[
    str | None, typer.Option(metavar="HOST", show_default=False, help="A mail host of your own, beside the made one.")
]
CallerName = Annotated[str | None, typer.Option(metavar="TEXT", show_default=False, help="The sender's name.")]
FaxHeader = Annotated[str | None, typer.Option(metavar="TEXT", show_default=False, help="The line above each page.")]
FaxIdentity = Annotated[str | None, typer.Option(metavar="TEXT", show_default=False, help="The station id (T.30 TSI).")]
Timezone = Annotated[str | None, typer.Option(metavar="ZONE", show_default=False, help="Else the account's.")]
Retries = Annotated[
    int | None, typer.Option(metavar="N", show_default=False, help="Tries in all; else the one of the settings.")
]
Cover = Annotated[
    bool | None, typer.Option("--cover/--no-cover", show_default=False, help="Whether each fax has a cover page.")
]
Body = Annotated[
    Literal["ignore", "cover", "alone", ""] | None,
    typer.Option(
        show_default=False,
        help="What becomes of a mail's text: nothing, the note on a cover page, or pages of its own.",
    ),
]
FileType = Annotated[
    Literal["pdf", "tiff", ""] | None,
    typer.Option(show_default=False, help="Of received faxes; else the application's."),
]


@command(app, "create")
async def create(
    house: House,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="What people call it.")],
    *,
    account: Annotated[
        str, typer.Option(metavar="ACCOUNT", show_default=False, help="Whose it is: id, realm or name.")
    ],
    application: Application = None,
    caller_id: CallerId = None,
    permit: Permit = None,
    more: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    inbound_emails: InboundEmails = None,
    outbound_emails: OutboundEmails = None,
    custom_host: CustomHost = None,
    caller_name: CallerName = None,
    fax_header: FaxHeader = None,
    fax_identity: FaxIdentity = None,
    timezone: Timezone = None,
    retries: Retries = None,
    file_type: FileType = None,
    cover: Cover = None,
    body: Body = None,
    as_json: Json = False,
) -> None:
    """Make a faxbox, with a mail host of its own."""
    owner = await lookup.account(house.db, account)
    program = await lookup.application(house.db, application, owner.id) if application else None
    fields: dict[str, Any] = given(
        name=name,
        application_id=program.id if program else None,
        caller_id=caller_id,
        permit=_with_more(permit, more),
        inbound_emails=inbound_emails,
        outbound_emails=outbound_emails,
        custom_host=custom_host,
        caller_name=caller_name,
        fax_header=fax_header,
        fax_identity=fax_identity,
        timezone=timezone,
        retries=retries,
        file_type=file_type,
        cover=cover,
        body=body,
    )
    box = await house.provisioning.create_faxbox(owner.id, fields)
    show.one(box, _facts(box), json=as_json)


@command(app, "list")
async def list_(house: House, account: OfAccount = "", as_json: Json = False) -> None:
    """List the faxboxes."""
    boxes = [provision.faxbox_from(row) for row in await house.db.rows(provision.all_of(schema.faxboxes))]
    short = lookup.shortened(one.id for one in boxes)
    if account:
        owner = await lookup.account(house.db, account)
        boxes = [one for one in boxes if one.account_id == owner.id]
    if as_json:
        show.as_json(boxes)
        return
    names = {row["id"]: row["name"] for row in await house.db.rows(provision.all_of(schema.accounts))}
    rows = [
        (short[one.id], one.name, names[one.account_id], one.custom_host or one.host, one.caller_id, one.permit)
        for one in boxes
    ]
    headers = ("ID", "NAME", "ACCOUNT", "MAIL HOST", "CALLER ID", "MAY SEND")
    show.table(headers, rows, "There are no faxboxes; make one with: faxgate faxboxes create NAME --account ID")


@command(app, "show")
async def show_(house: House, faxbox: Which, as_json: Json = False) -> None:
    """Show a faxbox."""
    found = await lookup.faxbox(house.db, faxbox)
    show.one(found, _facts(found), json=as_json)


@command(app, "update")
async def update(
    house: House,
    faxbox: Which,
    *,
    name: Annotated[str | None, typer.Option(metavar="NAME", show_default=False, help="What people call it.")] = None,
    application: Application = None,
    caller_id: CallerId = None,
    permit: Permit = None,
    add_permit: Annotated[
        list[str] | None, typer.Option(metavar="SENDER", show_default=False, help="Who may send as well.")
    ] = None,
    remove_permit: Annotated[
        list[str] | None, typer.Option(metavar="SENDER", show_default=False, help="Who may not send any more.")
    ] = None,
    inbound_emails: InboundEmails = None,
    outbound_emails: OutboundEmails = None,
    custom_host: CustomHost = None,
    caller_name: CallerName = None,
    fax_header: FaxHeader = None,
    fax_identity: FaxIdentity = None,
    timezone: Timezone = None,
    retries: Retries = None,
    file_type: FileType = None,
    cover: Cover = None,
    body: Body = None,
    daily_limit: DailyLimits = None,
    as_json: Json = False,
) -> None:
    """Change what is given of a faxbox; "" empties a text or a list."""
    found = await lookup.faxbox(house.db, faxbox)
    program = await lookup.application(house.db, application, found.account_id) if application else None
    changes: dict[str, Any] = given(
        name=name,
        application_id=program.id if program else None,
        caller_id=caller_id,
        permit=_permitted(found, permit, add_permit or [], remove_permit or []),
        inbound_emails=inbound_emails,
        outbound_emails=outbound_emails,
        custom_host=custom_host,
        caller_name=caller_name,
        fax_header=fax_header,
        fax_identity=fax_identity,
        timezone=timezone,
        retries=retries,
        file_type=file_type,
        cover=cover,
        body=body,
    )
    if limits := daily_limits(daily_limit):
        await house.provisioning.set_daily_limits("faxbox", found.id, limits)
    changed = await house.provisioning.update_faxbox(found.id, changes)
    show.one(changed, _facts(changed), json=as_json)


@command(app, "delete")
async def delete(house: House, faxbox: Which) -> None:
    """Delete a faxbox that no number leads to any more; its faxes stay in the account."""
    found = await lookup.faxbox(house.db, faxbox)
    await house.provisioning.delete_faxbox(found.id)
    show.say(f"Faxbox {found.name} is deleted.")


def _with_more(permit: list[str] | None, more: list[str] | None) -> list[str] | None:
    """Let one ``--permit`` take several senders: ``--permit a@example.com b@example.com``."""
    for extra in more or []:
        if not permit or "@" not in extra:
            raise typer.BadParameter(f"{extra!r} is one word too many; write a name of several words in quotes")
    return [*permit, *(more or [])] if permit else None


def _permitted(box: Faxbox, permit: list[str] | None, add: list[str], remove: list[str]) -> list[str] | None:
    """Return the whole new permission list, None when nothing of it changes."""
    if permit is None and not add and not remove:
        return None
    gone = {entry.casefold() for entry in remove}
    kept = [entry for entry in (box.permit if permit is None else permit) if entry.casefold() not in gone]
    return [*kept, *(entry for entry in add if entry not in kept)]


_BODIES = {
    "ignore": "is not faxed",
    "cover": "is the note on the cover page",
    "alone": "is faxed before what is attached",
}


def _facts(box: Faxbox) -> list[tuple[str, object]]:
    return [
        ("id", box.id),
        ("name", box.name),
        ("account", box.account_id),
        ("application", box.application_id),
        ("fax by mail to", f"NUMBER@{box.custom_host or box.host}"),
        ("mail host", box.host),
        ("custom host", box.custom_host),
        ("may send", box.permit or "nobody; add senders with: faxgate faxboxes update ID --add-permit ADDRESS"),
        (
            "caller id",
            box.caller_id or "none, so it cannot send; set one with: faxgate faxboxes update ID --caller-id E164",
        ),
        ("caller name", box.caller_name),
        ("header", box.fax_header),
        ("station id", box.fax_identity),
        ("gets received faxes", box.inbound_emails),
        ("in the format", box.file_type or "of the application"),
        ("is told of sent ones", box.outbound_emails),
        ("cover page", "yes" if box.cover or box.body == "cover" else "no"),
        ("a mail's text", _BODIES[box.body]),
        ("timezone", box.timezone or "the account's"),
        ("tries", "of the settings" if box.retries is None else max(1, box.retries)),
        ("daily limits", limits_text(box.limits)),
        ("created", box.created_at),
        ("updated", box.updated_at),
    ]
