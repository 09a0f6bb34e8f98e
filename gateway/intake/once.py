"""The same request again: a client that was not answered repeats itself, and one fax is meant."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Once:
    """What makes two requests the same one is digested in ``key`` (64 hex digits). An earlier one counts for ``lasts``,
    and only when it was taken at ``since`` or later (None: whenever it was)."""

    key: str
    lasts: timedelta
    since: datetime | None = None
