"""What may be dialled: countries and kinds of number. Toll fraud is the attack that costs money at once."""

from collections.abc import Iterable

from phonenumbers import PhoneNumberType

from gateway.address import country_of, kind_of, pretty
from gateway.errors import Kind, refuse

_KINDS = {name.lower(): value for name, value in vars(PhoneNumberType).items() if name.isupper()}


class Limits:
    """The allowed countries (ISO 3166) and kinds of number (libphonenumber's names in lower case)."""

    def __init__(self, countries: Iterable[str], kinds: Iterable[str]) -> None:
        self._countries = frozenset(countries)
        self._kinds = frozenset(_KINDS[kind] for kind in kinds)

    def check(self, e164: str) -> None:
        """Raise Refusal(DESTINATION_NOT_ALLOWED) unless *e164* may be dialled."""
        country = country_of(e164)
        if country not in self._countries:
            where = f"in {country}" if country else "outside every country (satellite or premium)"
            raise refuse(
                Kind.DESTINATION_NOT_ALLOWED,
                f"{pretty(e164)} is {where}, where faxes from here may not go; ask your administrator to allow it",
                e164,
            )
        if kind_of(e164) not in self._kinds:
            raise refuse(
                Kind.DESTINATION_NOT_ALLOWED,
                f"{pretty(e164)} is a kind of number that faxes from here may not go to (premium rate or the like); "
                "ask your administrator to allow it",
                e164,
            )
