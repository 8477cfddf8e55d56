"""What an event means for a task's deadlines: which begin, which end, and what is only told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from bellwire.domain.deadline_rules import Rules
from bellwire.domain.deadlines import TASK_DUE, TASK_OVERDUE, plan
from bellwire.domain.newest import state_of
from bellwire.model import Event, Json, Person

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
BOTH = {TASK_DUE, TASK_OVERDUE}
MOVED: Mapping[str, Json] = {"changed": ["task.due_at"], "deadline.stage": "changed"}


def days(count: float) -> str:
    return (NOW + timedelta(days=count)).isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`sets`: kind and in how many days; `over`: the kinds that end, None: all."""

    label: str
    kind: str = "task.due"
    data: Mapping[str, Json] = field(default_factory=dict)
    sets: Sequence[tuple[str, float]] = ()
    over: set[str | None] = field(default_factory=set)
    reminds: bool = False


CASES = [
    Case(
        label="a date that moved moves both",
        data={**MOVED, "task.due_at": days(3)},
        sets=[(TASK_DUE, 2), (TASK_OVERDUE, 3)],
        over={*BOTH},
    ),
    Case(
        label="also where the platform's connector marks nothing",
        data={"changed": ["task.title", "task.due_at"], "task.due_at": days(3)},
        sets=[(TASK_DUE, 2), (TASK_OVERDUE, 3)],
        over={*BOTH},
    ),
    Case(
        label="into the next hours: only what is ahead",
        data={**MOVED, "task.due_at": days(0.5)},
        sets=[(TASK_OVERDUE, 0.5)],
        over={*BOTH},
    ),
    Case(label="into the past: nothing is ahead", data={**MOVED, "task.due_at": days(-1)}, over={*BOTH}),
    Case(label="a date that was taken away", data=MOVED, over={*BOTH}),
    Case(label="a date that can't be read", data={**MOVED, "task.due_at": "2026-03-09"}, over={*BOTH}),
    Case(label="of a task that is done", data={**MOVED, "task.due_at": days(3), "task.status": "Done"}, over={None}),
    Case(
        label="of a task that is not",
        data={**MOVED, "task.due_at": days(3), "task.status": "Doing"},
        sets=[(TASK_DUE, 2), (TASK_OVERDUE, 3)],
        over={*BOTH},
    ),
    Case(label="a reminder is not another date", data={"task.due_at": days(1)}, over={TASK_DUE}, reminds=True),
    Case(
        label="nor is one that says what else changed",
        data={"task.due_at": days(1), "changed": ["task.title"]},
        over={TASK_DUE},
        reminds=True,
    ),
    Case(label="ours, when its time has come", data={"task.due_at": days(1), "deadline.stage": "before_1440"}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_what_an_event_means(case: Case) -> None:
    dana = Person(ref="dana")
    data = {"task.id": "9", **case.data}
    event = Event(id="1", type=case.kind, occurred_at=NOW, subject="task/9", people={"customer": dana, "worker": dana}, data=data)
    made = plan(event, Rules(), NOW)
    assert [(one.kind, one.due) for one in made.sets] == [(kind, NOW + timedelta(days=count)) for kind, count in case.sets]
    assert {kind for _, kind in made.over} == case.over
    assert (made.marks is not None) == case.reminds
    assert all(one.event.people["recipient"] == dana and "changed" not in one.event.data for one in made.sets)
    assert (state_of(event) is not None) == ("task.due_at" in (case.data.get("changed") or ()))
