"""The circuit breaker: how soon a bad carrier is left, how seldom it is probed, when it is back."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from bellwire.domain.health import HEALTHY, PROBE_EVERY_S, Health, Permit, counts, is_failure, permit, record
from bellwire.errors import ErrorClass


class Run:
    """A carrier under a steady load; `works` says of a time whether a call then succeeds. Answers come at once."""

    def __init__(self, works: Callable[[float], bool], per_s: int = 50) -> None:
        self.works, self.per_s = works, per_s
        self.health, self.number = HEALTHY, 0
        self.failures_before_open: list[int] = []
        self.opened: list[float] = []
        self.closed: list[float] = []
        self.probes: list[float] = []
        self.failures = 0

    def until(self, end_s: float) -> Run:
        while (now := self.number / self.per_s) < end_s:
            self.number += 1
            allowed, self.health = permit(self.health, now)
            if allowed is Permit.WAIT:
                continue
            if allowed is Permit.PROBE:
                self.probes.append(now)
            ok = self.works(now)
            self.failures += not ok
            before = self.health
            self.health = record(before, now, ok=ok)
            if before.is_healthy and not self.health.is_healthy:
                self.opened.append(now)
                self.failures_before_open.append(self.failures)
            if not before.is_healthy and self.health.is_healthy:
                self.closed.append(now)
                self.failures = 0
        return self


def test_a_dead_carrier_is_left_after_twenty_failures_however_good_it_was() -> None:
    run = Run(lambda now: now < 30, per_s=200).until(60)
    assert run.failures_before_open == [20]


def test_an_idle_account_at_a_dead_carrier_is_left_sooner() -> None:
    run = Run(lambda _: False).until(1)
    assert run.failures_before_open == [10]


@pytest.mark.parametrize("seed", range(30))
def test_a_third_of_errors_is_left_within_ten_seconds(seed: int) -> None:
    chance = Random(seed)
    run = Run(lambda now: now < 20 or chance.random() >= 0.3).until(31)
    assert run.opened, "never left"
    assert run.opened[0] - 20 <= 10


@pytest.mark.parametrize("seed", range(30))
def test_a_third_of_errors_from_the_start_is_left_within_twenty_failures(seed: int) -> None:
    chance = Random(seed)
    run = Run(lambda _: chance.random() >= 0.3).until(10)
    assert run.failures_before_open[0] <= 20


def test_a_carrier_that_comes_and_goes_every_five_seconds() -> None:
    run = Run(lambda now: int(now // 5) % 2 == 1).until(300)
    bad_before: list[float] = [at - (at // 10 * 10) for at in run.opened]
    assert max(bad_before) <= 10
    assert all(count <= 60 for count in run.failures_before_open)


@pytest.mark.parametrize("per_s", [10, 50, 500])
def test_one_probe_in_five_seconds(per_s: int) -> None:
    run = Run(lambda _: False, per_s=per_s).until(120)
    gaps = [later - earlier for earlier, later in zip(run.probes, run.probes[1:], strict=False)]
    assert len(run.probes) >= 20
    assert min(gaps) >= PROBE_EVERY_S
    assert run.probes[0] - run.opened[0] >= PROBE_EVERY_S


def test_it_is_back_after_three_good_probes() -> None:
    run = Run(lambda now: now > 30).until(60)
    assert len(run.closed) == 1
    assert 30 < run.closed[0] <= 30 + 4 * PROBE_EVERY_S
    assert run.health.is_healthy


def test_one_good_answer_in_three_is_not_back() -> None:
    answers = iter([True, False, True] * 20)
    run = Run(lambda now: now > 5 and next(answers)).until(120)
    assert not run.closed


def test_a_few_errors_among_many_are_no_reason() -> None:
    run = Run(lambda now: int(now * 500) % 200 != 0, per_s=500).until(60)
    assert run.failures > 100
    assert not run.opened


def test_nine_failures_alone_say_nothing_yet() -> None:
    health = HEALTHY
    for second in range(9):
        health = record(health, float(second), ok=False)
    assert health.is_healthy


def test_old_failures_are_forgotten() -> None:
    health = HEALTHY
    for second in range(0, 200, 5):
        health = record(health, float(second), ok=second % 10 == 0)
    assert health.is_healthy
    assert len(health.calls) <= 10


def test_calls_that_were_under_way_when_it_opened_are_no_news() -> None:
    opened = Health(opened_at=100.0, probed_at=100.0)
    assert not counts(opened, began_at=99.9)
    assert counts(opened, began_at=105.0)
    assert counts(HEALTHY, began_at=0.0)


def test_a_clock_a_little_behind_does_not_hurry_the_probes() -> None:
    assert permit(Health(opened_at=100.0, probed_at=100.0), 99.9)[0] is Permit.WAIT


def test_a_clock_that_starts_anew_does_not_stop_the_probes() -> None:
    assert permit(Health(opened_at=9_000.0, probed_at=9_000.0), 1.0)[0] is Permit.PROBE


FAILURES = [
    (None, False),
    (ErrorClass.CARRIER_DOWN, True),
    (ErrorClass.AMBIGUOUS, True),
    (ErrorClass.INVALID_NUMBER, False),
    (ErrorClass.THROTTLED, False),
    (ErrorClass.AUTH, False),
    (ErrorClass.UNKNOWN, False),
]


@pytest.mark.parametrize(("error_class", "is_bad"), FAILURES)
def test_what_counts_against_the_carrier(error_class: ErrorClass | None, is_bad: bool) -> None:
    assert is_failure(error_class) is is_bad
