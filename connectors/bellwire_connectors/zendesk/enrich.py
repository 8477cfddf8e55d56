"""A ticket's event, completed: who asked, who answered, and what they wrote, as the API has it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bellwire import Event, Json, Link, Person, PlatformRejected, PlatformUnauthorized

from .account import bot_user_id, id_of
from .client import Desk
from .consents import at_key, hints, said_before
from .facts import without_blanks
from .people import first_name, is_staff, needs_identities, person_of, phones_of
from .sdk import Reader
from .shapes import text, time_of, word

COMMENTS = 30  # the newest of a ticket: the one that an event is about is among them
_LONGEST = 1000


def enrich(event: Event, link: Link) -> Event:
    """The event with people and data. One that has somebody to text already goes on when Zendesk won't tell more.

    An agent's comment is looked at again: what was made private meanwhile, or is not an agent's, is texted to nobody. Raises
    PlatformError.
    """
    try:
        if "user" in event.fetch:
            return _about_user(event, link)
        return _about_ticket(event, link)
    except (PlatformRejected, PlatformUnauthorized):
        if event.type != "ticket.commented" and any(person.phones for person in event.people.values()):
            return replace(event, fetch={})
        raise


def _about_ticket(event: Event, link: Link) -> Event:
    desk = Desk(link)
    read = Reader(desk)
    ticket = read.ticket(event.fetch["ticket"])
    user = read.user(id_of(ticket.get("requester_id")))
    requester = person_of(user, read.identities(id_of(user.get("id"))) if needs_identities(user) else (), link.installation)
    people: dict[str, Person] = {"customer": requester, "requester": requester}
    data: dict[str, Json] = {**ticket_data(ticket), **_names("requester", user), **_names("customer", user)}
    if event.type == "ticket.commented":
        comment, author = _comment(desk, event.fetch["ticket"], event.fetch.get("comment", ""))
        if comment is None:
            return replace(event, people={}, data=without_blanks({**event.data, **data}), fetch={})
        data |= {
            "ticket.latest_comment": text(comment.get("plain_body") or comment.get("body"), _LONGEST),
            **_names("agent", author),
        }
        people["agent"] = person_of(author, (), link.installation)
    elif id_of(ticket.get("assignee_id")):
        agent = read.user(id_of(ticket["assignee_id"]))
        people["agent"] = person_of(agent, (), link.installation)
        data |= _names("agent", agent)
    return replace(event, people=people, data=without_blanks({**event.data, **data, **_told(event)}), fetch={})


def ticket_data(ticket: Mapping[str, Any]) -> dict[str, Json]:
    """What templates and conditions may use of a ticket; statuses in the API's words, never a localised label."""
    found: dict[str, Json] = {f"ticket.{name}": word(ticket.get(name)) for name in ("status", "priority", "type")}
    found |= {
        "ticket.subject": text(ticket.get("subject")),
        "ticket.external_id": text(ticket.get("external_id")),
        "ticket.due_at": text(ticket.get("due_at")),
        "ticket.created_at": text(ticket.get("created_at")),
        "ticket.tags": [text(tag) for tag in ticket.get("tags") or [] if text(tag)][:50],
        "ticket.assignee_id": id_of(ticket.get("assignee_id")),
        "ticket.group_id": id_of(ticket.get("group_id")),
        "ticket.channel": word((ticket.get("via") or {}).get("channel") if isinstance(ticket.get("via"), Mapping) else ""),
    }
    for field in ticket.get("custom_fields") or []:
        value = field.get("value") if isinstance(field, Mapping) else None
        if isinstance(value, str | int) and not isinstance(value, bool) and id_of(field.get("id")):
            found[f"ticket.field_{id_of(field['id'])}"] = text(value)
    return found


def _told(event: Event) -> dict[str, Json]:
    """What only the event knows: what changed, and from what."""
    return {name: value for name, value in event.data.items() if name == "changed" or name.startswith("previous.")}


def _names(role: str, user: Mapping[str, Any]) -> dict[str, Json]:
    return {f"{role}.first_name": first_name(user), f"{role}.name": text(user.get("name"))}


def newest_comments(desk: Desk, ticket_id: str) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """A ticket's newest comments, the newest first, and who wrote them, by id."""
    # zenpy would give the side-loaded users in place of the comments
    found = desk.get(f"tickets/{ticket_id}/comments.json", **{"sort": "-created_at", "page[size]": COMMENTS, "include": "users"})
    comments = [one for one in found.get("comments") or [] if isinstance(one, dict)]
    users = {id_of(one.get("id")): one for one in found.get("users") or [] if isinstance(one, dict)}
    return sorted(comments, key=lambda one: str(one.get("created_at") or ""), reverse=True), users


def _comment(desk: Desk, ticket_id: str, wanted: str) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The comment of the event, or the newest public one; None when it is not an agent's words to the customer (any more)."""
    comments, users = newest_comments(desk, ticket_id)
    for comment in comments:
        if (wanted and id_of(comment.get("id")) != wanted) or (not wanted and comment.get("public") is not True):
            continue
        author_id = id_of(comment.get("author_id"))
        author = users.get(author_id, {})
        good = comment.get("public") is True and is_staff(author) and author_id != bot_user_id(desk.installation)
        return (comment, author) if good else (None, {})
    return None, {}


def _about_user(event: Event, link: Link) -> Event:
    """The statement of a changed consent field goes along with the numbers that it is about."""
    desk = Desk(link)
    read = Reader(desk)
    user = read.user(event.fetch["user"])
    lines = read.identities(event.fetch["user"])
    person = person_of(user, lines, link.installation)
    key, value = event.fetch["field"], event.fetch["said"]
    given = user.get("user_fields")
    current = given if isinstance(given, Mapping) else {}
    ours = said_before(current.get(at_key(key)))
    at = min(ours[1], event.occurred_at) if ours is not None and ours[0] == value else event.occurred_at
    # the echo of our own write is as old as the statement that we wrote: a STOP in between stays newer. Where nothing tells
    # the two apart, a yes proves nothing
    proof = event.fetch.get("proof", "") if at_key(key) in current else ""
    said = hints({key: value}, link.installation, at=at, source="zendesk", proof=proof)
    now = text(current.get(key))
    if now and now != value and (time_of(user.get("updated_at")) or event.occurred_at) > event.occurred_at:
        said = [one for one in said if one.state == "opted_out"]  # it was changed again: that has an event of its own
    if all(one.state == "opted_out" for one in said):  # a "no" counts for every number of theirs, also for a shared one
        person = replace(person, phones=phones_of({**user, "shared_phone_number": False}, lines))
    data = without_blanks({**event.data, **_names("customer", user)})
    return replace(event, people={"customer": replace(person, consents=said)}, data=data, fetch={})
