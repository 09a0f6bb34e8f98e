"""Lists by page number, which need to know how many rows there are; other lists go on from their last row."""

from typing import Any

from sqlalchemy import Select, func, select

from gateway.store.database import Database, Row, scalar


async def numbered(db: Database, statement: Select[Any], *, limit: int, offset: int) -> tuple[list[Row], int]:
    """Return *limit* rows of an ordered list from *offset* on, and how many there are in all."""
    total = int(await scalar(db, select(func.count()).select_from(statement.order_by(None).subquery())) or 0)
    return (await db.rows(statement.limit(limit).offset(offset)) if offset < total else []), total
