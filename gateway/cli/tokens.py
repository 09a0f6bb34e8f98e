"""faxgate tokens: keys to the HTTP APIs. A token's secret is shown once, when it is made."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from gateway.account import Scope, Token
from gateway.cli import lookup, show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.group import noun
from gateway.cli.options import Json, OfAccount
from gateway.provisioning.fields import scopes
from gateway.settings import parse_duration
from gateway.store import provision, schema

app = noun()
Which = Annotated[str, typer.Argument(metavar="TOKEN", show_default=False, help="Its id; not the secret.")]


def _lasts(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}") from None


Scopes = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        metavar="SCOPE",
        show_default=False,
        help=f"What it may do: {', '.join(Scope)}; give it again for more. Without any: everything.",
    ),
]
Lasts = Annotated[
    timedelta | None,
    typer.Option("--expires", metavar="90d", parser=_lasts, show_default=False, help="How long it lasts from now."),
]


@command(app, "create")
async def create(
    house: House,
    account: Annotated[
        str, typer.Option(metavar="ACCOUNT", show_default=False, help="Whose it is: id, realm or name.")
    ],
    scope: Scopes = None,
    expires: Lasts = None,
    as_json: Json = False,
) -> None:
    """Make a token. Its secret is shown this once."""
    owner = await lookup.account(house.db, account)
    token, secret = await house.provisioning.create_token(owner.id, scopes=scope, lasts=expires)
    show.one(show.plain(token) | {"token": secret}, [*_facts(token), ("token", secret)], json=as_json)
    show.note("Keep the token now: it is not stored and cannot be shown again.")


@command(app, "list")
async def list_(house: House, account: OfAccount = "", as_json: Json = False) -> None:
    """List the tokens, without their secrets."""
    tokens = [provision.token_from(row) for row in await house.db.rows(provision.all_of(schema.tokens))]
    short = lookup.shortened(one.id for one in tokens)
    if account:
        owner = await lookup.account(house.db, account)
        tokens = [one for one in tokens if one.account_id == owner.id]
    if as_json:
        show.as_json(tokens)
        return
    names = {row["id"]: row["name"] for row in await house.db.rows(provision.all_of(schema.accounts))}
    rows = [
        (short[one.id], names[one.account_id], one.scopes, one.created_at, one.expires_at or "never", one.last_used_at)
        for one in tokens
    ]
    headers = ("ID", "ACCOUNT", "SCOPES", "CREATED", "EXPIRES", "LAST USED")
    show.table(headers, rows, "There are no tokens; make one with: faxgate tokens create --account ID")


@command(app, "show")
async def show_(house: House, token: Which, as_json: Json = False) -> None:
    """Show a token, without its secret."""
    found = await lookup.token(house.db, token)
    show.one(found, _facts(found), json=as_json)


@command(app, "update")
async def update(
    house: House, token: Which, scope: Scopes = None, expires: Lasts = None, as_json: Json = False
) -> None:
    """Change what a token may do, or how long it lasts from now."""
    found = await lookup.token(house.db, token)
    changes: dict[str, object] = {} if scope is None else {"scopes": scopes("scope", [one for one in scope if one])}
    if expires is not None:
        changes["expires_at"] = datetime.now(UTC) + expires
    if changes:
        await house.db.write(lambda tx: provision.alter(tx, schema.tokens, found.id, changes))
    changed = await lookup.token(house.db, str(found.id))
    show.one(changed, _facts(changed), json=as_json)


@command(app, "delete")
async def delete(house: House, token: Which) -> None:
    """Delete a token: it opens nothing from now on."""
    found = await lookup.token(house.db, token)
    await house.provisioning.delete_token(found.id)
    show.say(f"Token {found.id} is deleted.")


def _facts(token: Token) -> list[tuple[str, object]]:
    return [
        ("id", token.id),
        ("account", token.account_id),
        ("scopes", token.scopes or "everything"),
        ("created", token.created_at),
        ("expires", token.expires_at or "never"),
        ("last used", token.last_used_at),
    ]
