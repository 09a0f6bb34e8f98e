"""Who has done what: lines are only added, each with the digest of the one before it.

The database itself refuses to change a line, to delete one and to put another in its place; whoever may alter the
table can take that away, and is found by the digests. Lines that are older than the watermark ``KEPT_SINCE`` may go.
"""

from sqlalchemy import DDL, BigInteger, Column, Index, String, Table, Uuid, event

from gateway.store.schema.base import metadata, text_column
from gateway.store.types import Json, UtcDateTime

#: The name of the watermark that the retention sets before it deletes; the triggers know it too.
KEPT_SINCE = "audit kept since"

#: No foreign keys: it outlives what it speaks of.
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    text_column("actor_kind", 16),
    text_column("actor"),
    text_column("peer", 64),
    text_column("action", 16),
    Column("account_id", Uuid),
    Column("fax_id", Uuid),
    text_column("subject", 128),
    Column("details", Json, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Index("ix_audit_fax", "fax_id", "id"),
    Index("ix_audit_account", "account_id", "id"),
    Index("ix_audit_at", "at"),
)

#: What keeps the trail, for each engine. SQLite deletes without a trigger what INSERT OR REPLACE replaces.
KEEPERS = {
    "sqlite": (
        """CREATE TRIGGER audit_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'lines of the audit trail are only added'); END""",
        """CREATE TRIGGER audit_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'lines of the audit trail are only added'); END""",
        """CREATE TRIGGER audit_not_deleted BEFORE DELETE ON audit
WHEN OLD.at >= coalesce((SELECT at FROM watermarks WHERE name = 'audit kept since'), '')
BEGIN SELECT RAISE(ABORT, 'lines of the audit trail are only added'); END""",
    ),
    "postgresql": (
        """CREATE FUNCTION audit_only_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.at < (SELECT at FROM watermarks WHERE name = 'audit kept since') THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'lines of the audit trail are only added' USING ERRCODE = 'integrity_constraint_violation';
END $$""",
        """CREATE TRIGGER audit_only_added BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_only_added()""",
        """CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_only_added()""",
    ),
}

# Of use where the tables are made without the migrations: in the copy of a backup. They look at another table, so they
# come after all of them.
for _engine, _statements in KEEPERS.items():
    for _statement in _statements:
        _ddl = DDL(_statement)  # type: ignore[no-untyped-call] # SQLAlchemy says no types here
        event.listen(metadata, "after_create", _ddl.execute_if(dialect=_engine))
