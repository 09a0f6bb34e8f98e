"""SELECT and UPDATE that are built and compiled once, with their values given at each call.

What ``inserts.py`` does for new rows, for the statements that every mail runs through: building one anew costs more
than executing it.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Select, Update
from sqlalchemy.dialects import sqlite

from gateway.store.inserts import execute

_DIALECT = sqlite.dialect()
_Convert = Callable[[Any], Any]


class Prepared:
    """*statement* has a ``bindparam`` for everything that changes; no lists."""

    def __init__(self, statement: "Select[Any] | Update") -> None:
        self._statement = statement
        compiled = statement.compile(dialect=_DIALECT)
        self._text = str(compiled)
        self._names = tuple(compiled.positiontup or ())
        self._binds = [
            compiled.binds[name].type.dialect_impl(_DIALECT).bind_processor(_DIALECT) for name in self._names
        ]
        columns = list(statement.selected_columns) if isinstance(statement, Select) else []
        readers = [column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None) for column in columns]
        self.names = tuple(str(column.key) for column in columns)
        self._readers: list[tuple[int, _Convert]] = [(at, read) for at, read in enumerate(readers) if read is not None]

    def rows(self, tx: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a SELECT."""
        if tx.dialect.name == "postgresql":
            return [tuple(row) for row in tx.execute(self._statement, values)]
        return [self._read(row) for row in execute(tx, self._text, self._bound(values)).fetchall()]

    def change(self, tx: Connection, **values: Any) -> int:
        """Execute an UPDATE and return how many rows it met."""
        if tx.dialect.name == "postgresql":
            return int(tx.execute(self._statement, values).rowcount)
        return execute(tx, self._text, self._bound(values)).rowcount

    def _bound(self, values: dict[str, Any]) -> list[Any]:
        pairs = zip(self._names, self._binds, strict=True)
        return [convert(values[name]) if convert else values[name] for name, convert in pairs]

    def _read(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        read = list(row)
        for at, convert in self._readers:
            read[at] = convert(read[at])
        return tuple(read)
