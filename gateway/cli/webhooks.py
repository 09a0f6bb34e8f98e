"""faxgate webhooks: what programs are told, and the key with which they can tell that it was us."""

from typing import Annotated, Any

import typer

from gateway.cli import lookup, show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.group import noun
from gateway.cli.options import Json, Limit, OfAccount
from gateway.courier import signing_key
from gateway.store import deliveries
from gateway.store.database import Row

app = noun()


@command(app, "list")
async def list_(
    house: House,
    account: OfAccount = "",
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that nobody has taken yet.")] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List what programs were told or shall be, the newest first."""
    owner = await lookup.account(house.db, account) if account else None
    wanted = deliveries.listing(owner.id if owner else None, states=[deliveries.WAITING] if waiting else None)
    found = await house.db.rows(wanted.limit(limit))
    if as_json:
        show.as_json([dict(row) for row in found])
        return
    headers = ("AT", "EVENT", "FAX", "STATE", "TRIES", "LAST")
    show.table(headers, [_row(row) for row in found], "No program was told anything.")


@command(app, "public-key")
async def public_key(house: House, as_json: Json = False) -> None:
    """Print the Ed25519 key (Base64 of 32 bytes) that verifies webhooks; Telnyx's libraries take it as public key."""
    key = await signing_key(house.db)
    if as_json:
        show.as_json({"public_key": key})
    else:
        show.say(key)


def _row(row: Row) -> tuple[Any, ...]:
    attempts = row["attempts"]
    last = attempts[0].get("detail") or attempts[0]["http"]["request"]["url"] if attempts else ""
    return row["created_at"], row["event_type"], row["fax_id"], row["state"], row["tries"], last
