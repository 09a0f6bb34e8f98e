"""The demo's folder: what one run leaves for the next, and that only one run uses it at a time."""

import base64
import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from gateway import logs
from gateway.demo.sample import sample_pdf
from gateway.errors import ConfigurationError


class StateFolder:
    """The folder *root*, which is made when it is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.config = self.root / "gateway.toml"
        self.log = self.root / "faxgate.log"
        self.mails = self.root / "mails"
        self.sample = self.root / "sample.pdf"
        self._seed = self.root / "carrier.key"
        self._token = self.root / "token"

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Keep other demos out, and the log of everything in its file, until the block ends. Raises
        ConfigurationError when another demo uses the folder or it cannot be written."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.root / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"{self.root} cannot be used: {error.strerror}; choose another folder with --state-dir"
            ) from None
        try:
            self._lock(lock)
            self.sample.write_bytes(sample_pdf())
            with self._logging():
                yield
        finally:
            os.close(lock)

    def seed(self) -> bytes:
        """Return the key that the emulated carrier signs its webhooks with: 32 bytes, made at the first run."""
        if not self._seed.exists():
            _write_private(self._seed, base64.b64encode(secrets.token_bytes(32)).decode())
        return base64.b64decode(self._seed.read_text())

    def token(self) -> str:
        """Return the token of an earlier run, "" when there is none."""
        return self._token.read_text() if self._token.exists() else ""

    def keep_token(self, token: str) -> None:
        """Keep the token for the next run: the database has its digest only."""
        _write_private(self._token, token)

    def write_config(self, text: str) -> None:
        """Write gateway.toml."""
        _write_private(self.config, text)

    def _lock(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(
                f"another faxgate demo uses {self.root}; stop that one, or choose another folder with --state-dir"
            ) from None

    @contextlib.contextmanager
    def _logging(self) -> Iterator[None]:
        with self.log.open("a", encoding="utf-8") as stream:
            logs.configure("console", "info", stream)
            try:
                yield
            finally:
                logs.configure("console", "warning")


def _write_private(path: Path, text: str) -> None:
    """Write a file that is whole or not there, and that nobody else may read."""
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
