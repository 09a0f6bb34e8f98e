"""Blobs in an S3 bucket, for several machines: an answered PUT is the sync.

A blob is an object ``prefix/ab/abcd...``, laid out as in a folder, so that one can be copied into the other. It is
written to an unnamed local file first and read back through one: nothing of value is ever on the machine alone.
"""

import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from gateway import logs
from gateway.errors import ConfigurationError, Kind, Refusal, refuse
from gateway.store.blobs import KEY_LENGTH, Blobs, Spool, checked, new_key

log = logs.logger(__name__)
#: How long one request may take, retries and all: a mail client waits for the answer.
PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bucket is and who we are there. Empty credentials: those that the machine has been given (its
    environment, its role)."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    spool: str = ""


class _BucketSpool(Spool):
    def __init__(self, bucket: "Bucket") -> None:
        self._bucket = bucket
        super().__init__(bucket.scratch(), new_key())

    def seal(self) -> str:
        self._bucket.upload(self.key, self.file)
        self.discard()
        return self.key

    def discard(self) -> None:
        self.file.close()  # it has no name: closing removes it


class Bucket(Blobs):
    """The blob store that several machines share."""

    def __init__(self, place: Place) -> None:
        try:
            import obstore  # noqa: PLC0415 - an extra: its absence is the operator's to mend
            from obstore.store import S3Store  # noqa: PLC0415 - the same
        except ImportError:
            raise ConfigurationError(
                "[blobs] url names a bucket, but the package for S3 is not installed; "
                "install it with: pip install 'faxgate[s3]'"
            ) from None
        self._obstore = obstore
        self._prefix = f"{place.prefix.strip('/')}/" if place.prefix.strip("/") else ""
        self._scratch = Path(place.spool or tempfile.gettempdir())
        self.place = f"s3://{place.bucket}/{self._prefix}"
        given: dict[str, Any] = {
            "endpoint": place.endpoint,
            "region": place.region,
            "access_key_id": place.access_key_id,
            "secret_access_key": place.secret_access_key,
        }
        self._store = S3Store(
            place.bucket,
            config={name: value for name, value in given.items() if value},  # type: ignore[arg-type] # a TypedDict
            client_options={"allow_http": place.endpoint.startswith("http://"), "timeout": PATIENCE},
            retry_config={"max_retries": 4, "retry_timeout": PATIENCE},
        )

    def prepare(self) -> None:
        """Ask for an object that is not there: raises Refusal when the bucket does not answer, or refuses us."""
        self._call(self._obstore.list_with_delimiter, self._store, f"{self._prefix}00/")

    def sweep_incoming(self) -> None:
        """Nothing is ever half written: an unfinished file has no name and goes with its process."""

    def sweep_old(self, before: datetime) -> int:
        """See Blobs: there is nothing."""
        return 0

    def scratch(self) -> BinaryIO:
        """Return an unnamed local file that is gone when it is closed."""
        return tempfile.TemporaryFile(dir=self._scratch, buffering=0)

    def spool(self) -> _BucketSpool:
        """See Blobs."""
        return _BucketSpool(self)

    def upload(self, key: str, file: BinaryIO) -> None:
        """Store all of *file* as the blob *key*. One request: it is there whole or not at all."""
        size = os.fstat(file.fileno()).st_size
        if not size:
            self._call(self._obstore.put, self._store, self._path(key), b"", use_multipart=False)
            return
        with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as content:
            self._call(self._obstore.put, self._store, self._path(key), content, use_multipart=False)

    def open(self, key: str) -> BinaryIO:
        """See Blobs."""
        file = self.scratch()
        try:
            self._call(self._download, key, file)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def _download(self, key: str, file: BinaryIO) -> None:
        for chunk in self._obstore.get(self._store, self._path(key)).stream():
            view = memoryview(chunk)
            while view:
                view = view[file.write(view) or 0 :]

    def remove(self, key: str) -> None:
        """See Blobs."""
        try:
            self._call(self._obstore.delete, self._store, self._path(key))
        except Refusal as refusal:
            if refusal.reason.kind is not Kind.NOT_FOUND:
                raise

    def free_bytes(self) -> int:
        """See Blobs."""
        return shutil.disk_usage(self._scratch).free

    def names(self) -> Iterator[tuple[str, datetime]]:
        """See Blobs."""
        pages = iter(self._obstore.list(self._store, self._prefix or None))
        while page := self._call(next, pages, None):
            for found in page:
                name = found["path"].rpartition("/")[2]
                if len(name) == KEY_LENGTH:
                    yield name, found["last_modified"]

    def keep(self, key: str, content: BinaryIO) -> None:
        """Store *content*, a file, as the blob *key*, which it has elsewhere already."""
        self.upload(key, content)

    def _path(self, key: str) -> str:
        return f"{self._prefix}{checked(key)[:2]}/{key}"

    def _call(self, what: Any, *arguments: Any, **options: Any) -> Any:
        """Do something with the bucket; what goes wrong there becomes a Refusal that passes, but for NOT_FOUND."""
        try:
            return what(*arguments, **options)
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                _log_why(error)
                raise refuse(Kind.STORAGE_BUSY, "the gateway's document store is not there; try again later") from error
            raise refuse(Kind.NOT_FOUND, "the document has been removed") from None
        except self._obstore.exceptions.BaseError as error:
            _log_why(error)
            raise refuse(Kind.STORAGE_BUSY, "the gateway's document store does not answer; try again later") from error


def _log_why(error: Exception) -> None:
    """What the bucket has said is for the operator: whoever asked for something is told only that it passes."""
    said = str(error).partition("Debug source:")[0]  # what follows says it once more, in the library's own words
    log.warning("the bucket does not do as asked", why=" ".join(said.split())[:500])
