"""Which blobs the rows name. Columns are found by what they are, so that a new one is never forgotten.

A column whose name is ``blob``, ``source`` or ends with ``_blob`` names one; a JSON column may name some anywhere.
"""

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import JSON, Column, Connection, String, Table, cast, select, tuple_
from sqlalchemy.types import Text

from gateway.store.schema import jobs, metadata

AT_ONCE = 2000
_KEY = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


def referenced(tx: Connection, *, surely: bool = False) -> Iterator[str]:
    """Yield the key of every blob that a row names, some of them more than once, and a few words that only look like
    one; *surely*: without these, and without those in JSON."""
    for table in metadata.sorted_tables:
        columns = [column for column in table.columns if (_is_a_blob(column) if surely else _names_a_blob(column))]
        if not columns:
            continue
        for row in _rows(tx, table, columns):
            for value in row:
                yield from _KEY.findall(value or "")


def _is_a_blob(column: Column[Any]) -> bool:
    return isinstance(column.type, String) and (column.name in {"blob", "source"} or column.name.endswith("_blob"))


def _names_a_blob(column: Column[Any]) -> bool:
    subject = column.table is jobs and column.name == "subject"  # what a job is about may be a blob without a row
    return subject or _is_a_blob(column) or isinstance(column.type, JSON)


def _rows(tx: Connection, table: Table, columns: list[Column[Any]]) -> Iterator[tuple[str | None, ...]]:
    keys = list(table.primary_key.columns)
    texts = [cast(column, Text).label(f"text_{number}") for number, column in enumerate(columns)]
    position: tuple[Any, ...] | None = None
    while True:
        statement = select(*keys, *texts).order_by(*keys).limit(AT_ONCE)
        if position is not None:
            statement = statement.where(tuple_(*keys) > tuple_(*position))
        rows = tx.execute(statement).all()
        if not rows:
            return
        for row in rows:
            yield tuple(row[len(keys) :])
        position = tuple(rows[-1][: len(keys)])
