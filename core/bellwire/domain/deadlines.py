"""Which deadlines follow from an event: reminders before a shift, timecards that did not come, tasks due, the manager after them.

Nobody's platform tells that something did not happen. A deadline is the event it will make when its time has come, unless
what it waits for comes first: then it is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bellwire.domain.comparison import items_of
from bellwire.domain.deadline_rules import Rules
from bellwire.domain.newest import is_new_date
from bellwire.model import Event, Json, Person
from bellwire.signing import sha256_hex

SHIFT_REMINDER, TASK_DUE, TASK_OVERDUE, MISSING = "shift.reminder", "task.due", "task.overdue", "timecard.missing"
MANAGER = "manager"  # the stage that asks for help
_DUE = "due"
#: Words by which producers call a task that nobody has to work on any more.
FINISHED = frozenset(
    {"done", "completed", "complete", "closed", "finished", "approved", "accepted", "cancelled", "canceled", "resolved"}
)

_ROSTER = frozenset({"shift.published", "shift.changed"})
_HANDED_IN = frozenset({"timecard.submitted", "timecard.approved"})
_WANTED_AGAIN = frozenset({"timecard.rejected", "timecard.reopened"})
_ON_TASK = frozenset({"task.assigned", "task.status_changed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """An event to come. `about`: what it is over with; `key`: which it is, set again it replaces the one before."""

    kind: str
    stage: str
    about: str
    due: datetime
    event: Event = field(repr=False)

    @property
    def key(self) -> str:
        """Object and stage."""
        return key_of(self.kind, self.about, self.stage)


def key_of(kind: str, about: str, stage: str) -> str:
    """What one deadline is told from another by."""
    return f"{kind}|{about}|{stage}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an event changes. `over`: what ends, of one kind only where it is named; before `sets`.

    `never`: (kind, about, stage) that must not be set later either: what they would ask for came first. `marks`: a kind that the
    producer sends by itself, so that ours would be the second, and what this one is about. `voids`: types of events about the
    same object and person whose waiting texts say what is not so any more.
    """

    sets: Sequence[Deadline] = ()
    over: Sequence[tuple[str, str | None]] = ()
    never: Sequence[tuple[str, str, str]] = ()
    marks: tuple[str, str] | None = None
    voids: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.sets or self.over or self.never or self.marks or self.voids)


# -- what an event means ----------------------------------------------------------------------------------------------


def plan(event: Event, rules: Rules, now: datetime) -> Plan:
    """What follows from an event. Total: a time that can't be read is none."""
    kind, abouts = event.type, about(event)
    if not abouts:
        return Plan()
    if kind == "shift.cancelled":
        return Plan(over=[(one, None) for one in abouts], voids=("shift.published", "shift.changed", "shift.offered"))
    moved = is_new_date(event)
    if kind == "task.unassigned" or ((kind in _ON_TASK or moved) and _is_finished(event)):
        return Plan(over=[(one, None) for one in abouts], voids=("task.assigned",))
    if kind in _HANDED_IN:
        return Plan(over=[(one, None) for one in abouts], never=[(MISSING, abouts[0], _DUE), (MISSING, abouts[0], MANAGER)])
    if kind in _ROSTER:
        return _anew(abouts, (SHIFT_REMINDER,), _reminders(event, rules, abouts[0]), now)
    if moved or (kind in _ON_TASK and "task.due_at" in event.data):  # a date that was taken away has moved, too
        return _anew(abouts, (TASK_DUE, TASK_OVERDUE), _task(event, rules, abouts[0]), now)
    if kind in _WANTED_AGAIN and "timecard.due_at" in event.data:
        return _anew(abouts, (MISSING,), _wanted(event, rules, abouts[0]), now)
    if kind in (SHIFT_REMINDER, TASK_DUE, TASK_OVERDUE, MISSING):
        return _told(event, rules, abouts)
    return Plan()


def _anew(abouts: Sequence[str], kinds: Sequence[str], made: Iterable[Deadline], now: datetime) -> Plan:
    """Other times than before: the old ones end, also where the new ones are past. Who is told of it now is not reminded, too."""
    return Plan(over=[(one, kind) for one in abouts for kind in kinds], sets=[one for one in made if one.due > now])


