"""What each delivery of the six platforms is read to: one row a behaviour."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bellwire import Connector, Event, PayloadInvalid
from bellwire.domain.deadlines import Rules, plan
from bellwire.testing import NOW, Case, bend, installation, sample
from bellwire_connectors.asana import connector as asana
from bellwire_connectors.clockify import connector as clockify
from bellwire_connectors.jira import connector as jira
from bellwire_connectors.monday import connector as monday
from bellwire_connectors.toggl import connector as toggl
from bellwire_connectors.trello import connector as trello


def setting(*steps: Any, to: Any) -> Any:
    """An edit: the place in the body that gets another value."""

    def edit(body: Any) -> None:
        for step in steps[:-1]:
            body = body[step]
        body[steps[-1]] = to

    return edit


def without(*steps: Any) -> Any:
    """An edit: the place in the body that goes."""

    def edit(body: Any) -> None:
        for step in steps[:-1]:
            body = body[step]
        del body[steps[-1]]

    return edit


CARD = {"subject": "timecard/65a1c0ffee00000000000001", "worker.ref": "65a1c0ffee00000000000007", "worker.name": "Sample Worker"}
WEEK = {"data.timecard.period_start": "2025-12-29", "data.timecard.period_end": "2026-01-04", "worker.timezone": "Europe/Berlin"}
SHIFT = {"subject": "shift/65a1c0ffee00000000000055", "worker.ref": "65a1c0ffee00000000000007"}
COUNT = {"type": "task.assigned", "data.task.title": "Count the stock"}

CLOCKIFY = [
    Case(
        "a week handed in, its days in the worker's own zone",
        sample="timecard_submitted",
        events=[{"type": "timecard.submitted", **CARD, **WEEK}],
    ),
    Case("a week approved", sample="timecard_approved", events=[{"type": "timecard.approved", **CARD, **WEEK}]),
    Case(
        "a week sent back, with the note",
        sample="timecard_rejected",
        events=[{"type": "timecard.rejected", "data.timecard.reason": "Thursday is missing"}],
    ),
    Case("an approval taken back", sample="timecard_reopened", events=[{"type": "timecard.reopened", **CARD}]),
    Case(
        "a submission taken back",
        sample="timecard_reopened",
        edit=setting("status", "state", to="WITHDRAWN_SUBMISSION"),
        events=[{"type": "timecard.reopened"}],
    ),
    Case("a status update that is still pending", sample="timecard_pending", events=[]),
    Case("a state nobody knows", sample="timecard_approved", edit=setting("status", "state", to="ESCALATED"), events=[]),
    Case(
        "a zone that is none: days are UTC's",
        sample="timecard_approved",
        edit=setting("owner", "timezone", to="../../etc/passwd"),
        events=[{"data.timecard.period_start": "2025-12-28", "worker.timezone": ""}],
    ),
    Case(
        "a zone nobody knows",
        sample="timecard_approved",
        edit=setting("owner", "timezone", to="Mars/Olympus"),
        events=[{"data.timecard.period_start": "2025-12-28"}],
    ),
    Case("an assignment published", sample="shift_published", events=[{"type": "shift.published", **SHIFT}]),
    Case("an assignment changed", sample="shift_changed", events=[{"type": "shift.changed", **SHIFT}]),
    Case(
        "an assignment deleted cancels what waits for it",
        sample="shift_cancelled",
        events=[{"type": "shift.cancelled", **SHIFT}],
    ),
    Case(
        "a task for two people is told to each",
        sample="task_assigned",
        events=[{**COUNT, "worker.ref": "65a1c0ffee00000000000007"}, {**COUNT, "worker.ref": "65a1c0ffee00000000000009"}],
    ),
    Case("a task for nobody", sample="task_assigned", edit=setting("assigneeIds", to=None), events=[]),
    Case("the same person twice", sample="task_assigned", edit=setting("assigneeIds", to=["a", "a"]), events=[{"worker.ref": "a"}]),
    Case("a task done", sample="task_status_changed", events=[{"type": "task.status_changed", "data.task.status": "DONE"}] * 2),
    Case("another update of a task", sample="task_updated", events=[]),
    Case("an event that is not served", sample="new_time_entry", events=[]),
    Case("no event named", sample="timecard_approved", headers={"Clockify-Webhook-Event-Type": None}, events=[]),
    Case("an approval without its owner", sample="timecard_approved", edit=without("owner"), error=PayloadInvalid, names="owner"),
    Case("an assignment for nobody", sample="shift_published", edit=without("userId"), error=PayloadInvalid, names="userId"),
    Case(
        "an id that is an object",
        sample="shift_published",
        edit=setting("assignmentId", to={}),
        error=PayloadInvalid,
        names="assignmentId",
    ),
]

FLAGGED = {
    "type": "timecard.entry_flagged",
    "subject": "entry/5550001",
    "worker.ref": "7001",
    "data.timecard.minutes": 959,
    "data.timecard.hours": "15.98",
}

TOGGL = [
    Case(
        "an entry of sixteen hours is flagged",
        sample="entry_flagged",
        events=[{**FLAGGED, "data.timecard.reason": "longer than 12 h", "data.entry.started_at": "2026-01-04T17:00:00Z"}],
    ),
    Case("not where entries may be so long", sample="entry_flagged", settings={"flag_after_hours": 16}, events=[]),
    Case("a limit that is none is the usual one", sample="entry_flagged", settings={"flag_after_hours": 0}, events=[FLAGGED]),
    Case(
        "a limit of half an hour",
        sample="entry_usual",
        settings={"flag_after_hours": 0.5},
        events=[{"data.timecard.reason": "longer than 0.5 h"}],
    ),
    Case("an entry of four hours", sample="entry_usual", events=[]),
    Case("an entry that runs", sample="entry_running", events=[]),
    Case("a long entry that was deleted", sample="entry_flagged", edit=setting("metadata", "action", to="deleted"), events=[]),
    Case("another thing than an entry", sample="entry_flagged", edit=setting("metadata", "model", to="project"), events=[]),
    Case("a PING", sample="ping", events=[]),
    Case(
        "an entry of nobody",
        sample="entry_flagged",
        edit=without("payload", "user_id"),
        error=PayloadInvalid,
        names="payload.user_id",
    ),
    Case(
        "an entry that is a text",
        sample="entry_flagged",
        edit=setting("payload", to="entry"),
        error=PayloadInvalid,
        names="payload",
    ),
]

OPS = {
    "subject": "task/OPS-12",
    "data.task.title": "Refill the printer",
    "data.task.url": "https://example.atlassian.net/browse/OPS-12",
    "data.task.project": "Operations",
    "data.task.due_on": "2026-01-09",
}
BY_MANAGER = {"data.actor.name": "Sample Manager", "data.actor.is_worker": False}

JIRA = [
    Case(
        "an issue made for somebody",
        sample="task_created",
        events=[{"type": "task.assigned", **OPS, "worker.ref": "sample:7", "worker.timezone": "Europe/Berlin", **BY_MANAGER}],
    ),
    Case("an issue made for nobody", sample="task_created_for_nobody", events=[]),
    Case(
        "an issue given to another",
        sample="task_assigned",
        events=[
            {"type": "task.unassigned", "worker.ref": "sample:9", "worker.name": "Other Worker"},
            {"type": "task.assigned", **OPS, "worker.ref": "sample:7", "data.changed": ["task.assignee"]},
        ],
    ),
    Case("an issue taken from somebody", sample="task_unassigned", events=[{"type": "task.unassigned", "worker.ref": "sample:7"}]),
    Case(
        "an issue done",
        sample="task_status_changed",
        events=[
            {
                "type": "task.status_changed",
                "data.task.status": "Done",
                "data.previous.task.status": "To Do",
                "data.changed": ["task.status"],
                "data.actor.is_worker": True,
            }
        ],
    ),
    Case(
        "a status that is not the last one",
        sample="task_status_changed",
        edit=setting("issue", "fields", "status", to={"name": "Doing", "statusCategory": {"key": "indeterminate"}}),
        events=[{"data.task.status": "Doing"}],
    ),
    Case(
        "another due date",
        sample="task_due",
        events=[{"type": "task.due", "data.task.due_at": "2026-01-09T23:59:59+01:00", "data.deadline.stage": "changed"}],
    ),
    Case("the due date taken away", sample="task_due", edit=setting("issue", "fields", "duedate", to=None), events=[]),
    Case("another field", sample="task_edited", events=[]),
    Case("an update without a changelog: a comment, on older servers", sample="task_edited", edit=without("changelog"), events=[]),
    Case("the integration's own change", sample="task_assigned", settings={"integration_user": "sample:8"}, events=[]),
    Case("a comment, as our own are", sample="comment_created", events=[]),
    Case("time logged", sample="worklog_created", events=[]),
    Case("an issue without its key", sample="task_created", edit=without("issue", "key"), error=PayloadInvalid, names="issue.key"),
    Case("no event named", sample="task_created", edit=without("webhookEvent"), error=PayloadInvalid, names="webhookEvent"),
]

ASANA = [
    Case(
        "a task given to somebody",
        sample="task_assigned",
        events=[
            {
                "type": "task.assigned",
                "subject": "task/1200000000000500",
                "worker.ref": "1200000000000007",
                "fetch": {"task": "1200000000000500"},
                "data.changed": ["task.assignee"],
            }
        ],
    ),
    Case(
        "a task made for somebody is told once",
        sample="task_created",
        events=[{"type": "task.assigned", "worker.ref": "1200000000000007"}],
    ),
    Case(
        "a task put into a project: who has it is read",
        sample="task_created",
        edit=without("events", 1),
        events=[{"type": "task.assigned", "fetch": {"task": "1200000000000500"}}],
    ),
    Case("a task taken from somebody", sample="task_unassigned", events=[]),
    Case(
        "a task finished, told by two parents, is told once",
        sample="task_status_changed",
        events=[{"type": "task.status_changed", "data.changed": ["task.status"]}],
    ),
    Case("a due date, told as a day and a time, is told once", sample="task_due", events=[{"type": "task.due"}]),
    Case("a comment, as our own are", sample="comment_added", events=[]),
    Case("a heartbeat", sample="heartbeat", events=[]),
    Case("a heartbeat without a list", sample="heartbeat", edit=without("events"), events=[]),
    Case("the integration's own change", sample="task_assigned", settings={"integration_user": "1200000000000008"}, events=[]),
    Case("an entry without a resource", sample="task_assigned", edit=setting("events", 0, "resource", to=None), events=[]),
    Case("events that are no list", sample="heartbeat", edit=setting("events", to={}), error=PayloadInvalid, names="events"),
    Case(
        "a resource without its gid",
        sample="task_assigned",
        edit=without("events", 0, "resource", "gid"),
        error=PayloadInvalid,
        names="events.0.resource.gid",
    ),
]

PRINTER = {
    "subject": "task/65a1c0ffee0000000000dd01",
    "data.task.title": "Refill the printer",
    "data.task.url": "https://trello.com/c/Ab12Cd34",
    "data.task.project": "Operations",
}

TRELLO = [
    Case(
        "a member put on a card",
        sample="task_assigned",
        events=[
            {
                "type": "task.assigned",
                **PRINTER,
                "worker.ref": "65a1c0ffee0000000000bb07",
                "worker.name": "Sample Worker",
                **BY_MANAGER,
            }
        ],
    ),
    Case(
        "a member taken off a card",
        sample="task_unassigned",
        events=[{"type": "task.unassigned", "worker.ref": "65a1c0ffee0000000000bb07"}],
    ),
    Case(
        "a card in another list",
        sample="task_status_changed",
        events=[
            {
                "type": "task.status_changed",
                **PRINTER,
                "data.task.status": "Done",
                "data.previous.task.status": "To do",
            }
        ],
    ),
    Case(
        "a card complete",
        sample="task_completed",
        events=[{"type": "task.status_changed", "data.task.status": "complete"}],
    ),
    Case(
        "a card open again",
        sample="task_completed",
        edit=setting("action", "data", "card", "dueComplete", to=False),
        events=[{"data.task.status": "incomplete"}],
    ),
    Case("another due date", sample="task_due", events=[{"type": "task.due", "data.task.due_at": "2026-01-09T17:00:00Z"}]),
    Case("the due date taken away", sample="task_due", edit=setting("action", "data", "card", "due", to=None), events=[]),
    Case("a card renamed", sample="task_renamed", events=[]),
    Case(
        "the integration's own change", sample="task_assigned", settings={"integration_user": "65a1c0ffee0000000000bb08"}, events=[]
    ),
    Case("a comment, as our own are", sample="comment_added", events=[]),
    Case("an action without its id", sample="task_due", edit=without("action", "id"), error=PayloadInvalid, names="action.id"),
    Case(
        "a card without its id",
        sample="task_due",
        edit=without("action", "data", "card", "id"),
        error=PayloadInvalid,
        names="action.data.card.id",
    ),
]

ITEM = {"subject": "task/1772099344", "data.task.title": "Refill the printer"}

MONDAY = [
    Case(
        "another person in a people column",
        sample="task_assigned",
        events=[{"type": "task.unassigned", "worker.ref": "9603420"}, {"type": "task.assigned", **ITEM, "worker.ref": "9603417"}],
    ),
    Case(
        "ids as texts",
        sample="task_assigned",
        edit=setting("event", "value", "personsAndTeams", to=[{"id": "9603417", "kind": "person"}]),
        events=[{"worker.ref": "9603420"}, {"worker.ref": "9603417"}],
    ),
    Case(
        "a team is nobody's phone",
        sample="task_assigned",
        edit=setting("event", "value", "personsAndTeams", to=[{"id": 1, "kind": "team"}, {"id": 9603420, "kind": "person"}]),
        events=[],
    ),
    Case("a people column emptied", sample="task_unassigned", events=[{"type": "task.unassigned", "worker.ref": "9603417"}]),
    Case("a new item, where nothing can be read", sample="task_created", events=[]),
    Case(
        "another status",
        sample="task_status_changed",
        events=[
            {
                "type": "task.status_changed",
                **ITEM,
                "data.task.status": "Done",
                "data.previous.task.status": "Working on it",
                "data.task.column": "Status",
            }
        ],
    ),
    Case(
        "the same status again",
        sample="task_status_changed",
        edit=setting("event", "previousValue", to={"label": {"text": "Done"}}),
        events=[],
    ),
    Case(
        "another date, with its time", sample="task_due", events=[{"type": "task.due", "data.task.due_at": "2026-01-09T17:00:00Z"}]
    ),
    Case(
        "a date without a time",
        sample="task_due",
        edit=setting("event", "value", to={"date": "2026-01-09"}),
        events=[{"data.task.due_at": "2026-01-09"}],
    ),
    Case("a date emptied", sample="task_due", edit=setting("event", "value", to=None), events=[]),
    Case("another text", sample="text_changed", events=[]),
    Case("the integration's own change", sample="task_assigned", settings={"integration_user": "9603408"}, events=[]),
    Case("an update, as our own are", sample="update_created", events=[]),
    Case(
        "an item without its id", sample="task_due", edit=without("event", "pulseId"), error=PayloadInvalid, names="event.pulseId"
    ),
    Case("no event", sample="task_due", edit=without("event"), error=PayloadInvalid, names="event"),
]

ROWS = [
    pytest.param(subject, case, id=f"{subject.name}: {case.label}")
    for subject, cases in [(clockify, CLOCKIFY), (toggl, TOGGL), (jira, JIRA), (asana, ASANA), (trello, TRELLO), (monday, MONDAY)]
    for case in cases
]


@pytest.mark.parametrize(("subject", "case"), ROWS)
def test_read(subject: Connector, case: Case) -> None:
    case.check(subject)


def last(subject: Connector, name: str, **changes: Any) -> Event:
    return subject.read(sample(subject.samples, name), replace(installation(subject), **changes))[-1]


class TestDeadlines:
    """What the engine makes of these events: a day ends where the worker is, and a new date is no reminder."""

    @pytest.mark.parametrize("name", ["task_created", "task_assigned"])
    def test_a_task_with_a_day_is_reminded_of(self, name: str) -> None:
        planned = plan(last(jira, name), Rules(), NOW)
        assert {one.kind: one.due.isoformat() for one in planned.sets} == {
            "task.due": "2026-01-08T22:59:59+00:00",
            "task.overdue": "2026-01-09T22:59:59+00:00",
        }

    def test_a_finished_task_is_reminded_of_no_more(self) -> None:
        planned = plan(last(jira, "task_status_changed"), Rules(), NOW)
        assert (planned.sets, list(planned.over)) == ((), [("task/OPS-12", None)])

    @pytest.mark.parametrize("subject", [jira, asana, trello, monday], ids=lambda one: one.name)
    def test_another_date_does_not_count_as_the_platform_s_own_reminder(self, subject: Connector) -> None:
        assert plan(last(subject, "task_due"), Rules(), NOW).marks in (None, "")

    def test_a_day_is_the_installation_s_where_nobody_s_zone_is_known(self) -> None:
        bare = setting("event", "value", to={"date": "2026-01-09"})
        request = bend(sample(monday.samples, "task_due"), bare)
        for zone, told in (("Asia/Tashkent", "2026-01-09T23:59:59+05:00"), ("", "2026-01-09"), ("No/Zone", "2026-01-09")):
            [event] = monday.read(request, replace(installation(monday), timezone=zone))
            assert (event.data["task.due_at"], event.data["task.due_on"]) == (told, "2026-01-09")

    def test_a_cancelled_shift_is_reminded_of_no_more(self) -> None:
        [over] = plan(last(clockify, "shift_cancelled"), Rules(), NOW).over
        [set_] = plan(last(clockify, "shift_published"), Rules(), NOW).over
        assert over[0] == set_[0]
