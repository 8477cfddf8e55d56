"""Calls to Trello's REST API: who has a card, comments on it. developer.atlassian.com, Trello, "Cards"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from bellwire import CheckResult, Event, Link, Person, PlatformError, PlatformRejected, ReplyNote, StatusChange

from bellwire_connectors.translating import happenings
from bellwire_connectors.translating.bodies import day_or_time, one_line
from bellwire_connectors.translating.calls import base_url, call, credential
from bellwire_connectors.translating.notes import write_notes, write_reply_note

API = "https://api.trello.com/1"


def enrich(event: Event, link: Link) -> Event:
    """The event with the card's first member and due date; as it came where the card is gone. Raises PlatformError."""
    params = {"fields": "name,due", "members": "true", "member_fields": "fullName"}
    try:
        card = _ask(link, "card", "GET", _place(event.fetch["card"]), params=params)
    except PlatformRejected as e:
        if e.code != "not_found":
            raise
        return replace(event, fetch={})
    return _filled(event, card if isinstance(card, dict) else {})


def write_back(changes: Sequence[StatusChange], link: Link) -> None:
    """One comment for each status, once. Raises PlatformError."""
    write_notes(changes, who="trello", kind="task", existing=partial(_comments, link), add=partial(_comment, link))


def write_reply(reply: ReplyNote, link: Link) -> None:
    """The reply as a comment on the card that was texted about, once. Raises PlatformError."""
    write_reply_note(reply, who="trello", kind="task", existing=partial(_comments, link), add=partial(_comment, link))


def check(link: Link) -> Sequence[CheckResult]:
    """Whether the token is good. Raises nothing for what Trello does."""
    installation = link.installation
    if not installation.credentials.get("api_token"):
        return [CheckResult(name="api_token", ok=True, detail="none: cards come without members, nothing is written back")]
    try:
        _ask(link, "account", "GET", "/members/me", params={"fields": "id"})
    except PlatformError as e:
        return [CheckResult(name="api_token", ok=False, detail=str(e))]
    return [CheckResult(name="api_token", ok=True, detail="Trello answers")]


def _comments(link: Link, card: str) -> Iterator[str]:
    """The text of the card's newest comments."""
    found = _ask(link, "comments", "GET", f"{_place(card)}/actions", params={"filter": "commentCard", "limit": "200"})
    for row in found if isinstance(found, list) else []:
        data = row.get("data") if isinstance(row, dict) else None
        if isinstance(data, dict):
            yield str(data.get("text") or "")


def _comment(link: Link, card: str, text: str) -> None:
    _ask(link, "comment", "POST", f"{_place(card)}/actions/comments", body={"text": text})


def _place(card: str) -> str:
    return f"/cards/{quote(card, safe='')}"


def _ask(link: Link, what: str, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None) -> Any:
    installation = link.installation
    key, token = credential(installation, "api_key"), credential(installation, "api_token")
    return call(
        link,
        f"trello {what}",
        method,
        f"{base_url(installation, API)}{path}",
        # a header, not a query: addresses are written down in many places
        headers={"Authorization": f'OAuth oauth_consumer_key="{key}", oauth_token="{token}"'},
        params=params,
        body=body,
    )


def _filled(event: Event, card: Mapping[str, Any]) -> Event:
    members = card.get("members")
    first = next((one for one in members if isinstance(one, dict)), {}) if isinstance(members, list) else {}
    ref, name = one_line(first.get("id")), one_line(first.get("fullName"))
    due = event.data.get("task.due_at") or day_or_time(card.get("due"))
    return happenings.with_worker(event, Person(ref=ref, name=name) if ref else None, {"task.due_at": due})
