"""faxgate serve: the daemon."""

from typing import Annotated

import typer

from gateway.cli.group import single
from gateway.cli.options import ConfigFile
from gateway.settings import load

app = single()
ROLES = ("smtp", "http", "worker")


def _roles(text: str) -> str:
    wrong = [role for role in text.split(",") if role.strip() not in ROLES]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} is no role; there are {', '.join(ROLES)}")
    return text


@app.command("serve")
def serve(
    config: ConfigFile = None,
    only: Annotated[
        str,
        typer.Option(metavar="ROLES", callback=_roles, help="Which parts run in this process (PostgreSQL only)."),
    ] = ",".join(ROLES),
) -> None:
    """Run the gateway until SIGTERM: mail in, the HTTP APIs, and the work in the background."""
    settings = load(config)
    from gateway.daemon import serve as run  # noqa: PLC0415 - wrong settings are told before everything is imported

    raise typer.Exit(run(settings, {role.strip() for role in only.split(",")}))
