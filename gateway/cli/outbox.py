"""faxgate outbox: outgoing faxes at their end, and what was sent."""

from gateway.cli import lookup, show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.faxes import Force, Output, Which, everything, faxbox_names, save
from gateway.cli.group import noun
from gateway.cli.options import Json, Limit, OfAccount
from gateway.document import MediaType
from gateway.fax import Direction, State
from gateway.store import attempts, faxes

app = noun()
ENDS = (State.DELIVERED, State.FAILED, State.CANCELED)


@command(app, "list")
async def list_(house: House, account: OfAccount = "", limit: Limit = 50, as_json: Json = False) -> None:
    """List outgoing faxes at their end, the newest first."""
    owner = await lookup.account(house.db, account) if account else None
    found = await faxes.page(
        house.db,
        account_id=owner.id if owner else None,
        direction=Direction.OUTBOUND,
        states=ENDS,
        limit=limit,
    )
    if as_json:
        show.as_json(found)
        return
    short, names = await lookup.short_faxes(house.db, [one.id for one in found]), await faxbox_names(house)
    rows = [
        (
            short[one.id],
            one.to_number,
            names.get(one.faxbox_id),
            one.state.value,
            one.pages_sent,
            one.tries,
            one.finished_at,
            one.failure_reason,
        )
        for one in found
    ]
    headers = ("ID", "TO", "FAXBOX", "STATE", "PAGES SENT", "TRIES", "FINISHED", "FAILURE")
    show.table(headers, rows, "No fax has come to its end yet; what is under way: faxgate queue list")
    if len(found) == limit:
        show.note(f"These are the newest {limit}; show more with --limit.")


@command(app, "show")
async def show_(house: House, fax: Which, as_json: Json = False) -> None:
    """Show all that is known of an outgoing fax."""
    await everything(house, await lookup.fax(house.db, fax, Direction.OUTBOUND), as_json=as_json)


@command(app, "save")
async def save_(house: House, fax: Which, output: Output = None, force: Force = False) -> None:
    """Write the document that was sent, or is to be sent, to a file."""
    found = await lookup.fax(house.db, fax, Direction.OUTBOUND)
    tried = await attempts.of_fax(house.db, found.id)
    blob = tried[-1].document_blob if tried else found.pages_blob
    await save(house, found, blob, found.media_type or MediaType.PDF.value, output, force=force)
