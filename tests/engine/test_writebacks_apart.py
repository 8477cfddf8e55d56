"""Statuses of one object so many seconds apart, for platforms that take few updates of it; nothing else waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bellwire.errors import PlatformUnavailable
from bellwire.model import Status
from bellwire.plugins import load_plugins
from bellwire.store.schema import JOB_DONE
from standins.desk import Desk, Platform, connector, fails
from standins.shift import Shift

EVERY_S = 20.0


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def desk(database_url: str, platform: Platform) -> Iterator[Desk]:
    desk = Desk(database_url, connector(platform, write_back_every_s=EVERY_S))
    yield desk
    desk.close()


def when(desk: Desk, platform: Platform) -> list[tuple[float, str]]:
    """Notes each write with the seconds since now."""
    began, seen = desk.clock.now(), list[tuple[float, str]]()
    platform.behave = lambda what: seen.append(((desk.clock.now() - began).total_seconds(), what))
    return seen


def test_what_comes_soon_after_a_write_waits_and_goes_together(desk: Desk, platform: Platform) -> None:
    shop, shift, seen = desk.installation(write_back="all"), Shift(desk), when(desk, platform)
    first, second = desk.message(Status.DELIVERED), desk.message(Status.FAILED)
    desk.status(shop, desk.message(Status.SENT), Status.SENT, subject="ticket/1")
    shift.look()
    desk.clock.advance(1)
    desk.status(shop, first, Status.DELIVERED, subject="ticket/1")
    shift.wait(9, every=1)
    desk.status(shop, second, Status.FAILED, subject="ticket/1")
    shift.wait(40, every=1)
    assert seen == [(0, "status"), (EVERY_S, "status")]
    assert [change.status for change in platform.calls[1][1]] == [Status.DELIVERED, Status.FAILED]
    assert desk.states() == {JOB_DONE: 3}


def test_other_objects_and_replies_do_not_wait(desk: Desk, platform: Platform) -> None:
    shop, shift = desk.installation(), Shift(desk)
    desk.status(shop, desk.message(Status.DELIVERED), Status.DELIVERED, subject="ticket/1")
    shift.look()
    seen = when(desk, platform)
    desk.status(shop, desk.message(Status.DELIVERED), Status.DELIVERED, subject="ticket/2")
    desk.reply(shop, "thank you", subject="ticket/1")
    shift.look()
    assert sorted(seen) == [(0, "reply"), (0, "status")]


def test_another_process_keeps_it_too_and_another_installation_does_not_care(desk: Desk, platform: Platform) -> None:
    shop, other = desk.installation(), desk.installation()
    desk.status(shop, desk.message(Status.DELIVERED), Status.DELIVERED, subject="ticket/1")
    Shift(desk).look()
    again, seen = desk.again(), when(desk, platform)
    for one in (shop, other):
        desk.status(one, desk.message(Status.DELIVERED), Status.DELIVERED, subject="ticket/1")
    Shift(again).wait(25, every=1)
    assert seen == [(1, "status"), (EVERY_S, "status")]
    again.close()


def test_a_try_that_failed_is_no_write(desk: Desk, platform: Platform) -> None:
    shop, shift = desk.installation(), Shift(desk)
    platform.behave = fails(PlatformUnavailable("down", http_status=503), times=1)
    desk.status(shop, desk.message(Status.DELIVERED), Status.DELIVERED, subject="ticket/1")
    shift.wait(10, every=1)
    assert len(platform.changes) == 1, "by the schedule of tries, not later"


def test_who_wants_them_apart() -> None:
    apart = {one.name: one.write_back_every_s for one in load_plugins().connectors.values() if one.write_back_every_s}
    assert apart == {"zendesk": EVERY_S}
