"""What is told of what takes long: to the sender of a fax that waits, and to the operator of a carrier that is away."""

import sqlalchemy as sa
from alembic import op

from gateway.store.types import UtcDateTime

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_LATE = sa.text("state = 'queued' AND delay_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("faxes", sa.Column("delay_at", UtcDateTime(), nullable=True))
    op.create_index("ix_faxes_delay", "faxes", ["delay_at"], sqlite_where=_LATE, postgresql_where=_LATE)
    op.add_column("decisions", sa.Column("only", sa.String(16), server_default="", nullable=False))
    op.add_column("carriers", sa.Column("answer", sa.Text(), server_default="", nullable=False))
    op.add_column("carriers", sa.Column("told_since", UtcDateTime(), nullable=True))
