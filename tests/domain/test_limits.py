"""The bucket keeps the carrier's rate however it is asked, and a backlog keeps it near the rate. Caps count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import pytest
from bellwire.domain.limits import (
    OTP_CAPS,
    RUNAWAY,
    SLICE_S,
    Bucket,
    Cap,
    exceeded,
    free_at,
    give_back,
    parse_cap,
    parse_rate,
    take,
    throttled,
)
from bellwire.errors import FieldInvalid
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def excess(starts: Iterable[float], rate: float, burst: float) -> float:
    """By how many starts the worst window of any length is above rate × window + burst; in one pass."""
    lowest, worst = inf, -inf
    for number, start in enumerate(sorted(starts)):
        lowest = min(lowest, number - rate * start)
        worst = max(worst, number + 1 - rate * start - lowest)
    return worst - burst


def busiest_second(starts: Iterable[float]) -> int:
    times = sorted(starts)
    return max(sum(start <= other < start + 1 for other in times[number : number + 200]) for number, start in enumerate(times))


def test_ten_thousand_due_at_once_at_fifty_a_second() -> None:
    """B6: no window of a second above 50 + burst, never below 45 a second while there is a backlog."""
    bucket, now_s = Bucket.full(NOW, rate=50), 0.0
    starts: list[float] = []
    while len(starts) < 10_000:
        grant = take(bucket, later(now_s), 10_000 - len(starts))
        bucket = grant.bucket
        starts += [now_s + offset for offset in grant.offsets_s]
        now_s += 0.02
    assert busiest_second(starts) <= 50
    assert len(starts) / starts[-1] >= 45
    whole = [sum(second <= start < second + 1 for start in starts) for second in range(int(starts[-1]))]
    assert min(whole) >= 45


steps = st.lists(
    st.tuples(st.floats(0, 3), st.integers(0, 400), st.sampled_from([0.0, 0.02, SLICE_S, 0.5])), min_size=1, max_size=60
)


@settings(max_examples=200)
@given(rate=st.floats(0.1, 500), burst=st.floats(1, 20), steps=steps)
def test_no_window_is_ever_above_the_rate(rate: float, burst: float, steps: list[tuple[float, int, float]]) -> None:
    bucket, now_s = Bucket.full(NOW, rate, burst), 0.0
    starts: list[float] = []
    for wait_s, want, slice_s in steps:
        now_s += wait_s
        grant = take(bucket, later(now_s), want, slice_s)
        assert grant.granted == len(grant.offsets_s) <= want
        assert all(0 <= offset <= slice_s + 1e-6 for offset in grant.offsets_s)
        bucket = grant.bucket
        starts += [now_s + offset for offset in grant.offsets_s]
    if starts:
        assert excess(starts, rate, burst) <= 1e-3


@settings(max_examples=100)
@given(rate=st.floats(0.5, 300), cycles=st.lists(st.floats(0.001, 0.1), min_size=300, max_size=300))
def test_a_backlog_keeps_it_near_the_rate(rate: float, cycles: list[float]) -> None:
    bucket, sent, now_s = Bucket.full(NOW, rate), 0, 0.0
    for wait_s in cycles:
        now_s += wait_s
        grant = take(bucket, later(now_s), 1000)
        bucket, sent = grant.bucket, sent + grant.granted
    assert sent >= 0.95 * rate * now_s - 1


@settings(max_examples=100)
@given(skews=st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=4), rate=st.floats(10, 100), cycles=st.integers(50, 200))
def test_processes_whose_clocks_differ_keep_the_rate_together(skews: list[float], rate: float, cycles: int) -> None:
    """Each clock's first use may add what it is ahead; from then on the shared row counts every second once."""
    bucket = Bucket.full(NOW, rate)
    starts: list[float] = []
    for number in range(cycles):
        now_s = number * 0.02
        grant = take(bucket, later(now_s + skews[number % len(skews)]), 1000)
        bucket = grant.bucket
        starts += [now_s + offset for offset in grant.offsets_s]
    allowed = rate * (starts[-1] + SLICE_S + max(skews) - min(skews)) + 2
    assert len(starts) <= allowed


