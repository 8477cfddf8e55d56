"""Timecard, shift and task events in the canonical words, whatever platform told them. Pure.

Names and meanings are those of the canonical `timecard` contract, so that one trigger and one template serve all platforms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from bellwire import Event, Json, Person

from .bodies import stamp

_ZONE = re.compile(r"[A-Za-z][\w+-]{0,31}(/[\w+-]{1,32}){0,2}", re.ASCII)

TIMECARD_EVENTS = (
    "timecard.submitted",
    "timecard.approved",
    "timecard.rejected",
    "timecard.reopened",
    "timecard.missing",
    "timecard.entry_flagged",
)
SHIFT_EVENTS = ("shift.published", "shift.changed", "shift.cancelled", "shift.offered", "shift.reminder")
TASK_EVENTS = ("task.assigned", "task.unassigned", "task.status_changed", "task.due", "task.overdue", "task.payment")


def event(
    kind: str,
    *,
    id: str,  # noqa: A002  # the event's own name for it
    fact: str,
    subject: str,
    at: datetime,
    worker: Person | None = None,
    manager: Person | None = None,
    actor: Person | None = None,
    data: Mapping[str, Json] | None = None,
    changed: Sequence[str] = (),
    fetch: Mapping[str, str] | None = None,
) -> Event:
    """One event. `fact` without its type; `changed`: our names of the fields that it changed.

    What a shift that is off or a finished task makes pointless is the engine's to end: one shift may be several people's.
    `actor`: who did it; `actor.is_worker` keeps people from being texted about what they did themselves.
    The person the event is about stands as `customer` and as `worker`; an enriched event's by `with_worker`. Blank fields are
    left out: a missing field is empty in a condition and refused in a template.
    """
    people: dict[str, Person] = {}
    fields: dict[str, Json] = dict(data or {})
    if worker is not None:
        people |= {"customer": worker, "worker": worker}
        fields |= {"worker.id": worker.ref, "worker.name": worker.name}
    if manager is not None:
        people["manager"] = manager
        fields |= {"manager.id": manager.ref, "manager.name": manager.name}
    if actor is not None:
        people["actor"] = actor
        fields |= {"actor.id": actor.ref, "actor.name": actor.name}
        fields["actor.is_worker"] = bool(worker and actor.ref and actor.ref == worker.ref)
    if changed:
        fields["changed"] = list(changed)
    return Event(
        id=id,
        type=kind,
        occurred_at=at,
        fact=f"{kind}:{fact}",
        subject=subject,
        people=people,
        data={name: value for name, value in fields.items() if value is not None and value != ""},
        fetch=fetch or {},
    )


def with_worker(event: Event, worker: Person | None, fields: Mapping[str, Json]) -> Event:
    """The event completed by what the platform's API told: more fields, and who it is about (None: as it is)."""
    people, more = dict(event.people), dict(fields)
    if worker is not None:
        people |= {"customer": worker, "worker": worker}
        more |= {"worker.id": worker.ref, "worker.name": worker.name}
        if "actor" in people:
            more["actor.is_worker"] = people["actor"].ref == worker.ref
    data = {**event.data, **{name: value for name, value in more.items() if value is not None and value != ""}}
    return replace(event, people=people, data=data, fetch={})


def task(
    *,
    id: str,  # noqa: A002  # as above
    title: str = "",
    status: str = "",
    previous_status: str = "",
    due_at: str | None = "",
    url: str = "",
    project: str = "",
    zones: Sequence[str] = (),
) -> dict[str, Json]:
    """A task's fields. `due_at`: a day or RFC 3339; `zones`: whose day it is, the first that is known."""
    return {
        **due(due_at or "", *zones),
        "task.id": id,
        "task.title": title,
        "task.status": status,
        "previous.task.status": previous_status,
        "task.url": url,
        "task.project": project,
    }


def due(at: str, *zones: str) -> dict[str, Json]:
    """When a task is due. A day alone ends with its last second there, so that it can be reminded of; `task.due_on` keeps the day.

    Where no zone is known a day stays a day.
    """
    if len(at) != len("2026-01-09"):
        return {"task.due_at": at}
    zone = next((found for name in zones if (found := zone_of(name)) is not None), None)
    ends = datetime.combine(date.fromisoformat(at), time(23, 59, 59), zone).isoformat() if zone else at
    return {"task.due_at": ends, "task.due_on": at}


def zone_of(name: str) -> ZoneInfo | None:
    """The zone of that name (IANA), None for what is none."""
    try:
        return ZoneInfo(name) if _ZONE.fullmatch(name) else None
    except (ValueError, OSError, LookupError):
        return None


def new_date(data: Mapping[str, Json]) -> dict[str, Json]:
    """Marks a `task.due` that tells of another date: the platform reminds nobody of it, so that our own reminders go on."""
    return {**data, "deadline.stage": "changed"}


def timecard(
    *,
    id: str,  # noqa: A002  # as above
    status: str = "",
    period_start: str = "",
    period_end: str = "",
    timezone: str = "",
    minutes: int | None = None,
    reason: str = "",
    url: str = "",
) -> dict[str, Json]:
    """A timecard's fields. Periods are days in the worker's own zone; `minutes` also gives `timecard.hours`, a decimal string."""
    return {
        "timecard.id": id,
        "timecard.status": status,
        "timecard.period_start": period_start,
        "timecard.period_end": period_end,
        "timecard.period_timezone": timezone,
        "timecard.minutes": minutes,
        "timecard.hours": hours(minutes),
        "timecard.reason": reason,
        "timecard.url": url,
    }


def shift(
    *,
    id: str,  # noqa: A002  # as above
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    location: str = "",
    role: str = "",
) -> dict[str, Json]:
    """A shift's fields."""
    return {
        "shift.id": id,
        "shift.starts_at": stamp(starts_at),
        "shift.ends_at": stamp(ends_at),
        "shift.location": location,
        "shift.role": role,
    }


def hours(minutes: int | None) -> str:
    """Minutes as hours, a decimal string with at most two digits after the point: 90 → `1.5`; "" for None."""
    if minutes is None:
        return ""
    made = (Decimal(minutes) / 60).quantize(Decimal("0.01"))
    return f"{made.normalize():f}"
