"""SELECT and UPDATE that are built and compiled once, with their values given at each call.

What ``inserts.py`` does for new rows, for the statements that every mail runs through: building one anew costs more
than executing it.
"""

from typing import Any

from sqlalchemy import Connection, Select, Update

from gateway.store.database import Row
from gateway.store.inserts import execute
from gateway.store.plan import Plan


class Prepared:
    """*statement* has a ``later`` for everything that changes; no lists."""

    def __init__(self, statement: "Select[Any] | Update") -> None:
        self._statement = statement
        self._plan = Plan(statement)

    def rows(self, tx: Connection, **values: Any) -> list[Row]:
        """Return all rows of a SELECT."""
        if tx.dialect.name == "postgresql":
            return [dict(row) for row in tx.execute(self._statement, values).mappings()]
        return self._plan.read(execute(tx, self._plan.sql, self._plan.parameters(values)).fetchall())

    def change(self, tx: Connection, **values: Any) -> int:
        """Execute an UPDATE and return how many rows it met."""
        if tx.dialect.name == "postgresql":
            return int(tx.execute(self._statement, values).rowcount)
        return execute(tx, self._plan.sql, self._plan.parameters(values)).rowcount
