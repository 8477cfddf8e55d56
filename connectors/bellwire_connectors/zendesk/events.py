"""What event subscriptions say: each of Zendesk's types, and what it is to us. The text and the phone are fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bellwire import Event, Installation, Json, PayloadInvalid, Person

from .account import bot_user_id
from .consents import changed_fields, hints, title_of
from .facts import event, without_blanks
from .shapes import Envelope, parse, stamp, text, word

Reader = Callable[[Envelope, Installation], Sequence[Event]]

#: The property that an event says has changed, in our words; the values that go along as `previous` are plain words.
CHANGES: Mapping[str, str] = {
    "priority_changed": "ticket.priority",
    "type_changed": "ticket.type",
    "custom_status_changed": "ticket.custom_status",
    "agent_assignment_changed": "ticket.assignee_id",
    "group_assignment_changed": "ticket.group_id",
    "requester_changed": "ticket.requester_id",
    "organization_changed": "ticket.organization_id",
    "brand_changed": "ticket.brand_id",
    "form_changed": "ticket.form_id",
    "external_id_changed": "ticket.external_id",
    "problem_link_changed": "ticket.problem_id",
    "subject_changed": "ticket.subject",
    "tags_changed": "ticket.tags",
    "custom_field_changed": "ticket.custom_field",
    "task_due_at_changed": "ticket.due_at",
    "next_sla_breach_changed": "ticket.sla_breach_at",
    "merged": "ticket.merged",
}
OUR_TAGS = ("sms", "sms_")


def read(kind: str, body: Mapping[str, Any], installation: Installation) -> Sequence[Event]:
    """The events of an envelope, [] for a type we don't serve. Raises PayloadInvalid."""
    reader = TYPES.get(kind)
    if reader is None:
        return []
    envelope = parse(Envelope, body, kind)
    if not envelope.detail.id:
        raise PayloadInvalid(f"zendesk {kind}: not an id", "detail.id")
    bot = bot_user_id(installation)
    if bot and envelope.detail.actor_id == bot and kind.startswith("ticket."):
        return []  # what we wrote ourselves
    return reader(envelope, installation)


def _ticket(
    envelope: Envelope,
    installation: Installation,
    type_: str,
    stage: str | None,
    data: Mapping[str, Json] | None = None,
    fetch: Mapping[str, str] | None = None,
) -> Sequence[Event]:
    detail = envelope.detail
    person = _person(detail.requester_id, installation)
    return [
        event(
            id=envelope.id,
            type=type_,
            ticket_id=detail.id,
            at=envelope.time,
            stage=stage,
            people={"customer": person, "requester": person} if detail.requester_id else {},
            data={"ticket.status": detail.status, "ticket.priority": detail.priority, "ticket.type": detail.type, **(data or {})},
            fetch=fetch,
            installation=installation,
        )
    ]


def _person(user_id: str, installation: Installation) -> Person:
    return Person(ref=f"user/{user_id}", countries=[installation.country] if installation.country else [])


def _created(envelope: Envelope, installation: Installation) -> Sequence[Event]:
    return _ticket(envelope, installation, "ticket.created", "")


def _status(envelope: Envelope, installation: Installation) -> Sequence[Event]:
    now, before = word(envelope.event.current) or envelope.detail.status, word(envelope.event.previous)
    data: dict[str, Json] = {"ticket.status": now, "changed": ["ticket.status"], "previous.ticket.status": before}
    if now == "solved":
        return _ticket(envelope, installation, "ticket.solved", stamp(envelope.detail.updated_at or envelope.time), data)
    return _ticket(envelope, installation, "ticket.updated", None, data)


def _commented(envelope: Envelope, installation: Installation) -> Sequence[Event]:
    """Only what an agent wrote for the customer to read: a private note is never texted, a customer never told their own words."""
    comment = envelope.event.comment
    if comment is None:
        raise PayloadInvalid("zendesk ticket.comment_added: missing", "event.comment")
    if comment.is_public is not True or comment.author.is_staff is not True:
        return []
    return _ticket(envelope, installation, "ticket.commented", comment.id or None, fetch={"comment": comment.id})


def _changed(name: str) -> Reader:
    def read_change(envelope: Envelope, installation: Installation) -> Sequence[Event]:
        happened = envelope.event
        if name == "ticket.tags" and _is_ours(happened.tags_added, happened.tags_removed):
            return []
        data: dict[str, Json] = {"changed": [name], f"previous.{name}": _plain(happened.previous)}
        if happened.custom_field is not None:
            if happened.custom_field.title == str(installation.settings.get("status_field") or ""):
                return []  # we set it
            data["ticket.custom_field"] = happened.custom_field.title
        elif _plain(happened.current):
            data[name] = _plain(happened.current)
        return _ticket(envelope, installation, "ticket.updated", None, data)

    return read_change


def _is_ours(added: Sequence[str], removed: Sequence[str]) -> bool:
    touched = [*added, *removed]
    return bool(touched) and all(tag == OUR_TAGS[0] or tag.startswith(OUR_TAGS[1]) for tag in touched)


def _plain(value: object) -> str:
    """A value that is a word, a number or a time; "" for anything richer."""
    return text(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _user(envelope: Envelope, type_: str, data: Mapping[str, Json], installation: Installation, **more: Any) -> Sequence[Event]:
    person = _person(envelope.detail.id, installation)
    return [
        Event(
            id=envelope.id,
            type=type_,
            occurred_at=envelope.time,
            subject=f"user/{envelope.detail.id}",
            people={"customer": person},
            data=without_blanks(data),
            **more,
        )
    ]


def _consent(envelope: Envelope, installation: Installation) -> Sequence[Event]:
    """The field that holds consent was set. The statement goes along when the person's number was fetched."""
    field = envelope.event.custom_field
    named = {field.key, field.title} if field is not None else set()
    fields = [one for one in changed_fields(installation) if one.key in named or title_of(one.key) in named]
    if not fields:
        return []
    said = hints({fields[0].key: envelope.event.current}, installation, at=envelope.time, source="platform", proof=envelope.id)
    if not said:
        return []
    data: dict[str, Json] = {
        "consent.state": str(said[0].state),
        "consent.purpose": str(said[0].purpose),
        "consent.at": stamp(envelope.time),
        "consent.source": "zendesk",
    }
    fetch = {"user": envelope.detail.id, "said": _plain(envelope.event.current), "field": fields[0].key, "proof": envelope.id}
    return _user(envelope, "customer.consent_changed", data, installation, fetch=fetch)


def _merged(envelope: Envelope, installation: Installation) -> Sequence[Event]:
    kept = envelope.event.user.id if envelope.event.user is not None else ""
    data: dict[str, Json] = {"person.lost_ref": f"user/{envelope.detail.id}", "person.kept_ref": f"user/{kept}" if kept else ""}
    return _user(envelope, "person.merged", data, installation)


def _deleted(envelope: Envelope, installation: Installation) -> Sequence[Event]:
    if installation.settings.get("erase_on_delete") is not True:
        return []  # a user who is deleted can be brought back
    return _user(envelope, "person.erase_requested", {}, installation)


#: Every type we serve. Any other is answered 200 and makes no event.
TYPES: Mapping[str, Reader] = {
    "ticket.created": _created,
    "ticket.status_changed": _status,
    "ticket.comment_added": _commented,
    **{f"ticket.{kind}": _changed(name) for kind, name in CHANGES.items()},
    "user.custom_field_changed": _consent,
    "user.merged": _merged,
    "user.deleted": _deleted,
}
