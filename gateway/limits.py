"""What may be dialled, and how much of it in a day. Toll fraud is the attack that costs money at once.

What is beyond the ceilings of a day is neither lost nor sent: it is held, and a person approves it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from phonenumbers import PhoneNumberType

from gateway.address import country_of, kind_of, pretty
from gateway.allowance import Allowance, Allowances
from gateway.errors import Kind, refuse
from gateway.fax import Fax, State
from gateway.store import usage
from gateway.store.database import Tx
from gateway.store.usage import Used

_KINDS = {name.lower(): value for name, value in vars(PhoneNumberType).items() if name.isupper()}


class Limits:
    """The allowed countries (ISO 3166) and kinds of number (libphonenumber's names in lower case), and the ceilings
    of a day for those who have none of their own."""

    def __init__(self, countries: Iterable[str], kinds: Iterable[str], allowances: Allowances | None = None) -> None:
        self._allowances = allowances or Allowances()
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

    def admit(self, tx: Tx, new: Sequence[Fax]) -> list[Fax]:
        """Count *new* faxes (of one account, faxbox and user) against the ceilings of their day; return them, those
        beyond a ceiling as HELD with the reason."""
        first = new[0]
        if first.account_id is None:
            return list(new)
        ceilings, day = self._ceilings(tx, first), _day(first)
        used = usage.locked(tx, list(ceilings), day)
        known = usage.known(tx, first.account_id, {fax.to_number for fax in new})
        admitted = []
        for fax in new:
            is_new = fax.to_number not in known
            reason = _beyond(ceilings, used, Used(1, fax.pages or 0, int(is_new)))
            if reason:
                used[_account(fax)].held += 1
                admitted.append(replace(fax, state=State.HELD, held_reason=reason))
                continue
            if is_new:
                known.add(fax.to_number)
                usage.remember(tx, first.account_id, fax.to_number)
            admitted.append(fax)
        usage.note(tx, used, day)
        return admitted

    def admit_pages(self, tx: Tx, fax: Fax, more: int) -> str:
        """Count *more* pages of a fax than were known when it was admitted; return why it must be held, or ""."""
        if more <= 0 or fax.approved or fax.account_id is None:
            return ""
        ceilings, day = self._ceilings(tx, fax), _day(fax)
        used = usage.locked(tx, list(ceilings), day)
        reason = _beyond(ceilings, used, Used(0, more, 0))
        if reason:
            used[_account(fax)].held += 1
        usage.note(tx, used, day)
        return reason

    def _ceilings(self, tx: Tx, fax: Fax) -> dict[str, tuple[str, Allowance]]:
        """Return by the keys of ``usage`` what is counted, in words, and its ceilings."""
        account, box, user = usage.own_limits(tx, fax)
        ceilings = {_account(fax): ("the account", self._allowances.account.with_own(account))}
        if fax.faxbox_id is not None:
            ceilings[f"faxbox:{fax.faxbox_id.hex}"] = ("the faxbox", self._allowances.faxbox.with_own(box))
        if fax.user:
            ceilings[f"user:{fax.user}"] = ("the user", self._allowances.user.with_own(user))
        return ceilings


def _beyond(ceilings: dict[str, tuple[str, Allowance]], used: dict[str, Used], more: Used) -> str:
    """Return why *more* is too much, else add it to all of *used* and return ""."""
    for key, (whose, ceiling) in ceilings.items():
        kinds = (
            ("faxes", ceiling.faxes, used[key].faxes, more.faxes),
            ("pages", ceiling.pages, used[key].pages, more.pages),
            ("new fax numbers", ceiling.new_destinations, used[key].destinations, more.destinations),
        )
        for what, most, so_far, plus in kinds:
            if most and plus and so_far + plus > most:
                return f"{whose} has reached its limit of {most:,} {what} a day"
    for key in ceilings:
        used[key].faxes += more.faxes
        used[key].pages += more.pages
        used[key].destinations += more.destinations
    return ""


def held_today(tx: Tx, fax: Fax) -> int:
    """Return how many faxes of the account of *fax* were held on its day."""
    return usage.locked(tx, [_account(fax)], _day(fax))[_account(fax)].held


def first_told(tx: Tx, fax: Fax) -> bool:
    """Return True once for the account of *fax* and its day."""
    return usage.tell(tx, _account(fax), _day(fax))


def _account(fax: Fax) -> str:
    assert fax.account_id is not None
    return f"account:{fax.account_id.hex}"


def _day(fax: Fax) -> str:
    return f"{fax.created_at:%Y-%m-%d}"
