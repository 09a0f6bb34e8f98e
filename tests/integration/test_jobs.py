"""The queue: what is ready runs once, what is busy waits its turn, and a lease that has passed writes nothing."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gateway.store import claims, jobs, schema
from gateway.store.database import Database, Tx, add
from gateway.store.jobs import HOLD_LASTS, LATER, URGENT, Job, Keys
from gateway.store.lease import LeaseLost
from tests.integration.engines import BOTH, rows, store

KIND = "work"
LINE: Keys = [("number:+12025550123", 1)]
APP: Keys = [("app:7", 2)]


class Queue:
    """The queue on a database, and one node that works on it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.epoch = 0

    async def register(self, node: str = "a") -> int:
        return await self.db.write(lambda tx: jobs.register(tx, node))

    async def enqueue(self, *subjects: str, **how: Any) -> None:
        def unit(tx: Tx) -> None:
            for subject in subjects:
                jobs.enqueue(tx, KIND, subject, **how)

        await self.db.write(unit)

    async def claim(self, limit: int = 100, node: str = "a", epoch: int = 0) -> list[Job]:
        return await self.db.write(lambda tx: claims.claim(tx, node, epoch or self.epoch, KIND, limit))

    async def claimed(self, limit: int = 100) -> list[str]:
        return [job.subject for job in await self.claim(limit)]

    async def do(self, unit: Callable[[Tx], Any]) -> Any:
        return await self.db.write(unit)

    async def release(self, owner: str) -> None:
        await self.db.write(lambda tx: jobs.release(tx, owner))

    async def states(self) -> dict[str, str]:
        """Subject to state, with the key that a blocked job waits for."""
        found = await rows(self.db, schema.jobs)
        return {row["subject"]: f"{row['state']} {row['blocked_on'] or ''}".strip() for row in found}

    async def holders(self, key: str) -> set[str]:
        return {row["owner"] for row in await rows(self.db, schema.holds, key=key)}


@pytest.fixture(params=BOTH)
async def queue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Queue]:
    async with store(request, tmp_path) as db:
        queue = Queue(db)
        queue.epoch = await queue.register()
        yield queue


def blocked(keys: Keys) -> str:
    return f"blocked {keys[0][0]}"


# -- scheduled, ready, running -----------------------------------------------------------------------------------------


async def test_a_job_is_claimed_once_and_gone_when_it_is_finished(queue: Queue) -> None:
    await queue.enqueue("x")
    (job,) = await queue.claim()
    assert (job.subject, job.kind, job.tries, job.node) == ("x", KIND, 0, "a")
    assert await queue.states() == {"x": "running"}
    assert await queue.claim() == []
    await queue.do(lambda tx: jobs.finish(tx, job))
    assert await queue.states() == {}


async def test_the_most_urgent_go_first_then_the_longest_due_then_the_oldest(queue: Queue) -> None:
    now = datetime.now(UTC)
    await queue.enqueue("later", priority=LATER)
    await queue.enqueue("second", due=now - timedelta(seconds=1))
    await queue.enqueue("first", due=now - timedelta(seconds=2))
    await queue.enqueue("third", "fourth", due=now)
    await queue.enqueue("urgent", priority=URGENT)
    assert await queue.claimed(3) == ["urgent", "first", "second"]
    assert await queue.claimed(100) == ["third", "fourth", "later"]


async def test_a_job_waits_for_its_time(queue: Queue) -> None:
    due = datetime.now(UTC) + timedelta(hours=1)
    await queue.enqueue("x", due=due)
    assert await queue.do(jobs.move_due) == 0
    assert await queue.claim() == []
    assert await queue.do(jobs.next_due) == due
    past = update(schema.jobs).values(due=datetime.now(UTC) - timedelta(seconds=1))
    await queue.do(lambda tx: tx.execute(past))
    assert await queue.do(jobs.move_due) == 1
    assert await queue.do(jobs.next_due) is None
    assert await queue.claimed() == ["x"]


async def test_a_job_that_is_put_back_comes_again_and_counts_its_runs(queue: Queue) -> None:
    await queue.enqueue("x")
    (job,) = await queue.claim()
    await queue.do(lambda tx: jobs.again(tx, job, datetime.now(UTC) + timedelta(hours=1), "why " + "x" * 3000))
    (row,) = await rows(queue.db, schema.jobs)
    assert (row["state"], row["node"], row["tries"], len(row["last_error"])) == ("scheduled", None, 1, 2000)
    assert await queue.do(lambda tx: jobs.hasten(tx, KIND, "x"))
    (second,) = await queue.claim()
    assert (second.id, second.tries) == (job.id, 1)


