"""Places for work that waits for strangers: so many in all, and a share of them for whoever makes it wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary


class NoPlace(Exception):
    """No place became free in time."""


class Places:
    """*most* places, of which one owner has *share* at most: who is slow holds up nobody but himself.

    Who finds none waits *patience* seconds for one.
    """

    def __init__(self, most: int, share: int, patience: float) -> None:
        self._all = asyncio.Semaphore(most)
        self._share = share
        self._patience = patience
        #: Those that somebody holds or waits for.
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, owner: str) -> AsyncIterator[None]:
        """Take a place of *owner*'s share for the block. Raises NoPlace."""
        own = self._shares.setdefault(owner, asyncio.Semaphore(self._share))
        async with AsyncExitStack() as taken:
            try:
                async with asyncio.timeout(self._patience):
                    await taken.enter_async_context(own)
                    await taken.enter_async_context(self._all)
            except TimeoutError:
                raise NoPlace from None
            yield
