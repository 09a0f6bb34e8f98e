"""The faxes of an account in both directions are one list; a folder's own index is the better one for a folder."""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_faxes_account", table_name="faxes")
    op.create_index("ix_faxes_account", "faxes", ["account_id", "created_at", "id", "direction"], unique=False)
