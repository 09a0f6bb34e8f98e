"""Every try of a fax is a document of its own: under the line that says when it was sent, and by whom."""

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from io import BytesIO
from pathlib import Path
from typing import Self

import pytest
from PIL import Image

from gateway.attempt import AttemptState
from gateway.document import Header, StampedDocument
from gateway.errors import Kind, refuse
from gateway.fax import Fax, State
from gateway.notify import DELIVER
from gateway.outbox import TRANSMIT
from gateway.outbox.document import AttemptDocument, Documents
from gateway.outbox.header import header_line
from gateway.store import faxes, provision, schema
from gateway.store.database import Row
from tests.integration.engines import ENGINES, store
from tests.integration.house import SENDER, House, built
from tests.integration.open_sandbox import OpenSandbox
from tests.integration.test_stories_transmit import BUSY_ONCE

EVENING = datetime(2026, 11, 25, 23, 5, tzinfo=UTC)


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path, header=True) as house:
        yield house


async def test_each_try_has_a_document_of_its_own(house: House) -> None:
    fax_id = await house.queue(BUSY_ONCE)
    for _ in range(2):
        await house.step(TRANSMIT)
        await house.hear()
    first, second = await house.attempts(fax_id)
    assert [first.state, second.state] == [AttemptState.FAILED, AttemptState.DELIVERED]
    assert len({first.document_blob, second.document_blob, (await house.fax(fax_id)).pages_blob}) == 3
    for attempt, sent in zip((first, second), house.sent(BUSY_ONCE), strict=True):
        assert sent.document is not None
        assert sent.document.content == await house.blobs.read(attempt.document_blob)


class Lines(OpenSandbox):
    """Keeps the lines that it wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Header | None] = []

    async def stamp(
        self, rendered_fds: Sequence[int], header: Header | None, pdf_fd: int, preview_fd: int
    ) -> StampedDocument:
        self.lines.append(header)
        return await super().stamp(rendered_fds, header, pdf_fd, preview_fd)


class Clock(datetime):
    """Stands at EVENING, and goes on by a quarter of an hour when it is asked."""

    asked = 0

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        cls.asked += 1
        found = EVENING + cls.asked * timedelta(minutes=15)
        return cls(*found.timetuple()[:6], tzinfo=tz)


async def test_a_later_try_says_its_own_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clock, "asked", 0)
    monkeypatch.setattr("gateway.outbox.document.datetime", Clock)
    house.sandbox = sandbox = Lines()
    house.connect()
    await house.queue(BUSY_ONCE)
    for _ in range(2):
        await house.step(TRANSMIT)
        await house.hear()
    assert [line.when for line in sandbox.lines if line] == ["2026-11-25 23:20 UTC", "2026-11-25 23:35 UTC"]


async def test_the_receipt_shows_the_page_as_it_was_sent(house: House) -> None:
    fax_id = await house.queue()
    await house.step(TRANSMIT)
    await house.hear()
    await house.step(DELIVER)
    (attempt,) = await house.attempts(fax_id)
    picture = await house.blobs.read(attempt.preview_blob)
    (receipt,) = house.mails(SENDER)
    pictures = [part.get_content() for part in receipt.parsed.walk() if part.get_content_type() == "image/png"]
    assert pictures == [picture]
    with Image.open(BytesIO(picture)) as image:
        assert image.convert("L").crop((0, 0, image.width, 9)).getbbox() is not None


async def test_a_passing_trouble_costs_no_try(house: House) -> None:
    fax_id = await house.queue()
    house.sandbox.failing = refuse(Kind.INTERNAL, "documents cannot be opened at the moment; please try again later")
    (job,) = await house.claim(TRANSMIT)
    with pytest.raises(type(house.sandbox.failing)):
        await house.stories[TRANSMIT](job)
    assert await house.attempts(fax_id) == []
    house.sandbox.failing = None
    await house.stories[TRANSMIT](job)
    assert (await house.fax(fax_id)).tries == 1


async def test_pages_that_are_gone_end_the_fax_and_its_sender_is_told(house: House) -> None:
    fax_id = await house.queue()
    (rendering,) = await house.db.rows(schema.renderings.select())
    house.blobs.remove(rendering["tiff_blob"])
    await house.step(TRANSMIT)
    fax = await house.fax(fax_id)
    assert (fax.state, fax.failure_reason) == (State.FAILED, Kind.NOT_FOUND)
    assert await house.attempts(fax_id) == []
    assert await house.jobs(TRANSMIT) == []
    assert [recipient for _, recipient in await house.told()] == [SENDER]


async def test_an_attempt_that_may_be_with_the_carrier_is_not_failed_by_missing_pages(house: House) -> None:
    fax_id = await house.queue()
    (job,) = await house.claim(TRANSMIT)
    with ExitStack() as files:
        document = await house.transmit._document(fax_id, files)
        await house.db.write(lambda tx: house.transmit._intend(tx, job, document), before=document.seals)
    (rendering,) = await house.db.rows(schema.renderings.select())
    house.blobs.remove(rendering["tiff_blob"])
    await house.stories[TRANSMIT](job)  # as after a crash: its own attempt is open
    (attempt,) = await house.attempts(fax_id)
    assert attempt.state is AttemptState.UNKNOWN
    assert (await house.fax(fax_id)).state is State.QUEUED


async def test_what_was_made_for_an_attempt_that_did_not_come_is_removed(house: House) -> None:
    fax_id = await house.queue()
    (job,) = await house.claim(TRANSMIT)
    made: list[AttemptDocument] = []

    class Overtaken(Documents):
        async def make(self, fax: Fax, stack: ExitStack) -> AttemptDocument:
            made.append(await super().make(fax, stack))
            canceled = {"state": State.CANCELED}
            assert await house.db.write(lambda tx: faxes.change(tx, fax_id, [State.QUEUED], **canceled))
            return made[0]

    house.transmit._documents = Overtaken(house.db, house.blobs, house.sandbox, header=True)
    await house.stories[TRANSMIT](job)
    assert await house.attempts(fax_id) == []
    assert not any(house.blobs.path(key).exists() for key in made[0].made)


async def _rows(house: House) -> tuple[Row, Row]:
    box = await provision.fetch(house.db, schema.faxboxes, house.faxbox.id)
    account = await provision.fetch(house.db, schema.accounts, house.account.id)
    assert box is not None
    assert account is not None
    return box, account


async def test_the_line_speaks_as_the_faxbox_wishes_else_as_the_account(house: House) -> None:
    fax = await house.fax(await house.queue())
    box, account = await _rows(house)
    assert header_line(fax, box, account, EVENING) == Header("2026-11-25 23:05 UTC", "Acme", "+1 202-555-0100")
    assert header_line(replace(fax, from_name="Ward 3"), box, account, EVENING).name == "Ward 3"
    words = {"fax_header": "Acme\nHospital", "fax_identity": "+1 800 555", "timezone": "America/New_York"}
    await house.provisioning.update_account(house.account.id, timezone="Asia/Tokyo")
    box, account = await _rows(house)
    assert header_line(fax, box, account, EVENING).when == "2026-11-26 08:05 JST"
    said = header_line(fax, {**box, **words}, account, EVENING)
    assert said == Header("2026-11-25 18:05 EST", "Acme Hospital", "+1 800 555")
    assert header_line(fax, None, None, EVENING).number == "+1 202-555-0100"
    own = replace(fax, header="Dr. Own", identity="42", timezone="Europe/Berlin")
    assert header_line(own, {**box, **words}, account, EVENING) == Header("2026-11-26 00:05 CET", "Dr. Own", "42")