def about(event: Event) -> tuple[str, ...]:
    """What the event's deadlines are over with, the one that new ones get first; () for an event that has none."""
    family, data = event.type.partition(".")[0], event.data
    worker = _text(data, "worker.id") or (event.customer.ref if event.customer else "")
    if family == "shift":  # a shift may be several people's, each with a reminder of their own
        found = _text(data, "shift.id") or event.subject.removeprefix("shift/")
        return (f"shift/{found}|{worker}",) if found else ()
    if family == "task":  # a task is one person's: who gets it next takes its deadlines over
        found = _text(data, "task.id") or event.subject.removeprefix("task/")
        return (f"task/{found}",) if found else ()
    if family == "timecard":
        start, card = _text(data, "timecard.period_start"), _text(data, "timecard.id")
        period = [period_of(worker, start)] if worker and start else []
        return (*period, *([f"timecard/{card}"] if card else []))
    return ()


def period_of(worker: str, start: str) -> str:
    """How a worker's timecard is called that nobody has handed in yet. `start`: the period's first day."""
    return f"period/{start}|{worker}"


def missing(people: Mapping[str, Person], data: Mapping[str, Json], about: str, due: datetime, subject: str) -> Deadline:
    """The deadline of a timecard."""
    return _deadline(MISSING, _DUE, about, due, subject, people, {**data, "timecard.status": "missing"})


def _reminders(event: Event, rules: Rules, about: str) -> Iterator[Deadline]:
    starts = moment(event.data.get("shift.starts_at"))
    if starts is None:
        return
    for minutes in rules.shift_reminder:
        due = starts - timedelta(minutes=minutes)
        more: dict[str, Json] = {"not_after": event.data["shift.starts_at"], "deadline.minutes": minutes}
        yield _deadline(SHIFT_REMINDER, f"before_{minutes}", about, due, event.subject, event.people, {**event.data, **more})


def _task(event: Event, rules: Rules, about: str) -> Iterator[Deadline]:
    due_at = moment(event.data.get("task.due_at"))
    if due_at is None:
        return
    for minutes in rules.task_due:
        more: dict[str, Json] = {"not_after": event.data["task.due_at"], "deadline.minutes": minutes}
        due = due_at - timedelta(minutes=minutes)
        yield _deadline(TASK_DUE, f"before_{minutes}", about, due, event.subject, event.people, {**event.data, **more})
    if rules.task_overdue:
        yield _deadline(TASK_OVERDUE, _DUE, about, due_at, event.subject, event.people, event.data)


def _wanted(event: Event, rules: Rules, about: str) -> Iterator[Deadline]:
    due_at = moment(event.data.get("timecard.due_at"))
    if due_at is not None and rules.timecard_missing:
        yield missing(event.people, event.data, about, due_at, event.subject)


def _told(event: Event, rules: Rules, abouts: Sequence[str]) -> Plan:
    """Somebody is reminded, by us or by the producer itself: the manager is next, and nobody is told the same twice."""
    ours = _text(event.data, "deadline.stage")
    over = [] if ours else [(one, event.type) for one in abouts]
    sets = []
    asks_manager = MANAGER in (items_of(event.data.get("recipients")) or ())
    if event.type in (TASK_OVERDUE, MISSING) and rules.escalate is not None and not asks_manager:
        due = event.occurred_at + timedelta(minutes=rules.escalate)
        sets.append(_deadline(event.type, MANAGER, abouts[0], due, event.subject, event.people, event.data))
    return Plan(sets=sets, over=over, marks=None if ours else (event.type, abouts[0]))


def _deadline(
    kind: str, stage: str, about: str, due: datetime, subject: str, people: Mapping[str, Person], data: Mapping[str, Json]
) -> Deadline:
    due = due.astimezone(UTC)
    role = MANAGER if stage == MANAGER else "worker"
    left = {name: value for name, value in data.items() if not name.startswith(("previous.", "reply.")) and name not in _NOT_KEPT}
    meant = {name: person for name, person in people.items() if name != "recipient"}
    if role in meant:
        meant["recipient"] = meant[role]
    event_id = f"deadline {kind} {about} {stage} {due.isoformat()}"
    # an OK settles only that it was read; the code tells which of two texts it answers
    code = f"{int(sha256_hex(event_id.encode()), 16) % 10_000:04d}"
    made = Event(
        id=event_id,
        type=kind,
        occurred_at=due,
        subject=subject,
        people=meant,
        data={**left, "deadline.stage": stage, "recipients": [role], "reply.keywords": ["OK"], "reply.code": code},
    )
    return Deadline(kind=kind, stage=stage, about=about, due=due, event=made)


_NOT_KEPT = frozenset({"changed", "recipients", "event.id", "template_hint"})


def _is_finished(event: Event) -> bool:
    return _text(event.data, "task.status").casefold() in FINISHED


def _text(data: Mapping[str, Json], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def moment(value: object) -> datetime | None:
    """An aware time of an event's data in UTC, None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        made = datetime.fromisoformat(value)
        return made.astimezone(UTC) if made.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
