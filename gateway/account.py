"""Accounts: whose faxes these are, and who may act for them."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Account:
    """A customer. ``realm`` is its mail domain; ``country`` (ISO 3166, two letters) reads national numbers."""

    id: UUID
    name: str
    realm: str
    country: str
    created_at: datetime
    updated_at: datetime
    parent_id: UUID | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Token:
    """A key to the HTTP APIs; only the SHA-256 of the secret is kept."""

    id: UUID
    account_id: UUID
    scopes: list[str] = field(default_factory=list)
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
