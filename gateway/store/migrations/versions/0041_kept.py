"""The audit trail is kept by the database itself; what the carrier shall forget."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0033"
branch_labels = None
depends_on = None

_SQLITE = (
    """CREATE TRIGGER audit_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'lines of the audit trail are only added'); END""",
    """CREATE TRIGGER audit_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'lines of the audit trail are only added'); END""",
    """CREATE TRIGGER audit_not_deleted BEFORE DELETE ON audit
WHEN OLD.at >= coalesce((SELECT at FROM watermarks WHERE name = 'audit kept since'), '')
BEGIN SELECT RAISE(ABORT, 'lines of the audit trail are only added'); END""",
)
_POSTGRESQL = (
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
)
_AT_CARRIER = sa.text("finished_at IS NOT NULL AND carrier_fax_id <> '' AND NOT carrier_forgets")


def upgrade() -> None:
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.get_bind().exec_driver_sql(statement)
    op.add_column("faxes", sa.Column("carrier_forgets", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index(
        "ix_faxes_carrier",
        "faxes",
        ["finished_at", "id"],
        unique=False,
        sqlite_where=_AT_CARRIER,
        postgresql_where=_AT_CARRIER,
    )
