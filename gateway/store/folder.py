"""Blobs in a folder: written under a temporary name, synced, linked into place, and the folder synced.

The folder is spread over 256 sub-folders.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from gateway.errors import Kind, refuse
from gateway.store.blobs import Blobs, Spool, checked, new_key


class FolderSpool(Spool):
    """A blob that is being written to a folder, under a temporary name; a new one unless *key* is given."""

    def __init__(self, folder: "Folder", key: str = "") -> None:
        key = key or new_key()
        self._begun = f"{folder.place}/incoming/{key}"
        # Plain strings: to take a Path apart and put it together costs as much as to make the file.
        self._home = f"{folder.place}/{checked(key)[:2]}"
        self._sealed = False
        super().__init__(open(self._begun, "xb+", buffering=0), key)  # noqa: SIM115  # seal and discard close it

    @property
    def path(self) -> Path:
        """Where it is until it is sealed."""
        return Path(self._begun)

    def seal(self) -> str:
        # The name first: what syncs the file then writes it too on the file systems that we know, and the sync of the
        # folder, which promises it, finds nothing left to do. A name without its bytes does no harm: no row has it.
        final = f"{self._home}/{self.key}"
        os.rename(self._begun, final)
        self._sealed = True
        try:
            os.fsync(self.fileno())
            _sync_folder(self._home)
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(final)
            raise
        self.file.close()
        return self.key

    def discard(self) -> None:
        self.file.close()
        if not self._sealed:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._begun)


class Folder(Blobs):
    """The blob store of one machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"
        self.place = str(root)

    def prepare(self) -> None:
        """Make the sub-folders. Raises OSError."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.incoming.mkdir(exist_ok=True, mode=0o700)
        for number in range(256):
            (self.root / f"{number:02x}").mkdir(exist_ok=True, mode=0o700)
        _sync_folder(self.root)

    def sweep_incoming(self) -> None:
        """See Blobs."""
        for left in self.incoming.iterdir():
            left.unlink(missing_ok=True)

    def sweep_old(self, before: datetime) -> int:
        """See Blobs."""
        old = [left for left in self.incoming.iterdir() if left.stat().st_mtime < before.timestamp()]
        for left in old:
            left.unlink(missing_ok=True)
        return len(old)

    def path(self, key: str) -> Path:
        """Return where the blob *key* is."""
        return self.root / checked(key)[:2] / key

    def spool(self) -> FolderSpool:
        """See Blobs."""
        return FolderSpool(self)

    def open(self, key: str) -> BinaryIO:
        """See Blobs."""
        try:
            return open(self.path(key), "rb")
        except FileNotFoundError:
            raise refuse(Kind.NOT_FOUND, "the document has been removed", key) from None

    def remove(self, key: str) -> None:
        """See Blobs."""
        self.path(key).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """See Blobs."""
        return shutil.disk_usage(self.root).free

    def names(self) -> Iterator[tuple[str, datetime]]:
        """See Blobs."""
        for number in range(256):
            with contextlib.suppress(FileNotFoundError), os.scandir(self.root / f"{number:02x}") as found:
                for entry in found:
                    with contextlib.suppress(FileNotFoundError):
                        yield entry.name, datetime.fromtimestamp(entry.stat().st_mtime, UTC)

    def adopt(self, key: str, source: Path) -> None:
        """Take over the bytes of *source* as the blob *key*: by a hard link where that is possible, else as a copy.
        One that is there already is left alone. Durable when this returns."""
        final = self.path(key)
        if final.exists():
            return
        try:
            os.link(source, final)
        except OSError:
            with source.open("rb") as file:
                self.keep(key, file)
            return
        _sync_folder(final.parent)

    def keep(self, key: str, content: BinaryIO) -> None:
        """Store *content* as the blob *key*, which it has elsewhere already. One that is there is left alone."""
        if self.path(key).exists():
            return
        spool = FolderSpool(self, key)
        try:
            while chunk := content.read(1 << 20):
                spool.write(chunk)
            spool.seal()
        finally:
            spool.discard()


def _sync_folder(folder: Path | str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
