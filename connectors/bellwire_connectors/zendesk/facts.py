"""Events of one ticket: what they are called, and which of them tell the same fact, whatever way they came."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bellwire import Event, Installation, Json, Person

from .account import ticket_url


def event(
    *,
    id: str,  # noqa: A002  # the event's own word
    type: str,  # noqa: A002
    ticket_id: str,
    at: datetime,
    stage: str | None,
    installation: Installation,
    people: Mapping[str, Person] | None = None,
    data: Mapping[str, Json] | None = None,
    fetch: Mapping[str, str] | None = None,
) -> Event:
    """An event of a ticket, to be completed by `enrich`. `stage` None: no other delivery tells the same fact."""
    return Event(
        id=id or f"{type}:{ticket_id}:{stage}",
        type=type,
        occurred_at=at,
        fact="" if stage is None else f"{type}:{ticket_id}:{stage}",
        subject=f"ticket/{ticket_id}",
        people=people or {},
        data={"ticket.id": ticket_id, "ticket.url": ticket_url(installation, ticket_id), **without_blanks(data or {})},
        fetch={"ticket": ticket_id, **{name: value for name, value in (fetch or {}).items() if value}},
    )


def without_blanks(data: Mapping[str, Json]) -> dict[str, Json]:
    """The data without what is unknown: a missing field is empty in a condition and refused in a template."""
    return {name: value for name, value in data.items() if value is not None and value not in ("", [])}
