"""Blobs: messages, pages and received documents. A blob's key is random and never reused; its bytes never change.

``folder.Folder`` keeps them in a folder of this machine, ``s3.Bucket`` in a bucket that several machines share. Both
write to a local file first, since the sandbox works on descriptors; ``seal`` makes it durable under its key.
"""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import BinaryIO

KEY_LENGTH = 32


class Spool(ABC):
    """A blob that is being written. ``seal`` makes it durable, ``discard`` drops it; one of them must be called."""

    def __init__(self, file: BinaryIO, key: str) -> None:
        self.file = file
        self.key = key
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append *data*; raises OSError when the disk refuses it."""
        view = memoryview(data)
        while view:
            view = view[self.file.write(view) or 0 :]
        self.size += len(data)

    def rewind(self) -> None:
        """Forget what was written, to begin again."""
        self.file.seek(0)
        self.file.truncate()
        self.size = 0

    def fileno(self) -> int:
        """The descriptor: the sandbox reads and writes it."""
        return self.file.fileno()

    @abstractmethod
    def seal(self) -> str:
        """Make the bytes durable under the key and return it. Blocking; raises OSError, or Refusal when the store of
        another machine does not answer."""

    @abstractmethod
    def discard(self) -> None:
        """Close and remove the local file. Safe to call twice, and after ``seal``."""


class Blobs(ABC):
    """Where blobs are kept. What does not say ``async`` blocks: call it in a thread."""

    #: How people call the place, in sentences about it.
    place: str

    @abstractmethod
    def prepare(self) -> None:
        """Make ready what must be there. Raises OSError or Refusal."""

    @abstractmethod
    def sweep_incoming(self) -> None:
        """Remove what an earlier process left half written; only the daemon that owns the place calls it, before it
        takes anything in."""

    @abstractmethod
    def sweep_old(self, before: datetime) -> int:
        """Remove what was begun before *before* and never finished, by whatever process; return how many."""

    @abstractmethod
    def spool(self) -> Spool:
        """Begin a new blob. Touches the local disk only."""

    @abstractmethod
    def open(self, key: str) -> BinaryIO:
        """Open a blob for reading: a local file with a descriptor. Raises Refusal(NOT_FOUND) when it has been removed,
        Refusal(STORAGE_BUSY) when it cannot be had now."""

    @abstractmethod
    def remove(self, key: str) -> None:
        """Delete a blob; a missing one is no error."""

    @abstractmethod
    def free_bytes(self) -> int:
        """Return how much the disk can still take that is written to first. Does not block."""

    @abstractmethod
    def names(self) -> Iterator[tuple[str, datetime]]:
        """Yield the key of each blob, and when it was written."""

    @abstractmethod
    def keep(self, key: str, content: BinaryIO) -> None:
        """Store *content*, a file, as the blob *key*, which it has elsewhere already."""

    async def opened(self, key: str) -> BinaryIO:
        """``open``, in a thread."""
        return await asyncio.to_thread(self.open, key)

    async def removed(self, key: str) -> None:
        """``remove``, in a thread."""
        await asyncio.to_thread(self.remove, key)

    async def put(self, write: Callable[[Spool], None]) -> str:
        """Write a blob with *write* in a thread, seal it and return its key."""

        def work() -> str:
            spool = self.spool()
            try:
                write(spool)
                return spool.seal()
            finally:
                spool.discard()

        return await asyncio.to_thread(work)

    async def put_bytes(self, data: bytes) -> str:
        """Store *data* as a blob and return its key."""
        return await self.put(lambda spool: spool.write(data))

    async def read(self, key: str) -> bytes:
        """Return the whole blob; for documents, whose size is bounded."""

        def work() -> bytes:
            with self.open(key) as file:
                return file.read()

        return await asyncio.to_thread(work)

    async def chunks(self, key: str, size: int = 1 << 18) -> AsyncIterator[bytes]:
        """Yield the blob in pieces of *size* bytes."""
        with await self.opened(key) as file:
            while chunk := await asyncio.to_thread(file.read, size):
                yield chunk


def new_key() -> str:
    """Return a key that nobody has."""
    return secrets.token_hex(KEY_LENGTH // 2)


def checked(key: str) -> str:
    """Return *key*; raise ValueError if it is none, since it becomes a part of a path."""
    if not (len(key) == KEY_LENGTH and key.isalnum()):
        raise ValueError(f"not a blob key: {key!r}")
    return key
