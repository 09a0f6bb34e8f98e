"""Checks of single fields: each takes the field's name and a value and returns the value as it is stored.

What is wrong raises Refusal(INVALID) that names the field.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import phonenumbers

from gateway import allowance, passwords
from gateway.account import Scope
from gateway.address import parse_mailbox
from gateway.errors import Kind, Refusal, refuse
from gateway.faxbox import check_expression, is_address
from gateway.settings import checked_email, parse_keeping

Check = Callable[[str, Any], Any]
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")
_FILE_TYPES = ("pdf", "tiff")


def invalid(field: str, sentence: str) -> Refusal:
    """Return the exception for a *field* that is wrong; *sentence* goes on from its name."""
    return refuse(Kind.INVALID, f"{field} {sentence}", field)


def checked(values: dict[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    """Return *values*, each passed through the check of its field. A field without one is refused."""
    for field in values:
        if field not in checks:
            raise invalid(field, f"is not a field that can be set; known are {', '.join(sorted(checks))}")
    return {field: checks[field](field, value) for field, value in values.items()}


def text(field: str, value: Any) -> str:
    """A printable text of 1 to 128 characters."""
    if not isinstance(value, str) or not value.strip() or len(value) > 128 or not value.isprintable():
        raise invalid(field, "must be a text of 1 to 128 characters")
    return value.strip()


def label(field: str, value: Any) -> str:
    """A text, or "" for none."""
    return "" if value in (None, "") else text(field, value)


def host(field: str, value: Any) -> str:
    """A host name of two labels or more, in lower case."""
    host = str(value or "").strip().lower().rstrip(".")
    if not _HOST.fullmatch(host):
        raise invalid(field, "must be a host name like fax.example.com")
    return host


def optional_host(field: str, value: Any) -> str | None:
    """A host name, or None."""
    return None if value in (None, "") else host(field, value)


def country(field: str, value: Any) -> str:
    """An ISO 3166 country that libphonenumber knows."""
    country = str(value).upper()
    if country not in phonenumbers.SUPPORTED_REGIONS:
        raise invalid(field, "must be the two letters of a country, like US (ISO 3166)")
    return country


def timezone(field: str, value: Any) -> str:
    """An IANA time zone."""
    try:
        ZoneInfo(str(value))
    except (KeyError, ValueError, OSError):
        raise invalid(field, "must be a time zone like Europe/Dublin") from None
    return str(value)


def optional_timezone(field: str, value: Any) -> str:
    """A time zone; "" and Kazoo's "inherit" are none of its own."""
    return "" if value in (None, "", "inherit") else timezone(field, value)


def keeping(field: str, value: Any) -> str:
    """How long something is kept: a duration like 90d, "forever", or "" for what the settings say."""
    written = str(value or "").strip()
    with suppress(ValueError):
        parse_keeping(written)
        if len(written) <= 16:  # what its column takes
            return written
    raise invalid(field, 'must be a duration like 90d, "forever", or empty for the rule of the settings')


def url(field: str, value: Any) -> str:
    """An absolute http(s) URL, or ""."""
    text = str(value or "")
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and len(text) <= 2000
    except ValueError:
        usable = False
    if text and not (usable and text.isprintable()):
        raise invalid(field, "must be an absolute http or https URL")
    return text


def email(field: str, value: Any) -> str:
    """A mail address (no DNS is asked), or ""."""
    if value in (None, ""):
        return ""
    try:
        return checked_email(str(value))
    except ValueError as error:
        raise invalid(field, str(error)) from None


def emails(field: str, value: Any) -> list[str]:
    """A list of mail addresses; one alone may come as a string."""
    return [email(field, item) for item in _texts(field, value) if item]


def permits(field: str, value: Any) -> list[str]:
    """Entries of a permission list: addresses, ``*@domain`` or regular expressions; one alone may come as a string."""
    return [_permit(field, entry.strip()) for entry in _texts(field, value) if entry.strip()]


