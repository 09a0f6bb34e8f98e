"""Pages of the folders of what is over are read from their indexes alone."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

_HOLDS = {
    "outbox": "direction = 'outbound' AND state IN ('delivered', 'failed', 'canceled') AND erased_at IS NULL",
    "inbox": "direction = 'inbound' AND state = 'received' AND erased_at IS NULL",
}


def upgrade() -> None:
    for name, holds in _HOLDS.items():
        op.drop_index(f"ix_faxes_{name}", table_name="faxes")
        op.create_index(
            f"ix_faxes_{name}",
            "faxes",
            ["account_id", "direction", "created_at", "id", "updated_at"],
            sqlite_where=sa.text(holds),
            postgresql_where=sa.text(holds),
        )
