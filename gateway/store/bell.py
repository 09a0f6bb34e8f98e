"""Waking the workers of other processes: LISTEN and NOTIFY of PostgreSQL, beside the transactions.

A bell is rung after the commit that made a job ready, at most twenty times a second, on a connection of its own: NOTIFY
inside the units would have them commit one after the other. It is heard no more often either, however many ring: most
of what many ring for is taken already. A ring that is lost costs nothing but time, since workers look by themselves
every second.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway import logs

log = logs.logger(__name__)
CHANNEL = "faxgate_jobs"
QUIET = 0.05
#: Between tries to get a connection back.
AGAIN = 5.0


class Bell:
    """Rings at the other processes when told to, and calls *rung* when one of them does."""

    def __init__(self, engine: AsyncEngine, rung: Callable[[], None]) -> None:
        self._engine = engine
        self._rung = rung
        self._name = secrets.token_hex(8)
        self._wish = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._next = 0.0  # by the loop's clock, when it may be heard again
        self._heard_of: asyncio.TimerHandle | None = None

    def ring(self) -> None:
        """Tell the others soon that there is something to do."""
        self._wish.set()
        if self._task is None:
            self._task = asyncio.create_task(self._keep())

    def listen(self) -> None:
        """Hear the others from now on."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Let go of the connection; what was to be told is told first if that is possible at once."""
        if self._task is None:
            return
        if self._heard_of is not None:
            self._heard_of.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self._wish.is_set() and not self._task.done():  # noqa: ASYNC110 - waits for an event to be cleared
                    await asyncio.sleep(QUIET / 10)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _keep(self) -> None:
        while True:
            try:
                async with self._engine.connect() as connection:
                    await self._serve(connection)
            except Exception as error:
                log.warning("other processes cannot be woken; they look by themselves", why=repr(error))
            await asyncio.sleep(AGAIN)

    async def _serve(self, connection: AsyncConnection) -> None:
        """Listen, and ring as it is wished, until the connection is lost."""
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        await raw.add_listener(CHANNEL, self._heard)
        try:
            while not raw.is_closed():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN):
                        await self._wish.wait()
                if not self._wish.is_set():
                    await raw.fetchval("SELECT 1", timeout=AGAIN)  # a connection that is dead unnoticed rings nowhere
                    continue
                await raw.execute(f"NOTIFY {CHANNEL}, '{self._name}'", timeout=AGAIN)
                self._wish.clear()
                await asyncio.sleep(QUIET)
        finally:
            with contextlib.suppress(Exception):
                await raw.remove_listener(CHANNEL, self._heard)
            if not raw.is_closed():
                await connection.invalidate()

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: Any) -> None:
        if payload != self._name and self._heard_of is None:
            self._heard_of = asyncio.get_running_loop().call_at(self._next, self._pass_on)

    def _pass_on(self) -> None:
        self._heard_of, self._next = None, asyncio.get_running_loop().time() + QUIET
        self._rung()
