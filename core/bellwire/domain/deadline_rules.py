"""An installation's rules for deadlines, `settings.deadlines`: how long before, how long after, and when a week must be in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bellwire.domain.cutoffs import Cutoff, read_cutoff
from bellwire.errors import FieldInvalid

_MOST_MINUTES = 60 * 24 * 60
_MOST_STAGES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """An installation's `settings.deadlines`. Minutes; an empty tuple or None: no such deadline."""

    shift_reminder: tuple[int, ...] = (60,)  # before the start
    task_due: tuple[int, ...] = (1440,)  # before the due time
    task_overdue: bool = True
    timecard_missing: bool = True
    escalate: int | None = 240  # after what stayed without an answer
    cutoff: Cutoff | None = None


def read_rules(given: object, place: str = "settings.deadlines") -> Rules:
    """The rules behind a setting, the defaults for None. Raises FieldInvalid naming the place."""
    if given is None:
        return Rules()
    if not isinstance(given, Mapping):
        raise FieldInvalid(place, 'must be an object such as {"shift_reminder_minutes": [60]}', "wrong_type")
    unknown = sorted(str(name)[:40] for name in set(given) - set(_SETTINGS))
    if unknown:
        raise FieldInvalid(f"{place}.{unknown[0]}", f"is not a field here; there are {', '.join(_SETTINGS)}", "unknown_field")
    values: dict[str, Any] = {}
    for name, value in given.items():
        field_name, read = _SETTINGS[name]
        values[field_name] = read(value, f"{place}.{name}")
    return Rules(**values)


def _minutes(value: object, place: str) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > _MOST_STAGES:
        raise FieldInvalid(place, f"must be a list of at most {_MOST_STAGES} numbers of minutes", "wrong_type")
    return tuple(sorted({_minute(one, f"{place}.{number}") for number, one in enumerate(value)}, reverse=True))


def _minute(value: object, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST_MINUTES:
        raise FieldInvalid(place, f"must be a whole number of minutes from 1 to {_MOST_MINUTES}", "out_of_range")
    return value


def _perhaps(value: object, place: str) -> int | None:
    return None if value is None or value == 0 else _minute(value, place)


def _flag(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise FieldInvalid(place, "must be true or false", "wrong_type")
    return value


_SETTINGS: Mapping[str, tuple[str, Any]] = {
    "shift_reminder_minutes": ("shift_reminder", _minutes),
    "task_due_minutes": ("task_due", _minutes),
    "task_overdue": ("task_overdue", _flag),
    "timecard_missing": ("timecard_missing", _flag),
    "escalate_minutes": ("escalate", _perhaps),
    "timecard_cutoff": ("cutoff", read_cutoff),
}
