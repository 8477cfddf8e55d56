"""Ten thousand write-backs to each platform at its documented limit: never beyond it, and hardly slower than it allows.

Time is virtual: calls take none of it, and whoever works looks five times a second, as `serve` does. The stand-ins count what
comes beyond the limit. It is one process that keeps to it: of several each does so by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.engine.followups import Change
from bellwire.model import Status
from bellwire.store import schema
from bellwire.store.schema import JOB_DONE
from bellwire.testing import FixedClock, StandIn, installation
from standins.desk import Desk
from standins.hubspot_certified import CertifiedPortal
from standins.places import PLACES
from standins.salesforce_certified import CertifiedOrganization
from standins.shift import Shift
from standins.shopify_certified import CertifiedShop
from standins.shopify_graphql import Throttle
from standins.zendesk_certified import CertifiedDesk

TICK_S = 0.2  # how often the loop looks
SLOWER = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A platform that keeps its documented limit. `beyond`: calls that came beyond it; `least_s`: what was called, at the
    rate that the limit allows.
    """

    name: str
    limit: str
    start: Callable[[FixedClock], Any]
    beyond: Callable[[Any], int]
    least_s: Callable[[Any], float]
    settings: dict[str, Any]


class LimitedPortal(CertifiedPortal):
    """An OAuth app's: 110 calls in ten seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.per_ten_seconds = 110


def _shop(clock: FixedClock) -> CertifiedShop:
    made = CertifiedShop()
    made._shop.throttle = Throttle(2_000, 100, clock.monotonic)
    return made


def _portal(clock: FixedClock) -> LimitedPortal:
    made = LimitedPortal()
    made.limit_clock = clock.now
    return made


def _desk(_: FixedClock) -> CertifiedDesk:
    made = CertifiedDesk()
    made.limits |= {"account": 400, "updates": 100, "ticket": 30}
    made.ticket_fields[7001] = {"id": 7001, "title": "SMS", "active": True}
    return made


def _organization(_: FixedClock) -> CertifiedOrganization:
    made = CertifiedOrganization()
    made._org.daily_limit = 100_000
    return made


def _updates(at: Any) -> int:
    return sum(method == "PUT" for method, _, _ in at.requests)


LIMITS = [
    Limited(
        name="shopify",
        limit="2,000 points, 100 a second",
        start=_shop,
        beyond=lambda at: at._shop.throttle.refused,
        least_s=lambda at: at._shop.throttle.taken / 100,
        settings={"write_back_tag": False, "write_back_note": False},
    ),
    Limited(
        name="hubspot",
        limit="110 calls in 10 s",
        start=_portal,
        beyond=lambda at: at.limited,
        least_s=lambda at: at.calls() / 11,
        settings={},
    ),
    Limited(
        name="zendesk",
        limit="100 updates and 400 calls a minute",
        start=_desk,
        beyond=lambda at: at.limited,
        least_s=lambda at: max(_updates(at) / 100, at.calls() / 400) * 60,
        settings={"write_back": "final", "status_field": "7001"},
    ),
    Limited(
        name="salesforce",
        limit="100,000 calls a day",
        start=_organization,
        beyond=lambda at: at._org.limited,
        least_s=lambda _: 0.0,
        settings={},
    ),
]


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(params=LIMITS, ids=lambda one: one.name)
def limited(request: pytest.FixtureRequest) -> Limited:
    made: Limited = request.param
    return made


@pytest.fixture
def at(limited: Limited, clock: FixedClock) -> Iterator[Any]:
    made: StandIn = limited.start(clock)
    made.now = clock.now  # type: ignore[misc]  # as the certification kit sets it
    made.start()
    yield made
    made.stop()


@pytest.fixture
def desk(sqlite_url: str, limited: Limited, clock: FixedClock) -> Iterator[Desk]:
    connector = next(one.connector for one in PLACES if one.name == limited.name)
    made = Desk(sqlite_url, connector, clock=clock)
    yield made
    made.close()


def install(desk: Desk, limited: Limited, at: Any) -> Any:
    made = installation(desk.connectors[0])
    credentials = {**made.credentials, **at.credentials()}
    settings = {**made.settings, **at.settings(), **limited.settings, "base_url": at.url}
    return desk.installation(limited.name, credentials=credentials, **settings)


def left(desk: Desk) -> int:
    """How many write-backs are not done."""
    w = schema.write_backs.c
    [row] = desk.all(sa.select(sa.func.count().label("n")).where(w.status != JOB_DONE))
    return int(row.n)


@pytest.mark.parametrize("count", [150, pytest.param(10_000, id="full", marks=pytest.mark.proof)])
def test_write_backs_keep_to_the_limit(
    desk: Desk, limited: Limited, at: Any, clock: FixedClock, count: int, tell: Callable[..., None]
) -> None:
    shop, messages = install(desk, limited, at), desk.messages(count)
    for first in range(0, count, 1_000):
        changes = [
            Change(message_id=one, status=Status.DELIVERED, at=clock.now(), subject=at.subject(), installation_id=shop)
            for one in messages[first : first + 1_000]
        ]
        desk.moved(*changes)
    shift, before = Shift(desk), clock.monotonic()
    shift.presence.step()
    assert shift.crew.settle(600)  # where nothing is limited all of them at once
    while left(desk):
        shift.wait(10 * TICK_S, every=TICK_S)
        assert clock.monotonic() - before < count * 3, "it takes too long"
    shift.crew.drain(5)
    took_s, least_s = clock.monotonic() - before, limited.least_s(at)
    tell(
        "within limits",
        limited.name,
        f"{count:,} write-backs, {limited.limit}",
        beyond=limited.beyond(at),
        calls=at.calls(),
        took_s=f"{took_s:,.0f}",
        the_limit_takes_s=f"{least_s:,.0f}",
    )
    assert desk.states() == {JOB_DONE: count}
    assert limited.beyond(at) == 0
    assert took_s <= SLOWER * least_s + 10 * TICK_S  # it is looked that often whether all is done
