"""Accounts: whose faxes these are, and who may act for them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Scope(StrEnum):
    """What a token may do at the HTTP APIs. One without scopes may do everything."""

    READ = "read"  # look at faxes, their documents and the settings
    SEND = "send"  # send, send again, cancel
    DELETE = "delete"  # delete faxes and documents
    MANAGE = "manage"  # change faxboxes, applications and numbers


@dataclass(frozen=True, slots=True)
class Account:
    """A customer. ``realm`` is its mail domain; ``country`` (ISO 3166, two letters) reads national numbers.

    ``keep_documents`` and ``keep_records`` say how long documents and records of its faxes are kept after their end:
    a duration like ``90d``, ``forever``, or "" for what the settings say.
    ``limits`` are its own ceilings of a day, by the names of ``allowance.Allowance``; what is missing is the setting's.
    ``channel_limit`` is how many calls it may have at once, None for no limit.
    """

    id: UUID
    name: str
    realm: str
    country: str
    created_at: datetime
    updated_at: datetime
    parent_id: UUID | None = None
    timezone: str = "UTC"
    keep_documents: str = ""
    keep_records: str = ""
    limits: dict[str, int] = field(default_factory=dict)
    channel_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A key to the HTTP APIs; only the SHA-256 of the secret is kept. ``scopes`` are those of ``Scope``."""

    id: UUID
    account_id: UUID
    scopes: list[str] = field(default_factory=list)
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None

    def may(self, scope: Scope) -> bool:
        """Return whether the token opens what needs *scope*."""
        return not self.scopes or scope.value in self.scopes


@dataclass(frozen=True, slots=True)
class SmtpUser:
    """Somebody who logs in at the SMTP door, to send through one faxbox as one of ``addresses``.

    ``name`` is what he logs in as, in lower case; of the password only a hash is kept.
    """

    id: UUID
    account_id: UUID
    faxbox_id: UUID
    name: str
    addresses: list[str]
    created_at: datetime
    updated_at: datetime
    limits: dict[str, int] = field(default_factory=dict)

    def owns(self, address: str) -> bool:
        """Say whether *address* is one of his (case does not count)."""
        return address.casefold() in {own.casefold() for own in self.addresses}
