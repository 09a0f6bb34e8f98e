"""Takes ready jobs and hands each to its story.

One commit makes due jobs ready and claims as many as there is room for.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway import logs
from gateway.carriers.carrier import CarrierError
from gateway.errors import Refusal
from gateway.poison import Poison, named
from gateway.retry import spread
from gateway.store import aside, claims, jobs
from gateway.store.database import Database, Tx
from gateway.store.jobs import Job
from gateway.store.lease import Lease, LeaseLost, LeaseUnsure, clock
from gateway.store.set_back import set_back

log = logs.logger(__name__)
#: Kinds whose subject is a fax: every line that is logged meanwhile names it.
ABOUT_FAXES = frozenset({"prepare", "transmit", "cancel", "retrieve", "forward"})
Story = Callable[[Job], Awaitable[None]]
TICK = 1.0
#: So often a job may fail by a fault of ours, and so often the process may die with it, which need not be its doing.
MOST_FAULTS, MOST_CRASHES = 8, 20
SWEEP_EVERY = 10.0
#: A clock that is set back by less, in seconds, delays nothing that matters.
JUMP = 5.0
#: Between runs of a job that failed without saying when to come again; the last one repeats.
STEPS = [timedelta(seconds=s) for s in (1, 5, 15, 60, 300, 900, 3600)]


class Worker:
    """Runs the jobs of one node. ``rooms`` says how many jobs of each kind may run here at once.

    A job that fails *most_faults* times by a fault of ours is set aside, which *poison* is told.
    """

    def __init__(
        self,
        db: Database,
        node: str,
        lease: timedelta,
        stories: Mapping[str, Story],
        rooms: Mapping[str, int],
        *,
        poison: Poison | None = None,
        most_faults: int = MOST_FAULTS,
    ) -> None:
        self._db = db
        self._node = node
        self._lease = lease
        self._stories = stories
        self._rooms = rooms
        self._waiting = claims.Waiting(rooms)
        self._poison = poison
        self._most_faults = most_faults
        self._epoch = 0
        self._swept = ""
        self._held = Lease(lease)
        self._ahead = _ahead()
        self._running: dict[asyncio.Task[None], Job] = {}
        self._wake = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._stopping = False
        self.lost = asyncio.Event()

    async def start(self) -> None:
        """Register the node: what its earlier process left running becomes ready at once."""
        asked = clock()
        self._epoch = await self._db.write(lambda tx: jobs.register(tx, self._node))
        self._held.renewed(asked)
        self._db.on_ready = self._wake.set

    async def run(self) -> None:
        """Work until ``stop``."""
        beats = asyncio.create_task(self._live())
        try:
            while not self._stopping:
                self._wake.clear()
                try:
                    await self._look_at_the_clock()
                    wait = await self._claim()
                except Exception:
                    log.exception("jobs could not be claimed")
                    wait = TICK
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait)
        finally:
            beats.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beats

    async def stop(self, grace: float) -> None:
        """Claim nothing more, let what runs finish for *grace* seconds, and give the rest back."""
        self._stopping = True
        self._wake.set()
        async with self._claiming:
            pass  # what is being claimed now runs below: it is not given back behind its own back
        if self._running:
            _, late = await asyncio.wait(set(self._running), timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        await self._db.write(lambda tx: jobs.leave(tx, self._node, self._epoch))

    async def _claim(self) -> float:
        """Claim and start jobs; return after how many seconds to look again."""
        async with self._claiming:
            if self._stopping:
                return TICK
            claimed, due = await self._take()
            for job in claimed:
                task = asyncio.create_task(self._do(replace(job, lease=self._held)))
                self._running[task] = job
                task.add_done_callback(self._done)
        until_due = TICK if due is None else (due - datetime.now(UTC)).total_seconds()
        return min(TICK, max(0.005, until_due))

    async def _take(self) -> tuple[list[Job], datetime | None]:
        """Return claimed jobs, and when the next one is due."""
        busy = Counter(job.kind for job in self._running.values())
        room = {kind: free for kind, most in self._rooms.items() if (free := most - busy[kind]) > 0}

        def unit(tx: Tx) -> tuple[list[Job], datetime | None]:
            jobs.move_due(tx)
            mine = self._node, self._epoch
            there = self._waiting.kinds(tx)
            claimed = [
                job for kind, free in room.items() if kind in there for job in claims.claim(tx, *mine, kind, free)
            ]
            if not any(map(claims.suspected, self._running.values())):
                claimed += claims.claim_suspect(tx, *mine, room)
            return [job for job in claimed if not self._deadly(tx, job)], jobs.next_due(tx)

        return await self._db.write(unit)

    def _deadly(self, tx: Tx, job: Job) -> bool:
        """Set a job aside with which the process has died again and again."""
        if job.crashes < MOST_CRASHES:
            return False
        self._set_aside(tx, job, "the process died each time")
        return True

    def _set_aside(self, tx: Tx, job: Job, error: str) -> None:
        aside.put(tx, job, error)
        if self._poison is not None:
            self._poison.aside(tx, job, error)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake.set()

    async def _do(self, job: Job) -> None:
        fax = {"fax": job.subject} if job.kind in ABOUT_FAXES else {}
        with logs.bind(job=job.kind, subject=job.subject, **fax):
            try:
                await self._stories[job.kind](job)
            except LeaseLost:
                log.warning("another worker has taken this job over")
            except Exception as error:
                if isinstance(error, Refusal | LeaseUnsure):
                    log.warning("job not done", why=str(error), tries=job.tries + 1)
                else:
                    log.exception("job failed", tries=job.tries + 1)
                await self._put_back(job, error)

    async def _put_back(self, job: Job, error: Exception) -> None:
        due = datetime.now(UTC) + spread(STEPS[min(job.tries, len(STEPS) - 1)])
        why = f"{type(error).__name__}: {error}"

        def unit(tx: Tx) -> None:
            if _passes(error):
                jobs.again(tx, job, due, why)
            elif aside.raised(tx, job, due, why, self._most_faults) and self._poison is not None:
                self._poison.aside(tx, job, named(error))

        try:
            await self._db.write(unit)
        except LeaseLost:
            log.warning("another worker has taken this job over")
        except Exception:
            # Found again among those that nobody runs, when the database answers.
            log.exception("job could not be put back")

    async def _live(self) -> None:
        """Say that this node lives, and take over from those that do not."""
        beat_every = min(self._lease.total_seconds() / 4, SWEEP_EVERY)
        while True:
            await asyncio.sleep(beat_every)
            try:
                asked = clock()
                if not await self._db.write(lambda tx: jobs.beat(tx, self._node, self._epoch)):
                    log.error("this node's lease has passed to another process; stopping")
                    self.lost.set()
                    return
                self._held.renewed(asked)
                await self._db.write(self._sweep)
                await self._find_again()
            except Exception:
                log.exception("the node could not say that it lives")

    async def _look_at_the_clock(self) -> None:
        """When the clock was set back, set back with it what was planned by it. Looked at each second, for nobody
        knows how long it was wrong before."""
        ahead = _ahead()
        back = self._ahead - ahead
        if back > JUMP:
            moved = await self._db.write(lambda tx: set_back(tx, timedelta(seconds=back)))
            log.warning("the clock was set back", seconds=round(back), jobs=moved)
        self._ahead = ahead

    async def _find_again(self) -> None:
        """Give back what this node is said to run and does not: the database was not there at its claim or its end."""
        async with self._claiming:
            running = [job.id for job in self._running.values()]
            found = await self._db.write(lambda tx: jobs.give_back(tx, self._node, self._epoch, running))
        if found:
            log.warning("jobs found that nobody ran", number=found)

    def _sweep(self, tx: Tx) -> None:
        jobs.take_over(tx, self._lease, self._node)
        self._swept = jobs.sweep(tx, self._swept)


def _ahead() -> float:
    """How far the clock of the wall is ahead of the one that nobody sets, in seconds."""
    return time.time() - clock()


def _passes(error: Exception) -> bool:
    """Whether time may mend it: no count is kept of what others are the cause of."""
    return isinstance(error, CarrierError | LeaseUnsure) or (isinstance(error, Refusal) and error.reason.temporary)
