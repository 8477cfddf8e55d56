"""Which of an object's states is the newest: by the producer's version, else by when it happened. An older one texts nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bellwire.domain.comparison import items_of
from bellwire.model import Event

#: Events that say how an object stands now. A reminder or a payment says nothing of the kind.
STATES = frozenset(
    {
        "timecard.submitted",
        "timecard.approved",
        "timecard.rejected",
        "timecard.reopened",
        "shift.published",
        "shift.changed",
        "shift.cancelled",
        "task.assigned",
        "task.unassigned",
        "task.status_changed",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """An object's state as an event tells it. `version` 0: the producer counts none."""

    key: str
    version: int
    at: datetime

    def is_older_than(self, version: int, at: datetime) -> bool:
        """Whether another state that was told before is newer than this one. A version against none can't be compared."""
        if self.version and version:
            return self.version < version
        return not self.version and not version and self.at < at


def is_new_date(event: Event) -> bool:
    """Whether a `task.due` says that the date has moved, and reminds nobody: its `changed` names the date."""
    return event.type == "task.due" and "task.due_at" in (items_of(event.data.get("changed")) or ())


def state_of(event: Event) -> State | None:
    """The state in an event, None for an event that tells none."""
    if event.type not in STATES and not is_new_date(event):
        return None
    family = event.type.partition(".")[0]
    name = event.data.get(f"{family}.id")
    key = f"{family}/{name}" if isinstance(name, str) and name else event.subject
    version = event.data.get(f"{family}.version")
    counted = version if isinstance(version, int) and not isinstance(version, bool) and 0 < version <= 2**53 else 0
    # one shift may be several people's: what one of them is told is not older news for the next. A date moves by itself: it makes
    # no older news of who got the task
    part = f"|{event.customer.ref}" if family == "shift" and event.customer else "|due_at" if is_new_date(event) else ""
    return State(key=f"{key}{part}", version=counted, at=event.occurred_at) if key else None
