"""Who waits is told so, also while the pages are not made yet."""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

_LATE = sa.text("state IN ('preparing', 'queued') AND delay_at IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_faxes_delay", table_name="faxes")
    op.create_index("ix_faxes_delay", "faxes", ["delay_at"], sqlite_where=_LATE, postgresql_where=_LATE)
