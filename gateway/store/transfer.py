"""All rows of one database into another, whatever the two engines are."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, create_engine, func, insert, inspect, select, text, tuple_

from gateway.errors import ConfigurationError
from gateway.store.schema import accounts, metadata

AT_ONCE = 500


def copy_rows(source: Connection, target: Connection) -> dict[str, int]:
    """Copy every table from *source* into the empty *target*, both of this release's schema; return how many rows each
    had. *source* must not change meanwhile (a transaction that sees one moment)."""
    counts = {}
    for table in metadata.sorted_tables:
        counts[table.name] = 0
        for rows in _pages(source, table):
            target.execute(insert(table), rows)
            counts[table.name] += len(rows)
    if target.dialect.name == "postgresql":
        _count_on(target)
    return counts


def require_empty(tx: Connection) -> None:
    """Raise ConfigurationError when the database has an account or anything else that somebody could miss; it may lack
    tables, or all of them."""
    there = inspect(tx).get_table_names()
    for table in metadata.sorted_tables:
        if table.name in there and tx.execute(select(text("1")).select_from(table).limit(1)).first() is not None:
            raise ConfigurationError(
                f"[database] url: the database has rows already (in {table.name}); name an empty one"
            )


def at_one_moment(tx: Connection) -> None:
    """Let everything that is read in this transaction be of one moment. The first thing in it."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


@contextmanager
def lone_file(path: Path) -> Iterator[Connection]:
    """Open an SQLite file that nobody else writes, in one transaction that is committed at the end of the block."""
    engine = create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT", hide_parameters=True)
    try:
        with engine.connect() as tx:
            tx.exec_driver_sql("PRAGMA synchronous=FULL")
            tx.exec_driver_sql("BEGIN")
            yield tx
            tx.exec_driver_sql("COMMIT")
    finally:
        engine.dispose()


def _pages(source: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    keys = list(table.primary_key.columns)
    # An account comes before those that belong to it: it was made before them.
    order = [table.c.created_at, *keys] if table is accounts else keys
    position: tuple[Any, ...] | None = None
    while True:
        statement = select(table).order_by(*order).limit(AT_ONCE)
        if position is not None:
            statement = statement.where(tuple_(*order) > tuple_(*position))
        rows = [{str(name): value for name, value in row.items()} for row in source.execute(statement).mappings()]
        if not rows:
            return
        yield rows
        position = tuple(rows[-1][column.name] for column in order)


def _count_on(target: Connection) -> None:
    """Let the counters of PostgreSQL go on behind the rows that were copied."""
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        highest = target.execute(select(func.max(column))).scalar()
        if highest is not None:
            name = func.pg_get_serial_sequence(table.name, column.name)
            target.execute(select(func.setval(name, highest)))
