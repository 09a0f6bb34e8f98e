"""faxgate audit: who has done what to which fax or setting."""

from typing import Annotated

import typer

from gateway.audit import Action, Entry
from gateway.cli import lookup, show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.group import noun
from gateway.cli.options import Json, Limit, OfAccount
from gateway.ids import parse_id
from gateway.store import audit

app = noun()


@command(app, "list")
async def list_(
    house: House,
    fax: Annotated[
        str, typer.Option(metavar="ID", show_default=False, help="Only about this fax; its whole id if it is deleted.")
    ] = "",
    account: OfAccount = "",
    actor: Annotated[
        str, typer.Option(metavar="NAME", show_default=False, help="Only what this user, token or account did.")
    ] = "",
    action: Annotated[Action | None, typer.Option(show_default=False, help="Only this.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List who did what, the newest first."""
    owner = await lookup.account(house.db, account) if account else None
    fax_id = (parse_id(fax) or (await lookup.fax(house.db, fax)).id) if fax else None
    found = await audit.page(
        house.db,
        fax_id=fax_id,
        account_id=owner.id if owner else None,
        actor=actor,
        action=action.value if action else "",
        limit=limit,
    )
    if as_json:
        show.as_json(found)
        return
    headers = ("AT", "WHO", "FROM", "DID", "TO", "MORE")
    show.table(headers, [_row(entry) for entry in found], "Nothing has been noted.")
    if len(found) == limit:
        show.note(f"These are the newest {limit}; show more with --limit.")


@command(app, "verify")
async def verify(house: House, as_json: Json = False) -> None:
    """Check that no line was changed or taken out; exit 1 if one was. Keep the digest that is shown: a trail that was
    cut off at its end does not have it any more."""
    count, broken, digest = await audit.verify(house.db)
    if as_json:
        show.as_json({"lines": count, "broken_at": broken, "digest": digest})
    elif broken is None:
        show.say(f"{count} lines fit together; the last digest is {digest or 'none'}")
    else:
        show.say(f"Line {broken} does not fit: it, or one before it, was changed or taken out.")
    if broken is not None:
        raise typer.Exit(1)


def _row(entry: Entry) -> tuple[object, ...]:
    who = f"{entry.actor_kind} {entry.actor}".strip()
    about = f"fax {entry.fax_id}" if entry.fax_id else entry.subject
    more = ", ".join(f"{name}: {show.text(value)}" for name, value in entry.details.items() if value not in ("", None))
    return show.clock(entry.at), who, entry.peer, entry.action, about, more
