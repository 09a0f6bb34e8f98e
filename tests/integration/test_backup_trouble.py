"""Backups and copies that go wrong: what is said, and that what was there before stays whole."""

import contextlib
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import update

from gateway.store import events, schema
from gateway.store.folder import Folder
from tests import postgres, samples
from tests.integration.cli_house import Faxgate, new_house


@pytest.fixture
def faxgate(tmp_path: Path) -> Faxgate:
    """A gateway with a fax that waits."""
    (tmp_path / "old").mkdir()
    made = new_house(tmp_path / "old")
    made.with_faxbox()
    (tmp_path / "two.pdf").write_bytes(samples.pdf(2))
    made.json("send", tmp_path / "two.pdf", "+12025550123", "--faxbox", "Front")
    return made


@contextmanager
def no_room() -> Iterator[None]:
    """Files become no longer than this, which no database is."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def documents(folder: Path) -> list[str]:
    return sorted(key for key, _ in Folder(folder).names())


def test_a_disk_that_does_not_take_the_database_is_named_and_the_backup_before_stays(
    faxgate: Faxgate, tmp_path: Path
) -> None:
    faxgate("backup", tmp_path / "backup")
    before = (tmp_path / "backup" / "faxgate.db").read_bytes()
    with no_room():
        said = faxgate.refuses("backup", tmp_path / "backup", code=78)
    assert f"the database cannot be copied to {tmp_path}/backup/faxgate.db.new: " in said
    assert (tmp_path / "backup" / "faxgate.db").read_bytes() == before
    assert not (tmp_path / "backup" / "faxgate.db.new").exists()
    assert faxgate.json("backup", tmp_path / "backup")["blobs"] == 1


def test_a_backup_without_documents_removes_none_of_an_earlier_one(faxgate: Faxgate, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    assert faxgate.json("backup", target, "--without-blobs")["blobs"] == 0
    faxgate("backup", target, "--without-blobs")
    faxgate("backup", target)
    said = faxgate.refuses("backup", target, "--without-blobs", code=78)
    assert "has the documents of an earlier backup, and would lose them" in said
    assert len(documents(target / "blobs")) == 1


def test_documents_that_the_backup_has_lost_are_told(faxgate: Faxgate, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    faxgate("backup", target)
    whole = faxgate.json("restore", target, "--replace")
    assert (whole["blobs"], whole["missing"]) == (1, 0)
    for key in documents(target / "blobs"):
        Folder(target / "blobs").remove(key)
    told = faxgate("restore", target, "--replace")
    assert "with 0 documents" in told.stdout
    assert "1 of the 1 documents of the backup are not in it any more" in told.output
    assert faxgate.json("restore", target, "--replace")["missing"] == 1


def test_a_backup_that_cannot_be_read_leaves_the_gateway_as_it_was(faxgate: Faxgate, tmp_path: Path) -> None:
    faxgate("backup", tmp_path / "backup")
    (tmp_path / "backup" / "faxgate.db").write_bytes(b"no database at all" * 1000)
    said = faxgate.refuses("restore", tmp_path / "backup", "--replace", code=78)
    assert f"the database of {tmp_path}/backup cannot be restored to " in said
    assert "file is not a database" in said
    assert len(faxgate.json("queue", "list")) == 1


def test_a_copy_that_was_interrupted_among_its_documents_is_begun_anew(faxgate: Faxgate, tmp_path: Path) -> None:
    """Documents go first: a database that has its rows has all that they name."""
    (tmp_path / "new").mkdir()
    new = new_house(tmp_path / "new")
    source, blobs = f"sqlite:///{faxgate.folder}/faxgate.db", f"file://{faxgate.folder}/blobs"
    (key,) = documents(faxgate.folder / "blobs")
    document = Folder(faxgate.folder / "blobs").path(key)
    document.rename(tmp_path / "away")
    document.mkdir()  # what cannot be read
    new("migrate", "--copy-from", source, "--copy-blobs-from", blobs, code=78)
    assert new.json("queue", "list") == []
    document.rmdir()
    (tmp_path / "away").rename(document)
    copied = new.json("migrate", "--copy-from", source, "--copy-blobs-from", blobs)
    assert (copied["rows"]["faxes"], copied["blobs"]) == (1, 1)


def test_a_file_that_is_no_database_is_named_as_such(faxgate: Faxgate, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    new = new_house(tmp_path / "new")
    said = new.refuses("migrate", "--copy-from", f"sqlite:///{tmp_path}/two.pdf", code=78)
    assert f"{tmp_path}/two.pdf cannot be copied to where [database] url says: file is not a database" in said
    assert "does not answer" not in said
    assert len(faxgate.json("queue", "list")) == 1


def test_documents_that_were_not_copied_are_told(faxgate: Faxgate, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    new = new_house(tmp_path / "new")
    (key,) = documents(faxgate.folder / "blobs")
    pages = update(schema.faxes).values(pages_blob=key)
    faxgate.in_database(lambda db: db.write(lambda tx: tx.execute(pages)))
    source = f"sqlite:///{faxgate.folder}/faxgate.db"
    told = new("migrate", "--copy-from", source, "--copy-blobs-from", f"file://{faxgate.folder}")  # one too high
    assert "1 documents that the rows name are not in" in told.output
    new("migrate", "--copy-blobs-from", f"file://{faxgate.folder}/blobs")
    assert documents(new.folder / "blobs") == [key]


def test_a_server_that_is_in_use_is_refused_before_a_document_is_copied(
    faxgate: Faxgate, tmp_path: Path, postgres_server: postgres.Postgres
) -> None:
    faxgate("backup", tmp_path / "backup")
    (tmp_path / "new").mkdir()
    name = f"used_{uuid4().hex}"
    new = new_house(tmp_path / "new", postgres_server.create(name))
    new.with_faxbox()
    assert "has rows already" in new.refuses("restore", tmp_path / "backup", code=78)
    assert documents(new.folder / "blobs") == []
    postgres_server.drop(name)


def test_a_restore_after_a_restore_believes_neither(faxgate: Faxgate, tmp_path: Path) -> None:
    """The second backup was made before anything was compared with the carrier: what was sent since the first one is
    still to be found out. And what nobody names yet is kept for as long again."""

    def marks() -> dict[str, str]:
        with contextlib.closing(sqlite3.connect(faxgate.folder / "faxgate.db")) as db:
            return dict(db.execute("SELECT name, at FROM watermarks"))

    faxgate("backup", tmp_path / "first")
    faxgate("restore", tmp_path / "first", "--replace")
    first = marks()
    faxgate("backup", tmp_path / "second")
    faxgate("restore", tmp_path / "second", "--replace")
    second = marks()
    assert second[events.RESTORED] == first[events.RESTORED]
    assert second["restored at"] > first["restored at"]
