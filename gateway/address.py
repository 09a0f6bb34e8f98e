"""Mailboxes of the SMTP envelope (RFC 5321, 4.1.2) and the fax numbers (E.164) that they name.

The grammar is strict on purpose: a comment, an encoded word or a quoted string in a path has made other parsers dial
a number that nobody wrote. What does not match exactly is refused.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers

from gateway.errors import Kind, refuse

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAILBOX = re.compile(rf"({_ATEXT}(?:\.{_ATEXT})*)@({_LABEL}(?:\.{_LABEL})*)")
_NUMBER = re.compile(r"(?:[Ff][Aa][Xx]=)?(\+?[0-9](?:[0-9.-]{1,30})[0-9])")
EXAMPLE = "+12025550123"
#: E.164, 6.2: country code and all.
MOST_DIGITS = 15
#: From so many digits on a number may have a country code in it, although nothing says so.
FEWEST_ABROAD = 11
#: What libphonenumber calls the region of numbers that belong to no country.
_NOWHERE = "001"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox: the local part as written, the domain in lower case."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def parse_mailbox(text: str) -> Mailbox | None:
    """Read a dot-string mailbox (no quoted strings, no address literals); None when it is anything else."""
    match = _MAILBOX.fullmatch(text)
    if match is None or len(match[1]) > 64 or len(match[2]) > 255:
        return None
    return Mailbox(match[1], match[2].lower())


def parse_number(written: str, country: str) -> str:
    """Return the E.164 form of a number *written* in an address or given to an API.

    Digits, an optional leading ``+``, ``.`` and ``-`` between digits, or RFC 3192's ``FAX=``. Without ``+`` the
    number is read as dialled in *country* (ISO 3166); one of eleven digits or more that means nothing there is
    read as an international number that lost its ``+`` (a shorter one is more likely a mistyped national number).
    Where it could be either, and lacks what nobody there leaves out of a national number, nobody knows.
    Raises Refusal(NUMBER_INVALID) with an example of what works.
    """
    match = _NUMBER.fullmatch(written)
    if match is None:
        raise refuse(Kind.NUMBER_INVALID, f"{shown(written)} is not a fax number; write it like {EXAMPLE}", written)
    digits = re.sub(r"[.-]", "", match[1])
    number = _valid(digits, country)
    abroad = None if digits.startswith(("+", "0")) else _valid(f"+{digits}", country)
    if number and abroad and number != abroad and not _is_written_in_full(digits, country):
        both = f"{number} or {abroad}"
        raise refuse(Kind.NUMBER_INVALID, f"{shown(written)} may be {both}; write one of the two", written)
    if len(digits) >= FEWEST_ABROAD:
        number = number or abroad
    if number is None:
        raise refuse(
            Kind.NUMBER_INVALID,
            f"{shown(written)} is not a valid phone number; write it with its country code, like {EXAMPLE}",
            written,
        )
    return number


@lru_cache(4096)
def _valid(digits: str, country: str) -> str | None:
    """Return the E.164 form of a number dialled in *country*, None when there is none."""
    # Behind a plus no country has a say: libphonenumber would take what is dialled there to get abroad off the number,
    # so that in Finland +9996642687540, which nobody has, would be somebody's in Thailand.
    try:
        number = phonenumbers.parse(digits, None if digits.startswith("+") else country)
    except phonenumbers.NumberParseException:
        return None
    e164: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # Libphonenumber takes some numbers that are longer than E.164 allows.
    return e164 if phonenumbers.is_valid_number(number) and len(e164) - 1 <= MOST_DIGITS else None


@lru_cache(4096)
def _is_written_in_full(digits: str, country: str) -> bool:
    """Say whether a national number has what people in *country* always write before it (the 0 of Germany)."""
    # What searches texts for numbers knows where that may be left out (in India), as nothing else of the library does.
    found = phonenumbers.PhoneNumberMatcher(digits, country, phonenumbers.Leniency.VALID)
    return any(match.raw_string == digits for match in found)


@lru_cache(4096)
def country_of(e164: str) -> str:
    """Return the ISO 3166 code of the country that *e164* belongs to, "" when it has none (satellite, premium)."""
    region = phonenumbers.region_code_for_number(phonenumbers.parse(e164)) or ""
    return "" if region == _NOWHERE else region


@lru_cache(4096)
def kind_of(e164: str) -> int:
    """Return libphonenumber's PhoneNumberType of *e164*."""
    return phonenumbers.number_type(phonenumbers.parse(e164))


def pretty(e164: str) -> str:
    """Return *e164* as people read it: ``+1 202-555-0123``."""
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return e164
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def shown(text: str) -> str:
    """Return *text* fit for a one-line reply: printable ASCII only, at most 64 characters."""
    clean = "".join(char if " " <= char <= "~" else "?" for char in text)
    return clean if len(clean) <= 64 else clean[:61] + "..."
