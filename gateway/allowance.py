"""How much may be sent in a day before a person must approve the rest: the ceiling of what a stolen password costs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Allowance:
    """Ceilings of one day (UTC); 0 is none. ``new_destinations`` are numbers that the account has never faxed to."""

    faxes: int = 0
    pages: int = 0
    new_destinations: int = 0

    def with_own(self, own: Mapping[str, int]) -> "Allowance":
        """Return it with the ceilings that *own* names in place of these."""
        named = {name: own[name] for name in NAMES if name in own}
        return replace(self, **named) if named else self


#: The names by which ceilings are stored and set.
NAMES = tuple(field.name for field in fields(Allowance))


@dataclass(frozen=True, slots=True)
class Allowances:
    """What holds where an account, a faxbox or a user has no ceilings of its own."""

    account: Allowance = Allowance()
    faxbox: Allowance = Allowance()
    user: Allowance = Allowance()
