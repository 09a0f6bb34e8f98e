"""Faxes that come by the APIs: their documents, and what their clients want to see again."""

import sqlalchemy as sa
from alembic import op

from gateway.store import types

revision = "0020"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("faxes") as table:
        table.add_column(sa.Column("documents", types.Json, server_default=sa.text("'[]'"), nullable=False))
        table.add_column(sa.Column("monochrome", sa.Boolean(), server_default=sa.text("false"), nullable=False))
        table.add_column(sa.Column("black_threshold", sa.Integer(), nullable=True))
        table.add_column(sa.Column("t38", sa.Boolean(), server_default=sa.text("true"), nullable=False))
        table.add_column(sa.Column("header", sa.String(length=255), server_default="", nullable=False))
        table.add_column(sa.Column("identity", sa.String(length=64), server_default="", nullable=False))
        table.add_column(sa.Column("timezone", sa.String(length=64), server_default="", nullable=False))
        table.add_column(sa.Column("extra", types.Json, server_default=sa.text("'{}'"), nullable=False))
        table.add_column(sa.Column("erased_at", types.UtcDateTime(), nullable=True))
    for name in ("message", "rendering"):
        named = sa.text(f"{name}_id IS NOT NULL")
        op.create_index(f"ix_faxes_{name}", "faxes", [f"{name}_id"], sqlite_where=named, postgresql_where=named)
    op.create_table(
        "shares",
        sa.Column("blob", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("blob", "owner", name="pk_shares"),
    )
