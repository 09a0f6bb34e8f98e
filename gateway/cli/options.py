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

DailyLimits = Annotated[
    list[str] | None,
    typer.Option(
        "--daily-limit",
        metavar="KIND=N",
        show_default=False,
        help="A limit of its own for a day: faxes=N, pages=N or new_destinations=N (0: none); "
        "without N the one of the settings again. Give it again for more.",
    ),
]


def daily_limits(texts: list[str] | None) -> dict[str, int | None]:
    """Read ``--daily-limit``: a number by each kind, None where the settings shall hold again."""
    found: dict[str, int | None] = {}
    for text in texts or []:
        kind, equals, number = text.partition("=")
        if not equals or (number and not number.isdecimal()):
            raise typer.BadParameter(f"{text!r}: write it like faxes=100")
        found[kind] = int(number) if number else None
    return found


def limits_text(own: dict[str, int]) -> str:
    """Return the limits of a day that something has of its own, as people read them."""
    return ", ".join(f"{kind}={number}" for kind, number in own.items()) or "of the settings"


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given; those that were not are None and mean "as it is"."""
    return {name: value for name, value in options.items() if value is not None}