async def test_only_kinds_that_were_asked_for_are_claimed(queue: Queue) -> None:
    await queue.enqueue("x")
    await queue.do(lambda tx: jobs.enqueue(tx, "other", "y"))
    assert await queue.claimed() == ["x"]


async def test_it_is_known_of_which_kinds_there_are_ready_jobs(queue: Queue) -> None:
    waiting = claims.Waiting([KIND, "later", "none", "suspect"])
    await queue.enqueue("x")
    await queue.do(lambda tx: jobs.enqueue(tx, "later", "y", due=datetime.now(UTC) + timedelta(hours=1)))
    await queue.do(lambda tx: jobs.enqueue(tx, "not asked for", "z"))
    await queue.do(lambda tx: jobs.enqueue(tx, "suspect", "w"))
    await queue.do(lambda tx: tx.execute(update(schema.jobs).where(schema.jobs.c.kind == "suspect").values(crashes=9)))
    assert await queue.do(waiting.kinds) == {KIND}


async def test_dropping_leaves_what_runs(queue: Queue) -> None:
    await queue.enqueue("x")
    await queue.claim()
    await queue.enqueue("x", due=datetime.now(UTC) + timedelta(hours=1))
    assert await queue.do(lambda tx: jobs.drop(tx, KIND, "x")) == 1
    assert await queue.states() == {"x": "running"}
    assert await queue.do(lambda tx: jobs.exists(tx, KIND, "x"))
    assert not await queue.do(lambda tx: jobs.exists(tx, KIND, "y"))


async def test_an_undone_unit_leaves_no_job(queue: Queue) -> None:
    def unit(tx: Tx) -> None:
        jobs.enqueue(tx, KIND, "x", keys=LINE)
        raise LookupError

    with pytest.raises(LookupError):
        await queue.do(unit)
    assert await queue.states() == {}
    assert await queue.holders(LINE[0][0]) == set()


async def test_a_commit_that_makes_a_job_ready_wakes_the_worker(queue: Queue) -> None:
    woken: list[bool] = []
    queue.db.on_ready = lambda: woken.append(True)
    await queue.enqueue("later", due=datetime.now(UTC) + timedelta(hours=1))
    assert woken == []
    await queue.enqueue("x")
    await queue.do(lambda tx: None)  # its report comes behind that of the unit before
    assert woken == [True]


# -- holds -------------------------------------------------------------------------------------------------------------


async def test_one_number_has_one_slot_and_the_others_wait_in_their_order(queue: Queue) -> None:
    await queue.enqueue("x", "y", "z", keys=LINE)
    await queue.enqueue("urgent", keys=LINE, priority=URGENT)
    assert await queue.states() == {"x": "ready", **dict.fromkeys(["y", "z", "urgent"], blocked(LINE))}
    assert await queue.claimed() == ["x"]
    order = []
    for owner in ("x", "urgent", "y"):
        await queue.release(owner)
        order += await queue.claimed()
    assert order == ["urgent", "y", "z"]


async def test_fewer_slots_than_are_held_wait_until_so_many_are_held(queue: Queue) -> None:
    await queue.enqueue("a", "b", "c", keys=[("channel", 3)])
    await queue.enqueue("d", keys=[("channel", 2)])
    await queue.claimed()
    await queue.release("a")
    assert (await queue.states())["d"] == blocked(LINE).replace(LINE[0][0], "channel")
    await queue.release("b")
    assert await queue.claimed() == ["d"]


async def test_a_hold_outlasts_its_job_until_it_is_released(queue: Queue) -> None:
    await queue.enqueue("x", keys=LINE)
    (job,) = await queue.claim()
    await queue.do(lambda tx: jobs.finish(tx, job))
    await queue.enqueue("y", keys=LINE)
    assert await queue.states() == {"y": blocked(LINE)}
    await queue.release("x")
    assert await queue.states() == {"y": "ready"}
    assert await queue.holders(LINE[0][0]) == {"y"}


async def test_an_application_has_as_many_slots_as_it_says(queue: Queue) -> None:
    await queue.enqueue("x", "y", "z", keys=APP)
    assert await queue.states() == {"x": "ready", "y": "ready", "z": blocked(APP)}
    await queue.release("y")
    assert (await queue.states())["z"] == "ready"
    assert await queue.holders("app:7") == {"x", "z"}


