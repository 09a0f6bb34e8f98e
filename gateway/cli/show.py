"""What a command prints: aligned tables and facts for people, or exactly one JSON value for programs.

Texts that came from outside (subjects, senders, file names) are made harmless first: a terminal obeys what it shows.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from json import dumps
from typing import Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

#: Wide enough that nothing is folded.
UNBOUNDED = 10_000
_UNITS = ((365 * 86400, "year"), (86400, "day"), (3600, "h"), (60, "min"), (1, "s"))


def say(sentence: str) -> None:
    """Print one line."""
    typer.echo(harmless(sentence))


def note(sentence: str) -> None:
    """Print one line beside the output, on standard error."""
    typer.echo(harmless(sentence), err=True)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print *rows* under *headers*, or the sentence *empty*. Nothing is folded or cut: an id must stay whole to be
    copied, and ``less -S`` shows what is too wide; so the longest texts belong into the last column."""
    shown = [[text(cell, brief=True) for cell in row] for row in rows]
    if not shown:
        say(empty)
        return
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        grid.add_column(header, no_wrap=True)
    for row in shown:
        grid.add_row(*row)
    _print(grid, UNBOUNDED)


def facts(about: Iterable[tuple[str, object]]) -> None:
    """Print labels and values, one a line; what is empty is left out."""
    grid = Table(box=None, pad_edge=False, show_header=False)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in about:
        if text(value):
            grid.add_row(label, text(value))
    _print(grid, None if sys.stdout.isatty() else UNBOUNDED)


def one(noun: object, about: Iterable[tuple[str, object]], *, json: bool) -> None:
    """Print one thing: as a JSON object, or the facts *about* it."""
    if json:
        as_json(noun)
    else:
        facts(about)


def as_json(value: Any) -> None:
    """Print *value* as JSON, in ASCII: neither the locale nor the terminal can spoil it."""
    typer.echo(dumps(plain(value), indent=2))


def plain(value: Any) -> Any:
    """Return *value* as JSON has it: nouns with their own field names, ids as strings, times in UTC (RFC 3339)."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _field(field.name, getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, UUID) else value


def _field(name: str, value: Any) -> Any:
    is_id = name == "id" or name.endswith("_id")
    return str(value) if is_id and value is not None else plain(value)


def text(value: object, *, brief: bool = False) -> str:
    """Return *value* as people read it: "" for what is not known, yes and no, local times with their age."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return when(value, brief=brief)
    if isinstance(value, list | tuple):
        return ", ".join(text(inner) for inner in value)
    return harmless(str(value))


def when(at: datetime, now: datetime | None = None, *, brief: bool = False) -> str:
    """Return *at* in the local zone and how far away it is: ``2026-11-22 15:30 (5 min ago)``.

    In *brief*, a time of today has no date, and one of another day is only its date.
    """
    now = now or datetime.now(UTC)
    distance = int((at - now).total_seconds())
    size, unit = next(((size, unit) for size, unit in _UNITS if abs(distance) >= size), (1, "s"))
    number = round(abs(distance) / size)
    plural = "s" if unit in {"day", "year"} and number != 1 else ""
    away = f"in {number} {unit}{plural}" if distance > 0 else f"{number} {unit}{plural} ago"
    local = at.astimezone()
    form = "%Y-%m-%d %H:%M"
    if brief:
        form = "%H:%M" if local.date() == now.astimezone().date() else "%Y-%m-%d"
    return f"{local:{form}} ({away})"


def clock(at: datetime) -> str:
    """Return *at* in the local zone, to the second."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def harmless(raw: str) -> str:
    """Return *raw* in one line and without anything that a terminal would obey."""
    return "".join(_shown(char) for char in raw)


def _print(grid: Table, width: int | None) -> None:
    """Print *grid* within *width* columns, those of the terminal for None; in colour on a terminal only."""
    console = Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(grid)
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char.isspace() else "\N{REPLACEMENT CHARACTER}"
