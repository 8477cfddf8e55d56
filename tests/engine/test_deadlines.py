"""Deadlines: on the second, over when what they wait for comes, once among processes, and still there after a restart."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.engine import cutoffs, deadlines, purge
from bellwire.model import Event, Status
from bellwire.plugins import Plugins, load_plugins
from bellwire.store import deadlines as stored
from bellwire.store import schema
from standins.timecard_office import DANA, EVE, MAX, Office

MICRO = timedelta(microseconds=1)
PERIOD = {"start": "2026-02-23", "end": "2026-03-01", "timezone": "Asia/Tashkent"}


#: New statements run on both databases; what is the same rule again runs on SQLite.
BOTH = pytest.mark.parametrize("database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    kind = getattr(request, "param", "sqlite")
    url: str = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
    return url


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load_plugins(only=("sandbox", "timecard"))


@pytest.fixture
def open_office(database_url: str, plugins: Plugins) -> Iterator[Callable[..., Office]]:
    made: list[Office] = []

    def make(**more: Any) -> Office:
        made.append(Office(database_url, plugins=plugins, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def office(open_office: Callable[..., Office]) -> Office:
    office = open_office()
    office.hire("dana", DANA, "Dana", manager="max")
    office.hire("max", MAX, "Max")
    return office


def shift(office: Office, hours: float = 3, **more: Any) -> dict[str, Any]:
    return {"id": "55", "starts_at": (office.clock() + timedelta(hours=hours)).isoformat(), **more}


def card(**more: Any) -> dict[str, Any]:
    return {"id": "881", "period": PERIOD, **more}


@BOTH
def test_a_reminder_comes_on_the_second_and_is_worthless_once_the_shift_begins(office: Office) -> None:
    office.listen("shift.reminder", body="{{ worker.name }}: {{ shift.location }}")
    office.tell("shift.published", shift=shift(office, location="Dock 2"))
    starts = office.clock() + timedelta(hours=3)
    office.clock.at = starts - timedelta(hours=1) - MICRO
    assert (office.strike(), office.texts()) == (0, [])
    office.clock.at = starts - timedelta(hours=1)
    assert office.strike() == 1
    assert office.texts() == [(DANA, "Dana: Dock 2", "queued")]
    [event] = office.events("shift.reminder")
    assert (event.subject, event.occurred_at) == ("shift/55", starts - timedelta(hours=1))
    [message] = office.messages()
    assert message.expires_at == starts
    office.clock.forward(hours=9)
    assert office.strike() == 0


def test_a_restart_in_between_loses_nothing(office: Office) -> None:
    office.listen("shift.reminder")
    office.tell("shift.published", shift=shift(office))
    office.clock.forward(hours=2)
    other = office.worker()
    assert office.strike(other) == 1
    assert (office.strike(), len(office.texts())) == (0, 1)


def test_a_process_that_dies_with_one_gives_it_to_the_next_after_its_lease(office: Office) -> None:
    office.listen("shift.reminder")
    office.tell("shift.published", shift=shift(office))
    office.clock.forward(hours=2)
    now = office.clock()
    taken = office.engine.write(lambda c: stored.take(c, now, now + timedelta(seconds=90), 50))
    assert len(taken) == 1
    assert office.strike(office.worker()) == 0
    office.clock.forward(seconds=90)
    assert office.strike(office.worker()) == 1
    deadlines.make(office.engine, taken)  # the one that was thought dead goes on
    assert len(office.events("shift.reminder")) == len(office.texts()) == 1


@BOTH
def test_of_two_processes_one_makes_each_event(office: Office) -> None:
    office.listen("shift.reminder")
    for number in range(30):
        office.tell("shift.published", shift=shift(office, id=str(number)))
    office.clock.forward(hours=2)
    engines, together = [office.engine, office.worker()], threading.Barrier(2)

    def run(place: int) -> None:
        together.wait()
        office.strike(engines[place])

    threads = [threading.Thread(target=run, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    office.clock.forward(seconds=91)  # whatever either left over
    office.strike()
    assert Counter(event.subject for event in office.events("shift.reminder")) == {f"shift/{n}": 1 for n in range(30)}
    assert len(office.texts()) == 30


@BOTH
def test_many_at_the_same_instant_are_decided_and_written_together(office: Office) -> None:
    """What took a look at the store for each of them kept the thousandth waiting for a quarter of a minute."""
    office.listen("shift.reminder")
    for number in range(60):
        office.tell("shift.published", shift=shift(office, id=str(number)), worker={"id": f"w{number}", "phone": EVE})
    office.clock.forward(hours=2)
    transactions: list[object] = []
    sa.event.listen(office.engine.store.engine, "begin", transactions.append)
    assert office.strike() == 60
    assert len(office.events("shift.reminder")) == 60
    assert len(transactions) < 30, len(transactions)


MOVES = [
    ("later", [("shift.changed", 6.0)], {4.9: 0, 5.0: 1}),
    ("earlier", [("shift.changed", 2.0)], {0.9: 0, 1.0: 1, 2.0: 1}),
    ("cancelled", [("shift.cancelled", 3.0)], {2.0: 0, 3.0: 0}),
    ("cancelled and published again", [("shift.cancelled", 3.0), ("shift.published", 3.0)], {1.9: 0, 2.0: 1}),
    ("into the next hour: who is told now is not reminded", [("shift.changed", 0.5)], {0.4: 0, 2.0: 0}),
]


@pytest.mark.parametrize(("label", "moves", "texts"), MOVES, ids=[row[0] for row in MOVES])
def test_a_shift_that_moves_takes_its_reminder_along(
    office: Office, label: str, moves: list[tuple[str, float]], texts: dict[float, int]
) -> None:
    office.listen("shift.reminder")
    began = office.clock()
    office.tell("shift.published", shift=shift(office, version=1))
    for version, (kind, hours) in enumerate(moves, 2):
        office.clock.at = began + timedelta(minutes=version)
        at = (began + timedelta(hours=hours)).isoformat()
        office.tell(kind, shift={"id": "55", "starts_at": at, "version": version})
    for hours, count in texts.items():
        office.clock.at = began + timedelta(hours=hours)
        office.strike()
        assert len(office.texts()) == count, f"after {hours} h"


def test_a_shift_that_moves_after_its_reminder_is_reminded_of_anew(office: Office) -> None:
    office.listen("shift.reminder", delay_s=600)
    office.tell("shift.published", shift=shift(office))
    office.clock.forward(hours=2)
    office.strike()
    office.tell("shift.changed", shift=shift(office, hours=5))
    office.clock.forward(hours=4)
    office.strike()
    assert [status for _, _, status in office.texts()] == ["canceled", "scheduled"]  # the first named the wrong hour
    office.tell("shift.cancelled", shift={"id": "55"})
    assert [status for _, _, status in office.texts()] == ["canceled", "canceled"]


def moved(office: Office, due: datetime, *, at: datetime | None = None) -> Event:
    """A platform tells that a task's date moved, as those do that remind nobody of it. `at`: when that was, if not now."""
    event = office.event("task.due", task={"id": "9", "title": "Label", "due_at": due.isoformat()}, time=at)
    return replace(event, data={**event.data, "changed": ["task.due_at"]})


