"""What blobs promise wherever they are kept: in a folder, or in a bucket of an S3 server."""

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from gateway.errors import ConfigurationError, Kind, Refusal
from gateway.store.blobs import Blobs, Spool
from gateway.store.folder import Folder
from gateway.store.s3 import Bucket, Place
from tests import s3


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.full)])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        made: Blobs = Folder(tmp_path / "blobs")
    else:
        server: s3.S3 = request.getfixturevalue("s3_server")
        made = server.bucket("tests", prefix=uuid4().hex, spool=str(tmp_path))
    made.prepare()
    return made


def written(blobs: Blobs, *pieces: bytes) -> Spool:
    spool = blobs.spool()
    for piece in pieces:
        spool.write(piece)
    return spool


def test_a_sealed_blob_is_read_by_its_key_through_a_descriptor(blobs: Blobs) -> None:
    spool = written(blobs, b"one ", b"two")
    assert spool.size == 7
    assert os.pread(spool.fileno(), 100, 0) == b"one two"
    with blobs.open(spool.seal()) as file:
        assert os.fstat(file.fileno()).st_size == 7
        assert file.read() == b"one two"


@pytest.mark.parametrize("content", [b"", os.urandom(12_000_000)], ids=["nothing", "12 MB"])
def test_blobs_of_any_size_come_back_whole(blobs: Blobs, content: bytes) -> None:
    with blobs.open(written(blobs, content).seal()) as file:
        assert file.read() == content


def test_what_another_wrote_into_the_descriptor_is_sealed_too(blobs: Blobs) -> None:
    """The sandbox's children write by the descriptor alone."""
    spool = blobs.spool()
    os.write(spool.fileno(), b"drawn elsewhere")
    with blobs.open(spool.seal()) as file:
        assert file.read() == b"drawn elsewhere"


def test_a_spool_that_is_not_sealed_has_no_key_to_be_read_by(blobs: Blobs) -> None:
    spool = written(blobs, b"half")
    with pytest.raises(Refusal) as refused:
        blobs.open(spool.key)
    assert refused.value.reason.kind is Kind.NOT_FOUND
    spool.discard()
    spool.discard()
    assert list(blobs.names()) == []


def test_discarding_after_sealing_keeps_the_blob(blobs: Blobs) -> None:
    spool = written(blobs, b"kept")
    key = spool.seal()
    spool.discard()
    with blobs.open(key) as file:
        assert file.read() == b"kept"


def test_rewinding_begins_again(blobs: Blobs) -> None:
    spool, other = written(blobs, b"the first try, which was longer"), written(blobs, b"second")
    spool.rewind()
    spool.write(b"second")
    assert spool.size == other.size
    other.discard()
    with blobs.open(spool.seal()) as file:
        assert file.read() == b"second"


def test_removing_twice_is_no_error_and_others_stay(blobs: Blobs) -> None:
    gone, kept = (written(blobs, content).seal() for content in (b"a", b"b"))
    blobs.remove(gone)
    blobs.remove(gone)
    with pytest.raises(Refusal):
        blobs.open(gone)
    assert [key for key, _ in blobs.names()] == [kept]


def test_every_blob_is_listed_with_the_time_of_its_writing(blobs: Blobs) -> None:
    keys = {written(blobs, b"x").seal() for _ in range(20)}
    listed = dict(blobs.names())
    assert set(listed) == keys
    assert all(abs(datetime.now(UTC) - at) < timedelta(minutes=5) for at in listed.values())


async def test_blobs_are_put_read_whole_and_in_pieces(blobs: Blobs) -> None:
    content = os.urandom(100_000)
    key = await blobs.put_bytes(content)
    assert await blobs.read(key) == content
    pieces = [piece async for piece in blobs.chunks(key, 30_000)]
    assert [len(piece) for piece in pieces] == [30_000, 30_000, 30_000, 10_000]
    assert b"".join(pieces) == content


@pytest.mark.parametrize("key", ["", "../../../etc/passwd", "/" * 32, "a" * 31])
def test_a_key_is_no_path(blobs: Blobs, key: str) -> None:
    for use in (blobs.open, blobs.remove):
        with pytest.raises(ValueError, match="not a blob key"):
            use(key)


# -- a bucket's own troubles -------------------------------------------------------------------------------------------


@pytest.fixture
def nobody() -> Iterator[str]:
    """Where no server listens."""
    with socket.socket() as keeper:
        keeper.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{keeper.getsockname()[1]}"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.s3.PATIENCE", timedelta(seconds=1))


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_away_is_a_refusal_that_passes(nobody: str, tmp_path: Path) -> None:
    bucket = Bucket(Place("box", "", nobody, "us-east-1", "key", "secret", str(tmp_path)))
    spool = written(bucket, b"kept by the mail server in front")
    for use in (bucket.prepare, spool.seal, lambda: bucket.open("a" * 32), lambda: bucket.remove("a" * 32)):
        with pytest.raises(Refusal) as refused, capture_logs() as lines:
            use()
        assert refused.value.reason.kind is Kind.STORAGE_BUSY
        assert nobody not in refused.value.reason.sentence
        assert [(line["log_level"], nobody in line["why"]) for line in lines] == [("warning", True)]
    spool.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.full
@pytest.mark.usefixtures("impatient")
def test_a_key_that_is_not_ours_is_found_before_anything_is_taken(s3_server: s3.S3) -> None:
    bucket = Bucket(s3_server.place("box", access_key_id="somebody", secret_access_key="else"))
    with pytest.raises(Refusal):
        bucket.prepare()


def test_a_bucket_keeps_to_its_prefix() -> None:
    bucket = Bucket(Place("box", "/in/depth/", "http://127.0.0.1:1", "us-east-1", "key", "secret"))
    assert bucket.place == "s3://box/in/depth/"


def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'faxgate\[s3\]'"):
        Bucket(Place("box"))
