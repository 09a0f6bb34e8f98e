"""INSERT, which is compiled once for each table and set of columns.

SQLAlchemy executes well but builds slowly: a statement of forty columns takes it ten times as long as SQLite needs to
execute it, and a mail that is taken in writes five. So the statement is kept, and on SQLite it goes with its values
straight to the driver; the types of the columns convert them as always.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, Connection, Dialect, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.types import TypeEngine

_Convert = Callable[[Any], Any]
_EMPTY: dict[type, str] = {list: "[]", dict: "{}"}


def insert(tx: Connection, table: Table, values: Mapping[str, Any], *, ignore: bool = False) -> int:
    """Insert a row and return how many were. *ignore*: none where a unique constraint stands against it.

    Raises as ``tx.execute`` does.
    """
    if tx.dialect.name == "postgresql":
        return int(tx.execute(_for_postgresql(table, ignore=ignore), dict(values)).rowcount)
    statement, names, converters = _for_sqlite(table, tuple(values), ignore=ignore)
    row = [values[name] for name in names]
    try:
        for position, convert in converters:
            row[position] = convert(row[position])
    except (TypeError, ValueError) as error:
        raise StatementError(str(error), statement, None, error, hide_parameters=True) from error
    return execute(tx, statement, row).rowcount


def execute(tx: Connection, statement: str, row: Sequence[Any] | Mapping[str, Any] = ()) -> sqlite3.Cursor:
    """Execute *statement* with the values *row* on SQLite's driver, its errors being those of SQLAlchemy."""
    driver = tx.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    try:
        return driver.execute(statement, row)
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            statement, None, error, sqlite3.Error, hide_parameters=True, dialect=tx.dialect
        ) from error


@lru_cache
def _for_postgresql(table: Table, *, ignore: bool) -> Insert:
    statement = postgresql.insert(table)
    return statement.on_conflict_do_nothing() if ignore else statement


@lru_cache
def _for_sqlite(
    table: Table, names: tuple[str, ...], *, ignore: bool
) -> tuple[str, tuple[str, ...], list[tuple[int, _Convert]]]:
    """Return the statement, the names of its values in their order, and what converts which of them."""
    dialect = sqlite.dialect()
    statement = sqlite.insert(table)
    if ignore:
        statement = statement.on_conflict_do_nothing()
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    order = tuple(compiled.positiontup or ())
    assert sorted(order) == sorted(names), "a column is unknown, or has a default that is made in Python"
    found = [(index, _converter(table.c[name].type, dialect)) for index, name in enumerate(order)]
    return str(compiled), order, [(index, convert) for index, convert in found if convert is not None]


def _converter(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    convert: _Convert | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return _json(convert) if isinstance(kind, JSON) and convert else convert


def _json(convert: _Convert) -> _Convert:
    """Return what converts JSON; lists and mappings are empty more often than not, and need no library then."""

    def converted(value: Any) -> Any:
        return convert(value) if value else _EMPTY.get(type(value)) or convert(value)

    return converted
