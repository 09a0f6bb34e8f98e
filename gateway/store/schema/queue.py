"""What is to be done next, and what keeps it in order."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, text

from gateway.store.schema.base import metadata
from gateway.store.types import Counter, Json, UtcDateTime

_SCHEDULED, _READY = text("state = 'scheduled'"), text("state = 'ready'")
#: With which the process that ran it has died so often, a job is under suspicion.
SUSPECT = 3
IS_SUSPECT = text(f"state = 'ready' AND crashes >= {SUSPECT}")
_BLOCKED, _RUNNING = text("state = 'blocked'"), text("state = 'running'")

jobs = Table(
    "jobs",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("state", String(10), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("due", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("keys", Json, nullable=False),
    Column("blocked_on", String(128)),
    Column("node", String(64)),
    Column("epoch", BigInteger),
    Column("claimed_at", UtcDateTime),
    Column("last_error", Text, nullable=False, server_default=""),
    # How often the job has failed by a fault of ours, and how often the process died that ran it.
    Column("raised", Integer, nullable=False, server_default="0"),
    Column("crashes", Integer, nullable=False, server_default="0"),
    Index("ix_jobs_subject", "subject", "kind"),
    Index("ix_jobs_scheduled", "due", "id", sqlite_where=_SCHEDULED, postgresql_where=_SCHEDULED),
    Index("ix_jobs_ready", "kind", "priority", "due", "id", sqlite_where=_READY, postgresql_where=_READY),
    Index("ix_jobs_suspect", "crashes", "id", sqlite_where=IS_SUSPECT, postgresql_where=IS_SUSPECT),
    Index("ix_jobs_blocked", "blocked_on", "priority", "id", sqlite_where=_BLOCKED, postgresql_where=_BLOCKED),
    Index("ix_jobs_running", "node", "epoch", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
)

#: What must not happen twice at once: one call to a number, so many calls of an application.
holds = Table(
    "holds",
    metadata,
    Column("key", String(128), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("owner", String(64), nullable=False, index=True),
    Column("until", UtcDateTime, nullable=False, index=True),
)

#: How a carrier is doing, as all nodes see it: see ``store/carriers.py``.
carriers = Table(
    "carriers",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", UtcDateTime),
    Column("opened", Integer, nullable=False, server_default="0"),
    Column("open_until", UtcDateTime),
    Column("probe_until", UtcDateTime),
    Column("pause_until", UtcDateTime),
    Column("next_at", UtcDateTime),
    # What it answered last when it failed, and the beginning of the outage that the operator was told of.
    Column("answer", Text, nullable=False, server_default=""),
    Column("told_since", UtcDateTime),
)

nodes = Table(
    "nodes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("seen", UtcDateTime, nullable=False),
)

#: How far the poller has read.
watermarks = Table(
    "watermarks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
