"""What programs leave here and are told: their media, the webhooks to them, and the keys that sign both."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, Uuid

from gateway.store.schema.base import metadata, text_column
from gateway.store.types import Json, UtcDateTime

#: Files that a client uploaded to fax them by name.
media = Table(
    "media",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("blob", String(64), nullable=False, index=True),
    text_column("content_type"),
    Column("size", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    UniqueConstraint("account_id", "name"),
)

#: One event for one program, with every try to tell it. ``event`` is what is told and never changes.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, nullable=False),
    Column("application_id", BigInteger, nullable=False),
    Column("fax_id", Uuid, nullable=False),
    Column("event_type", String(64), nullable=False),
    Column("event", Json, nullable=False),
    Column("state", String(10), nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("attempts", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Index("ix_webhook_deliveries_account", "account_id", "created_at", "id"),
    Index("ix_webhook_deliveries_fax", "fax_id", "event_type"),
)

#: Keys that every process of an installation shares; made once, when first needed.
secrets = Table(
    "secrets",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
