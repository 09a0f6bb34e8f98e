"""A statement as sqlite3 takes it: its text, what it is given, and how its rows are read. Making one costs more than
running it, so what is asked often is made once."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Compiled, Select, Update, Uuid
from sqlalchemy.dialects import sqlite

from gateway.store.database import Row
from gateway.store.types import UtcDateTime

_DIALECT = sqlite.dialect(paramstyle="named")
_Process = Callable[[Any], Any]
#: How many values of one column are remembered.
_REMEMBERED = 200


class Plan:
    """One statement, compiled."""

    def __init__(self, statement: "Select[Any] | Update") -> None:
        compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self.sql = str(compiled)
        self._fixed = compiled.construct_params()
        self._binds = {name: _binder_of(compiled, name) for name in self._fixed}
        columns = statement.selected_columns if isinstance(statement, Select) else ()
        self._columns = [(str(column.key), _reader_of(column.type)) for column in columns]

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the statement is run with: *values* for its named parameters, its own for all others."""
        return {
            name: bind(given) if bind else given
            for name, bind in self._binds.items()
            for given in (values.get(name, self._fixed[name]),)
        }

    def read(self, raw: Iterable[Any]) -> list[Row]:
        """Return rows as they came as mappings from column names."""
        columns = self._columns
        return [
            {key: read(value) if read else value for (key, read), value in zip(columns, row, strict=True)}
            for row in raw
        ]


def _binder_of(compiled: Compiled, name: str) -> _Process | None:
    """Return what turns a value into one that sqlite3 takes. The members of an IN list are parameters ``name_1``,
    ``name_2`` of their own, which have the type of ``name``."""
    binds = getattr(compiled, "binds", {})
    bind = binds.get(name, binds.get(name.rpartition("_")[0]))
    process: _Process | None = None if bind is None else bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
    return process


def _reader_of(type_: Any) -> _Process | None:
    """Return what turns a value of sqlite3's into one of ours. Ids and times come again and again, and making one costs
    more than remembering it."""
    reader: _Process | None = type_.dialect_impl(_DIALECT).result_processor(_DIALECT, None)
    return lru_cache(_REMEMBERED)(reader) if reader and isinstance(type_, Uuid | UtcDateTime) else reader
