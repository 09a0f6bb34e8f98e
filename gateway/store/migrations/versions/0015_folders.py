"""Indexes for the lists of the APIs: the faxes of an account by folder, and those of a faxbox."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0016"
branch_labels = None
depends_on = None

_SENT = "('delivered', 'failed', 'canceled')"
_FOLDERS = {
    "outgoing": f"direction = 'outbound' AND state NOT IN {_SENT} AND erased_at IS NULL",
    "outbox": f"direction = 'outbound' AND state IN {_SENT} AND erased_at IS NULL",
    "incoming": "direction = 'inbound' AND state <> 'received' AND erased_at IS NULL",
    "inbox": "direction = 'inbound' AND state = 'received' AND erased_at IS NULL",
}


def upgrade() -> None:
    op.create_index("ix_faxes_faxbox", "faxes", ["faxbox_id", "direction", "created_at", "id"], unique=False)
    for name, holds in _FOLDERS.items():
        op.create_index(
            f"ix_faxes_{name}",
            "faxes",
            ["account_id", "direction", "created_at", "id"],
            unique=False,
            sqlite_where=sa.text(holds),
            postgresql_where=sa.text(holds),
        )
