"""Where a value stands in a body: a small path language without functions, filters or recursion. Pure.

    timesheet.owner.id          keys, one inside the other
    items[0]   items[-1]        an item of a list, the last one
    fields["Due date"]          a key that is no plain word
    items[*].name               each item's; once in a path
    $.timesheet.id              the same as timesheet.id

A path has at most 200 characters and 12 steps, so that looking it up takes no time worth a limit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_CHARACTERS, _STEPS, _ITEMS = 200, 12, 200
_STEP = re.compile(r"""\.?(?P<name>[A-Za-z_$@][\w$@-]*)|\[(?P<index>-?\d{1,4})\]|\[(?P<each>\*)\]|\["(?P<key>[^"]{1,100})"\]""")

#: What is not there; null is not there either.
MISSING: Any = None


class Each:
    """The step `[*]`."""


EACH = Each()
Step = str | int | Each


@dataclass(frozen=True, slots=True)
class Path:
    """A path, read. `text` as it was written."""

    text: str
    steps: tuple[Step, ...]

    @property
    def is_many(self) -> bool:
        """Whether it gives a list: it has `[*]`."""
        return EACH in self.steps


@lru_cache(maxsize=4096)
def parse_path(text: str) -> Path:
    """A path. Raises ValueError saying what is wrong with it and how it should look."""
    if not text or len(text) > _CHARACTERS:
        raise ValueError(f"a path has 1 to {_CHARACTERS} characters")
    if text == "$":
        raise ValueError("can't be read: it is the whole body; name a key in it")
    steps: list[Step] = []
    place = 1 if text.startswith(("$.", "$[")) else 0  # the body itself, as JSONPath writes it
    while place < len(text):
        found = _STEP.match(text, place)
        if found is None or (found["name"] and (place > 0) != text.startswith(".", place)):
            raise ValueError(f'can\'t be read from "{text[place : place + 20]}" on; write it as a.b[0]["odd key"]')
        steps.append(_step(found))
        place = found.end()
    if len(steps) > _STEPS:
        raise ValueError(f"has more than {_STEPS} steps")
    if steps.count(EACH) > 1:
        raise ValueError("has [*] more than once")
    return Path(text, tuple(steps))


def _step(found: re.Match[str]) -> Step:
    if found["each"]:
        return EACH
    if found["index"]:
        return int(found["index"])
    return found["name"] or found["key"]


def look_up(path: Path, body: Any) -> Any:
    """The value there, None when there is none; a list of those that are there for a path with `[*]`, at most 200."""
    return _walk(body, path.steps)


def _walk(value: Any, steps: tuple[Step, ...]) -> Any:
    for place, step in enumerate(steps):
        if isinstance(step, Each):
            if not isinstance(value, list):
                return MISSING
            found = (_walk(item, steps[place + 1 :]) for item in value[:_ITEMS])
            return [one for one in found if one is not MISSING]
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and -len(value) <= step < len(value) else MISSING
        else:
            value = value.get(step) if isinstance(value, dict) else MISSING
        if value is MISSING:
            return MISSING
    return value
