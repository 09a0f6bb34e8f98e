"""The folder of blobs: what is sealed is durable, and a key is no path."""

import os
from io import BytesIO
from pathlib import Path

import pytest

from gateway.errors import Kind, Refusal
from gateway.store.folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "blobs")
    folder.prepare()
    return folder


def files(folder: Folder) -> list[str]:
    return sorted(path.name for path in folder.root.rglob("*") if path.is_file())


def test_a_sealed_blob_is_read_by_its_key(folder: Folder) -> None:
    spool = folder.spool()
    spool.write(b"one ")
    spool.write(b"two")
    assert spool.size == 7
    key = spool.seal()
    with folder.open(key) as file:
        assert file.read() == b"one two"
    assert files(folder) == [key], "the temporary name is gone"


def test_a_spool_that_is_not_sealed_has_no_key_to_be_read_by(folder: Folder) -> None:
    spool = folder.spool()
    spool.write(b"half")
    with pytest.raises(Refusal) as refused:
        folder.open(spool.key)
    assert refused.value.reason.kind is Kind.NOT_FOUND
    spool.discard()
    spool.discard()
    assert files(folder) == []


def test_bytes_and_name_are_synced_before_the_key_is_told(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, os.rename
    spool = folder.spool()
    final = folder.path(spool.key)

    def synced(descriptor: int) -> None:
        done.append(f"sync {os.readlink(f'/proc/self/fd/{descriptor}')}")
        fsync(descriptor)

    def renamed(source: Path, target: Path) -> None:
        done.append(f"name {target}")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    spool.write(b"durable")
    spool.seal()
    assert done == [f"name {final}", f"sync {final}", f"sync {final.parent}"]


def test_a_seal_that_fails_leaves_nothing_under_the_key(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    spool = folder.spool()
    spool.write(b"lost")
    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        spool.seal()
    spool.discard()
    assert files(folder) == []


def test_a_blob_that_is_there_is_left_alone(folder: Folder) -> None:
    spool = folder.spool()
    spool.write(b"first")
    key = spool.seal()
    folder.keep(key, BytesIO(b"second"))
    with folder.open(key) as file:
        assert file.read() == b"first"


@pytest.mark.parametrize(
    "key", ["", "..", "../../../etc/passwd", "a/../../../../../../../../etc/passwd"[:32], "/" * 32, "." * 32, "a" * 31]
)
def test_a_key_is_no_path(folder: Folder, key: str) -> None:
    for use in (folder.path, folder.open, folder.remove):
        with pytest.raises(ValueError, match="not a blob key"):
            use(key)


def test_removing_twice_is_no_error_and_others_stay(folder: Folder) -> None:
    keys = []
    for content in (b"a", b"b"):
        spool = folder.spool()
        spool.write(content)
        keys.append(spool.seal())
    folder.remove(keys[0])
    folder.remove(keys[0])
    assert files(folder) == [keys[1]]


def test_what_a_crash_left_half_written_is_swept_and_blobs_are_not(folder: Folder) -> None:
    spool, half = folder.spool(), folder.spool()
    spool.write(b"whole")
    half.write(b"half")
    key = spool.seal()
    half.file.close()
    Folder(folder.root).sweep_incoming()
    assert files(folder) == [key]


def test_the_folder_is_for_its_user_alone(folder: Folder) -> None:
    assert {path.stat().st_mode & 0o077 for path in folder.root.iterdir()} == {0}
    spool = folder.spool()
    assert spool.path.parent == folder.incoming
    spool.discard()


async def test_a_put_that_fails_leaves_nothing(folder: Folder) -> None:
    def write(_spool: object) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await folder.put(write)
    assert files(folder) == []
