"""Weekly cutoffs in each zone, over clock changes; and which rules can be read."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from bellwire.domain.cutoffs import Cutoff, next_cutoff
from bellwire.domain.deadline_rules import Rules, read_rules
from bellwire.domain.deadlines import plan
from bellwire.errors import FieldInvalid
from bellwire.model import Event
from hypothesis import given
from hypothesis import strategies as st

NOON = Cutoff(weekday=0, at=time(12))
ZONES = ["Asia/Tashkent", "America/New_York", "Europe/Zagreb", "Pacific/Apia", "Australia/Lord_Howe", "UTC"]

NEXT = [
    (
        "a Saturday: Monday noon, for the week that ends on Sunday",
        NOON,
        "UTC",
        "2026-03-07T10:00",
        "2026-03-09T12:00",
        "2026-03-02",
    ),
    ("in the zone, not in UTC", NOON, "Asia/Tashkent", "2026-03-07T10:00", "2026-03-09T07:00", "2026-03-02"),
    ("the very second is over", NOON, "UTC", "2026-03-09T12:00", "2026-03-16T12:00", "2026-03-09"),
    ("a moment before it is not", NOON, "UTC", "2026-03-09T11:59", "2026-03-09T12:00", "2026-03-02"),
    ("New York's clocks go forward", NOON, "America/New_York", "2026-03-07T10:00", "2026-03-09T16:00", "2026-03-02"),
    (
        "an hour that is skipped",
        Cutoff(weekday=6, at=time(2, 30)),
        "America/New_York",
        "2026-03-07T10:00",
        "2026-03-08T07:30",
        "2026-02-23",
    ),
    (
        "Friday, for the week under way",
        Cutoff(weekday=4, at=time(18), this_week=True),
        "UTC",
        "2026-03-03T00:00",
        "2026-03-06T18:00",
        "2026-03-02",
    ),
    (
        "weeks that begin on Sunday",
        Cutoff(weekday=0, at=time(12), week_starts=6),
        "UTC",
        "2026-03-07T10:00",
        "2026-03-09T12:00",
        "2026-03-01",
    ),
]


@pytest.mark.parametrize(("label", "rule", "zone", "now", "at", "start"), NEXT, ids=[row[0] for row in NEXT])
def test_the_next_cutoff(label: str, rule: Cutoff, zone: str, now: str, at: str, start: str) -> None:
    found = next_cutoff(rule, zone, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found.at == datetime.fromisoformat(at).replace(tzinfo=UTC)
    expected = date.fromisoformat(start)
    assert (found.start, found.end) == (expected, expected + timedelta(days=6))


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001  # made aware below
    st.sampled_from(ZONES),
    st.integers(0, 6),
    st.integers(0, 23),
    st.integers(0, 6),
    st.booleans(),
)
def test_it_is_ahead_within_a_week_and_an_hour_and_its_period_is_a_week(
    now: datetime, zone: str, weekday: int, hour: int, starts: int, this_week: bool
) -> None:
    rule, at = Cutoff(weekday=weekday, at=time(hour), week_starts=starts, this_week=this_week), now.replace(tzinfo=UTC)
    found = next_cutoff(rule, zone, at)
    assert at < found.at <= at + timedelta(days=8)  # Apia has no 30 December 2011; the others change their clocks
    assert found.start.weekday() == starts
    assert found.end - found.start == timedelta(days=6)
    assert next_cutoff(rule, zone, found.at).start == found.start + timedelta(days=7)


RULES: list[tuple[str, Any, str]] = [
    ("no object", [], "settings.deadlines"),
    ("unknown", {"reminders": [1]}, "settings.deadlines.reminders"),
    ("minutes as a text", {"shift_reminder_minutes": ["60"]}, "settings.deadlines.shift_reminder_minutes.0"),
    ("minutes that are no list", {"shift_reminder_minutes": 60}, "settings.deadlines.shift_reminder_minutes"),
    ("too many", {"task_due_minutes": [1, 2, 3, 4, 5, 6]}, "settings.deadlines.task_due_minutes"),
    ("below nothing", {"escalate_minutes": -1}, "settings.deadlines.escalate_minutes"),
    ("a flag as a number", {"task_overdue": 1}, "settings.deadlines.task_overdue"),
    ("no hour", {"timecard_cutoff": {"weekday": "mon"}}, "settings.deadlines.timecard_cutoff.at"),
    ("an hour that is none", {"timecard_cutoff": {"weekday": "mon", "at": "24:00"}}, "settings.deadlines.timecard_cutoff.at"),
    ("no weekday", {"timecard_cutoff": {"at": "12:00"}}, "settings.deadlines.timecard_cutoff.weekday"),
]


@pytest.mark.parametrize(("label", "given_", "place"), RULES, ids=[row[0] for row in RULES])
def test_rules_that_can_not_be_read_are_named(label: str, given_: Any, place: str) -> None:
    with pytest.raises(FieldInvalid) as raised:
        read_rules(given_)
    assert raised.value.field == place


def test_rules_that_can() -> None:
    assert read_rules(None) == Rules()
    made = read_rules({"shift_reminder_minutes": [15, 60, 60], "escalate_minutes": 0, "timecard_missing": False})
    assert (made.shift_reminder, made.escalate, made.timecard_missing) == ((60, 15), None, False)


@given(st.text(max_size=30), st.one_of(st.none(), st.text(max_size=40), st.integers(), st.lists(st.text(max_size=5), max_size=3)))
def test_no_event_breaks_the_planning(subject: str, value: Any) -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    names = ("shift.id", "shift.starts_at", "task.due_at", "task.status", "timecard.due_at", "timecard.period_start", "worker.id")
    for kind in ("shift.published", "task.assigned", "timecard.rejected", "timecard.missing", "task.overdue", "order.created"):
        plan(Event(id="1", type=kind, occurred_at=now, subject=subject, data=dict.fromkeys(names, value)), Rules(), now)