#: Of a task that is due after two days: moves (told, happened, new date), and how many of each were made by then. All in days.
DATES = [
    ("later", [(0.1, 0.1, 5)], {1: (0, 0), 3.9: (0, 0), 4: (1, 0), 5: (1, 1), 9: (1, 1)}),
    ("earlier", [(0.1, 0.1, 1.5)], {0.4: (0, 0), 0.5: (1, 0), 1.5: (1, 1), 2.5: (1, 1)}),
    ("there and back", [(0.1, 0.1, 5), (0.2, 0.2, 2)], {0.9: (0, 0), 1: (1, 0), 2: (1, 1), 6: (1, 1)}),
    ("after the reminder: anew", [(1.5, 1.5, 4)], {1.2: (1, 0), 2.5: (1, 0), 3: (2, 0), 4: (2, 1)}),
    ("an older one that comes late", [(0.2, 0.2, 5), (0.3, 0.1, 3)], {2: (0, 0), 3.9: (0, 0), 4: (1, 0), 5: (1, 1)}),
]


@pytest.mark.parametrize(("label", "moves", "made"), DATES, ids=[row[0] for row in DATES])
def test_a_task_s_date_that_moves_takes_its_deadlines_along(
    open_office: Callable[..., Office], label: str, moves: list[tuple[float, float, float]], made: dict[float, tuple[int, int]]
) -> None:
    office = open_office(deadlines={"escalate_minutes": 0})
    began = office.clock()
    office.tell("task.assigned", task={"id": "9", "title": "Label", "due_at": (began + timedelta(days=2)).isoformat()})
    told = 0
    for day in sorted({*made, *(day for day, _, _ in moves)}):
        office.clock.at = began + timedelta(days=day)
        office.strike()
        for _, happened, to in [move for move in moves if move[0] == day]:
            event = moved(office, began + timedelta(days=to), at=began + timedelta(days=happened))
            told += len(office.take(office.installation_id, event).events)
        now = (len(office.events("task.due")) - told, len(office.events("task.overdue")))
        assert now == made.get(day, now), f"after {day} days"
    assert told == len(moves)


