"""What ``faxgate check`` finds."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """``note``: it works, and somebody may be surprised all the same."""

    OK = "ok"
    NOTE = "note"
    SKIPPED = "skipped"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one part, in a sentence."""

    part: str
    verdict: Verdict
    sentence: str
