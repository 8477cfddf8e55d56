"""Which of an object's states is the newest: by the producer's version, else by when it happened. An older one texts nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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


def state_of(event: Event) -> State | None:
    """The state in an event, None for an event that tells none."""
    if event.type not in STATES:
        return None
    family = event.type.partition(".")[0]
    name = event.data.get(f"{family}.id")
    key = f"{family}/{name}" if isinstance(name, str) and name else event.subject
    version = event.data.get(f"{family}.version")
    counted = version if isinstance(version, int) and not isinstance(version, bool) and 0 < version <= 2**53 else 0
    # one shift may be several people's: what one of them is told is not older news for the next
    person = f"|{event.customer.ref}" if family == "shift" and event.customer else ""
    return State(key=f"{key}{person}", version=counted, at=event.occurred_at) if key else None