def test_a_new_date_is_told_right_after_our_reminder_and_our_next_one_still_comes(office: Office) -> None:
    office.listen("task.due", body="{{ deadline.stage | default: 'moved' }}")
    office.tell("task.assigned", task={"id": "9", "title": "Label", "due_at": (office.clock() + timedelta(days=2)).isoformat()})
    office.clock.forward(days=1)
    office.strike()
    office.clock.forward(minutes=5)
    later = office.clock() + timedelta(days=2)
    office.take(office.installation_id, moved(office, later))
    office.clock.forward(days=1)
    office.strike()
    assert [(text, status) for _, text, status in office.texts()] == [
        ("before_1440", "canceled"),  # it waited, and names the wrong day
        ("moved", "queued"),
        ("before_1440", "queued"),
    ]


def test_two_people_on_one_shift_are_each_reminded(office: Office) -> None:
    office.listen("shift.reminder")
    for worker in ({"id": "dana"}, {"id": "eve", "phone": EVE, "name": "Eve"}):
        office.tell("shift.published", shift=shift(office, version=1), worker=worker)
    office.tell("shift.cancelled", shift={"id": "55", "version": 2}, worker={"id": "eve"})
    office.clock.forward(hours=2)
    office.strike()
    assert [(to, status) for to, _, status in office.texts()] == [(DANA, "queued")]


@BOTH
def test_what_waits_to_be_told_of_a_shift_goes_with_it_and_only_for_that_person(office: Office) -> None:
    office.listen("shift.published", "shift.reminder", "task.payment", "task.assigned", recipient="worker", delay_s=3600)
    eve = {"id": "eve", "phone": EVE, "name": "Eve"}
    for worker in ({"id": "dana"}, eve):
        office.tell("shift.published", "shift/55", shift=shift(office), worker=worker)
        office.tell("shift.reminder", "shift/55", shift=shift(office), worker=worker)
    office.tell("task.assigned", "task/9", task={"id": "9"})
    office.tell("task.payment", "task/9", task={"id": "9"}, payment={"status": "paid"})
    office.clock.forward(minutes=1)
    office.tell("shift.cancelled", "shift/55", shift={"id": "55"}, worker=eve)
    office.tell("task.status_changed", "task/9", task={"id": "9", "status": "done"})
    kinds = [row.type for row in office.all(_MADE)]
    assert [(kind, to, status) for kind, (to, _, status) in zip(kinds, office.texts(), strict=True)] == [
        ("shift.published", DANA, "scheduled"),
        ("shift.reminder", DANA, "scheduled"),
        ("shift.published", EVE, "canceled"),
        ("shift.reminder", EVE, "canceled"),
        ("task.assigned", DANA, "canceled"),
        ("task.payment", DANA, "scheduled"),
    ]


