"""What has happened to one fax so far, read from the database: each step with the time at which it happened."""

import os
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from gateway.demo.cast import CLINIC, OFFICE
from gateway.demo.catcher import CaughtMail, MailCatcher
from gateway.dialects.telnyx import EVENT_NAMES
from gateway.fax import Direction, Fax, State
from gateway.store import attempts, faxes, mailbag, outgoing, schema
from gateway.store import events as said
from gateway.store.blobs import Blobs
from gateway.store.database import Database
from gateway.telling import Tale, Telling, TellingState

#: Bits per second of a fax modem (ITU-T V.17).
LINE_SPEED = 14_400
#: What must happen for the round to be complete, in this order: the keys of these steps, and what they are.
ROUND = {
    "pages": "the fax pages",
    "handed": "the handing over to the carrier",
    "fetched": "the fetching of the document by the carrier",
    "delivered": "the delivery",
    "receipt": "the receipt",
    "coming": "the fax coming in",
    "received": "the document of the received fax",
    "forwarded": "the mail with the received fax",
}

#: The key and the label of the mails that belong to the round.
_MAILED = {Tale.RECEIPT: ("receipt", "receipt"), Tale.RECEIVED: ("forwarded", "mailed on")}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened. ``key`` is unique in a round; ``label`` and ``text`` are for the reader."""

    key: str
    at: datetime
    label: str
    text: str


@dataclass(slots=True)
class Observer:
    """Looks at the fax *fax_id*, and at the same fax when it comes in again; *since* is when it was mailed.

    ``failed`` says why the round cannot be completed any more.
    """

    db: Database
    blobs: Blobs
    catcher: MailCatcher
    fax_id: UUID
    since: datetime
    failed: str = field(default="", init=False)

    async def look(self) -> list[Step]:
        """Return every step until now, in the order in which they happened."""
        sent, received = await faxes.fetch(self.db, self.fax_id), await self._received()
        steps: list[Step] = []
        if sent is not None:
            steps += [*await self._pages(sent), *await self._handing_over(sent), *await self._told(sent)]
            steps += [*self._delivery(sent), *await self._mails(sent)]
            self._note_failure(sent)
        if received is not None:
            steps += [*self._coming(received), *await self._told(received), *await self._mails(received)]
            self._note_failure(received)
        return sorted(steps, key=lambda step: step.at)

    async def _received(self) -> Fax | None:
        """The newest fax from the office to the clinic that came in since the mail was sent."""
        coming = await faxes.page(self.db, direction=Direction.INBOUND, limit=20)
        ours = [fax for fax in coming if (fax.from_number, fax.to_number) == (OFFICE.number, CLINIC.number)]
        return next((fax for fax in ours if fax.created_at >= self.since), None)

    def _note_failure(self, fax: Fax) -> None:
        if fax.state in {State.FAILED, State.CANCELED, State.HELD}:
            self.failed = f"the {fax.direction.value} fax is {fax.state.value}: {fax.failure_text or fax.held_reason}"

    async def _pages(self, fax: Fax) -> list[Step]:
        if fax.rendering_id is None:
            return []
        rows = await self.db.rows(mailbag.rendering(fax.rendering_id))
        row = rows[0]
        size = self._size(row["tiff_blob"])
        seconds = size * 8 / LINE_SPEED
        text = f"{_pages(row['pages'])}; {size:,} bytes of T.6, {seconds:.0f} s on the line at {LINE_SPEED:,} bit/s"
        return [Step("pages", row["created_at"], "fax pages", text)]

    async def _handing_over(self, fax: Fax) -> list[Step]:
        steps: list[Step] = []
        for attempt in await attempts.of_fax(self.db, fax.id):
            again = "" if attempt.ordinal == 1 else str(attempt.ordinal)
            if attempt.carrier_fax_id:
                text = f"attempt {attempt.ordinal} is committed, then the carrier is asked once"
                text += f"; it calls the fax {attempt.carrier_fax_id}"
                steps.append(Step(f"handed{again}", attempt.intent_at, "handed over", text))
            if attempt.fetched_at is not None:
                text = f"the carrier gets the pages at /m/{attempt.handle[:6]}..., a PDF"
                text += f" of {_bytes(self._size(attempt.document_blob))}"
                steps.append(Step(f"fetched{again}", attempt.fetched_at, "fetched", text))
        return steps

    async def _told(self, fax: Fax) -> list[Step]:
        """What the carrier has said of the fax, each statement under its id."""
        if not fax.carrier_fax_id:
            return []
        about = schema.events.c.carrier_fax_id == fax.carrier_fax_id
        steps: list[Step] = []
        for row in await self.db.rows(schema.events.select().where(about)):
            event = said.event_from(row)
            if event is None:
                continue
            name = EVENT_NAMES.get(event.happened, event.happened.value)
            text = f"{name}, signature verified" if row["source"] == "webhook" else name
            steps.append(Step(event.id, row["received_at"], row["source"], text))
        return steps

    def _delivery(self, fax: Fax) -> list[Step]:
        if fax.state is not State.DELIVERED or fax.finished_at is None:
            return []
        pages = "pages not reported" if fax.pages_sent is None else f"{fax.pages_sent} of {_pages(fax.pages)} confirmed"
        return [Step("delivered", fax.finished_at, "delivered", f"to {fax.to_number}, {pages}")]

    def _coming(self, fax: Fax) -> list[Step]:
        text = f"a fax from {fax.from_number} for {fax.to_number}"
        steps = [Step("coming", fax.created_at, "coming in", text)]
        if fax.state is State.RECEIVED and fax.finished_at is not None:
            text = f"its document: {_pages(fax.pages)}, {_bytes(self._size(fax.pages_blob))}, {fax.media_type}"
            steps.append(Step("received", fax.finished_at, "received", text))
        return steps

    async def _mails(self, fax: Fax) -> list[Step]:
        """The mails about the fax that the mail server has taken."""
        steps: list[Step] = []
        for row in await self.db.rows(outgoing.of_fax(fax.id)):
            telling = outgoing.telling_from(row)
            mail = self._caught(telling)
            if telling.state is not TellingState.SENT or telling.sent_at is None or mail is None:
                continue
            key, label = _MAILED.get(telling.tale, (telling.message_id, "mailed"))
            text = f'to {telling.recipient}: "{mail.subject}"{_enclosed(mail, fax)}'
            steps.append(Step(key, telling.sent_at, label, text))
        return steps

    def _caught(self, telling: Telling) -> CaughtMail | None:
        mails = reversed(self.catcher.mails)
        return next((mail for mail in mails if mail.parsed.get("Message-ID") == telling.message_id), None)

    def _size(self, blob: str) -> int:
        with self.blobs.open(blob) as file:
            return os.fstat(file.fileno()).st_size


def _enclosed(mail: CaughtMail, fax: Fax) -> str:
    names = [part.get_filename() for part in mail.parsed.iter_attachments() if part.get_filename()]
    return f", with {', '.join(map(str, names))} ({_pages(fax.pages)})" if names else ""


def _pages(count: int | None) -> str:
    return "1 page" if count == 1 else f"{count} pages"


def _bytes(size: int) -> str:
    return f"{size:,} bytes"
