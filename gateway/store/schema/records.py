"""What was said and told: the carrier's events, our mails, the log of SMTP transactions."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, Uuid

from gateway.store.schema.base import metadata, text_column
from gateway.store.types import Json, UtcDateTime

events = Table(
    "events",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("source", String(16), nullable=False),
    Column("happened", String(24), nullable=False),
    text_column("carrier_fax_id", 64),
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
    text_column("listener", 64),
    text_column("peer", 64),
    text_column("helo"),
    text_column("tls", 16),
    text_column("user"),
    text_column("sender", 512),
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

#: One-time links of our mails, by which somebody decides about a fax. Of the link's token there is only the digest.
#: ``only`` is the one answer that a link is good for, "" for any.
decisions = Table(
    "decisions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("fax_id", Uuid, ForeignKey("faxes.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("used_at", UtcDateTime),
    text_column("action", 16),
    text_column("only", 16),
)