_MADE = (
    sa.select(schema.events.c.type)
    .join(schema.messages, schema.messages.c.event_id == schema.events.c.id)
    .order_by(schema.messages.c.id)
)


def test_the_producer_s_own_warning_ends_with_the_timecard(office: Office) -> None:
    office.listen("timecard.missing", delay_s=600)
    office.tell("timecard.missing", "worker/dana", timecard=card(id=None))
    office.tell("timecard.submitted", "timecard/881", timecard=card())
    assert [status for _, _, status in office.texts()] == ["canceled"]


def test_a_timecard_that_does_not_come_is_missed_at_its_cutoff_and_then_the_manager_is_told(office: Office) -> None:
    office.listen("timecard.missing", body="{{ worker.name }} {{ timecard.period_start }} {{ deadline.stage }}")
    due = office.clock() + timedelta(hours=1)
    office.tell("timecard.rejected", timecard=card(reason="Friday", due_at=due.isoformat()))
    steps = {due - MICRO: 0, due: 1, due + timedelta(minutes=240) - MICRO: 1, due + timedelta(minutes=240): 2}
    for at, count in steps.items():
        office.clock.at = at
        office.strike()
        assert len(office.texts()) == count, at
    assert office.texts() == [(DANA, "Dana 2026-02-23 due", "queued"), (MAX, "Dana 2026-02-23 manager", "queued")]
    office.clock.forward(days=2)
    assert office.strike() == 0


@pytest.mark.parametrize("moment", ["before the cutoff", "before the manager", "while the text waits"])
def test_a_timecard_that_comes_ends_it(office: Office, moment: str) -> None:
    office.listen("timecard.missing", delay_s=600)
    due = office.clock() + timedelta(hours=1)
    office.tell("timecard.reopened", timecard=card(due_at=due.isoformat(), version=4))
    office.clock.at = due - MICRO if moment == "before the cutoff" else due
    office.strike()
    if moment == "before the manager":
        office.clock.forward(minutes=239)
    office.tell("timecard.submitted", timecard={"id": "882", "period": PERIOD, "version": 1})
    office.clock.forward(hours=9)
    office.strike()
    waited = {"before the cutoff": [], "before the manager": ["canceled"], "while the text waits": ["canceled"]}[moment]
    assert [status for _, _, status in office.texts()] == waited
    assert len(office.events("timecard.missing")) == len(waited)


@BOTH
def test_one_that_comes_while_the_event_is_being_made_wins(office: Office) -> None:
    office.listen("timecard.missing")
    office.tell("timecard.reopened", timecard=card(due_at=(office.clock() + timedelta(hours=1)).isoformat()))
    office.clock.forward(hours=1)
    now = office.clock()
    [row] = office.engine.write(lambda c: stored.take(c, now, now + timedelta(seconds=90), 50))
    office.tell("timecard.submitted", timecard=card())
    deadlines.make(office.engine, [row])
    assert (office.events("timecard.missing"), office.texts()) == ([], [])


def test_one_that_is_moved_while_its_event_is_being_made_comes_at_its_new_time(office: Office) -> None:
    office.listen("shift.reminder")
    office.tell("shift.published", shift=shift(office, version=1))
    office.clock.forward(hours=2)
    now = office.clock()
    [row] = office.engine.write(lambda c: stored.take(c, now, now + timedelta(seconds=90), 50))
    office.tell("shift.changed", shift=shift(office, hours=5, version=2))
    deadlines.make(office.engine, [row])
    assert office.texts() == []
    office.clock.forward(hours=4)
    assert office.strike() == 1
    assert len(office.texts()) == 1


def test_a_missing_timecard_that_the_producer_tells_is_escalated_unless_it_told_the_manager(office: Office) -> None:
    office.listen("timecard.missing")
    office.tell("timecard.missing", timecard=card(id=None))
    office.tell("timecard.missing", timecard=card(id=None), worker={"id": "eve", "phone": EVE}, recipients=["worker", "manager"])
    office.clock.forward(minutes=240)
    office.strike()
    assert Counter(to for to, _, _ in office.texts()) == {DANA: 1, EVE: 1, MAX: 1}


