"""People who log in to send, and what may be sent in a day."""

import sqlalchemy as sa
from alembic import op

from gateway.store import types

revision = "0011"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("accounts", "faxboxes"):
        op.add_column(table, sa.Column("limits", types.Json, server_default=sa.text("'{}'"), nullable=False))
    op.add_column("faxes", sa.Column("approved", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("faxes", sa.Column("user", sa.String(length=255), server_default="", nullable=False))
    op.create_table(
        "smtp_users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("faxbox_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("addresses", types.Json, nullable=False),
        sa.Column("limits", types.Json, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_smtp_users_account_id"),
        sa.ForeignKeyConstraint(["faxbox_id"], ["faxboxes.id"], name="fk_smtp_users_faxbox_id"),
        sa.PrimaryKeyConstraint("id", name="pk_smtp_users"),
        sa.UniqueConstraint("name", name="uq_smtp_users_name"),
    )
    op.create_index("ix_smtp_users_account_id", "smtp_users", ["account_id"])
    op.create_index("ix_smtp_users_faxbox_id", "smtp_users", ["faxbox_id"])
    op.create_table(
        "usage",
        sa.Column("key", sa.String(length=320), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("faxes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("pages", sa.Integer(), server_default="0", nullable=False),
        sa.Column("destinations", sa.Integer(), server_default="0", nullable=False),
        sa.Column("held", sa.Integer(), server_default="0", nullable=False),
        sa.Column("told", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("key", "day", name="pk_usage"),
    )
    op.create_table(
        "destinations",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("first_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_destinations_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "number", name="pk_destinations"),
    )
