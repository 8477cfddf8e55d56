"""A platform's API that is down for an hour: no text waits for it, and afterwards every status stands there once (B12).

Also where the platform, back again, does its work and the answer gets lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.engine.crew import Crew
from bellwire.engine.presence import Presence
from bellwire.engine.writebacks import WriteBacks
from bellwire.ids import show
from bellwire.model import Event, Person
from bellwire.plugins import load_plugins
from bellwire.store import schema
from bellwire.store.schema import JOB_DONE
from bellwire.testing import FixedClock, installation
from standins.places import PLACES, Gate, Place
from standins.shift import TABLES
from standins.world import World, number, until

ROUNDS, TEXTS, HOUR_S = 6, 5, 3_600
LOST = 6  # answers to calls that did their work, once the platform is back


class Hour(World):
    """The engine by a clock that stands still until it is moved, with one platform behind a gate."""

    def __init__(self, url: str, place: Place, clock: FixedClock, gate: Gate, at: Any) -> None:
        super().__init__(url, plugins=load_plugins(only=("sandbox", place.name)))
        self.clock = self.engine.now = clock.now  # type: ignore[assignment]  # nothing else is asked of it
        made = installation(place.connector)
        credentials, settings = {**made.credentials, **at.credentials()}, {**made.settings, **at.settings()}
        self.account()
        self.template("told", "Something happened.")
        self.kind = next(iter(place.connector.events))
        self.trigger(self.kind, "told", connector=place.name)
        settings |= {"write_back": "final", "base_url": gate.url}
        self.installation_id = self.install(place.name, credentials, settings)
        self.presence = Presence(self.engine, TABLES, clock=clock.monotonic)
        self.crew = Crew("jobs", self.engine, WriteBacks(self.engine), self.presence, clock=clock.monotonic)

    def about(self, subject: str, place: int) -> Event:
        """Something happened to an object of the platform's."""
        customer = Person(ref=subject, phones=[number(place)])
        return Event(id=f"event-{place}", type=self.kind, occurred_at=self.clock(), subject=subject, people={"customer": customer})

    def look(self) -> None:
        """Do the write-backs that are due now."""
        self.presence.step()
        assert self.crew.settle(20)


@pytest.fixture(params=PLACES, ids=lambda place: place.name)
def place(request: pytest.FixtureRequest) -> Place:
    made: Place = request.param
    return made


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def at(place: Place, clock: FixedClock) -> Iterator[Any]:
    running = place.started(clock)
    yield running
    running.stop()


@pytest.fixture
def gate(at: Any) -> Iterator[Gate]:
    with Gate(at.url) as running:
        yield running


@pytest.fixture
def hour(sqlite_url: str, place: Place, clock: FixedClock, gate: Gate, at: Any) -> Iterator[Hour]:
    made = Hour(sqlite_url, place, clock, gate, at)
    yield made
    made.crew.drain(5)
    made.engine.http.close()
    made.close()


def test_an_hour_without_the_platform_delays_no_text_and_every_status_stands_there_once(
    hour: Hour, place: Place, clock: FixedClock, gate: Gate, at: Any
) -> None:
    gate.open = False
    hour.pump()
    for round_ in range(ROUNDS):
        events = [hour.about(at.subject(), round_ * TEXTS + one) for one in range(TEXTS)]
        hour.take(hour.installation_id, *events)
        hour.wait_for(delivered=(round_ + 1) * TEXTS)  # while nobody moves the clock
        hour.look()
        for _ in range(5):
            clock.advance(HOUR_S / ROUNDS / 5)
            hour.look()
    assert not place.counted(at)
    assert gate.turned_away >= 10, "it was asked now and then"
    gate.open, gate.loses = True, LOST

    def all_done() -> bool:
        clock.advance(600)
        hour.look()
        return not hour.all(sa.select(schema.write_backs.c.id).where(schema.write_backs.c.status != JOB_DONE))

    until(all_done, "a status is missing", within_s=15)
    texts = [show("msg", row.id) for row in hour.messages()]
    assert place.counted(at) == Counter(dict.fromkeys(texts, 1))
    assert len(texts) == ROUNDS * TEXTS
