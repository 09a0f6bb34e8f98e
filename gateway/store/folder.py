"""Blobs in a folder: written under a temporary name, synced, linked into place, and the folder synced.

A blob's key is random and never reused; its bytes never change. The folder is spread over 256 sub-folders.
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

from gateway.errors import Kind, refuse


class Spool:
    """A blob that is being written. ``seal`` makes it durable, ``discard`` drops it; one of them must be called."""

    def __init__(self, folder: "Folder") -> None:
        self._folder = folder
        self.key = secrets.token_hex(16)
        self.path = folder.incoming / self.key
        self.file: BinaryIO = self.path.open("xb+", buffering=0)
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append *data*; raises OSError when the disk refuses it."""
        view = memoryview(data)
        while view:
            view = view[self.file.write(view) or 0 :]
        self._digest.update(data)
        self.size += len(data)

    def rewind(self) -> None:
        """Forget what was written, to begin again."""
        self.file.seek(0)
        self.file.truncate()
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was written, in hex."""
        return self._digest.hexdigest()

    def fileno(self) -> int:
        """The descriptor: the sandbox reads and writes it."""
        return self.file.fileno()

    def seal(self) -> str:
        """Make the bytes and their name durable and return the key. Blocking; raises OSError."""
        os.fsync(self.fileno())
        final = self._folder.path(self.key)
        os.link(self.path, final)
        _sync_folder(final.parent)
        self.discard()
        return self.key

    def discard(self) -> None:
        """Close and remove the temporary name. Safe to call twice."""
        self.file.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


class Folder:
    """The blob store of one machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"

    def prepare(self) -> None:
        """Make the sub-folders and drop what an earlier process left half written. Blocking."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.incoming.mkdir(exist_ok=True, mode=0o700)
        for number in range(256):
            (self.root / f"{number:02x}").mkdir(exist_ok=True, mode=0o700)
        _sync_folder(self.root)

    def sweep_incoming(self) -> None:
        """Remove unfinished blobs; only the daemon that owns the folder calls this, before it takes anything in."""
        for left in self.incoming.iterdir():
            left.unlink(missing_ok=True)

    def path(self, key: str) -> Path:
        """Return where the blob *key* is."""
        if not (len(key) == 32 and key.isalnum()):
            raise ValueError(f"not a blob key: {key!r}")
        return self.root / key[:2] / key

    def spool(self) -> Spool:
        """Begin a new blob."""
        return Spool(self)

    def open(self, key: str) -> BinaryIO:
        """Open a blob for reading. Raises Refusal(NOT_FOUND) when it has been removed."""
        try:
            return open(self.path(key), "rb")
        except FileNotFoundError:
            raise refuse(Kind.NOT_FOUND, "the document has been removed", key) from None

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
        with self.open(key) as file:
            while chunk := await asyncio.to_thread(file.read, size):
                yield chunk

    def remove(self, key: str) -> None:
        """Delete a blob; a missing one is no error. Blocking."""
        self.path(key).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Return how much the disk under the folder can still take."""
        return shutil.disk_usage(self.root).free


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
