"""What troubles need: channels of an account, deadlines, jobs that are set aside, a carrier at rest, one-time links."""

import sqlalchemy as sa
from alembic import op

from gateway.store.types import UtcDateTime

revision = "0014"
down_revision = "0015"
branch_labels = None
depends_on = None

_WAITING = sa.text("state IN ('preparing', 'queued')")


def upgrade() -> None:
    op.add_column("accounts", sa.Column("channel_limit", sa.Integer(), nullable=True))
    op.add_column("faxes", sa.Column("deadline_at", UtcDateTime(), nullable=True))
    op.create_index("ix_faxes_deadline", "faxes", ["deadline_at"], sqlite_where=_WAITING, postgresql_where=_WAITING)
    for name in ("raised", "crashes"):
        op.add_column("jobs", sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "carriers",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("opened", sa.Integer(), server_default="0", nullable=False),
        sa.Column("open_until", UtcDateTime(), nullable=True),
        sa.Column("probe_until", UtcDateTime(), nullable=True),
        sa.Column("pause_until", UtcDateTime(), nullable=True),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_carriers"),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("fax_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.Column("action", sa.String(length=16), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["fax_id"], ["faxes.id"], name="fk_decisions_fax_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sa.UniqueConstraint("digest", name="uq_decisions_digest"),
    )
    op.create_index("ix_decisions_fax_id", "decisions", ["fax_id"])
    op.create_index("ix_decisions_expires_at", "decisions", ["expires_at"])
