"""What the demo prints: in colour on a terminal, plain text without escape codes anywhere else.

Nothing is wrapped here: lines are there to be copied, and a terminal wraps by itself.
"""

from datetime import datetime, timedelta

from rich.console import Console
from rich.text import Text

_LABEL = 12


class Screen:
    """Standard output. Foreign words do no harm: what cannot be printed, here or at all, becomes a ``?``."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False)

    def title(self, text: str) -> None:
        """Print a heading with an empty line before it."""
        self._print("")
        self._print(text, "bold")

    def say(self, text: str = "") -> None:
        """Print a line as it is."""
        self._print(text)

    def command(self, lines: str) -> None:
        """Print what may be copied into a shell; it begins in the first column."""
        for line in lines.splitlines():
            self._print(line, "cyan")

    def step(self, after: timedelta, label: str, text: str) -> None:
        """Print a step of the round: milliseconds since its beginning, what it was, and what is to be known of it."""
        ms = max(0, round(after.total_seconds() * 1000))
        self._entry(f"{ms:7,} ms", label, text)

    def news(self, at: datetime, label: str, text: str) -> None:
        """Print something that has happened *at* a time of day."""
        self._entry(f"  {at.astimezone():%H:%M:%S}", label, text)

    def problem(self, text: str) -> None:
        """Print what went wrong."""
        self._print(text, "bold red")

    def _entry(self, when: str, label: str, text: str) -> None:
        parts = ((f"{when}  ", "dim"), (f"{label:{_LABEL}}", "bold green"), self._fit(text))
        self._console.print(Text.assemble(*parts), soft_wrap=True)

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(self._fit(text), style), soft_wrap=True)

    def _fit(self, text: str) -> str:
        printable = "".join(char if char.isprintable() else "?" for char in text)
        encoding = self._console.encoding
        return printable.encode(encoding, "replace").decode(encoding)
