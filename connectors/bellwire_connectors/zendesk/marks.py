"""Marks in a ticket's audits: what we wrote there already, so that a job that is done again writes nothing twice.

A PUT has no idempotency key at Zendesk, and a note can't be looked for by its text: a person may text "ok" twice. What stands in
an update's `metadata` is kept in its audit (`metadata.custom`), seen by no customer and by no trigger
(developer.zendesk.com, "Ticket Audits").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .client import Desk

KEY = "bellwire"
AUDITS = 100  # the newest of a ticket: a job that is done again follows soon


def marked(desk: Desk, ticket_id: str) -> frozenset[str]:
    """The marks in a ticket's newest audits. Raises PlatformError."""
    found = desk.get(f"tickets/{ticket_id}/audits.json", **{"sort": "-created_at", "page[size]": AUDITS})
    audits = found.get("audits")
    return (
        frozenset(mark for one in audits if isinstance(one, dict) for mark in _of(one)) if isinstance(audits, list) else frozenset()
    )


def metadata(marks: Iterable[str]) -> Mapping[str, Any]:
    """What goes along with an update."""
    return {KEY: " ".join(marks)}


def _of(audit: Mapping[str, Any]) -> list[str]:
    custom = (audit.get("metadata") or {}).get("custom") if isinstance(audit.get("metadata"), Mapping) else None
    said = custom.get(KEY) if isinstance(custom, Mapping) else None
    return said.split() if isinstance(said, str) else []
