"""The audit trail, and how long each account's documents and records are kept."""

import sqlalchemy as sa
from alembic import op

from gateway.store import types

revision = "0013"
down_revision = "0001"
branch_labels = None
depends_on = None


def _text(name: str, length: int = 255) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), server_default="", nullable=False)


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        _text("actor_kind", 16),
        _text("actor"),
        _text("peer", 64),
        _text("action", 16),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("fax_id", sa.Uuid(), nullable=True),
        _text("subject", 128),
        sa.Column("details", types.Json, nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=("pk_audit")),
    )
    op.create_index("ix_audit_fax", "audit", ["fax_id", "id"], unique=False)
    op.create_index("ix_audit_account", "audit", ["account_id", "id"], unique=False)
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    for name in ("keep_documents", "keep_records"):
        op.add_column("accounts", _text(name, 16))
