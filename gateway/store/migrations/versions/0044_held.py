"""Faxes that wait for a person are counted often, and are few."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_HELD = sa.text("state IN ('held', 'unknown')")


def upgrade() -> None:
    op.create_index("ix_faxes_held", "faxes", ["state"], sqlite_where=_HELD, postgresql_where=_HELD)
