"""The first schema."""

import sqlalchemy as sa
from alembic import op

from gateway.store import types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("realm", sa.String(length=255), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("api_key_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["accounts.id"], name=("fk_accounts_parent_id")),
        sa.PrimaryKeyConstraint("id", name=("pk_accounts")),
        sa.UniqueConstraint("api_key_digest", name=("uq_accounts_api_key_digest")),
        sa.UniqueConstraint("realm", name=("uq_accounts_realm")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("happened", sa.String(length=24), nullable=False),
        sa.Column("carrier_fax_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("raw", types.Json, nullable=False),
        sa.Column("received_at", types.UtcDateTime(), nullable=False),
        sa.Column("handled_at", types.UtcDateTime(), nullable=True),
        sa.Column("fax_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=("pk_events")),
    )
    op.create_index("ix_events_fax", "events", ["carrier_fax_id"], unique=False)
    op.create_index("ix_events_received", "events", ["received_at"], unique=False)
    op.create_table(
        "holds",
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("until", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", "slot", name=("pk_holds")),
    )
    op.create_index(("ix_holds_owner"), "holds", ["owner"], unique=False)
    op.create_index(("ix_holds_until"), "holds", ["until"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", types.Counter, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due", types.UtcDateTime(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("keys", types.Json, nullable=False),
        sa.Column("blocked_on", sa.String(length=128), nullable=True),
        sa.Column("node", sa.String(length=64), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("claimed_at", types.UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=("pk_jobs")),
    )
    op.create_index(
        "ix_jobs_blocked",
        "jobs",
        ["blocked_on", "priority", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'blocked'"),
        postgresql_where=sa.text("state = 'blocked'"),
    )
    op.create_index(
        "ix_jobs_ready",
        "jobs",
        ["kind", "priority", "due", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_index(
        "ix_jobs_running",
        "jobs",
        ["node", "epoch"],
        unique=False,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index(
        "ix_jobs_scheduled",
        "jobs",
        ["due", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'scheduled'"),
        postgresql_where=sa.text("state = 'scheduled'"),
    )
    op.create_index("ix_jobs_subject", "jobs", ["subject", "kind"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("blob", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("sender", sa.String(length=320), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("parts", types.Json, nullable=False),
        sa.Column("received_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=("pk_messages")),
    )
    op.create_table(
        "nodes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("seen", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=("pk_nodes")),
    )
    op.create_table(
        "renderings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("tiff_blob", sa.String(length=64), nullable=False),
        sa.Column("pdf_blob", sa.String(length=64), nullable=False),
        sa.Column("preview_blob", sa.String(length=64), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=("pk_renderings")),
        sa.UniqueConstraint("key", name=("uq_renderings_key")),
    )
    op.create_table(
        "revisions",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=("pk_revisions")),
    )
    op.create_table(
        "smtplog",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("faxbox_id", sa.Uuid(), nullable=True),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("listener", sa.String(length=64), server_default="", nullable=False),
        sa.Column("peer", sa.String(length=64), server_default="", nullable=False),
        sa.Column("helo", sa.String(length=255), server_default="", nullable=False),
        sa.Column("tls", sa.String(length=16), server_default="", nullable=False),
        sa.Column("user", sa.String(length=255), server_default="", nullable=False),
        sa.Column("sender", sa.String(length=512), server_default="", nullable=False),
        sa.Column("recipients", types.Json, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("found", types.Json, nullable=False),
        sa.Column("errors", types.Json, nullable=False),
        sa.Column("reply", sa.Text(), server_default="", nullable=False),
        sa.Column("fax_ids", types.Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=("pk_smtplog")),
    )
    op.create_index("ix_smtplog_account", "smtplog", ["account_id", "at", "id"], unique=False)
    op.create_index("ix_smtplog_at", "smtplog", ["at", "id"], unique=False)
    op.create_table(
        "submissions",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("fax_id", sa.Uuid(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("until", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=("pk_submissions")),
    )
    op.create_index(("ix_submissions_fax_id"), "submissions", ["fax_id"], unique=False)
    op.create_table(
        "watermarks",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=("pk_watermarks")),
    )
    op.create_table(
        "applications",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("webhook_event_url", sa.Text(), nullable=False),
        sa.Column("webhook_event_failover_url", sa.Text(), server_default="", nullable=False),
        sa.Column("webhook_timeout_secs", sa.Integer(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("fax_email_recipient", sa.String(length=320), server_default="", nullable=False),
        sa.Column("file_type", sa.String(length=8), nullable=False),
        sa.Column("upstream_connection_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("channel_limit", sa.Integer(), nullable=True),
        sa.Column("extra", types.Json, nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=("fk_applications_account_id")),
        sa.PrimaryKeyConstraint("id", name=("pk_applications")),
    )
    op.create_index(("ix_applications_account_id"), "applications", ["account_id"], unique=False)
    op.create_table(
        "faxes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("application_id", sa.BigInteger(), nullable=True),
        sa.Column("faxbox_id", sa.Uuid(), nullable=True),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("origin", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("from_number", sa.String(length=64), server_default="", nullable=False),
        sa.Column("to_number", sa.String(length=64), server_default="", nullable=False),
        sa.Column("to_written", sa.String(length=320), server_default="", nullable=False),
        sa.Column("from_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("to_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("quality", sa.String(length=16), server_default="", nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("source", sa.String(length=64), server_default="", nullable=False),
        sa.Column("parts", types.Json, nullable=False),
        sa.Column("rendering_id", sa.Uuid(), nullable=True),
        sa.Column("pages_blob", sa.String(length=64), server_default="", nullable=False),
        sa.Column("media_type", sa.String(length=64), server_default="", nullable=False),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("pages_sent", sa.Integer(), nullable=True),
        sa.Column("duration", sa.Integer(), nullable=True),
        sa.Column("partial", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tries_allowed", sa.Integer(), server_default="1", nullable=False),
        sa.Column("next_try_at", types.UtcDateTime(), nullable=True),
        sa.Column("failure_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("failure_text", sa.Text(), server_default="", nullable=False),
        sa.Column("held_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("carrier_fax_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("connection_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("caller_id", sa.String(length=255), server_default="", nullable=False),
        sa.Column("notify", types.Json, nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.Column("finished_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=("fk_faxes_message_id")),
        sa.ForeignKeyConstraint(["rendering_id"], ["renderings.id"], name=("fk_faxes_rendering_id")),
        sa.PrimaryKeyConstraint("id", name=("pk_faxes")),
    )
    op.create_index("ix_faxes_account", "faxes", ["account_id", "direction", "created_at", "id"], unique=False)
    op.create_index("ix_faxes_created", "faxes", ["direction", "created_at", "id"], unique=False)
    op.create_index(
        "ix_faxes_open",
        "faxes",
        ["direction", "updated_at"],
        unique=False,
        sqlite_where=sa.text("state NOT IN ('delivered', 'failed', 'canceled', 'received')"),
        postgresql_where=sa.text("state NOT IN ('delivered', 'failed', 'canceled', 'received')"),
    )
    op.create_index(
        "uq_faxes_inbound_carrier",
        "faxes",
        ["carrier_fax_id"],
        unique=True,
        sqlite_where=sa.text("direction = 'inbound'"),
        postgresql_where=sa.text("direction = 'inbound'"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", types.Json, nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(), nullable=True),
        sa.Column("last_used_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=("fk_tokens_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=("pk_tokens")),
        sa.UniqueConstraint("digest", name=("uq_tokens_digest")),
    )
    op.create_index(("ix_tokens_account_id"), "tokens", ["account_id"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fax_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("client_state", sa.String(length=128), nullable=False),
        sa.Column("handle_kind", sa.String(length=8), nullable=False),
        sa.Column("handle", sa.String(length=64), nullable=False),
        sa.Column("document_blob", sa.String(length=64), nullable=False),
        sa.Column("intent_at", types.UtcDateTime(), nullable=False),
        sa.Column("unknown_at", types.UtcDateTime(), nullable=True),
        sa.Column("list_answered_at", types.UtcDateTime(), nullable=True),
        sa.Column("fetched_at", types.UtcDateTime(), nullable=True),
        sa.Column("fetches", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revoked_at", types.UtcDateTime(), nullable=True),
        sa.Column("carrier_fax_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("failure_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("pages_sent", sa.Integer(), nullable=True),
        sa.Column("duration", sa.Integer(), nullable=True),
        sa.Column("settled_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["fax_id"], ["faxes.id"], name=("fk_attempts_fax_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=("pk_attempts")),
        sa.UniqueConstraint("client_state", name=("uq_attempts_client_state")),
        sa.UniqueConstraint("fax_id", "ordinal", name=("uq_attempts_fax_id_ordinal")),
        sa.UniqueConstraint("handle", name=("uq_attempts_handle")),
    )
    op.create_index("ix_attempts_carrier", "attempts", ["carrier_fax_id"], unique=False)
    op.create_index(
        "uq_attempts_open",
        "attempts",
        ["fax_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('intent', 'accepted', 'unknown')"),
        postgresql_where=sa.text("state IN ('intent', 'accepted', 'unknown')"),
    )
    op.create_table(
        "faxboxes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("custom_host", sa.String(length=255), nullable=True),
        sa.Column("caller_id", sa.String(length=32), server_default="", nullable=False),
        sa.Column("caller_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("fax_header", sa.String(length=255), server_default="", nullable=False),
        sa.Column("fax_identity", sa.String(length=255), server_default="", nullable=False),
        sa.Column("timezone", sa.String(length=64), server_default="", nullable=False),
        sa.Column("retries", sa.Integer(), nullable=True),
        sa.Column("permit", types.Json, nullable=False),
        sa.Column("inbound_emails", types.Json, nullable=False),
        sa.Column("outbound_emails", types.Json, nullable=False),
        sa.Column("file_type", sa.String(length=8), server_default="", nullable=False),
        sa.Column("extra", types.Json, nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=("fk_faxboxes_account_id")),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=("fk_faxboxes_application_id")),
        sa.PrimaryKeyConstraint("id", name=("pk_faxboxes")),
        sa.UniqueConstraint("custom_host", name=("uq_faxboxes_custom_host")),
        sa.UniqueConstraint("host", name=("uq_faxboxes_host")),
    )
    op.create_index(("ix_faxboxes_account_id"), "faxboxes", ["account_id"], unique=False)
    op.create_table(
        "outgoing",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fax_id", sa.Uuid(), nullable=True),
        sa.Column("tale", sa.String(length=24), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("facts", types.Json, nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("sent_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["fax_id"], ["faxes.id"], name=("fk_outgoing_fax_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=("pk_outgoing")),
        sa.UniqueConstraint("message_id", name=("uq_outgoing_message_id")),
    )
    op.create_index(("ix_outgoing_fax_id"), "outgoing", ["fax_id"], unique=False)
    op.create_table(
        "numbers",
        sa.Column("e164", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("faxbox_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=("fk_numbers_account_id")),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=("fk_numbers_application_id")),
        sa.ForeignKeyConstraint(["faxbox_id"], ["faxboxes.id"], name=("fk_numbers_faxbox_id")),
        sa.PrimaryKeyConstraint("e164", name=("pk_numbers")),
    )
    op.create_index(("ix_numbers_account_id"), "numbers", ["account_id"], unique=False)
    op.create_index(("ix_numbers_application_id"), "numbers", ["application_id"], unique=False)
