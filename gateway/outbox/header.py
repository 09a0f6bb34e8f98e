"""What the header line of a fax says."""

from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.address import pretty
from gateway.document import Header
from gateway.fax import Fax
from gateway.mail.facts import one_line
from gateway.store.database import Row

#: Longer names and numbers do not fit beside the rest of the line anyway.
_MOST_CHARACTERS = 80


def header_line(fax: Fax, box: Row | None, account: Row | None, at: datetime) -> Header:
    """Return what the header line of *fax* says at the time *at*: its own words, else its faxbox's, else its
    account's."""
    box, account = box or {}, account or {}
    zone = ZoneInfo(str(fax.timezone or box.get("timezone") or account.get("timezone") or "UTC"))
    name = fax.header or box.get("fax_header") or fax.from_name or account.get("name", "")
    number = fax.identity or box.get("fax_identity") or pretty(fax.from_number)
    when = f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}"
    return Header(when, one_line(name, _MOST_CHARACTERS), one_line(number, _MOST_CHARACTERS))
