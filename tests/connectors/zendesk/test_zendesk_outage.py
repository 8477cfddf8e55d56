"""Zendesk is away for an hour, cuts calls half-way and then keeps its limits: every status is noted once (B12)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bellwire.ids import show
from bellwire.model import Status
from bellwire.store import installations
from bellwire.testing import FixedClock
from bellwire.testing.standins import Fault
from bellwire_connectors.zendesk import connector
from standins.desk import Desk
from standins.shift import Shift
from standins.zendesk import Zendesk

TICKETS, MESSAGES, CUTS = 40, 100, 25


class Away(Zendesk):
    """Answers 503 to every call while `down`."""

    down = False

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Any:
        return (503, {}, b"{}") if self.down else super().answer(method, path, headers, body)


@pytest.fixture
def ours(sqlite_url: str, clock: FixedClock) -> Iterator[Desk]:
    """Our side: an engine whose clock is Zendesk's."""
    ours = Desk(sqlite_url, connector, clock=clock)
    yield ours
    ours.close()


def installed(ours: Desk, away: Zendesk) -> Any:
    credentials = {"subdomain": away.subdomain, "email": away.email, "api_token": away.api_token}
    make: Callable[[Any], Any] = lambda c: installations.create(  # noqa: E731  # one call
        c,
        ours.engine.vault,
        connector,
        name="Desk",
        credentials=credentials,
        settings={"base_url": away.url, "bot_user_id": str(away.bot), "status_field": ""},
        allow_private=True,
        actor="cli",
        now=ours.clock.now(),
    )
    return ours.change(make).id


def test_an_hour_away_and_every_message_is_noted_once(ours: Desk, clock: FixedClock) -> None:
    with Away(now=clock.now) as away:
        shift, at = Shift(ours), installed(ours, away)
        ana = away.add_user("Ana Example", phone="+12025550142")
        tickets = [away.open_ticket(ana, f"Ticket {place}") for place in range(TICKETS)]
        ids = ours.messages(MESSAGES)
        away.down = True
        for place, message in enumerate(ids):
            ours.status(at, message, Status.DELIVERED, subject=f"ticket/{tickets[place % TICKETS]}")
            clock.advance(36)
            if place % 10 == 0:
                shift.look()
        away.down = False
        for _ in range(CUTS):
            away.fail(Fault(), Fault(cut="after"))
        for _ in range(12 * 60):
            shift.wait(60, every=60)
            if not set(ours.states()) - {2}:
                break
        noted = Counter(
            mark
            for one in tickets
            for audit in away.audits[one]
            for mark in audit["metadata"]["custom"].get("bellwire", "").split()
        )
        lines = sum(text.count("Text message") for one in tickets for _, text in away.written(one, public=False))
        assert ours.states() == {2: MESSAGES}
        assert noted == Counter({f"{show('msg', one)}:delivered": 1 for one in ids})
        assert lines == MESSAGES
        assert not any(one for ticket in tickets for one in away.written(ticket, public=True)[1:])