def _permit(field: str, entry: str) -> str:
    """Check one entry. A domain in another script becomes what senders have in its place (RFC 5890)."""
    try:
        if entry.startswith("*@"):
            return _everybody_at(entry[2:])
        if is_address(entry) and not entry.isascii():
            return checked_email(entry)
        check_expression(entry)
    except ValueError as error:
        sentence = f"has {entry!r}, which is no address, no *@domain and no regular expression ({error})"
        raise invalid(field, sentence) from None
    return entry


def _everybody_at(domain: str) -> str:
    if not domain.isascii():
        domain = checked_email(f"x@{domain}").removeprefix("x@")
    if parse_mailbox(f"x@{domain}") is None:
        raise ValueError("there is no domain behind *@")
    return f"*@{domain}"


def _texts(field: str, value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise invalid(field, "must be a list of texts")
    return list(texts)


def identity(field: str, value: Any) -> int | None:
    """The id of an application, as a number or as the string that the APIs show, or None."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    number: int | None = whole_number(1, 2**63 - 1)(field, value)
    return number


def scopes(field: str, value: Any) -> list[str]:
    """What a token may do; none means everything."""
    known = [scope.value for scope in Scope]
    for scope in _texts(field, value):
        if scope not in known:
            raise invalid(field, f"has {scope!r}; known are {', '.join(known)}")
    return list(dict.fromkeys(value))


def extra(field: str, value: Any) -> dict[str, Any]:
    """Fields that are kept as they were given: a JSON object that a database takes."""
    if not isinstance(value, dict) or not _storable(value):
        raise invalid(field, "must be a JSON object without NUL characters, half surrogates and NaN")
    return value


def _storable(value: Any) -> bool:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return "\\u0000" not in text


def whole_number(least: int, most: int) -> Check:
    """Return the check for an integer from *least* to *most*, or None."""

    def check(field: str, value: Any) -> int | None:
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise invalid(field, f"must be a whole number from {least} to {most}")
        return value

    return check


def flag(field: str, value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise invalid(field, "must be true or false")
    return value


def file_type(field: str, value: Any) -> str:
    """pdf or tiff."""
    if value not in _FILE_TYPES:
        raise invalid(field, "must be pdf or tiff")
    return str(value)


def optional_file_type(field: str, value: Any) -> str:
    """pdf, tiff, or "" for the application's."""
    return "" if value in (None, "") else file_type(field, value)


def daily_limits(field: str, value: Any) -> dict[str, int]:
    """Ceilings of a day by their names (``Allowance``)."""
    count = whole_number(0, 10**9)
    if not isinstance(value, dict) or not set(value) <= set(allowance.NAMES):
        raise invalid(field, f"may name {', '.join(allowance.NAMES)}")
    return {name: count(f"{field} {name}", number) for name, number in value.items() if number is not None}


def user_name(field: str, value: Any) -> str:
    """What somebody logs in as: 1 to 255 printable characters without spaces, in lower case."""
    name = value.strip().casefold() if isinstance(value, str) else ""
    if not 0 < len(name) <= 255 or not name.isprintable() or any(char.isspace() for char in name):
        raise invalid(field, "must be a user name of 1 to 255 characters without spaces")
    return name


def password(field: str, value: Any) -> str:
    """A password that can be sent in a login (RFC 4616): no control characters, and not too short."""
    if not isinstance(value, str) or not value.isprintable() or len(value.encode()) > passwords.MOST_BYTES:
        raise invalid(field, f"must be one line of printable text, of at most {passwords.MOST_BYTES} bytes")
    if len(value) < passwords.LEAST_CHARACTERS:
        raise invalid(field, f"must have {passwords.LEAST_CHARACTERS} characters or more")
    return value


def body(field: str, value: Any) -> str:
    """What becomes of a mail's text: ignore, cover or alone; "" means ignore."""
    word = value or "ignore"
    if word not in ("ignore", "cover", "alone"):
        raise invalid(field, "must be ignore, cover or alone")
    return str(word)