async def test_who_does_not_get_both_keys_keeps_none(queue: Queue) -> None:
    await queue.enqueue("a1", "a2", keys=APP)
    await queue.enqueue("both", keys=LINE + APP)
    assert (await queue.states())["both"] == blocked(APP)
    assert await queue.holders(LINE[0][0]) == set()
    await queue.enqueue("line", keys=LINE)
    assert (await queue.states())["line"] == "ready"


async def test_who_waits_for_two_keys_gets_them_one_after_the_other(queue: Queue) -> None:
    await queue.enqueue("line", keys=LINE)
    await queue.enqueue("a1", "a2", keys=APP)
    await queue.enqueue("both", keys=LINE + APP)
    await queue.enqueue("next", keys=LINE)
    assert (await queue.states())["both"] == blocked(LINE)
    await queue.release("line")
    states = await queue.states()
    assert states["both"] == blocked(APP), "the line is free, the application is not"
    assert states["next"] == "ready", "so the line goes to the next"
    await queue.release("next")
    await queue.release("a1")
    assert (await queue.states())["both"] == "ready"
    assert await queue.holders(LINE[0][0]) == {"both"}


async def test_releasing_two_keys_at_once_wakes_who_needs_both(queue: Queue) -> None:
    one: Keys = [("app:7", 1)]
    await queue.enqueue("x", "y", keys=LINE + one)
    await queue.release("x")
    assert (await queue.states())["y"] == "ready"
    assert (await queue.holders("app:7"), await queue.holders(LINE[0][0])) == ({"y"}, {"y"})


async def test_an_owner_gets_again_what_it_holds(queue: Queue) -> None:
    await queue.enqueue("x", keys=LINE + APP)
    await queue.enqueue("x", keys=LINE + APP)
    assert [row["state"] for row in await rows(queue.db, schema.jobs)] == ["ready", "ready"]
    assert len(await rows(queue.db, schema.holds)) == 2


async def test_a_scheduled_job_takes_its_hold_when_it_is_due(queue: Queue) -> None:
    await queue.enqueue("x", keys=LINE, due=datetime.now(UTC) + timedelta(hours=1))
    assert await queue.holders(LINE[0][0]) == set()
    await queue.enqueue("y", keys=LINE)
    assert await queue.do(lambda tx: jobs.hasten(tx, KIND, "x"))
    assert await queue.states() == {"x": blocked(LINE), "y": "ready"}


async def test_releasing_what_nobody_holds_changes_nothing(queue: Queue) -> None:
    await queue.enqueue("x", "y", keys=LINE)
    await queue.release("stranger")
    assert await queue.states() == {"x": "ready", "y": blocked(LINE)}


async def test_a_hold_expires_by_itself_and_the_next_has_its_turn(queue: Queue) -> None:
    await queue.enqueue("x", "y", keys=LINE)
    (job,) = await queue.claim()
    await queue.do(lambda tx: jobs.finish(tx, job))
    await queue.do(jobs.sweep)
    assert (await queue.states())["y"] == blocked(LINE)
    await _expire(queue)
    await queue.do(jobs.sweep)
    assert (await queue.states())["y"] == "ready"
    (hold,) = await rows(queue.db, schema.holds)
    assert hold["owner"] == "y"
    assert hold["until"] > datetime.now(UTC) + HOLD_LASTS - timedelta(minutes=1)


async def test_a_hold_that_is_about_to_be_used_does_not_expire(queue: Queue) -> None:
    """After a night without the gateway a number is still called by one fax at a time."""
    await queue.enqueue("x", "y", keys=LINE)
    await _expire(queue)
    await queue.do(jobs.sweep)
    assert await queue.states() == {"x": "ready", "y": blocked(LINE)}
    (job,) = await queue.claim()
    await queue.do(jobs.sweep)
    assert await queue.claimed() == []
    await queue.do(lambda tx: jobs.extend(tx, "x"))
    await queue.do(lambda tx: jobs.finish(tx, job))
    await queue.do(jobs.sweep)
    assert await queue.states() == {"y": blocked(LINE)}, "the call has begun"


async def _expire(queue: Queue) -> None:
    past = update(schema.holds).values(until=datetime.now(UTC) - timedelta(seconds=1))
    await queue.do(lambda tx: tx.execute(past))


