"""Times in queries: gregorian seconds."""

import re
from collections.abc import Mapping
from datetime import datetime

from gateway.dialects import kazoo
from gateway.web.kazoo.answers import invalid

NUMBER = re.compile(r"-?[0-9]{1,18}")


def moment(query: Mapping[str, str], name: str) -> datetime | None:
    """Return the time of the parameter *name*, None when it is not given. Raises the fault 400 for what is no time."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        at = kazoo.from_gregorian(int(text) if NUMBER.fullmatch(text) else -1)
    except ValueError:
        message = f"{name} must be a time in gregorian seconds, such as 63930000000"
        raise invalid(name, "wrong_format", message, value=text[:64]) from None
    # The whole second counts: rows show theirs cut off.
    return at.replace(microsecond=999_999) if name.endswith("_to") else at
