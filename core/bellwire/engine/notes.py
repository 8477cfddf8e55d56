"""What claims and attempts add to a message's `why`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bellwire.engine.rows import stamp

MOST, KEPT_FIRST = 50, 10  # of what happened very often the first and the last entries tell enough


def notes_of(stored: str | None) -> list[Mapping[str, Any]]:
    """A message's notes as a claim has read them: nearly all go as they came."""
    return json.loads(stored) if stored else []


def noted(stored: str | None, note: Mapping[str, Any], now: datetime) -> list[Mapping[str, Any]]:
    """A message's notes with one more; the same again only counts up, so that a long outage is one line."""
    said = {key: value for key, value in note.items() if value}
    before = notes_of(stored)
    last = {key: value for key, value in before[-1].items() if key not in ("at", "times")} if before else None
    if last == said:
        before[-1] = {**before[-1], "at": stamp(now), "times": before[-1].get("times", 1) + 1}
        return before
    if len(before) >= MOST:
        del before[KEPT_FIRST : len(before) - (MOST - KEPT_FIRST) + 1]
    return [*before, {"at": stamp(now), **said}]
