"""A platform's limit is kept by what is started: within any window, in each order, and as much as it allows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import pytest
from bellwire.domain.pace import Pace, Use, after, scarcest
from bellwire.model import Limit
from hypothesis import example, given, settings
from hypothesis import strategies as st

MINUTE = Limit.window(100, 60)


@dataclass(frozen=True)
class Case:
    label: str
    pace: Pace
    planned: int
    now: float
    room: int


CASES = [
    Case("all of it is there", Pace(0.0, 10.0, 2.0), 0, 5.0, 5),
    Case("what is planned is taken already", Pace(0.0, 10.0, 2.0), 4, 5.0, 1),
    Case("what is used comes back", Pace(10.0, 10.0, 2.0), 0, 4.0, 2),
    Case("nothing is left", Pace(20.0, 10.0, 2.0), 0, 9.0, 0),
    Case("one that takes more than all of it waits until all is back", Pace(10.0, 1.0, 2.0), 0, 9.9, 0),
    Case("and goes alone", Pace(10.0, 1.0, 2.0), 0, 10.0, 1),
    Case("one at a time", Pace(10.0, 1.0, 2.0), 1, 10.0, 0),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_room(case: Case) -> None:
    assert case.pace.room(case.planned, case.now) == case.room


def test_what_the_platform_says_is_left_counts_when_it_is_less() -> None:
    bucket = Limit(2_000, 100)
    ours = after(None, Use.of(bucket, 50, None), 0.0)
    assert (ours.free_at, ours.most_s, ours.job_s) == (0.5, 20.0, 0.5)
    theirs = after(None, Use.of(bucket, 50, 500), 0.0)  # somebody else calls there, too
    assert theirs.free_at == 15.0


def test_the_scarcest_of_a_job_s_limits_is_kept() -> None:
    updates, calls = Use.of(Limit.window(100, 60), 1, None), Use.of(Limit.window(400, 60), 2, None)
    assert scarcest([calls, updates]) == updates
    assert scarcest([]) is None


@settings(max_examples=40, deadline=None)
@given(
    most=st.integers(40, 400),
    span_s=st.sampled_from([1.0, 10.0, 60.0]),
    costs=st.lists(st.integers(1, 2), min_size=1, max_size=40),
    looks=st.lists(st.floats(0.01, 2.0), min_size=1, max_size=20),
)
@example(most=132, span_s=60.0, costs=[1, 1, 2], looks=[1.96875])
def test_no_window_ever_holds_more_than_its_limit(most: int, span_s: float, costs: list[int], looks: list[float]) -> None:
    """But for what jobs that begin together take more than those before them: that is known once they have taken it."""
    limit, pace, now = Limit.window(most, span_s), None, 0.0
    recent: deque[tuple[float, int]] = deque()
    together = 8
    for number in range(200):
        cost = costs[number % len(costs)]
        room = 1 if pace is None else pace.room(0, now)
        for _ in range(min(room, together)):
            recent.append((now, cost))
            pace = after(pace, Use.of(limit, cost, None), now)
        while recent and recent[0][0] <= now - span_s:
            recent.popleft()
        assert sum(one for _, one in recent) <= most + together * (max(costs) - min(costs))
        now += looks[number % len(looks)]


def test_nearly_all_of_a_window_is_used() -> None:
    pace, now, done = after(None, Use.of(MINUTE, 1, None), 0.0), 0.0, 1
    while done < 10_000:
        for _ in range(pace.room(0, now)):
            pace, done = after(pace, Use.of(MINUTE, 1, None), now), done + 1
        now += 0.2
    assert now < 1.1 * 10_000 / 100 * 60
