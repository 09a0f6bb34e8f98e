"""What has passed its time is removed: documents, records, logs, and blobs that nobody names.

One process does it at a time, in small units. Nothing is removed on the word of a clock that has just jumped: after a
jump, or a time in which no gateway ran, only what needs no clock is removed (documents that everybody has, where the
account keeps none) until the clock has run evenly for a day.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID

from gateway import logs
from gateway.archive import Archive
from gateway.audit import GATEWAY, Action
from gateway.carriers.carrier import Carrier
from gateway.errors import Refusal
from gateway.retry import MAIL_PATIENCE
from gateway.settings import parse_keeping
from gateway.store import audit, faxes, jobs, provision, retention
from gateway.store import events as said
from gateway.store.blobs import Blobs
from gateway.store.database import Database, Tx
from gateway.store.jobs import Job
from gateway.store.references import referenced
from gateway.store.retention import Whose
from gateway.store.schema import accounts

log = logs.logger(__name__)
FORGET = "forget"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: What a clock may be off from one look to the next, and how long it must run evenly before it is believed.
GAP, EVEN = timedelta(minutes=15), DAY
#: A blob that is younger may be about to get its row; one of before a restore may be of a mail that is missed yet.
ORPHANED, AFTER_RESTORE = DAY, timedelta(days=30)
AT_ONCE = 100_000
Choice = Callable[[Whose, datetime, tuple[datetime, UUID] | None], Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """How long things are kept, *at_carrier* a fax there; None: forever."""

    documents: timedelta | None = None
    records: timedelta | None = None
    smtplog: timedelta | None = None
    events: timedelta | None = None
    audit: timedelta | None = None
    at_carrier: timedelta | None = None


class Housekeeping:
    """``tidy`` is called every minute by every worker; it finds out by itself what is due."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        carrier: Carrier,
        archive: Archive,
        rules: Rules,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._carrier = carrier
        self._archive = archive
        self._rules = rules
        self._now = now

    async def tidy(self) -> None:
        """Do what it is time for, if it is this process's turn."""
        if not await self._turn("tidy", MINUTE):
            return
        even = await self._db.write(self._even)
        if await said.watermark(self._db, said.RESTORED) is not None:
            return
        if even or self._rules.at_carrier == timedelta():
            await self.leave()
        await self.pass_on()
        if even and await self._turn("retention", HOUR):
            await self.expire()
        if even and await self._turn("orphans", DAY):
            await self.sweep()

    async def _turn(self, name: str, every: timedelta) -> bool:
        return await self._db.write(lambda tx: said.turn(tx, name, every * 0.9))

    def _even(self, tx: Tx) -> bool:
        """Note what the clock says; return whether it has run evenly for long enough to be believed."""
        now, seen, since = self._now(), said.at(tx, "clock seen"), said.at(tx, "clock even since")
        if seen is None or since is None or not seen - GAP < now < seen + GAP:
            if seen is not None:
                log.warning("the clock has jumped, or no gateway ran: nothing expires for a day", seen=seen.isoformat())
            said.set_watermark(tx, "clock even since", now)
            since = now
        said.set_watermark(tx, "clock seen", now)
        return now - since >= EVEN

    # -- faxes ---------------------------------------------------------------------------------------------------------

    async def pass_on(self) -> int:
        """Remove the documents of faxes that nobody needs here any more, where none are kept."""
        rules = await self._owners("keep_documents", self._rules.documents)
        gone = 0
        for whose, keep in rules:
            if keep == timedelta():
                gone += await self._each(retention.passed_on, whose, self._now(), self._strip)
        return gone

    async def leave(self) -> int:
        """Have faxes deleted at the carrier whose time there has passed and whose mails are taken."""
        keep = self._rules.at_carrier
        if keep is None:
            return 0
        return await self._each(retention.at_the_carrier, ("but", []), self._now() - keep, self._order_deletion)

    async def expire(self) -> int:
        """Remove documents and records whose time has passed; return how many faxes lost something."""
        now, gone = self._now(), 0
        for whose, keep in await self._owners("keep_documents", self._rules.documents):
            if keep is not None:
                # Where none are kept they were removed long ago, but for those whose receipt nobody took.
                gone += await self._each(retention.documents, whose, now - (keep or MAIL_PATIENCE), self._strip)
        for whose, keep in await self._owners("keep_records", self._rules.records):
            if keep is not None:
                gone += await self._each(retention.records, whose, now - keep, self._erase)
                await self._until_none(partial(retention.forget_mails, whose=whose, before=now - keep))
        await self._logs(now)
        return gone

    async def _logs(self, now: datetime) -> None:
        everybody: Whose = ("but", [])
        if (keep := self._rules.smtplog) is not None:
            await self._until_none(lambda tx: retention.forget_mails(tx, everybody, now - keep))
        if (events := self._rules.events) is not None:
            await self._until_none(lambda tx: retention.forget_events(tx, now - events))
        if (trail := self._rules.audit) is not None:
            await self._until_none(lambda tx: audit.forget(tx, now - trail))
        await self._until_none(lambda tx: retention.forget_what_is_over(tx, now))

    async def _owners(self, column: str, default: timedelta | None) -> list[tuple[Whose, timedelta | None]]:
        """Return whose faxes are kept for how long: accounts with a rule of their own, and all others."""
        own: dict[timedelta | None, list[UUID]] = defaultdict(list)
        for row in await self._db.rows(provision.all_of(accounts)):
            if row[column]:
                own[parse_keeping(row[column])].append(row["id"])
        others: Whose = ("but", [account for each in own.values() for account in each])
        return [*((("of", each), keep) for keep, each in own.items()), (others, default)]

    async def _each(self, choice: Choice, whose: Whose, before: datetime, act: Callable[..., None]) -> int:
        """Do *act* with every fax of a *choice*, each in a unit of its own; one that is not ready for it waits."""
        count, after = 0, None
        while rows := await self._db.rows(choice(whose, before, after)):
            for row in rows:
                try:
                    await self._db.write(partial(act, fax_id=row["id"]))
                except Refusal as refusal:
                    log.info("kept a while longer", fax=str(row["id"]), why=refusal.reason.sentence)
                else:
                    count += 1
            after = (rows[-1]["finished_at"], rows[-1]["id"])
        return count

    def _strip(self, tx: Tx, fax_id: UUID) -> None:
        self._archive.remove_documents(tx, fax_id)
        self._noted(tx, fax_id, "documents")

    def _erase(self, tx: Tx, fax_id: UUID) -> None:
        self._archive.erase(tx, fax_id)
        self._noted(tx, fax_id, "records")

    def _order_deletion(self, tx: Tx, fax_id: UUID) -> None:
        if retention.carrier_forgets(tx, fax_id):
            for carrier_fax_id in sorted(retention.carrier_ids(tx, fax_id)):
                jobs.enqueue(tx, FORGET, carrier_fax_id, priority=jobs.LATER)
            self._noted(tx, fax_id, "at the carrier")

    async def forget(self, job: Job) -> None:
        """The job ``forget``: delete a fax at the carrier; its subject is the carrier's id."""
        await self._carrier.forget(job.subject)
        await self._db.write(lambda tx: jobs.finish(tx, job))

    def _noted(self, tx: Tx, fax_id: UUID, what: str) -> None:
        fax = faxes.get(tx, fax_id)
        owner = fax.account_id if fax else None
        audit.note(tx, GATEWAY, Action.EXPIRED, account_id=owner, fax_id=fax_id, what=what)

    async def _until_none(self, unit: Callable[[Tx], int]) -> None:
        while await self._db.write(unit):
            pass

    # -- blobs ---------------------------------------------------------------------------------------------------------

    async def sweep(self) -> int:
        """Delete blobs that are a day old and that no row names; return how many there were."""
        restored = await said.watermark(self._db, "restored at")
        if restored is not None and self._now() - restored < AFTER_RESTORE:
            return 0
        count = await asyncio.to_thread(self._blobs.sweep_old, self._now() - ORPHANED)
        names = self._blobs.names()
        while some := await asyncio.to_thread(lambda: list(islice(names, AT_ONCE))):
            old = {key for key, at in some if at < self._now() - ORPHANED}
            for key in await self._orphans(old):
                await self._blobs.removed(key)
                count += 1
        if count:
            log.info("blobs that nobody names are deleted", count=count)
        return count

    async def _orphans(self, candidates: set[str]) -> Iterable[str]:
        if not candidates:
            return ()

        def named(tx: Tx) -> set[str]:
            return candidates - set(referenced(tx))

        return await self._db.look(named)