async def test_who_waits_for_a_key_that_is_free_is_found(queue: Queue) -> None:
    await queue.enqueue("x", "y", keys=LINE)
    await queue.do(lambda tx: tx.execute(schema.holds.delete()))
    await queue.do(jobs.sweep)
    assert "ready" in (await queue.states()).values()


# -- leases ------------------------------------------------------------------------------------------------------------


async def test_a_node_that_comes_back_gets_its_earlier_jobs_ready(queue: Queue) -> None:
    await queue.enqueue("x", "y")
    first = await queue.claim()
    epoch = await queue.register()
    assert epoch == queue.epoch + 1
    assert await queue.states() == {"x": "ready", "y": "ready"}
    again = await queue.claim(epoch=epoch)
    assert [(job.tries, job.crashes) for job in again] == [(0, 1), (0, 1)]
    assert first[0].epoch != again[0].epoch


async def test_nodes_do_not_take_each_others_jobs_while_they_live(queue: Queue) -> None:
    await queue.enqueue("x")
    await queue.claim()
    other = await queue.register("b")
    assert await queue.do(lambda tx: jobs.take_over(tx, timedelta(minutes=1))) == 0
    assert await queue.claim(node="b", epoch=other) == []
    assert await queue.do(lambda tx: jobs.beat(tx, "a", queue.epoch))


async def test_a_silent_node_is_taken_over_after_its_lease(queue: Queue) -> None:
    await queue.enqueue("x")
    (old,) = await queue.claim()
    other = await queue.register("b")
    await _silence(queue, "a")
    assert await queue.do(lambda tx: jobs.take_over(tx, timedelta(minutes=1))) == 1
    (new,) = await queue.claim(node="b", epoch=other)
    assert (new.id, new.tries, new.crashes) == (old.id, 0, 1)
    assert not await queue.do(lambda tx: jobs.beat(tx, "a", queue.epoch)), "the old one learns that it must stop"
    assert await queue.do(lambda tx: jobs.beat(tx, "b", other))


@pytest.mark.parametrize("ending", ["finish", "again"])
async def test_what_a_stale_node_still_writes_is_undone(queue: Queue, ending: str) -> None:
    await queue.enqueue("x")
    (old,) = await queue.claim()
    other = await queue.register("b")
    await _silence(queue, "a")
    await queue.do(lambda tx: jobs.take_over(tx, timedelta(minutes=1)))

    def unit(tx: Tx) -> None:
        add(tx, schema.revisions, {"name": "written by a stale node", "counter": 1})
        jobs.finish(tx, old) if ending == "finish" else jobs.again(tx, old, datetime.now(UTC))

    for state in ("ready", "running"):
        with pytest.raises(LeaseLost):
            await queue.do(unit)
        assert await rows(queue.db, schema.revisions) == []
        assert await queue.states() == {"x": state}
        await queue.claim(node="b", epoch=other)


async def test_a_stale_node_claims_nothing(queue: Queue) -> None:
    await queue.register("b")
    await _silence(queue, "a")
    await queue.do(lambda tx: jobs.take_over(tx, timedelta(minutes=1)))
    await queue.enqueue("x")
    assert await queue.claim() == []
    assert await queue.states() == {"x": "ready"}


async def test_a_node_that_leaves_gives_its_jobs_back_at_once(queue: Queue) -> None:
    await queue.enqueue("x")
    (old,) = await queue.claim()
    await queue.do(lambda tx: jobs.leave(tx, "a", queue.epoch))
    assert await queue.states() == {"x": "ready"}
    with pytest.raises(LeaseLost):
        await queue.do(lambda tx: jobs.finish(tx, old))
    assert not await queue.do(lambda tx: jobs.beat(tx, "a", queue.epoch))


async def test_jobs_are_counted_by_kind_and_state(queue: Queue) -> None:
    await queue.enqueue("x", "y", keys=LINE)
    await queue.enqueue("z", due=datetime.now(UTC) + timedelta(hours=1))
    found = {(row["kind"], row["state"]): row["number"] for row in await queue.db.rows(jobs.counts(0, 9))}
    assert found == {(KIND, "ready"): 1, (KIND, "blocked"): 1, (KIND, "scheduled"): 1}


async def _silence(queue: Queue, node: str) -> None:
    """Let *node* have been heard of last an hour ago."""
    ago = datetime.now(UTC) - timedelta(hours=1)
    await queue.do(lambda tx: tx.execute(update(schema.nodes).where(schema.nodes.c.id == node).values(seen=ago)))
