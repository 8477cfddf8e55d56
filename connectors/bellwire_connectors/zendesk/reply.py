"""A person's text into the desk: the requester's own public comment on the right ticket, a follow-up, a new one, or a question.

The right ticket is the one whose text was answered; else the person's newest open one; else a new one. Zendesk's rules see the
user we act as as the updater, whoever the author is: the triggers we ship leave that user out.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from bellwire import Link, PlatformRejected, ReplyNote

from .account import id_of, number_in
from .client import Desk
from .finding import is_same, open_ticket, users_by_phone
from .marks import marked, metadata
from .people import is_shared
from .sdk import Reader

SHARED, NOT_THEIRS = "that several people share", "that is not the requester's"
_WAITS_FOR_US = frozenset({"pending", "solved", "hold"})  # an answer puts the ticket before an agent again


def write_reply(note: ReplyNote, link: Link) -> None:
    """Write it once, however often it is called for the same reply. Raises PlatformError.

    A keyword is a private note on the ticket, if there is one: the agents should know, no ticket is opened or reopened for it.
    """
    desk = Desk(link)
    ticket = _ticket(desk, note)
    if note.kind:
        if ticket is not None and ticket.get("status") != "closed":
            _note(desk, ticket, note, f"The customer texted {note.text.strip()[:40]}. Consent was changed accordingly.")
        return
    if ticket is not None:
        requester = Reader(desk).user(id_of(ticket.get("requester_id")))
        if is_shared(requester):
            _ask(desk, ticket, note, SHARED)
        elif not _owns(desk, requester, note.msisdn):
            _ask(desk, ticket, note, NOT_THEIRS)  # an agent's, whom we texted about the ticket; or a number from elsewhere
        else:
            _comment(desk, ticket, note)
        return
    people = users_by_phone(desk, note.msisdn) or _named(desk, note)
    if len(people) > 1 or any(is_shared(one) for one in people):
        _ask(desk, None, note, SHARED)
        return
    author = id_of(people[0].get("id")) if people else ""
    going = open_ticket(desk, author) if author else None
    if going is not None:
        _comment(desk, going, note)
    else:
        _open(desk, note, author)


def _ticket(desk: Desk, note: ReplyNote) -> dict[str, Any] | None:
    """The ticket whose text was answered; None when there was none or it is gone (deleted, merged away)."""
    number = number_in(note.subject, "ticket")
    if not number:
        return None
    try:
        return Reader(desk).ticket(number)
    except PlatformRejected as e:
        if e.http_status == 404:
            return None
        raise


def _comment(desk: Desk, ticket: Mapping[str, Any], note: ReplyNote) -> None:
    author, number = id_of(ticket.get("requester_id")), id_of(ticket.get("id"))
    if ticket.get("status") == "closed":
        _follow_up(desk, ticket, note)
        return
    update: dict[str, Any] = {"comment": {"html_body": _html(note.text), "public": True, "author_id": int(author)}}
    if ticket.get("status") in _WAITS_FOR_US:
        update["status"] = "open"
    try:
        _update(desk, number, note, update)
    except PlatformRejected as e:
        if e.code != "closed":  # it was closed just now
            raise
        _follow_up(desk, ticket, note)


def _follow_up(desk: Desk, ticket: Mapping[str, Any], note: ReplyNote) -> None:
    author = int(id_of(ticket.get("requester_id")))
    _make(
        desk,
        note,
        {
            "via_followup_source_id": int(id_of(ticket.get("id"))),
            "subject": f"Re: {ticket.get('subject') or 'your ticket'}"[:150],
            "requester_id": author,
            "comment": {"html_body": _html(note.text), "public": True, "author_id": author},
        },
    )


def _open(desk: Desk, note: ReplyNote, author: str) -> None:
    """A ticket for somebody who has none, or whom nobody knows: then a user is made, whose name can only be the number."""
    who: dict[str, Any] = {"requester_id": int(author)} if author else {"requester": {"name": note.msisdn, "phone": note.msisdn}}
    comment: dict[str, Any] = {"html_body": _html(note.text), "public": True}
    if author:
        comment["author_id"] = int(author)
    _make(desk, note, {**who, "subject": "Text message", "comment": comment})


def _owns(desk: Desk, user: Mapping[str, Any], msisdn: str) -> bool:
    """Whether it is this user's number: the profile's, or a direct line."""
    if is_same(user.get("phone"), msisdn):
        return True
    lines = Reader(desk).identities(id_of(user.get("id")))
    return any(is_same(one.get("value"), msisdn) for one in lines if one.get("type") == "phone_number")


def _named(desk: Desk, note: ReplyNote) -> list[dict[str, Any]]:
    """The user the text went to, where the search does not know the number yet; nobody when it is not theirs."""
    known = number_in(note.customer_ref, "user")
    if not known:
        return []
    try:
        user = Reader(desk).user(known)
    except PlatformRejected as e:
        if e.http_status == 404:
            return []
        raise
    return [user] if _owns(desk, user, note.msisdn) else []


def _ask(desk: Desk, ticket: Mapping[str, Any] | None, note: ReplyNote, why: str) -> None:
    """Nobody knows for sure who wrote: nothing is put into anybody's mouth, an agent finds out who it was."""
    asks = f"This text came from a number (…{note.msisdn[-2:]}) {why}. Please find out who wrote it, and answer."
    if ticket is not None and ticket.get("status") != "closed":
        _note(desk, ticket, note, asks, note.text)
        return
    body = f"<p>{escape(asks)}</p>{_html(note.text)}"
    _make(desk, note, {"subject": "Text message: who wrote it?", "comment": {"html_body": body, "public": False}})


def _note(desk: Desk, ticket: Mapping[str, Any], note: ReplyNote, about: str, text: str = "") -> None:
    body = f"<p>{escape(about)}</p>{_html(text) if text else ''}"
    _update(desk, id_of(ticket.get("id")), note, {"comment": {"html_body": body, "public": False}})


def _update(desk: Desk, ticket_id: str, note: ReplyNote, update: Mapping[str, Any]) -> None:
    if note.reply_id in marked(desk, ticket_id):
        return  # done before: our answer got lost
    desk.put(f"tickets/{ticket_id}.json", {"ticket": {**update, "metadata": metadata([note.reply_id])}})


def _make(desk: Desk, note: ReplyNote, ticket: Mapping[str, Any]) -> None:
    """Once: found again by its external id, and within two hours by Zendesk itself.

    Raises PlatformRejected where no ticket is wanted.
    """
    if desk.installation.settings.get("reply_creates_ticket") is False:
        raise PlatformRejected("zendesk: no open ticket, and settings.reply_creates_ticket is off", code="no_ticket")
    name = f"bellwire:{note.reply_id}"
    if desk.get("tickets.json", external_id=name).get("tickets"):
        return
    body = {**ticket, "external_id": name, "tags": ["sms"], "metadata": metadata([note.reply_id])}
    desk.post("tickets.json", {"ticket": body}, key=name)


def _html(text: str) -> str:
    """The text as it was typed: `body` would draw blanks and lines together."""
    return f"<p>{escape(text.strip()).replace(chr(10), '<br>')}</p>"
