"""Whose faxes these are: accounts, tokens, applications, faxboxes, numbers."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, String, Table, Text, Uuid

from gateway.store.schema.base import metadata, text_column
from gateway.store.types import Json, UtcDateTime

accounts = Table(
    "accounts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("parent_id", Uuid, ForeignKey("accounts.id")),
    Column("name", String(255), nullable=False),
    Column("realm", String(255), nullable=False, unique=True),
    Column("country", String(2), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("api_key_digest", String(64), nullable=False, unique=True),
    # Durations as people write them ("90d"), "forever", or "" for what [retention] says.
    text_column("keep_documents", 16),
    text_column("keep_records", 16),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
)

applications = Table(
    "applications",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", Uuid, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", String(255), nullable=False),
    Column("webhook_event_url", Text, nullable=False),
    Column("webhook_event_failover_url", Text, nullable=False, server_default=""),
    Column("webhook_timeout_secs", Integer),
    Column("active", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    text_column("fax_email_recipient", 320),
    Column("file_type", String(8), nullable=False),
    text_column("upstream_connection_id", 64),
    Column("channel_limit", Integer),
    Column("extra", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

faxboxes = Table(
    "faxboxes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("application_id", BigInteger, ForeignKey("applications.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("host", String(255), nullable=False, unique=True),
    Column("custom_host", String(255), unique=True),
    text_column("caller_id", 32),
    text_column("caller_name"),
    text_column("fax_header"),
    text_column("fax_identity"),
    text_column("timezone", 64),
    Column("retries", Integer),
    Column("permit", Json, nullable=False),
    Column("inbound_emails", Json, nullable=False),
    Column("outbound_emails", Json, nullable=False),
    text_column("file_type", 8),
    Column("extra", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

numbers = Table(
    "numbers",
    metadata,
    Column("e164", String(32), primary_key=True),
    Column("account_id", Uuid, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("application_id", BigInteger, ForeignKey("applications.id"), nullable=False, index=True),
    Column("faxbox_id", Uuid, ForeignKey("faxboxes.id")),
    Column("created_at", UtcDateTime, nullable=False),
)

#: Counts every change to who may send what where, so that a routing snapshot knows when it is old.
revisions = Table(
    "revisions",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("counter", BigInteger, nullable=False),
)
