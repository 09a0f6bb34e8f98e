"""Who has done what: lines are only added, each with the digest of the one before it."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Uuid

from gateway.store.schema.base import metadata, text_column
from gateway.store.types import Json, UtcDateTime

#: No foreign keys: it outlives what it speaks of.
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    text_column("actor_kind", 16),
    text_column("actor"),
    text_column("peer", 64),
    text_column("action", 16),
    Column("account_id", Uuid),
    Column("fax_id", Uuid),
    text_column("subject", 128),
    Column("details", Json, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Index("ix_audit_fax", "fax_id", "id"),
    Index("ix_audit_account", "account_id", "id"),
    Index("ix_audit_at", "at"),
)
