"""Options that several commands share, so that they are called and explained the same everywhere."""

from pathlib import Path
from typing import Annotated, Any

import typer


def _or_before(context: typer.Context, value: Path | None) -> Path | None:
    """The settings file may be named before the command as well: ``faxgate --config FILE queue list``."""
    return value or context.find_root().params.get("config")


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        show_default=False,
        callback=_or_before,
        help="The settings file; else FAXGATE_CONFIG, ./gateway.toml or /etc/faxgate/gateway.toml.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, metavar="N", help="How many to show at most.")]
OfAccount = Annotated[
    str, typer.Option("--account", metavar="ID", show_default=False, help="Only of this account (id, name or realm).")
]


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given; those that were not are None and mean "as it is"."""
    return {name: value for name, value in options.items() if value is not None}
