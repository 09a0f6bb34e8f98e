"""A backup made beside a working gateway, and its restoration on either database: nothing lost, nothing sent again."""

import asyncio
import contextlib
import itertools
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from alembic import command
from sqlalchemy import delete, update

from gateway import backup
from gateway.address import pretty
from gateway.attempt import AttemptState, client_state, parse_client_state
from gateway.audit import Actor
from gateway.carriers.carrier import HandingOver, Order
from gateway.errors import ConfigurationError
from gateway.fax import State
from gateway.ids import new_id
from gateway.notify import DELIVER
from gateway.outbox import RESOLVE, TRANSMIT, Delay
from gateway.restored import Restored
from gateway.store import events as said
from gateway.store import faxes, jobs, migrate, references, restoring, schema
from gateway.store.database import Database, Tx, open_database
from gateway.store.folder import Folder
from tests import postgres, samples
from tests.integration.between import Between
from tests.integration.cli_house import new_house
from tests.integration.engines import ENGINES, rows, store
from tests.integration.house import NODE, NUMBER, OPERATOR, House, built
from tests.scenarios.installation import reserved

ME = Actor("shell", "operator")


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


@pytest.fixture(params=ENGINES)
async def elsewhere(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: postgres.Postgres
) -> AsyncIterator[Database]:
    """A second, empty database."""
    name = f"restored_{uuid4().hex}"
    sqlite = request.param == "sqlite"
    db = await open_database(f"sqlite:///{tmp_path}/restored.db" if sqlite else postgres_server.create(name))
    try:
        yield db
    finally:
        await db.close()
        if not sqlite:
            postgres_server.drop(name)


async def everything(db: Database) -> dict[str, list[dict[str, Any]]]:
    tables = [table for table in schema.metadata.sorted_tables if table.name not in {"watermarks", "nodes", "audit"}]
    return {table.name: [dict(row) for row in await rows(db, table)] for table in tables}


async def test_a_backup_of_either_database_fills_either_database(
    house: House, elsewhere: Database, tmp_path: Path
) -> None:
    first, second = await house.queue(), await house.queue("+12025550143")
    await house.step(TRANSMIT)
    await house.hear()
    before = await everything(house.db)
    made = await backup.back_up(house.db, house.blobs, tmp_path / "backup")
    assert made.missing == 0
    await backup.restore_rows(tmp_path / "backup", elsewhere, tmp_path / "scratch.db", ME)
    after = await everything(elsewhere)
    for found in (before, after):
        for job in found["jobs"]:
            del job["state"], job["node"], job["epoch"]
    assert after == before
    kept = Folder(tmp_path / "restored-blobs")
    kept.prepare()
    await backup.restore_blobs(tmp_path / "backup", kept)
    for fax_id in (first, second):
        fax = await house.fax(fax_id)
        assert await kept.read(fax.pages_blob) == house.document
    # Counters go on behind what was copied.
    await elsewhere.write(lambda tx: jobs.enqueue(tx, "work", "the next"))
    assert len(await rows(elsewhere, schema.jobs)) == len(before["jobs"]) + 1


