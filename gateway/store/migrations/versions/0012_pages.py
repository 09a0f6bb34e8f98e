"""What is put on the pages: header lines, so that an attempt has a document and a preview of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("preview_blob", sa.String(length=64), server_default="", nullable=False))
