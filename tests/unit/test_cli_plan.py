"""What ``queue show`` and ``inbox show`` say of the next step."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gateway.cli.plan import plan
from gateway.fax import Direction, Fax, Origin, State
from gateway.store.database import Row

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=3, seconds=30)


def fax(state: State, direction: Direction = Direction.OUTBOUND) -> Fax:
    return Fax(
        id=UUID(int=1),
        account_id=None,
        application_id=None,
        faxbox_id=None,
        direction=direction,
        origin=Origin.SHELL,
        state=state,
        from_number="+12025550100",
        to_number="+12025550123",
        created_at=NOW,
        updated_at=NOW,
        tries=1,
        tries_allowed=3,
    )


def job(kind: str, state: str, blocked_on: str | None = None) -> Row:
    return {"kind": kind, "state": state, "due": LATER, "blocked_on": blocked_on}


@pytest.mark.parametrize(
    ("one", "waiting", "words"),
    [
        (fax(State.PREPARING), [job("prepare", "running")], "its pages are made: under way"),
        (fax(State.QUEUED), [job("transmit", "scheduled")], "try 2 of 3 at "),
        (fax(State.QUEUED), [job("transmit", "ready")], "try 2 of 3 now, as soon as faxgate serve gets to it"),
        (fax(State.QUEUED), [job("transmit", "blocked", "number:+1")], "as soon as the line to its number is free"),
        (fax(State.QUEUED), [job("transmit", "blocked", "app:7")], "as soon as a channel is free"),
        (fax(State.QUEUED), [], "the carrier has it"),
        (fax(State.QUEUED), [job("resolve", "scheduled")], "it is not known whether the carrier has it"),
        (fax(State.PREPARING), [job("collect", "scheduled")], "its document is fetched at "),
        (fax(State.SENDING), [], "the carrier is at it"),
        (fax(State.HELD), [], "faxgate queue release"),
        (fax(State.UNKNOWN), [job("resolve", "scheduled")], "the carrier may or may not have it"),
        (fax(State.RECEIVING, Direction.INBOUND), [], "it is being received"),
        (fax(State.PROCESSING, Direction.INBOUND), [job("retrieve", "scheduled")], "its document is fetched at "),
        (fax(State.RECEIVED, Direction.INBOUND), [job("forward", "ready")], "it is mailed on now"),
    ],
)
def test_the_next_step_is_said(one: Fax, waiting: list[Row], words: str) -> None:
    assert words in plan(one, waiting)


def test_a_scheduled_step_says_when() -> None:
    assert plan(fax(State.QUEUED), [job("transmit", "scheduled")]).endswith("(in 3 h)")


@pytest.mark.parametrize("state", [State.DELIVERED, State.FAILED, State.CANCELED])
def test_nothing_follows_the_end(state: State) -> None:
    assert plan(fax(state), []) == ""
