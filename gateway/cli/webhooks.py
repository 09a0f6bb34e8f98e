"""faxgate webhooks: what receivers of our webhooks need."""

from gateway.cli import show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.group import noun
from gateway.cli.options import Json
from gateway.courier import signing_key

app = noun()


@command(app, "public-key")
async def public_key(house: House, as_json: Json = False) -> None:
    """Print the Ed25519 key (Base64 of 32 bytes) that verifies webhooks; Telnyx's libraries take it as public key."""
    key = await signing_key(house.db)
    if as_json:
        show.as_json({"public_key": key})
    else:
        show.say(key)