def test_a_clock_set_back_neither_stalls_nor_storms() -> None:
    bucket = throttled(replace(take(Bucket.full(NOW, rate=50), NOW, 5).bucket), NOW, retry_after_s=10)
    back = later(-86_400)
    assert take(bucket, back, 100).granted == 0
    moved = take(bucket, back, 100).bucket
    assert (moved.paused_until, moved.slowed_until) == (later(-86_390), later(-86_330))
    assert take(moved, later(-86_389), 100).granted == 3  # the burst of one, and a slice at half the rate


def test_a_clock_set_forward_gives_no_more_than_the_burst() -> None:
    assert take(Bucket.full(NOW, rate=50), later(86_400), 1000).granted == take(Bucket.full(NOW, rate=50), NOW, 1000).granted


def test_the_first_starts_at_once_and_the_rest_are_spread() -> None:
    grant = take(Bucket.full(NOW, rate=50), NOW, 100)
    assert grant.granted == 5
    assert grant.offsets_s == pytest.approx((0, 1 / 48, 2 / 48, 3 / 48, 4 / 48))


def test_throttled_halves_for_a_minute_and_no_further() -> None:
    once = throttled(Bucket.full(NOW, rate=100), NOW)
    twice = throttled(once, later(1))

    def sent(bucket: Bucket, begin_s: float, end_s: float) -> int:
        total = 0
        for cycle in range(int(begin_s * 50), int(end_s * 50)):
            grant = take(bucket, later(cycle / 50), 1000)
            bucket, total = grant.bucket, total + grant.granted
        return total

    assert sent(once, 0, 60) == pytest.approx(48 * 60, abs=8)
    assert sent(twice, 1, 61) == pytest.approx(48 * 60, abs=8)
    assert sent(once, 60, 70) == pytest.approx(96 * 10, abs=14)


def test_nothing_starts_before_retry_after_and_no_burst_after_it() -> None:
    bucket = throttled(Bucket.full(NOW, rate=100, burst=50), NOW, retry_after_s=30)
    assert take(bucket, later(29.99), 100).granted == 0
    assert take(bucket, later(30), 100).granted <= 5
    assert take(bucket, later(31), 100).granted <= 53


def test_a_shorter_retry_after_does_not_shorten_the_pause() -> None:
    bucket = throttled(throttled(Bucket.full(NOW, rate=10), NOW, 30), later(1), 1)
    assert bucket.paused_until == later(30)
    assert bucket.slowed_until == later(90)


FREE = [
    ("unused", Bucket.full(NOW, rate=10), 0.0),
    ("used up", Bucket(tokens=0, updated_at=NOW, rate=1), 1 / 0.96 - SLICE_S),
    ("paused", throttled(Bucket.full(NOW, rate=50), NOW, 30), 30.0),
    ("paused and slow", throttled(Bucket.full(NOW, rate=1), NOW, 30), 30 + 2 / 0.96 - SLICE_S),
]


@pytest.mark.parametrize(("bucket", "wait_s"), [row[1:] for row in FREE], ids=[row[0] for row in FREE])
def test_free_at_is_when_take_grants(bucket: Bucket, wait_s: float) -> None:
    at = free_at(bucket, NOW)
    assert (at - NOW).total_seconds() == pytest.approx(wait_s, abs=0.03)
    assert take(bucket, at + timedelta(milliseconds=1), 1).granted == 1
    if wait_s:
        assert take(bucket, at - timedelta(milliseconds=50), 1).granted == 0


@settings(max_examples=100)
@given(
    tokens=st.floats(-20, 1), rate=st.floats(0.1, 100), pause_s=st.none() | st.floats(0, 100), slow_s=st.none() | st.floats(0, 100)
)
def test_take_grants_when_free_at_says(tokens: float, rate: float, pause_s: float | None, slow_s: float | None) -> None:
    bucket = Bucket(
        tokens=tokens,
        updated_at=NOW,
        rate=rate,
        paused_until=None if pause_s is None else later(pause_s),
        slowed_until=None if slow_s is None else later(slow_s),
    )
    assert take(bucket, free_at(bucket, NOW) + timedelta(milliseconds=1), 1).granted == 1