def test_a_task_is_due_and_then_overdue_and_then_the_manager_s(office: Office) -> None:
    office.listen("task.due", "task.overdue", body="{{ task.title }} {{ deadline.stage }}")
    due = office.clock() + timedelta(days=2)
    office.tell("task.assigned", task={"id": "9", "title": "Label", "due_at": due.isoformat(), "version": 1})
    for at, count in ((due - timedelta(days=1), 1), (due, 2), (due + timedelta(minutes=240), 3)):
        office.clock.at = at - MICRO
        office.strike()
        assert len(office.texts()) == count - 1
        office.clock.at = at
        office.strike()
        assert len(office.texts()) == count
    assert [(to, text) for to, text, _ in office.texts()] == [
        (DANA, "Label before_1440"),
        (DANA, "Label due"),
        (MAX, "Label manager"),
    ]


@pytest.mark.parametrize(
    ("kind", "task"),
    [("task.status_changed", {"status": "Done"}), ("task.unassigned", {}), ("task.assigned", {"status": "completed"})],
)
def test_a_task_that_is_over_is_not_due(office: Office, kind: str, task: dict[str, Any]) -> None:
    office.listen("task.due", "task.overdue")
    due = office.clock() + timedelta(days=2)
    office.tell("task.assigned", task={"id": "9", "title": "Label", "due_at": due.isoformat(), "version": 1})
    office.tell(kind, task={"id": "9", "version": 2, **task})
    office.clock.at = due + timedelta(days=1)
    office.strike()
    assert office.texts() == []


def test_a_producer_that_reminds_by_itself_is_not_doubled(office: Office) -> None:
    office.listen("shift.reminder")
    office.tell("shift.published", shift=shift(office))
    office.clock.forward(hours=2)
    office.strike()
    office.clock.forward(seconds=20)
    office.tell("shift.reminder", shift=shift(office, hours=1))
    assert [status for _, _, status in office.texts()] == ["queued", "duplicate"]
    office.tell("shift.published", shift=shift(office, id="56"))  # from now on it is left to them
    office.clock.forward(hours=3)
    assert office.strike() == 0


@BOTH
def test_an_older_version_texts_nobody_and_moves_nothing(office: Office) -> None:
    office.listen("shift.changed", "shift.reminder")
    office.tell("shift.changed", shift=shift(office, hours=5, version=3))
    taken = office.tell("shift.changed", shift=shift(office, hours=2, version=2))
    assert (len(taken.events), taken.duplicate) == (1, False)
    assert [status for _, _, status in office.texts()] == ["queued", "stale"]
    office.clock.forward(hours=3, minutes=59)
    assert office.strike() == 0
    office.clock.forward(minutes=1)
    assert office.strike() == 1


def test_without_versions_the_older_time_is_the_older_state(office: Office) -> None:
    office.listen("timecard.approved", "timecard.submitted", recipient="worker")
    now = office.clock()
    for kind, minutes in (("timecard.approved", 0), ("timecard.submitted", -5), ("timecard.approved", 5)):
        office.tell(kind, timecard=card(), time=now + timedelta(minutes=minutes))
    assert [status for _, _, status in office.texts()] == ["queued", "stale", "queued"]


def test_any_order_of_versions_texts_the_newest_and_nothing_older_after_it(office: Office) -> None:
    office.listen("timecard.approved", recipient="worker")
    for place, version in enumerate((2, 4, 1, 3, 5, 5)):
        office.tell("timecard.approved", timecard=card(version=version), event_id=f"v{place}")
    assert [status for _, _, status in office.texts()] == ["queued", "queued", "stale", "stale", "queued", "queued"]


