"""Reads of SQLite: a few connections of aiosqlite, each with a thread of its own.

What is asked in one turn of the loop, or while every reader is at work, goes to a reader together and is read as of one
moment: the way to its thread and back costs more than most of what is asked.
"""

import asyncio
import sqlite3
from collections import deque
from dataclasses import dataclass
from typing import Any

import aiosqlite

#: How many there are, how many who ask go to one together, and how long one waits for a lock, in milliseconds.
READERS, TOGETHER, BUSY_MS = 2, 8, 5000

_Asked = tuple[str, dict[str, Any]]


@dataclass(slots=True)
class _Waiting:
    asked: _Asked
    future: "asyncio.Future[list[Any]]"

    def settle(self, found: list[Any] | Exception) -> None:
        if self.future.done():  # who asked has left
            return
        if isinstance(found, Exception):
            self.future.set_exception(found)
        else:
            self.future.set_result(found)


class Readers:
    """Readers of the file at *path*."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._all: list[aiosqlite.Connection] = []
        self._free: list[aiosqlite.Connection] = []
        self._waiting: deque[_Waiting] = deque()
        self._handing_out = False
        self._at_work: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open the connections."""
        for _ in range(READERS):
            reader = await aiosqlite.connect(self._path, isolation_level=None)
            self._all.append(reader)
            for pragma in ("query_only=ON", f"busy_timeout={BUSY_MS}"):
                await reader.execute_fetchall(f"PRAGMA {pragma}")
            self._free.append(reader)

    async def fetch(self, sql: str, parameters: dict[str, Any]) -> list[Any]:
        """Return the rows of a statement, as sqlite3 gives them. Raises what it raises (``sqlite3.Error``)."""
        waiting = _Waiting((sql, parameters), self._loop.create_future())
        self._waiting.append(waiting)
        if self._free and not self._handing_out:
            self._handing_out = True
            self._loop.call_soon(self._hand_out)
        return await waiting.future

    async def close(self) -> None:
        """Let what was asked before be read, and close the connections."""
        while self._at_work or self._waiting:
            await asyncio.wait(self._at_work) if self._at_work else await asyncio.sleep(0)
        for reader in self._all:
            await reader.close()

    def _hand_out(self) -> None:
        self._handing_out = False
        while self._waiting and self._free:
            some = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
            task = self._loop.create_task(self._read(self._free.pop(), some))
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)

    async def _read(self, reader: aiosqlite.Connection, some: list[_Waiting]) -> None:
        asked = [waiting.asked for waiting in some]
        every: list[list[Any] | Exception]
        try:
            # aiosqlite's own methods are made of it; each of them goes to the thread and back.
            every = await reader._execute(_fetched, reader._conn, asked)  # type: ignore[no-untyped-call]  # of its own
        except Exception as error:  # those who ask must not wait for ever
            every = [error] * len(some)
        self._free.append(reader)
        self._hand_out()
        for waiting, found in zip(some, every, strict=True):
            waiting.settle(found)


def _fetched(connection: sqlite3.Connection, every: list[_Asked]) -> list[list[Any] | Exception]:
    if len(every) == 1:
        return [_rows(connection, *every[0])]
    connection.execute("BEGIN")  # else each statement would lock and unlock the file by itself
    try:
        return [_rows(connection, *asked) for asked in every]
    finally:
        if connection.in_transaction:  # an error of the disk ends it (https://sqlite.org/lang_transaction.html)
            connection.execute("COMMIT")


def _rows(connection: sqlite3.Connection, sql: str, parameters: dict[str, Any]) -> list[Any] | Exception:
    try:
        return connection.execute(sql, parameters).fetchall()
    except Exception as error:  # it is that of one who asks, and not of the others
        return error
