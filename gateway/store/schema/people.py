"""Whose faxes these are: accounts, tokens, applications, faxboxes, SMTP users, numbers, and what they use up."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, String, Table, Text, Uuid, text

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
    Column("limits", Json, nullable=False, server_default=text("'{}'")),
    Column("channel_limit", Integer),
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
    Column("cover", Boolean, nullable=False, server_default=text("false")),
    Column("body", String(8), nullable=False, server_default="ignore"),
    Column("limits", Json, nullable=False, server_default=text("'{}'")),
    Column("extra", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

#: Who may log in at the SMTP door. ``name`` is in lower case; of the password there is an Argon2id hash.
smtp_users = Table(
    "smtp_users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("faxbox_id", Uuid, ForeignKey("faxboxes.id"), nullable=False, index=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("password_hash", String(255), nullable=False),
    Column("addresses", Json, nullable=False),
    Column("limits", Json, nullable=False, server_default=text("'{}'")),
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

#: What was let through on one day (UTC, ``2026-11-22``) of a faxbox, a user or an account: see ``store/usage.py``.
usage = Table(
    "usage",
    metadata,
    Column("key", String(320), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("faxes", Integer, nullable=False, server_default="0"),
    Column("pages", Integer, nullable=False, server_default="0"),
    Column("destinations", Integer, nullable=False, server_default="0"),
    Column("held", Integer, nullable=False, server_default="0"),
    Column("told", Boolean, nullable=False, server_default=text("false")),
)

#: The numbers that an account has faxed to before.
destinations = Table(
    "destinations",
    metadata,
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("number", String(64), primary_key=True),
    Column("first_at", UtcDateTime, nullable=False),
)