def test_what_is_worthless_before_it_may_go_is_refused(office: Office) -> None:
    office.listen("shift.reminder")
    office.tell("shift.reminder", shift=shift(office), not_after=(office.clock() - MICRO).isoformat())
    assert [status for _, _, status in office.texts()] == ["expired"]


def test_an_installation_that_is_off_makes_nothing(office: Office) -> None:
    office.listen("shift.reminder")
    office.tell("shift.published", shift=shift(office))
    i = schema.installations
    office.engine.write(lambda c: c.execute(sa.update(i).values(status="disabled")))
    t = schema.tenants.c
    office.engine.write(lambda c: c.execute(sa.update(schema.tenants).values(config_version=t.config_version + 1)))
    office.clock.forward(hours=2)
    assert (office.strike(), office.events("shift.reminder")) == (1, [])


def test_own_rules_and_no_rules(open_office: Callable[..., Office]) -> None:
    office = open_office(deadlines={"shift_reminder_minutes": [1440, 30], "task_due_minutes": [], "task_overdue": False})
    office.listen("shift.reminder", "task.due", "task.overdue")
    began = office.clock()
    office.tell("shift.published", shift=shift(office, hours=30))
    office.tell("task.assigned", task={"id": "9", "due_at": (began + timedelta(days=3)).isoformat()})
    for hours, count in ((6, 1), (29.4, 1), (29.5, 2), (99, 2)):
        office.clock.at = began + timedelta(hours=hours)
        office.strike()
        assert len(office.events("shift.reminder", "task.due", "task.overdue")) == count


@BOTH
def test_everybody_s_week_ends_at_the_same_hour_of_their_own_zone(open_office: Callable[..., Office]) -> None:
    office = open_office(deadlines={"timecard_cutoff": {"weekday": "tue", "at": "12:00"}, "escalate_minutes": 0})
    office.listen("timecard.missing", body="{{ worker.name }} {{ timecard.period_start }} {{ timecard.period_end }}")
    office.hire("dana", DANA, "Dana", timezone="Asia/Tashkent")
    office.hire("eve", EVE, "Eve", timezone="America/New_York")
    office.hire("max", MAX, "Max", timezone="Asia/Tashkent")
    office.hire("gone", "+998901234570", active="no")
    office.tell("timecard.submitted", timecard=card(), worker={"id": "max"})
    assert (cutoffs.plan_all(office.engine), cutoffs.plan_all(office.worker())) == (2, 0)
    at_home = datetime(2026, 3, 3, 7, tzinfo=UTC)  # noon in Tashkent
    for at, count in ((at_home - MICRO, 0), (at_home, 1), (at_home + timedelta(hours=10), 2), (at_home + timedelta(hours=11), 2)):
        office.clock.at = at
        office.strike()
        assert len(office.texts()) == count, at
    assert office.texts() == [
        (DANA, "Dana 2026-02-23 2026-03-01", "queued"),
        (EVE, "Eve 2026-02-23 2026-03-01", "queued"),
    ]
    assert cutoffs.plan_all(office.engine) == 3  # next week's


@BOTH
def test_what_is_over_is_forgotten_after_its_time(office: Office) -> None:
    office.tell("shift.published", shift=shift(office, version=1))
    office.tell("shift.published", shift=shift(office, id="56", hours=24 * 365))
    office.clock.forward(hours=2)
    office.strike()
    office.clock.forward(days=91)
    assert purge.step(office.engine, batches=20) >= 2
    assert [row.status for row in office.all(sa.select(schema.deadlines))] == [schema.DEADLINE_WAITING]


def test_nothing_personal_is_left_of_one_that_is_done(office: Office) -> None:
    office.tell("shift.published", shift=shift(office))
    [before] = office.all(sa.select(schema.deadlines))
    assert before.content is not None
    assert DANA.encode() not in bytes(before.content)
    office.clock.forward(hours=2)
    office.strike()
    [after] = office.all(sa.select(schema.deadlines))
    assert (after.content, after.status) == (None, schema.DEADLINE_DONE)
    assert Status.QUEUED not in [office.status(row.id) for row in office.messages()]  # nobody listens here
