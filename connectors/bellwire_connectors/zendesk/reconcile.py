"""The look back: what is missing at Zendesk made again, and what happened meanwhile read from the incremental export.

Only facts with a time of their own are told: a ticket was made, solved, answered by an agent. What came by webhook has the same
fact and is a duplicate. A changed field can't be told from a poll. The export allows ten calls a minute ("Incremental Exports").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bellwire import Event, Link, PlatformRejected, PlatformUnauthorized

from .account import bot_user_id, id_of
from .client import Desk
from .enrich import newest_comments
from .facts import event
from .people import is_staff
from .setup import subscribe
from .shapes import stamp, text, time_of

LONGEST = timedelta(days=29)  # facts are kept 30 days; what is older could not be told from news
YOUNGEST = timedelta(seconds=70)  # Zendesk refuses a start within the last minute
OVERLAP = timedelta(minutes=5)
PAGES = 8  # of up to 1,000 tickets: what is left comes with the next look
CONVERSATIONS = 200  # tickets of one look whose comments are read; each is a call


@dataclass(frozen=True, slots=True)
class Look:
    """One look: facts older than `floor` are not news."""

    desk: Desk
    floor: datetime

    def news(self, at: datetime | None) -> bool:
        """Whether something that happened then is to be told."""
        return at is not None and at >= self.floor


def reconcile(link: Link, since: datetime) -> Sequence[Event]:
    """Make again what is missing, then read what changed since then, or where the last look ended. Raises PlatformError."""
    with suppress(PlatformRejected):  # without a public URL nothing can be subscribed, and polling is all there is
        subscribe(link)
    desk = Desk(link)
    began = link.now()
    kept = link.installation.cursor.get("tickets")
    kept = kept if isinstance(kept, Mapping) else {}
    look = Look(desk, _floor(link, since, time_of(kept.get("since"))))
    events: list[Event] = []
    left = CONVERSATIONS
    cursor, ended = str(kept.get("cursor") or ""), False
    for _ in range(PAGES):
        page = _page(desk, cursor, min(look.floor, began - YOUNGEST))
        listed = page.get("tickets")
        solved = {id_of(one.get("ticket_id")): one for one in page.get("metric_sets") or [] if isinstance(one, dict)}
        for ticket in listed if isinstance(listed, list) else []:
            if not isinstance(ticket, dict) or ticket.get("status") == "deleted" or not id_of(ticket.get("id")):
                continue
            events.extend(_facts(ticket, solved, look))
            if left > 0 and look.news(time_of(ticket.get("updated_at"))):
                left -= 1
                events.extend(_answers(ticket, look))
        cursor, ended = str(page.get("after_cursor") or cursor), page.get("end_of_stream") is not False
        if ended:
            break
    link.remember(tickets={"cursor": cursor, "since": stamp(began - OVERLAP if ended else look.floor)})
    return events


def _page(desk: Desk, cursor: str, start: datetime) -> dict[str, Any]:
    if cursor:
        try:
            return desk.get("incremental/tickets/cursor.json", cursor=cursor, include="metric_sets")
        except PlatformRejected as e:
            if e.http_status not in (400, 422):  # a cursor of another time: begin anew
                raise
    return desk.get("incremental/tickets/cursor.json", start_time=int(start.timestamp()), include="metric_sets")


def _floor(link: Link, since: datetime, last: datetime | None) -> datetime:
    floor = link.now() - LONGEST
    if link.installation.installed_at:
        floor = max(floor, link.installation.installed_at)  # what was before us is not ours to tell
    return max(min(since, last) if last else since, floor)


def _facts(ticket: Mapping[str, Any], solved: Mapping[str, Mapping[str, Any]], look: Look) -> Iterator[Event]:
    number, created = id_of(ticket["id"]), time_of(ticket.get("created_at"))
    ours = text(ticket.get("external_id")).startswith("bellwire:")
    if created is not None and look.news(created) and not ours:
        yield _event("ticket.created", ticket, number, created, "", look)
    at = time_of(solved.get(number, {}).get("solved_at"))
    if at is not None and look.news(at) and ticket.get("status") in ("solved", "closed"):
        yield _event("ticket.solved", ticket, number, at, stamp(at), look)


def _answers(ticket: Mapping[str, Any], look: Look) -> Iterator[Event]:
    """What agents wrote for the customer."""
    number = id_of(ticket["id"])
    try:
        comments, users = newest_comments(look.desk, number)
    except (PlatformRejected, PlatformUnauthorized):
        return  # merged or deleted meanwhile
    bot = bot_user_id(look.desk.installation)
    for comment in reversed(comments):
        author, at = id_of(comment.get("author_id")), time_of(comment.get("created_at"))
        first = at == time_of(ticket.get("created_at"))  # the ticket's own description
        if at is None or first or not look.news(at) or comment.get("public") is not True or author == bot:
            continue
        if is_staff(users.get(author, {})):
            name = id_of(comment.get("id"))
            yield _event("ticket.commented", ticket, number, at, name, look, comment=name)


def _event(type_: str, ticket: Mapping[str, Any], number: str, at: datetime, stage: str, look: Look, **fetch: str) -> Event:
    data = {"ticket.status": text(ticket.get("status"), 40), "ticket.subject": text(ticket.get("subject"))}
    return event(
        id="", type=type_, ticket_id=number, at=at, stage=stage, data=data, fetch=fetch, installation=look.desk.installation
    )
