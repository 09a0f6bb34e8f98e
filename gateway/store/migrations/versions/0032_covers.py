"""How far the pages of a fax are, cover pages, and what becomes of a mail's text."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("faxes", sa.Column("pages_done", sa.Integer(), nullable=True))
    op.add_column("faxes", sa.Column("pages_to_do", sa.Integer(), nullable=True))
    op.add_column("faxes", sa.Column("cover_blob", sa.String(length=64), server_default="", nullable=False))
    op.add_column("faxboxes", sa.Column("cover", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("faxboxes", sa.Column("body", sa.String(length=8), server_default="ignore", nullable=False))
