"""Power cuts on a disk that keeps what was synced and nothing else: no root and no kernel is needed, and no luck."""

import asyncio
import contextlib
import random
import shutil
import sqlite3
import time
from pathlib import Path

from tests.faults.fault import Fault, Report
from tests.faults.native import built
from tests.faults.scene import scene


class Disk:
    """A folder of which ``kept`` remembers what is synced."""

    def __init__(self, place: Path, kept: Path) -> None:
        self.place, self.kept = place, kept
        place.mkdir()

    def sync(self) -> None:
        """Take everything as it is for synced, as after a start of the machine."""
        shutil.rmtree(self.kept, ignore_errors=True)
        self.kept.mkdir()
        for each in [self.place, *self.place.rglob("*")]:
            inode = each.stat().st_ino
            if each.is_dir():
                names = "".join(
                    f"{below.stat().st_ino} {below.name}{'/' if below.is_dir() else ''}\n" for below in each.iterdir()
                )
                (self.kept / f"{inode}.names").write_text(names)
            else:
                shutil.copyfile(each, self.kept / str(inode))

    def cut(self) -> None:
        """Go back to what was synced: names by the last sync of their folder, bytes by the last of their file."""
        fresh = self.place.with_suffix(".fresh")
        self._restore(self.place.stat().st_ino, fresh)
        shutil.rmtree(self.place)
        fresh.rename(self.place)

    def _restore(self, inode: int, place: Path) -> None:
        """Make the folder *place* as the one of this inode was when it was synced; it is empty when it never was."""
        place.mkdir()
        names = self.kept / f"{inode}.names"
        for line in names.read_text().splitlines() if names.exists() else []:
            below, _, name = line.partition(" ")
            if name.endswith("/"):
                self._restore(int(below), place / name)
                continue
            kept = self.kept / below
            shutil.copyfile(kept, place / name) if kept.exists() else (place / name).touch()


async def power(folder: Path, size: int) -> Report:
    """*size* cuts under load; each time the process is killed and all that was not synced is gone."""
    report, dice = Report(size), random.Random(size)
    disk = Disk(folder / "disk", folder / "kept")
    (disk.place / "blobs").mkdir()
    (folder / "blobs").symlink_to(disk.place / "blobs")
    library = await built(folder, "synced")
    synced = {"LD_PRELOAD": library, "FAXGATE_DISK": str(disk.place), "FAXGATE_KEPT": str(disk.kept)}
    async with scene(folder, database_url=f"sqlite:///{disk.place}/faxgate.db") as stage:
        async with stage.load(mails=4, faxes=1):
            for _ in range(size):
                await asyncio.to_thread(disk.sync)
                began = time.monotonic()
                running = await stage.house.start(environment=synced)
                report.recovered.append(time.monotonic() - began)
                await asyncio.sleep(dice.uniform(0.3, 1.5))
                await running.kill()
                await asyncio.to_thread(disk.cut)
                whole(disk.place / "faxgate.db")
        async with stage.house.serving():
            report.verdict = await stage.judged(patience=180)
    return report


def whole(path: Path) -> None:
    """Require that nothing in the database is broken."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


FAULT = Fault("F2b", "power cuts: what was not synced is gone", power, short=4, long=200)
