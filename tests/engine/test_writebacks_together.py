"""Statuses of several objects in one call, for connectors that can take them, and what becomes of one that is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from bellwire.errors import PlatformError, PlatformRejected, PlatformThrottled, PlatformUnauthorized, PlatformUnavailable
from bellwire.model import Status, StatusChange
from bellwire.store.schema import JOB_DONE, JOB_FAILED, JOB_QUEUED
from standins.desk import Desk, Platform, connector
from standins.shift import Shift


class Many(Platform):
    """A platform that takes the statuses of several objects. `refuses`: subjects, and what they raise."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses: dict[str, PlatformError] = {}

    def take(self, changes: Sequence[StatusChange], _: Any) -> None:
        """Wholly or not at all."""
        self.calls.append(("asked", [change.subject for change in changes]))
        for change in changes:
            if change.subject in self.refuses:
                raise self.refuses[change.subject]
        self.calls.append(("status", list(changes)))

    @property
    def asked(self) -> list[int]:
        """How many objects each call was about."""
        return [len(set(subjects)) for what, subjects in self.calls if what == "asked"]


@pytest.fixture
def platform() -> Many:
    return Many()


@pytest.fixture
def make(database_url: str, platform: Many) -> Iterator[Callable[[int], Desk]]:
    made: list[Desk] = []

    def desk(together: int) -> Desk:
        made.append(Desk(database_url, connector(platform, write_back=platform.take, write_back_objects=together)))
        return made[-1]

    yield desk
    for one in made:
        one.close()


def texts(desk: Desk, many: int) -> list[str]:
    """A text for each of many orders, delivered; the orders."""
    shop = desk.installation()
    orders = [f"order/{place}" for place in range(1, many + 1)]
    for order in orders:
        desk.status(shop, desk.message(Status.DELIVERED), Status.DELIVERED, subject=order)
    return orders


def states(desk: Desk) -> dict[str, int]:
    return {row.subject: row.status for row in desk.write_backs()}


@pytest.mark.parametrize(("together", "calls"), [(1, [1] * 25), (10, [10, 10, 5]), (100, [25])])
def test_so_many_go_together_as_the_connector_takes(
    make: Callable[[int], Desk], platform: Many, together: int, calls: list[int]
) -> None:
    desk = make(together)
    orders = texts(desk, 25)
    shift = Shift(desk)
    shift.look()
    shift.look()
    assert sorted(change.subject for change in platform.changes) == sorted(orders)
    assert sum(platform.asked) == sum(calls)
    assert max(platform.asked) == max(calls)
    assert set(states(desk).values()) == {JOB_DONE}


def test_one_that_is_refused_does_not_keep_the_others_from_being_written(make: Callable[[int], Desk], platform: Many) -> None:
    desk = make(100)
    orders = texts(desk, 8)
    platform.refuses["order/3"] = PlatformRejected("no such order", http_status=404)
    Shift(desk).look()
    found = states(desk)
    assert found.pop("order/3") == JOB_FAILED
    assert set(found.values()) == {JOB_DONE}
    assert sorted(change.subject for change in platform.changes) == [one for one in orders if one != "order/3"]
    assert platform.asked == [8, *[1] * 8]


LATER = [
    ("throttled", PlatformThrottled("wait", retry_after_s=30.0)),
    ("down", PlatformUnavailable("down")),
    ("not let in", PlatformUnauthorized("token")),
]


@pytest.mark.parametrize(("label", "error"), LATER, ids=[row[0] for row in LATER])
def test_what_is_wrong_with_the_platform_is_not_asked_for_each(
    make: Callable[[int], Desk], platform: Many, label: str, error: PlatformError
) -> None:
    desk = make(100)
    texts(desk, 8)
    platform.refuses["order/3"] = error
    Shift(desk).look()
    assert platform.asked == [8]
    assert set(states(desk).values()) == {JOB_QUEUED}


def test_a_platform_that_has_enough_half_way_is_left_alone(make: Callable[[int], Desk], platform: Many) -> None:
    desk = make(100)
    texts(desk, 4)
    platform.refuses["order/1"] = PlatformRejected("no such order")
    platform.refuses["order/2"] = PlatformThrottled("wait", retry_after_s=60.0)
    Shift(desk).look()
    assert platform.asked == [4, 1, 1]
    assert states(desk) == {"order/1": JOB_FAILED, "order/2": JOB_QUEUED, "order/3": JOB_QUEUED, "order/4": JOB_QUEUED}


def test_of_each_object_the_last_status_goes(make: Callable[[int], Desk], platform: Many) -> None:
    desk = make(100)
    shop = desk.installation(write_back="all")
    for order in ("order/1", "order/2"):
        message = desk.message(Status.DELIVERED)
        for status in (Status.SENT, Status.DELIVERED):
            desk.status(shop, message, status, subject=order)
    Shift(desk).look()
    assert [(change.subject, change.status) for change in platform.changes] == [
        ("order/1", Status.DELIVERED),
        ("order/2", Status.DELIVERED),
    ]