async def test_the_next_backup_takes_what_is_new_and_drops_what_is_gone(house: House, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    await house.queue()
    first = await backup.back_up(house.db, house.blobs, target)
    fax_id = await house.queue("+12025550143")
    second = await backup.back_up(house.db, house.blobs, target)
    each = first.blobs
    assert each > 0
    assert (first.new_blobs, second.new_blobs, second.blobs) == (each, each, 2 * each)
    await house.db.write(lambda tx: tx.execute(delete(schema.jobs)))
    await house.db.write(lambda tx: tx.execute(delete(schema.faxes).where(schema.faxes.c.id == fax_id)))
    await house.db.write(lambda tx: tx.execute(delete(schema.renderings).where(schema.renderings.c.key == fax_id.hex)))
    assert (await backup.back_up(house.db, house.blobs, target)).blobs == each
    assert len(list(Folder(target / "blobs").names())) == each


async def test_a_document_that_is_gone_is_counted_and_hinders_nothing(house: House, tmp_path: Path) -> None:
    fax = await house.fax(await house.queue())
    house.blobs.remove(fax.pages_blob)
    assert (await backup.back_up(house.db, house.blobs, tmp_path / "backup")).missing == 1


async def test_a_backup_under_load_is_of_one_moment(house: House, tmp_path: Path) -> None:
    """A fax and its job are written together: a backup has both of each, or neither."""

    async def busy() -> None:
        while True:
            await house.queue(f"+1202555{1000 + next(serial)}")
            begun.set()

    serial, begun = itertools.count(), asyncio.Event()
    working = [asyncio.create_task(busy()) for _ in range(3)]
    async with asyncio.timeout(60):
        await begun.wait()
    made = await backup.back_up(house.db, house.blobs, tmp_path / "backup")
    assert not any(task.done() for task in working), "they were to queue faxes all the while"
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    copy = await open_database(f"sqlite:///{tmp_path}/backup/faxgate.db")
    try:
        found, work = await rows(copy, schema.faxes), await rows(copy, schema.jobs)
        assert found
        assert {str(row["id"]) for row in found} == {row["subject"] for row in work}
        assert made.missing == 0
    finally:
        await copy.close()


async def test_what_is_no_whole_backup_is_not_restored(house: House, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no finished backup"):
        backup.read(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letters.txt").write_text("keep me")
    with pytest.raises(ConfigurationError, match="has other things in it"):
        await backup.back_up(house.db, house.blobs, tmp_path / "mine")
    await backup.back_up(house.db, house.blobs, tmp_path / "backup")
    with pytest.raises(ConfigurationError, match="has rows already"):
        await backup.restore_rows(tmp_path / "backup", house.db, tmp_path / "scratch.db", ME)


def test_every_column_that_may_name_a_blob_is_known() -> None:
    """Whoever adds a column for a blob under another name would have its blobs left out of backups, and swept."""
    strings = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.sorted_tables
        for column in table.columns
        if references._is_a_blob(column)
    }
    assert {"messages.blob", "faxes.source", "faxes.pages_blob", "attempts.document_blob"} <= strings


# -- after the restore -------------------------------------------------------------------------------------------------


async def went_back(house: House, *fax_ids: UUID) -> datetime:
    """Let the database be as it was before these faxes were handed over; return the moment of the backup."""
    at = datetime.now(UTC)

    def unit(tx: Tx) -> None:
        for fax_id in fax_ids:
            tx.execute(delete(schema.attempts).where(schema.attempts.c.fax_id == fax_id))
            as_it_was = {"state": "queued", "tries": 0, "carrier_fax_id": "", "finished_at": None}
            tx.execute(update(schema.faxes).where(schema.faxes.c.id == fax_id).values(**as_it_was))
        tx.execute(delete(schema.outgoing))
        tx.execute(delete(schema.events))
        tx.execute(delete(schema.jobs))
        tx.execute(delete(schema.holds))
        restoring.mark(tx, at)

    await house.db.write(unit)
    house.epoch = await house.db.write(lambda tx: jobs.register(tx, NODE))
    return at


def compared(house: House, kept_there: timedelta | None = None) -> Restored:
    return Restored(house.db, house.carrier, house.command, house.notify, kept_there)


async def enqueue(house: House, fax_id: UUID) -> None:
    def unit(tx: Tx) -> None:
        fax = faxes.get(tx, fax_id)
        assert fax is not None
        jobs.enqueue(tx, TRANSMIT, fax_id, keys=house.policy.lines(tx, fax))

    await house.db.write(unit)


async def sent_since(house: House) -> tuple[UUID, UUID]:
    """Go back to a backup of before the first of two faxes was sent."""
    sent, waiting = await house.queue(), await house.queue("+12025550143")
    for job in [job for job in await house.claim(TRANSMIT) if job.subject == str(sent)]:
        await house.stories[TRANSMIT](job)
    await house.emulator.settle()
    await went_back(house, sent, waiting)
    return sent, waiting


async def test_nothing_is_sent_before_the_carrier_was_asked_and_what_was_sent_is_not_sent_again(house: House) -> None:
    sent, waiting = await sent_since(house)
    for fax_id in (sent, waiting):
        await enqueue(house, fax_id)
    await house.step(TRANSMIT, 2)
    assert len(house.emulator.faxes) == 1, "something was sent before the comparison"
    findings = await compared(house).look()
    assert findings is not None
    assert (findings.again, findings.held, findings.lost) == ([sent], [], [])
    await house.step(TRANSMIT)
    await house.reconcile.poll()
    await house.hear()
    assert len(house.sent()) == 1
    assert len(house.sent("+12025550143")) == 1
    assert {(await house.fax(each)).state for each in (sent, waiting)} == {State.DELIVERED}
    assert [attempt.ordinal for attempt in await house.attempts(sent)] == [1]
    assert await compared(house).look() is None


async def test_nobody_is_told_of_a_fax_that_may_have_been_sent_since_the_backup(house: House) -> None:
    """Its time is over and it is late, by the backup; the carrier knows better."""
    sent, waiting = await sent_since(house)
    past = datetime.now(UTC) - timedelta(hours=1)
    over = update(schema.faxes).values(deadline_at=past, delay_at=past)
    await house.db.write(lambda tx: tx.execute(over))
    delay = Delay(house.db, house.notify, house.policy)
    assert await house.db.write(delay.tell) == 0
    assert await house.db.write(house.settle.expire) == 0
    assert await house.told() == []
    assert await compared(house).look() is not None
    assert await house.db.write(house.settle.expire) == 1
    assert (await house.fax(waiting)).state is State.FAILED
    await house.reconcile.poll()
    await house.hear()
    assert (await house.fax(sent)).state is State.DELIVERED


async def test_a_fax_that_the_carrier_cannot_name_holds_those_that_it_may_have_been(house: House) -> None:
    class Nameless(Between):
        async def hand_over(self, order: Order) -> HandingOver:
            return await super().hand_over(replace(order, client_state=""))

    await house.talk_to(Nameless(house))
    first, other = await house.queue(), await house.queue("+12025550143")
    for job in [job for job in await house.claim(TRANSMIT) if job.subject == str(first)]:
        await house.stories[TRANSMIT](job)
    await house.emulator.settle()
    await went_back(house, first, other)
    await enqueue(house, first)
    await enqueue(house, other)
    findings = await compared(house).look()
    assert findings is not None
    assert findings.held == [first]
    assert (await house.fax(first)).state is State.HELD
    await house.step(TRANSMIT)
    assert (len(house.sent()), len(house.sent("+12025550143"))) == (1, 1)


async def test_where_the_carrier_keeps_nothing_a_person_decides_what_was_sent(house: House) -> None:
    fax_id = await house.queue()
    await house.step(TRANSMIT)
    await house.emulator.settle()
    await house.carrier.forget(house.emulator.faxes[0].id)
    await went_back(house, fax_id)
    await enqueue(house, fax_id)
    findings = await compared(house, timedelta()).look()
    assert findings is not None
    assert findings.held == [fax_id]
    await house.step(TRANSMIT)
    assert len(house.sent()) == 0, "it was sent once more"
    await house.step(DELIVER)
    (mail,) = house.mails(OPERATOR)
    assert mail.subject == f"Faxgate needs your attention: fax to {pretty(NUMBER)} on hold"
    body = mail.parsed.get_body(("plain",))
    assert body is not None
    text = " ".join(body.get_content().split())
    assert text.startswith("A fax waits for your word since the gateway was restored from a backup. The gateway was")
    assert "Your fax" not in text, "it is not his"
    assert f"{house.http}/decide/" in text


async def test_what_was_sent_of_mails_that_are_lost_is_told(house: House) -> None:
    fax_id = await house.queue()
    await house.step(TRANSMIT)
    await house.emulator.settle()
    await went_back(house, fax_id)
    await house.db.write(lambda tx: tx.execute(delete(schema.faxes)))
    findings = await compared(house).look()
    assert findings is not None
    assert len(findings.lost) == 1
    assert NUMBER in findings.lost[0]


async def test_an_attempt_that_was_open_at_the_backup_is_not_believed_to_be_unfetched(house: House) -> None:
    fax_id = await house.queue()

    class Away(Between):
        async def before(self) -> None:
            raise ConnectionError("the gateway is lost here")

    await house.talk_to(Away(house))
    (job,) = await house.claim(TRANSMIT)
    with pytest.raises(ConnectionError):
        await house.stories[TRANSMIT](job)
    await house.db.write(lambda tx: restoring.mark(tx, datetime.now(UTC)))
    house.epoch = await house.db.write(lambda tx: jobs.register(tx, NODE))
    await compared(house).look()
    await house.step(TRANSMIT)
    await house.step(RESOLVE, 4)
    assert house.emulator.faxes == []
    assert [attempt.state for attempt in await house.attempts(fax_id)] == [AttemptState.UNKNOWN]


def test_a_client_state_names_attempt_and_fax() -> None:
    attempt_id, fax_id = new_id(), new_id()
    assert parse_client_state(client_state(attempt_id, fax_id)) == (attempt_id, fax_id)
    for other in ("", "x", "ZmF4Z2F0ZQ==", client_state(attempt_id, fax_id)[:-4], "é"):
        assert parse_client_state(other) is None


# -- the commands ------------------------------------------------------------------------------------------------------


def test_backup_and_restore_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old, new = new_house(tmp_path / "old"), new_house(tmp_path / "new")
    old.with_faxbox()
    (tmp_path / "two.pdf").write_bytes(samples.pdf(2))
    fax = old.json("send", tmp_path / "two.pdf", "+12025550123", "--faxbox", "Front")
    made = old.json("backup", tmp_path / "backup")
    assert (made["blobs"], made["missing"]) == (1, 0)
    (line,) = old.json("audit", "list", "--action", "backed up")
    assert (line["actor_kind"], line["subject"]) == ("shell", str(tmp_path / "backup"))
    assert json.loads((tmp_path / "backup" / "backup.json").read_text())["format"] == 1
    assert "is there already; with --replace" in new.refuses("restore", tmp_path / "backup", code=78)
    new("restore", tmp_path / "backup", "--replace")
    assert new.json("queue", "list")[0]["id"] == fax["id"]
    assert (Folder(new.folder / "blobs").path(fax["documents"][0]["blob"])).read_bytes() == samples.pdf(2)
    assert new.json("audit", "list", "--action", "restored")[0]["actor_kind"] == "shell"
    assert list(new.folder.glob("faxgate.db.before-*"))
    assert new.json("audit", "verify")["broken_at"] is None


def test_a_database_that_came_back_by_other_means_is_said_to_be_old(tmp_path: Path) -> None:
    faxgate = new_house(tmp_path)
    assert "is no time" in faxgate.refuses("reconcile", "--since", "yesterday")
    assert "has not come yet" in faxgate.refuses("reconcile", "--since", "2999-01-01T00:00Z")
    with reserved() as nobody:  # at the carrier's address: it stays marked, and nothing is sent
        with faxgate.config.open("a", encoding="utf-8") as settings:
            settings.write(f'[carrier.telnyx]\napi_key = "key"\nbase_url = "http://127.0.0.1:{nobody}"\n')
        assert "the carrier's list cannot be read" in faxgate.refuses("reconcile", "--since", "2026-11-26T01:50Z")
    (line,) = faxgate.json("audit", "list", "--action", "restored")
    assert line["details"] == {"backup": "2026-11-26T01:50:00+00:00"}
    assert _mark(faxgate.folder / "faxgate.db") == "2026-11-26 01:50:00.000000"


def _mark(path: Path) -> str:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return str(db.execute("SELECT at FROM watermarks WHERE name = ?", (said.RESTORED,)).fetchone()[0])


def test_one_file_grows_to_a_server(tmp_path: Path, postgres_server: postgres.Postgres) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    name = f"grown_{uuid4().hex}"
    one, many = new_house(tmp_path / "one"), new_house(tmp_path / "many", postgres_server.create(name))
    one.with_faxbox()
    (tmp_path / "two.pdf").write_bytes(samples.pdf(2))
    fax = one.json("send", tmp_path / "two.pdf", "+12025550123", "--faxbox", "Front")
    source, blobs = f"sqlite:///{tmp_path}/one/faxgate.db", f"file://{tmp_path}/one/blobs"
    copied = many.json("migrate", "--copy-from", source, "--copy-blobs-from", blobs)
    assert copied["rows"]["faxes"] == 1
    assert copied["blobs"] == 1
    assert many.json("queue", "list")[0]["id"] == fax["id"]
    assert (Folder(many.folder / "blobs").path(fax["documents"][0]["blob"])).read_bytes() == samples.pdf(2)
    assert many.json("audit", "verify")["broken_at"] is None
    assert "has rows already" in many.refuses("migrate", "--copy-from", source, code=78)
    assert "is not there" in many.refuses("migrate", "--copy-from", "sqlite:////nowhere.db", code=78)
    postgres_server.drop(name)


async def test_a_backup_of_an_older_schema_is_brought_up_to_date(elsewhere: Database, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    folder.mkdir()
    old = await open_database(f"sqlite:///{folder}/faxgate.db")
    await old.migrate(lambda tx: command.upgrade(migrate._config(tx), "0001"))
    await old.close()
    facts = {"format": 1, "at": "2026-01-02T03:04:05+00:00", "schema": "0001", "blobs": 0, "without_blobs": True}
    (folder / "backup.json").write_text(json.dumps(facts))
    await backup.restore_rows(folder, elsewhere, tmp_path / "scratch.db", ME)
    await migrate.require_current(elsewhere)
    assert await said.watermark(elsewhere, said.RESTORED) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