def test_what_never_started_is_given_back() -> None:
    grant = take(Bucket.full(NOW, rate=50), NOW, 5)
    assert take(grant.bucket, NOW, 5).granted == 0
    assert take(give_back(grant.bucket, 3), NOW, 5).granted == 3
    assert give_back(grant.bucket, 100).tokens == 1


RATES: list[tuple[str, Mapping[str, Any], float | None, tuple[float, float] | None]] = [
    ("its own rate", {"rate": 5}, 100.0, (5.0, 1.0)),
    ("the carrier's default", {}, 100.0, (100.0, 1.0)),
    ("no limit", {}, None, None),
    ("a fraction and a burst", {"rate": 0.5, "burst": 3}, None, (0.5, 3.0)),
]


@pytest.mark.parametrize(("settings_", "default", "rate"), [row[1:] for row in RATES], ids=[row[0] for row in RATES])
def test_parse_rate(settings_: Mapping[str, Any], default: float | None, rate: tuple[float, float] | None) -> None:
    assert parse_rate(settings_, default) == rate


@pytest.mark.parametrize("rate", [0, -1, True, "5", float("nan"), float("inf"), 1e9])
def test_a_bad_rate_is_named(rate: Any) -> None:
    with pytest.raises(FieldInvalid) as caught:
        parse_rate({"rate": rate}, 100)
    assert caught.value.field == "settings.rate"


def test_a_burst_below_one_would_never_send() -> None:
    with pytest.raises(FieldInvalid) as caught:
        parse_rate({"rate": 1, "burst": 0.5}, 100)
    assert caught.value.field == "settings.burst"


CAPS: list[tuple[str, dict[str, int], str | None]] = [
    ("under both", {"msisdn_10_min": 2, "msisdn_day": 9}, None),
    ("the short window is full", {"msisdn_10_min": 3, "msisdn_day": 3}, "msisdn_10_min"),
    ("the day is full", {"msisdn_10_min": 0, "msisdn_day": 10}, "msisdn_day"),
    ("both are full", {"msisdn_10_min": 5, "msisdn_day": 50}, "msisdn_10_min"),
]


@pytest.mark.parametrize(("counts", "name"), [row[1:] for row in CAPS], ids=[row[0] for row in CAPS])
def test_exceeded(counts: dict[str, int], name: str | None) -> None:
    cap = exceeded(OTP_CAPS, counts)
    assert (cap and cap.name) == name


def test_a_cap_that_nobody_counted_is_not_open() -> None:
    with pytest.raises(KeyError):
        exceeded([RUNAWAY], {})


def test_parse_cap() -> None:
    assert parse_cap({"count": 1, "window_s": 86_400}, "trigger") == Cap(name="trigger", count=1, window_s=86_400)
    assert parse_cap(None, "trigger") is None


BAD_CAPS = [
    ("a number", 3, "cap"),
    ("no window", {"count": 3}, "cap"),
    ("something more", {"count": 3, "window_s": 60, "per": "day"}, "cap"),
    ("none at all", {"count": 0, "window_s": 60}, "cap.count"),
    ("half a message", {"count": 1.5, "window_s": 60}, "cap.count"),
    ("a boolean", {"count": True, "window_s": 60}, "cap.count"),
    ("a negative window", {"count": 1, "window_s": -60}, "cap.window_s"),
    ("a window of years", {"count": 1, "window_s": 10**9}, "cap.window_s"),
]


@pytest.mark.parametrize(("raw", "place"), [row[1:] for row in BAD_CAPS], ids=[row[0] for row in BAD_CAPS])
def test_a_bad_cap_is_named(raw: Any, place: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        parse_cap(raw, "trigger")
    assert caught.value.field == place
