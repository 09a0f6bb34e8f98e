"""How long the queue is, for the metrics: counted a part at a time, so that a count of a million jobs keeps nobody
waiting who asks the database for something else."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

from gateway import metrics
from gateway.store import aside, jobs
from gateway.store.database import Database
from gateway.store.lease import clock

#: Jobs that are counted at once, and how much longer than that took the next ones wait.
AT_ONCE, REST = 1000, 20


class Gauges:
    """Shows the jobs of *db*. What changes during a count is counted as it was or as it is."""

    def __init__(self, db: Database, at_once: int = AT_ONCE) -> None:
        self._db = db
        self._at_once = at_once

    async def show(self) -> None:
        """Count all jobs, and show how many there are and how late the oldest is."""
        found, oldest = Counter[tuple[str, str]](), datetime.now(UTC)
        after: int | None = 0
        while after is not None:
            began = clock()
            rows = await self._db.rows(jobs.counts(after, self._at_once))
            for row in rows:
                found[row["state"], row["kind"]] += row["number"]
                oldest = oldest if row["state"] == aside.ASIDE else min(oldest, row["oldest"])
            whole = sum(row["number"] for row in rows) == self._at_once
            after = max(row["last"] for row in rows) if whole else None
            if after is not None:
                await asyncio.sleep((clock() - began) * REST)
        metrics.jobs.clear()
        for labels, number in found.items():
            metrics.jobs.labels(*labels).set(number)
        metrics.oldest_job_seconds.set((datetime.now(UTC) - oldest).total_seconds())
