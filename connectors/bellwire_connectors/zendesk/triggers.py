"""What a trigger's webhook says: the JSON of our template with ids in it, or an admin's own with a map of where things stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bellwire import Event, Installation, PayloadInvalid, Person

from .account import bot_user_id, id_of
from .facts import event
from .shapes import SCHEMA, Told, parse, stamp, text

TYPES = frozenset({"ticket.created", "ticket.updated", "ticket.commented", "ticket.solved"})


def read(body: Mapping[str, Any], delivery: str, installation: Installation, received_at: datetime) -> Sequence[Event]:
    """The event of a trigger's body; its text is fetched, as placeholders are not escaped. Raises PayloadInvalid."""
    told = parse(Told, body if body.get("schema") == SCHEMA else _mapped(body, installation), "trigger")
    if told.event not in TYPES:
        raise PayloadInvalid(f"zendesk trigger: event is none of {', '.join(sorted(TYPES))}", "event")
    if not told.ticket_id:
        raise PayloadInvalid("zendesk trigger: not a ticket's id", "ticket_id")
    bot = bot_user_id(installation)
    if bot and told.actor_id == bot:
        return []  # what we wrote ourselves
    person = Person(
        ref=f"user/{told.requester.id}" if told.requester.id else "",
        phones=[told.requester.phone] if told.requester.phone else [],
        countries=[installation.country] if installation.country else [],
    )
    return [
        event(
            id=delivery,
            type=told.event,
            ticket_id=told.ticket_id,
            at=told.updated_at or received_at,
            stage=_stage(told),
            people={"customer": person, "requester": person},
            fetch={"comment": told.latest_public_comment_id} if told.event == "ticket.commented" else {},
            installation=installation,
        )
    ]


def _stage(told: Told) -> str | None:
    """What tells this fact from others of its kind on the ticket; None: only the delivery does."""
    if told.event == "ticket.commented":
        return told.latest_public_comment_id or None
    if told.event == "ticket.solved":
        return stamp(told.updated_at) if told.updated_at else None
    return "" if told.event == "ticket.created" else None


def _mapped(body: Mapping[str, Any], installation: Installation) -> Mapping[str, Any]:
    """An admin's own body: `settings.field_map` says where the ticket's id stands, and the event's name if it has one."""
    where = installation.settings.get("field_map")
    where = where if isinstance(where, Mapping) else {}
    if not where.get("ticket_id"):
        raise PayloadInvalid("zendesk trigger: not our template, and no settings.field_map", "schema")
    named = text(_at(body, where.get("event")))
    return {
        "event": named if named in TYPES else "ticket.updated",
        "ticket_id": id_of(_at(body, where["ticket_id"])),
        "requester": {"id": _at(body, where.get("requester_id")), "phone": _at(body, where.get("phone"))},
        "actor_id": _at(body, where.get("actor_id")),
        "updated_at": _at(body, where.get("updated_at")),
    }


def _at(body: Mapping[str, Any], path: object) -> Any:
    """What stands at `ticket.id`, None for nothing."""
    found: Any = body
    for step in str(path).split(".") if path else ["", ""]:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
