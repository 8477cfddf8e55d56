"""How hard an outside system may be called: many at once while it is well, one by one and seldom while it is not."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from bellwire.domain.standing import AHEAD, LONGEST_WAIT_S, REFUSED_WAIT_S, SLOW_S, STRANGER, Answer, Call, Standing, after
from hypothesis import given
from hypothesis import strategies as st


def told(standing: Standing, answer: Answer, now: float, took_s: float = 0.1, **more: float) -> Standing:
    return after(standing, Call(answer=answer, took_s=took_s, now=now, **more), rand=0.0)


GOOD = told(STRANGER, Answer.WELL, 0.0)


@dataclass(frozen=True)
class Case:
    label: str
    standing: Standing
    planned: int
    now: float
    room: int


CASES = [
    Case("a stranger gets one call", STRANGER, 0, 0.0, 1),
    Case("a stranger with one planned gets none", STRANGER, 1, 0.0, 0),
    Case("who answered well gets many", GOOD, 0, 1.0, AHEAD),
    Case("what is planned counts", GOOD, AHEAD - 2, 1.0, 2),
    Case("never less than none", GOOD, AHEAD + 5, 1.0, 0),
    Case("after a failure nobody calls for a second", told(GOOD, Answer.DOWN, 10.0), 0, 10.9, 0),
    Case("then one call", told(GOOD, Answer.DOWN, 10.0), 0, 11.0, 1),
    Case("a slow one gets one call", told(GOOD, Answer.WELL, 10.0, took_s=SLOW_S), 0, 10.0, 1),
    Case("a quick answer ends that", told(told(GOOD, Answer.WELL, 10.0, took_s=9.0), Answer.WELL, 11.0), 0, 11.0, AHEAD),
    Case("a good answer ends a failure at once", told(told(GOOD, Answer.DOWN, 10.0), Answer.WELL, 10.5), 0, 10.5, AHEAD),
    Case("Retry-After is kept", told(GOOD, Answer.THROTTLED, 10.0, retry_after_s=30.0), 0, 39.9, 0),
    Case("and ends", told(GOOD, Answer.THROTTLED, 10.0, retry_after_s=30.0), 0, 40.0, 1),
    Case("what is refused once may be one thing only", told(GOOD, Answer.REFUSED, 10.0), 0, 11.0, 1),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_room(case: Case) -> None:
    assert case.standing.room(case.planned, case.now) == case.room


@pytest.mark.parametrize(("answer", "longest_s"), [(Answer.DOWN, LONGEST_WAIT_S), (Answer.REFUSED, REFUSED_WAIT_S)])
def test_the_wait_doubles_up_to_a_bound(answer: Answer, longest_s: float) -> None:
    standing, waits = GOOD, []
    for now in range(0, 30_000, 2_000):
        standing = told(standing, answer, float(now))
        waits.append(standing.until - now)
    assert waits == [min(2.0**n, longest_s) for n in range(15)]


def test_calls_that_failed_together_count_once() -> None:
    standing = GOOD
    for now in (10.0, 10.1, 10.2):
        standing = told(standing, Answer.DOWN, now, took_s=3.0)
    assert standing.fails == 1
    assert told(standing, Answer.DOWN, 12.0, took_s=0.5).fails == 2


def test_the_first_of_several_waits_is_not_shortened() -> None:
    throttled = told(GOOD, Answer.THROTTLED, 10.0, retry_after_s=100.0)
    assert told(throttled, Answer.DOWN, 11.0, took_s=5.0).until == 110.0


@given(
    st.lists(
        st.tuples(st.sampled_from(Answer), st.floats(0, 60), st.floats(0, 100), st.none() | st.floats(0, 86_400)), max_size=30
    ),
    st.floats(0, 0.999),
)
def test_whatever_happened_it_is_called_again_one_day(calls: list[tuple[Answer, float, float, float | None]], rand: float) -> None:
    standing, now = STRANGER, 0.0
    for answer, took_s, passed_s, retry_after_s in calls:
        now += passed_s
        standing = after(standing, Call(answer=answer, took_s=took_s, now=now, retry_after_s=retry_after_s), rand)
        assert standing.room(0, now + 1.2 * max(REFUSED_WAIT_S, 86_400)) >= 1
