"""Where commands are registered: a group of verbs for a noun, or a command that is alone."""

from typing import Any

import typer
from typer.core import TyperGroup


class _Noun(TyperGroup):
    """A group whose verb is ``list`` when none is given: ``faxgate queue``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        wants_list = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if wants_list else args)


def noun() -> typer.Typer:
    """Return a new group of verbs."""
    return typer.Typer(cls=_Noun, add_completion=False)


def single() -> typer.Typer:
    """Return the home of a command that is alone in its module."""
    return typer.Typer(add_completion=False)
