"""Times as Telnyx writes them."""

from datetime import UTC, datetime


def read_time(text: str) -> datetime:
    """Read an ISO 8601 time; without an offset it is UTC (older answers leave the Z out). Raises ValueError."""
    time = datetime.fromisoformat(text)
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is no time") from error


def write_time(time: datetime) -> str:
    """Return *time* as Telnyx writes it: UTC with microseconds and ``Z``."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
