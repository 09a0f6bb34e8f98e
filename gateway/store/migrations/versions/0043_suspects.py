"""An index of the few jobs with which the process has died again and again."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_SUSPECT = sa.text("state = 'ready' AND crashes >= 3")


def upgrade() -> None:
    op.create_index("ix_jobs_suspect", "jobs", ["crashes", "id"], sqlite_where=_SUSPECT, postgresql_where=_SUSPECT)
