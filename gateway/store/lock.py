"""One process per SQLite file: two would each believe that they alone write."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import ConfigurationError


@contextmanager
def sole_owner(database: Path, remedy: str) -> Iterator[None]:
    """Own the SQLite file *database* while the block runs. Raises ConfigurationError, with the *remedy*, when another
    process does, or when its folder is missing."""
    if not database.parent.is_dir():
        raise ConfigurationError(f"[database] url: the folder {database.parent} does not exist; make it")
    lock = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(
                f"[database] url: another faxgate serve uses {database}; stop it first, {remedy}"
            ) from None
        yield
    finally:
        os.close(lock)
