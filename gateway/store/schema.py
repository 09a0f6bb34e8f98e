"""The tables. Domain tables say what is; ``jobs`` says what is to be done next; both change in one transaction.

The migrations in ``migrations/versions`` build exactly this; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from gateway.store.types import Counter, Json, UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, length: int = 255) -> Column[str]:
    return Column(name, String(length), nullable=False, server_default="")


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
    _text("fax_email_recipient", 320),
    Column("file_type", String(8), nullable=False),
    _text("upstream_connection_id", 64),
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
    _text("caller_id", 32),
    _text("caller_name"),
    _text("fax_header"),
    _text("fax_identity"),
    _text("timezone", 64),
    Column("retries", Integer),
    Column("permit", Json, nullable=False),
    Column("inbound_emails", Json, nullable=False),
    Column("outbound_emails", Json, nullable=False),
    _text("file_type", 8),
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

messages = Table(
    "messages",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, nullable=False),
    Column("blob", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("message_id", Text, nullable=False),
    Column("sender", String(320), nullable=False),
    Column("subject", Text, nullable=False),
    Column("parts", Json, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
)

#: The same mail sent again is answered with its first fax. ``key`` digests what makes two mails the same.
submissions = Table(
    "submissions",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("fax_id", Uuid, nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
)

renderings = Table(
    "renderings",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("tiff_blob", String(64), nullable=False),
    Column("pdf_blob", String(64), nullable=False),
    Column("preview_blob", String(64), nullable=False),
    Column("pages", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

faxes = Table(
    "faxes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid),
    Column("application_id", BigInteger),
    Column("faxbox_id", Uuid),
    Column("direction", String(8), nullable=False),
    Column("origin", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    _text("from_number", 64),
    _text("to_number", 64),
    _text("to_written", 320),
    _text("from_name"),
    _text("to_name"),
    Column("subject", Text, nullable=False, server_default=""),
    _text("quality", 16),
    Column("message_id", Uuid, ForeignKey("messages.id")),
    _text("source", 64),
    Column("parts", Json, nullable=False),
    Column("rendering_id", Uuid, ForeignKey("renderings.id")),
    _text("pages_blob", 64),
    _text("media_type", 64),
    Column("pages", Integer),
    Column("pages_sent", Integer),
    Column("duration", Integer),
    Column("partial", Boolean, nullable=False, server_default=text("false")),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("tries_allowed", Integer, nullable=False, server_default="1"),
    Column("next_try_at", UtcDateTime),
    Column("failure_reason", Text, nullable=False, server_default=""),
    Column("failure_text", Text, nullable=False, server_default=""),
    Column("held_reason", Text, nullable=False, server_default=""),
    _text("carrier_fax_id", 64),
    _text("connection_id", 64),
    _text("caller_id"),
    Column("notify", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Index("ix_faxes_account", "account_id", "direction", "created_at", "id"),
    Index("ix_faxes_created", "direction", "created_at", "id"),
    # A received fax is one row however many events and polls speak of it.
    Index(
        "uq_faxes_inbound_carrier",
        "carrier_fax_id",
        unique=True,
        sqlite_where=text("direction = 'inbound'"),
        postgresql_where=text("direction = 'inbound'"),
    ),
    Index(
        "ix_faxes_open",
        "direction",
        "updated_at",
        sqlite_where=text("state NOT IN ('delivered', 'failed', 'canceled', 'received')"),
        postgresql_where=text("state NOT IN ('delivered', 'failed', 'canceled', 'received')"),
    ),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("fax_id", Uuid, ForeignKey("faxes.id", ondelete="CASCADE"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("client_state", String(128), nullable=False, unique=True),
    Column("handle_kind", String(8), nullable=False),
    Column("handle", String(64), nullable=False, unique=True),
    Column("document_blob", String(64), nullable=False),
    Column("intent_at", UtcDateTime, nullable=False),
    Column("unknown_at", UtcDateTime),
    Column("list_answered_at", UtcDateTime),
    Column("fetched_at", UtcDateTime),
    Column("fetches", Integer, nullable=False, server_default="0"),
    Column("revoked_at", UtcDateTime),
    _text("carrier_fax_id", 64),
    Column("failure_reason", Text, nullable=False, server_default=""),
    Column("pages_sent", Integer),
    Column("duration", Integer),
    Column("settled_at", UtcDateTime),
    UniqueConstraint("fax_id", "ordinal"),
    Index("ix_attempts_carrier", "carrier_fax_id"),
    Index(
        "uq_attempts_open",
        "fax_id",
        unique=True,
        sqlite_where=text("state IN ('intent', 'accepted', 'unknown')"),
        postgresql_where=text("state IN ('intent', 'accepted', 'unknown')"),
    ),
)

events = Table(
    "events",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("source", String(16), nullable=False),
    Column("happened", String(24), nullable=False),
    _text("carrier_fax_id", 64),
    Column("raw", Json, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("handled_at", UtcDateTime),
    Column("fax_id", Uuid),
    Index("ix_events_fax", "carrier_fax_id"),
    Index("ix_events_received", "received_at"),
)

outgoing = Table(
    "outgoing",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("fax_id", Uuid, ForeignKey("faxes.id", ondelete="CASCADE"), index=True),
    Column("tale", String(24), nullable=False),
    Column("recipient", String(320), nullable=False),
    Column("message_id", String(255), nullable=False, unique=True),
    Column("state", String(8), nullable=False),
    Column("facts", Json, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
)

smtplog = Table(
    "smtplog",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid),
    Column("faxbox_id", Uuid),
    Column("at", UtcDateTime, nullable=False),
    _text("listener", 64),
    _text("peer", 64),
    _text("helo"),
    _text("tls", 16),
    _text("user"),
    _text("sender", 512),
    Column("recipients", Json, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("message_id", Text, nullable=False, server_default=""),
    Column("subject", Text, nullable=False, server_default=""),
    Column("found", Json, nullable=False),
    Column("errors", Json, nullable=False),
    Column("reply", Text, nullable=False, server_default=""),
    Column("fax_ids", Json, nullable=False),
    Index("ix_smtplog_account", "account_id", "at", "id"),
    Index("ix_smtplog_at", "at", "id"),
)

_SCHEDULED, _READY = text("state = 'scheduled'"), text("state = 'ready'")
_BLOCKED, _RUNNING = text("state = 'blocked'"), text("state = 'running'")

jobs = Table(
    "jobs",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("state", String(10), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("due", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("keys", Json, nullable=False),
    Column("blocked_on", String(128)),
    Column("node", String(64)),
    Column("epoch", BigInteger),
    Column("claimed_at", UtcDateTime),
    Column("last_error", Text, nullable=False, server_default=""),
    Index("ix_jobs_subject", "subject", "kind"),
    Index("ix_jobs_scheduled", "due", "id", sqlite_where=_SCHEDULED, postgresql_where=_SCHEDULED),
    Index("ix_jobs_ready", "kind", "priority", "due", "id", sqlite_where=_READY, postgresql_where=_READY),
    Index("ix_jobs_blocked", "blocked_on", "priority", "id", sqlite_where=_BLOCKED, postgresql_where=_BLOCKED),
    Index("ix_jobs_running", "node", "epoch", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
)

#: What must not happen twice at once: one call to a number, so many calls of an application.
holds = Table(
    "holds",
    metadata,
    Column("key", String(128), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("owner", String(64), nullable=False, index=True),
    Column("until", UtcDateTime, nullable=False, index=True),
)

nodes = Table(
    "nodes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("seen", UtcDateTime, nullable=False),
)

#: How far the poller has read.
watermarks = Table(
    "watermarks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
