"""Faxboxes (Kazoo's faxbox): who may send by mail, with which number, and who gets what."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import re2

#: How well an entry of the permission list fits a sender; a higher one wins.
EXACT, WILDCARD, PATTERN, NO_MATCH = 3, 2, 1, 0
#: An entry that is an address means this address; read as an expression, its dots would let others in. These are the
#: characters of an address (RFC 5322, 3.2.3) that have no meaning in an expression.
_ADDRESS = re.compile(r"[\w%'!#&/=`~-]+(?:[.+][\w%'!#&/=`~-]+)*@[\w-]+(?:\.[\w-]+)*")


@dataclass(frozen=True, slots=True)
class Faxbox:
    """``host`` is the generated mail host, ``custom_host`` one of the customer's own ("" for none).

    ``permit`` lists senders: an address, ``*@domain``, or a regular expression that must match the whole address.
    ``retries`` is the number of tries in all, None for the setting's. ``file_type`` "" means the application's.
    With ``cover`` each fax has a cover page. ``body`` says what becomes of a mail's text: "ignore", "cover" (it is
    the note on a cover page) or "alone" (it is a document of its own, before what is attached).
    ``limits`` are its own ceilings of a day (``allowance.Allowance``); what is missing is the setting's.
    ``extra`` keeps fields that the gateway does not act on, as they were given.
    """

    id: UUID
    account_id: UUID
    application_id: int
    name: str
    host: str
    created_at: datetime
    updated_at: datetime
    custom_host: str = ""
    caller_id: str = ""
    caller_name: str = ""
    fax_header: str = ""
    fax_identity: str = ""
    timezone: str = ""
    retries: int | None = None
    permit: list[str] = field(default_factory=list)
    inbound_emails: list[str] = field(default_factory=list)
    outbound_emails: list[str] = field(default_factory=list)
    file_type: str = ""
    cover: bool = False
    body: str = "ignore"
    limits: dict[str, int] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def permits(self, sender: str) -> int:
        """Return how exactly *sender* is permitted: EXACT, WILDCARD, PATTERN or NO_MATCH (case does not count)."""
        return max((entry_fits(entry, sender) for entry in self.permit), default=NO_MATCH)


def entry_fits(entry: str, sender: str) -> int:
    """Return how *entry* of a permission list fits the address *sender*."""
    entry, sender = entry.strip(), sender.casefold()
    if entry.casefold() == sender:
        return EXACT
    if is_address(entry):
        return NO_MATCH
    if entry.startswith("*@"):
        return WILDCARD if sender.rpartition("@")[1:] == ("@", entry[2:].casefold()) else NO_MATCH
    try:
        return PATTERN if _expression(entry).fullmatch(sender) else NO_MATCH
    except re2.error:
        return NO_MATCH


def is_address(entry: str) -> bool:
    """Say whether *entry* of a permission list means one address, and is no expression."""
    return _ADDRESS.fullmatch(entry) is not None


def check_expression(entry: str) -> None:
    """Raise ValueError, which says why, when *entry* of a permission list is no expression that we can match."""
    try:
        _expression(entry)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise ValueError(reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)) from None


@lru_cache(1024)
def _expression(entry: str) -> Any:
    """Compile an expression with RE2: whatever is written there, matching takes time in proportion to the sender's
    address. Its price is that there are no look-arounds and no references back. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    options.max_mem = 1 << 20
    return re2.compile(entry, options)
