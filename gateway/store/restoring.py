"""A database that comes from a backup: what it says of the present is not believed."""

from datetime import UTC, datetime

from sqlalchemy import Connection, delete, func, literal, update

from gateway.attempt import AttemptState
from gateway.audit import Action, Actor
from gateway.store import audit, events
from gateway.store.events import RESTORED
from gateway.store.schema import attempts, jobs, nodes, watermarks

_OPEN = (AttemptState.INTENT.value, AttemptState.UNKNOWN.value)


def mark_by(tx: Connection, at: datetime, actor: Actor) -> None:
    """``mark``, and note in the audit trail who has restored it."""
    mark(tx, at)
    audit.note(tx, actor, Action.RESTORED, backup=at.isoformat())


def mark(tx: Connection, at: datetime) -> None:
    """Note that the rows are those of the moment *at*, and that whatever was under way then is under way no more.

    Whether the carrier has fetched the document of an open attempt since, nobody knows: it counts as fetched, so that
    only the carrier's list, or a person, says that it was not sent.
    """
    earlier = events.at(tx, RESTORED)  # of a restore that nobody has compared with the carrier yet
    events.set_watermark(tx, RESTORED, at if earlier is None else min(at, earlier))
    now = literal(datetime.now(UTC), attempts.c.fetched_at.type)
    fetched = func.coalesce(attempts.c.fetched_at, now)
    tx.execute(update(attempts).where(attempts.c.state.in_(_OPEN)).values(fetched_at=fetched))
    tx.execute(update(jobs).where(jobs.c.state == "running").values(state="ready", node=None, epoch=None))
    tx.execute(delete(nodes))
    tx.execute(delete(watermarks).where(watermarks.c.name.like("turn:%")))
    events.set_watermark(tx, "restored at", datetime.now(UTC))
