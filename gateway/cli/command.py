"""How a function becomes a command: its options, the settings file, and the house that it works in."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import typer

from gateway.cli.context import House, opened
from gateway.cli.options import ConfigFile
from gateway.settings import Settings, load

Work = Callable[..., Awaitable[None]]


def command(group: typer.Typer, name: str, *, current: bool = True) -> Callable[[Work], Work]:
    """Make an async function of a ``House`` and its options the command *name* of *group*.

    ``--config`` is added to its options; what is returned is the function itself. The schema must be the one of this
    release, unless *current* is False.
    """

    def register(work: Work) -> Work:
        @functools.wraps(work)
        def run(*, config: Path | None, **given: Any) -> None:
            asyncio.run(_in_house(load(config), lambda house: work(house, **given), current=current))

        _house, *own = inspect.signature(work, eval_str=True).parameters.values()
        option = inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=ConfigFile)
        run.__signature__ = inspect.Signature([*own, option])  # type: ignore[attr-defined] # PEP 362: inspect reads it
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, option)}
        group.command(name)(run)
        return work

    return register


async def _in_house(settings: Settings, work: Callable[[House], Awaitable[None]], *, current: bool) -> None:
    async with opened(settings, current=current) as house:
        await work(house)
