"""The look back: what no webhook told is found, once, with the facts that a webhook has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from bellwire import Event, PlatformThrottled
from bellwire.testing import NOW, FixedClock, LooseLink
from bellwire_connectors.zendesk import connector
from standins.zendesk import Zendesk


def look(link: LooseLink, since: datetime = NOW - timedelta(minutes=10)) -> Sequence[Event]:
    """One look; what it remembers is there for the next one."""
    assert connector.reconcile is not None
    found = connector.reconcile(link, since)
    made = link.installation
    secret = str(made.credentials.get("signing_secret") or "")
    link._installation = replace(made, cursor={**made.cursor, **link.cursor}, secrets=(secret,) if secret else ())
    return found


def told(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(event.type, event.subject) for event in events]


@pytest.fixture
def looked(desk: Zendesk, link: LooseLink, clock: FixedClock, ana: int) -> LooseLink:
    """A link whose first look is over."""
    look(link)
    clock.advance(600)
    return link


def test_a_ticket_opened_answered_and_solved_meanwhile(desk: Zendesk, looked: LooseLink, clock: FixedClock, ana: int) -> None:
    ticket = desk.open_ticket(ana, "Where is it?")
    clock.advance(30)
    comment = desk.comment(ticket, "On its way", by=desk.agent)
    desk.comment(ticket, "Private", by=desk.agent, public=False)
    desk.comment(ticket, "Thanks", by=ana)
    clock.advance(30)
    desk.set_status(ticket, "solved")
    clock.advance(120)
    found = look(looked)
    assert told(found) == [(f"ticket.{what}", f"ticket/{ticket}") for what in ("created", "solved", "commented")]
    assert [event.fact.split(":", 2)[2] for event in found] == ["", "2026-01-05T09:11:00Z", str(comment)]
    assert [dict(event.fetch) for event in found][2] == {"ticket": str(ticket), "comment": str(comment)}
    assert all(event.id == event.fact for event in found)


def test_what_a_webhook_told_has_the_same_fact(desk: Zendesk, looked: LooseLink, clock: FixedClock, ana: int) -> None:
    ticket = desk.open_ticket(ana, "Where is it?")
    clock.advance(5)
    desk.comment(ticket, "On its way", by=desk.agent)
    desk.set_status(ticket, "solved")
    by_webhook = {event.fact for request in desk.deliveries() for event in connector.read(request, looked.installation)} - {""}
    clock.advance(120)
    assert {event.fact for event in look(looked)} == by_webhook
    assert len(by_webhook) == 3


def test_the_next_look_tells_only_what_is_new(desk: Zendesk, looked: LooseLink, clock: FixedClock, ana: int) -> None:
    first = desk.open_ticket(ana, "One")
    clock.advance(120)
    assert told(look(looked)) == [("ticket.created", f"ticket/{first}")]
    clock.advance(600)
    second = desk.open_ticket(ana, "Two")
    clock.advance(120)
    assert told(look(looked)) == [("ticket.created", f"ticket/{second}")]
    clock.advance(600)
    assert look(looked) == []


def test_our_own_tickets_and_comments_are_no_news(desk: Zendesk, looked: LooseLink, clock: FixedClock, ana: int) -> None:
    comment = {"body": "by text", "public": True, "author_id": ana}
    ours = {"requester_id": ana, "external_id": "bellwire:rpl_1", "comment": comment}
    made = desk.post_ticket(sent={"ticket": ours}, caller=desk.bot)
    clock.advance(5)
    desk.comment(made["ticket"]["id"], "a status", by=desk.bot)
    clock.advance(120)
    assert look(looked) == []


def test_nothing_from_before_the_installation_or_the_month_is_told(
    desk: Zendesk, open_link: Callable[..., LooseLink], clock: FixedClock, ana: int
) -> None:
    desk.open_ticket(ana, "Old")
    clock.advance(3600)
    link = open_link()
    link._installation = replace(link.installation, installed_at=clock.now() - timedelta(minutes=5))
    assert look(link, NOW - timedelta(days=400)) == []


def test_a_cursor_of_another_time_begins_anew(
    desk: Zendesk, looked: LooseLink, clock: FixedClock, ana: int, monkeypatch: Any
) -> None:
    from standins.zendesk_desk import Refused

    asked = desk.export

    def strict(*, asked: Any, **more: Any) -> Any:
        if "cursor" in asked:
            raise Refused(400, {"error": "InvalidCursor"})
        return original(asked=asked, **more)

    original = asked
    monkeypatch.setattr(desk, "export", strict)
    ticket = desk.open_ticket(ana, "Here")
    clock.advance(120)
    assert told(look(looked)) == [("ticket.created", f"ticket/{ticket}")]


def test_what_is_missing_is_made_again(desk: Zendesk, looked: LooseLink) -> None:
    desk.webhooks.clear()
    look(looked)
    assert len(desk.webhooks) == 1


def test_the_export_s_own_limit_is_kept(desk: Zendesk, looked: LooseLink) -> None:
    for _ in range(10):
        look(looked)
    with pytest.raises(PlatformThrottled) as caught:
        look(looked)
    assert caught.value.retry_after_s == 61
