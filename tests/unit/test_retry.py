"""When to try again: only where it can help, only as often as may be, and not all at once."""

from datetime import timedelta

import pytest

from gateway.dialects import telnyx
from gateway.retry import MAIL_PATIENCE, MAIL_STEPS, PASSING, UNKNOWN_STEPS, Outcome, next_try, spread, step

DELAY = timedelta(minutes=5)
FINAL = [Outcome.NUMBER, Outcome.REFUSED, Outcome.DOCUMENT, Outcome.CANCELED]


def within(wait: timedelta | None, of: timedelta) -> bool:
    return wait is not None and 0.8 * of <= wait <= 1.2 * of


@pytest.mark.parametrize("outcome", sorted(PASSING))
def test_what_passes_is_tried_as_often_as_it_may_be(outcome: Outcome) -> None:
    assert [next_try(outcome, tries, 3, DELAY) is not None for tries in (1, 2, 3, 4)] == [True, True, False, False]


@pytest.mark.parametrize("outcome", FINAL)
def test_what_does_not_pass_is_tried_once(outcome: Outcome) -> None:
    assert next_try(outcome, 1, 20, DELAY) is None


def test_every_outcome_is_one_or_the_other() -> None:
    assert set(FINAL) | PASSING == set(Outcome)
    assert not set(FINAL) & PASSING


@pytest.mark.parametrize("allowed", [-1, 0, 1])
def test_none_and_one_are_one_try(allowed: int) -> None:
    assert next_try(Outcome.BUSY, 1, allowed, DELAY) is None


def test_the_wait_doubles_and_stays_within_an_hour() -> None:
    waits = [next_try(Outcome.BUSY, tries, 20, DELAY) for tries in range(1, 20)]
    wanted = [5, 10, 20, 40] + [60] * 15
    for wait, minutes in zip(waits, wanted, strict=True):
        assert within(wait, timedelta(minutes=minutes))


def test_who_does_not_answer_is_given_twice_as_long() -> None:
    for tries, minutes in ((1, 10), (2, 20), (3, 40), (4, 60)):
        assert within(next_try(Outcome.NO_ANSWER, tries, 20, DELAY), timedelta(minutes=minutes))


def test_a_wait_that_is_longer_than_an_hour_is_kept() -> None:
    for tries in (1, 5, 19):
        assert within(next_try(Outcome.BUSY, tries, 20, timedelta(hours=3)), timedelta(hours=3))


def test_waits_are_spread() -> None:
    waits = {spread(DELAY) for _ in range(50)}
    assert len(waits) > 10
    assert all(within(wait, DELAY) for wait in waits)


def test_the_last_step_repeats() -> None:
    steps: tuple[object, ...]
    for steps in (MAIL_STEPS, UNKNOWN_STEPS):
        assert [step(steps, done) for done in range(len(steps))] == list(steps)
        assert step(steps, 10**6) == steps[-1]
        assert list(steps) == sorted(steps)
    assert timedelta(days=5) == MAIL_PATIENCE


def test_each_failure_of_the_carrier_has_an_outcome_and_a_sentence() -> None:
    for reason in telnyx.FAILURES:
        assert telnyx.outcome(reason) in Outcome
        assert telnyx.sentence(reason)
    assert telnyx.outcome("a word of tomorrow") is Outcome.OTHER
