"""What became of a text, on its ticket: one private note a final status, a field, a tag; all of it in one update.

A ticket takes 30 updates in ten minutes from one user and an account 100 a minute ("Rate limits"), so that all that waits for a
ticket goes in one; the engine hands it over together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from bellwire import Link, PlatformRejected, Status, StatusChange

from .account import id_of, number_in
from .client import Desk
from .marks import marked, metadata
from .shapes import stamp

#: Final for the message, or so unclear that a person should look.
NOTED = frozenset(
    {Status.DELIVERED, Status.UNDELIVERED, Status.FAILED, Status.EXPIRED, Status.CANCELED, Status.REFUSED, Status.UNKNOWN}
)

#: Our status → the option of the status field, which is a tag too. Options of a drop-down are unique in an account.
OPTIONS: Mapping[Status, str] = {
    Status.SCHEDULED: "sms_queued",
    Status.QUEUED: "sms_queued",
    Status.SENDING: "sms_queued",
    Status.SENT: "sms_sent",
    Status.DELIVERED: "sms_delivered",
    Status.UNDELIVERED: "sms_failed",
    Status.FAILED: "sms_failed",
    Status.EXPIRED: "sms_failed",
    Status.CANCELED: "sms_canceled",
    Status.REFUSED: "sms_refused",
    Status.UNKNOWN: "sms_unknown",
}

WORDS: Mapping[Status, str] = {
    Status.DELIVERED: "was delivered",
    Status.UNDELIVERED: "was not delivered",
    Status.FAILED: "was not taken by the carrier",
    Status.EXPIRED: "came too late and was not sent",
    Status.CANCELED: "was canceled",
    Status.REFUSED: "was not sent",
    Status.UNKNOWN: "may or may not have been sent",
}


def write_back(changes: Sequence[StatusChange], link: Link) -> None:
    """Write each ticket's news. Writing the same again changes nothing. Raises PlatformError.

    One ticket that is refused does not keep the others from being written; it is raised at the end.
    """
    tickets: dict[str, list[StatusChange]] = {}
    refused: list[PlatformRejected] = []
    for change in changes:
        ticket_id = number_in(change.subject, "ticket")
        if ticket_id:
            tickets.setdefault(ticket_id, []).append(change)
        else:
            refused.append(PlatformRejected("zendesk: no ticket to write on", code="no_target"))
    desk = Desk(link) if tickets else None
    for ticket_id, news in tickets.items():
        try:
            if desk is not None:
                _write(desk, ticket_id, sorted(news, key=lambda one: one.at))
        except PlatformRejected as e:
            refused.append(e)
    if refused:
        raise refused[0]


def _write(desk: Desk, ticket_id: str, news: Sequence[StatusChange]) -> None:
    marks = {_mark(one): one for one in news if one.status in NOTED}
    known = marked(desk, ticket_id) if marks else frozenset()
    due = {mark: one for mark, one in marks.items() if mark not in known}
    if marks and not due and len(marks) == len(news):
        return  # done before: our answer got lost
    option, field = OPTIONS[news[-1].status], status_field_id(desk)
    update: dict[str, Any] = {"custom_fields": [{"id": int(field), "value": option}]} if field else {}
    if due:
        update["comment"] = {"html_body": "<br>".join(_line(one) for one in due.values()), "public": False}
        update["metadata"] = metadata(due)
    if update:
        desk.put(f"tickets/{ticket_id}.json", {"ticket": update})
    if not field:  # the field's option would have been the tag
        _tag(desk, ticket_id, option)


def _tag(desk: Desk, ticket_id: str, tag: str) -> None:
    """The newest status as the only one of our tags; tags of others stay."""
    have = desk.get(f"tickets/{ticket_id}/tags.json").get("tags")
    ours = frozenset(OPTIONS.values())
    old = [one for one in have if one in ours and one != tag] if isinstance(have, list) else []
    if old:
        desk.delete(f"tickets/{ticket_id}/tags.json", {"tags": old})
    if not isinstance(have, list) or tag not in have:
        desk.put(f"tickets/{ticket_id}/tags.json", {"tags": [tag]})


def _mark(change: StatusChange) -> str:
    return f"{change.message_id}:{change.status.value}"


def _line(change: StatusChange) -> str:
    """One sentence for agents: no name, no whole number; the text only where the setting asked for it."""
    whose = f" to …{change.msisdn_tail}" if change.msisdn_tail else ""
    by = f" ({change.trigger})" if change.trigger else ""
    why = f": {change.reason.replace('_', ' ')}" if change.reason else ""
    said = f"Text message{whose}{by} {WORDS[change.status]}{why}. {stamp(change.at)}"
    return escape(said) + (f"<br>{escape(change.text)}" if change.text else "")


def status_field_id(desk: Desk) -> str:
    """The id of the ticket field `settings.status_field`, "" when the account has none of that title.

    Looked up once; a field that is made later is found when the installation is subscribed or checked.
    """
    wanted = str(desk.installation.settings.get("status_field") or "")
    if not wanted or id_of(wanted):
        return id_of(wanted)
    kept = desk.installation.cursor.get("status_field")
    if isinstance(kept, Mapping) and kept.get("title") == wanted:
        return id_of(kept.get("id"))
    return find_status_field(desk, wanted)


def find_status_field(desk: Desk, title: str) -> str:
    """Ask Zendesk for the field of this title, and keep what it says."""
    listed = desk.get("ticket_fields.json").get("ticket_fields")
    named = [one for one in listed if isinstance(one, dict) and one.get("title") == title] if isinstance(listed, list) else []
    found = id_of(named[0].get("id")) if named else ""
    desk.link.remember(status_field={"title": title, "id": found})
    return found
