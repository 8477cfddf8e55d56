"""Write-backs while the platform is down, slow, rude or shut: everything once, nothing burnt (B12)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from bellwire.domain.retries import WRITE_BACK_SCHEDULE_S
from bellwire.errors import (
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
    Retry,
)
from bellwire.ids import show
from bellwire.model import Status
from bellwire.store import installations
from bellwire.store.schema import JOB_DONE, JOB_FAILED, JOB_QUEUED
from standins.desk import Desk, Platform, connector, fails
from standins.shift import Shift


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def desk(database_url: str, platform: Platform) -> Iterator[Desk]:
    desk = Desk(database_url, connector(platform))
    yield desk
    desk.close()


@pytest.fixture
def shift(desk: Desk) -> Shift:
    return Shift(desk)


# -- B12 ------------------------------------------------------------------------------------------------------------

DOWN = [
    ("answers 503", PlatformUnavailable("down", http_status=503)),
    ("is not reached", PlatformUnreachable("no answer")),
    ("answers 429", PlatformThrottled("slow down", http_status=429, retry_after_s=20)),
    ("lets requests' own error out", requests.ConnectionError("no")),
]


@pytest.mark.parametrize(("label", "error"), DOWN, ids=[row[0] for row in DOWN])
def test_after_an_hour_without_the_platform_everything_is_written_once(
    label: str, error: Exception, desk: Desk, platform: Platform, shift: Shift
) -> None:
    shop, tries = desk.installation(), Counter[str]()
    ends = desk.clock.now() + timedelta(hours=1)

    def behave(what: str) -> None:
        tries[what] += 1
        if desk.clock.now() < ends:
            raise error

    platform.behave = behave
    messages = desk.messages(1_000)
    for first in range(0, 1_000, 250):
        desk.moved(*(desk.delivered(shop, message) for message in messages[first : first + 250]))
        shift.wait(5)
    shift.wait(3_600 - 21, every=60)
    assert platform.calls == []
    assert tries["status"] < 300, "a platform that is down is left alone"
    shift.wait(3 * 3_600, every=300)
    assert Counter(change.message_id for change in platform.changes) == {show("msg", message): 1 for message in messages}
    assert desk.states() == {JOB_DONE: 1_000}


@pytest.mark.parametrize(("label", "error"), DOWN, ids=[row[0] for row in DOWN])
def test_of_several_steps_the_later_ones_wait_with_the_one_that_failed(
    label: str, error: Exception, desk: Desk, platform: Platform, shift: Shift
) -> None:
    """A person's consent for two purposes goes out one after the other: the second has not used up a try, and lost nothing."""
    shop, person = desk.installation(), desk.contact()
    down = [True]

    def behave(_: str) -> None:
        if down:
            raise error

    platform.behave = behave
    desk.consent(shop, person, "opted_out")
    desk.consent(shop, person, "opted_out", purpose="transactional")
    shift.wait(5)
    first, second = desk.write_backs()
    assert (first.status, second.status) == (JOB_QUEUED, JOB_QUEUED)
    assert second.attempts == 0
    assert first.due == second.due
    assert desk.row(shop).status_detail == "", "only refused credentials are for a person to mend"
    assert not any("broke" in (row.error or "") for row in (first, second))
    down.clear()
    shift.wait(600, every=30)
    assert desk.states() == {JOB_DONE: 2}


def test_one_object_that_always_fails_does_not_hold_up_the_others(desk: Desk, platform: Platform, shift: Shift) -> None:
    shop = desk.installation()
    messages = desk.messages(100)
    poisoned = show("msg", messages[50])

    def write_back(changes: Any, link: Any) -> None:
        if any(change.message_id == poisoned for change in changes):
            raise PlatformUnavailable("500 for this one")
        platform.calls.append(("status", changes))

    poison = Desk(desk.url, connector(platform, write_back=write_back), clock=desk.clock, tenant_id=desk.tenant_id)
    shift = Shift(poison)
    for place, message in enumerate(messages):
        poison.status(shop, message, Status.DELIVERED, subject=f"order/{place}")
    shift.look()
    shift.wait(10, every=1)
    assert desk.states() == {JOB_DONE: 99, JOB_QUEUED: 1}
    poison.close()


# -- how tries end --------------------------------------------------------------------------------------------------


def test_tries_follow_the_schedule_and_then_end_with_a_reason(desk: Desk, platform: Platform, shift: Shift) -> None:
    began, tried = desk.clock.now(), []

    def behave(_: str) -> None:
        tried.append((desk.clock.now() - began).total_seconds())
        raise PlatformUnavailable("till: down for +998901234567", http_status=503)

    platform.behave = behave
    desk.status(desk.installation(), desk.message(), Status.DELIVERED)
    shift.look()
    for wait_s in WRITE_BACK_SCHEDULE_S:
        shift.desk.clock.advance(wait_s - 1)
        shift.look()
        shift.desk.clock.advance(1)
        shift.look()
    assert tried == [sum(WRITE_BACK_SCHEDULE_S[:n]) for n in range(10)]
    [row] = desk.write_backs()
    assert (row.status, row.attempts) == (JOB_FAILED, 10)
    assert row.error == "gave up after 10 tries: till: down for …"


def test_a_no_is_final_and_says_why(desk: Desk, platform: Platform, shift: Shift) -> None:
    platform.behave = fails(PlatformRejected("till: order/1: NOT_FOUND"))
    desk.status(desk.installation(), desk.message(), Status.DELIVERED)
    shift.look()
    [row] = desk.write_backs()
    assert (row.status, row.error) == (JOB_FAILED, "till: order/1: NOT_FOUND")


def test_the_class_says_whether_to_try_again(desk: Desk, platform: Platform, shift: Shift) -> None:
    class Odd(PlatformUnavailable):
        retry = Retry.NEVER

    platform.behave = fails(Odd("never again"))
    desk.status(desk.installation(), desk.message(), Status.DELIVERED)
    shift.look()
    assert desk.states() == {JOB_FAILED: 1}


def test_retry_after_is_kept(desk: Desk, platform: Platform, shift: Shift) -> None:
    platform.behave = fails(PlatformThrottled("slow down", retry_after_s=120), times=1)
    desk.status(desk.installation(), desk.message(), Status.DELIVERED)
    shift.look()
    shift.wait(119, every=7)
    assert platform.calls == []
    shift.wait(14, every=1)  # up to a tenth is added
    assert len(platform.calls) == 1
    assert [row.attempts for row in desk.write_backs()] == [0], "being asked to wait is no try"


def test_a_connectors_bug_is_tried_again_and_named_by_its_class_only(desk: Desk, platform: Platform, shift: Shift) -> None:
    platform.behave = fails(KeyError("+998901234567"), times=1)
    desk.status(desk.installation(), desk.message(), Status.DELIVERED)
    shift.look()
    [row] = desk.write_backs()
    assert (row.status, row.attempts, row.error) == (JOB_QUEUED, 1, "the connector broke (KeyError)")
    shift.wait(10, every=5)
    assert desk.states() == {JOB_DONE: 1}


def test_a_connector_that_ends_the_process_ends_only_its_job(desk: Desk, platform: Platform, shift: Shift) -> None:
    def leave(_: str) -> None:
        raise SystemExit(3)

    platform.behave = leave
    desk.status(desk.installation(), desk.message(), Status.DELIVERED)
    shift.look()
    platform.behave = lambda _: None
    shift.wait(10, every=5)
    assert desk.states() == {JOB_DONE: 1}


# -- an installation that is gone, or lets us in no more -------------------------------------------------------------


def test_what_waits_for_a_removed_or_disabled_installation_fails(desk: Desk, platform: Platform, shift: Shift) -> None:
    gone, off = desk.installation(), desk.installation()
    for shop in (gone, off):
        desk.status(shop, desk.message(), Status.DELIVERED)
    vault, value, now = desk.engine.vault, desk.engine.plugins.connectors["till"], desk.clock.now()
    desk.change(lambda c: installations.remove(c, vault, gone, actor="key", now=now))
    desk.change(lambda c: installations.change(c, vault, value, off, allow_private=True, actor="key", now=now, status="disabled"))
    shift.look()
    assert platform.calls == []
    assert {(row.status, row.error) for row in desk.write_backs()} == {
        (JOB_FAILED, "the installation was removed"),
        (JOB_FAILED, "the installation was disabled"),
    }


def test_write_back_that_was_switched_off_meanwhile_writes_nothing(desk: Desk, platform: Platform, shift: Shift) -> None:
    shop = desk.installation()
    desk.status(shop, desk.message(), Status.DELIVERED)
    vault, value, now = desk.engine.vault, desk.engine.plugins.connectors["till"], desk.clock.now()
    desk.change(
        lambda c: installations.change(
            c, vault, value, shop, allow_private=True, actor="key", now=now, settings={"write_back": "off"}
        )
    )
    shift.look()
    assert platform.calls == []
    assert desk.states() == {JOB_FAILED: 1}


def test_refused_credentials_hold_the_jobs_and_tell_the_owner_once(desk: Desk, platform: Platform, shift: Shift) -> None:
    shop, tries = desk.installation(credentials={"access_token": "dead"}), Counter[str]()

    def behave(what: str) -> None:
        tries[what] += 1
        if desk.value(shop).credentials["access_token"] == "dead":
            raise PlatformUnauthorized("till: the access token is refused", http_status=401)

    platform.behave = behave
    messages = desk.messages(200)
    desk.moved(*(desk.delivered(shop, message) for message in messages))
    shift.look()
    shift.wait(86_400, every=300)
    assert desk.states() == {JOB_QUEUED: 200}
    assert {row.attempts for row in desk.write_backs()} == {0}
    assert tries["status"] < 120, "four looks an hour once it is clear that a person must act"
    assert desk.row(shop).status_detail.startswith("write-back of status: till: the access token is refused; install it again")
    assert desk.audit().count("installation.refused") == 1

    vault, value = desk.engine.vault, desk.engine.plugins.connectors["till"]
    desk.change(
        lambda c: installations.change(
            c,
            vault,
            value,
            shop,
            allow_private=True,
            actor="key",
            now=desk.clock.now(),
            credentials={"access_token": "good"},
        )
    )
    shift.look()
    assert desk.states()[JOB_DONE] > 150, "new credentials are tried at once"
    shift.wait(1_000)
    assert desk.states() == {JOB_DONE: 200}
    assert desk.row(shop).status_detail == ""


def test_one_thing_that_is_not_allowed_does_not_hold_up_the_rest(desk: Desk, platform: Platform, shift: Shift) -> None:
    def behave(what: str) -> None:
        if what == "consent":
            raise PlatformUnauthorized("till: ACCESS_DENIED: write_customers is missing")

    platform.behave = behave
    shop = desk.installation()
    desk.consent(shop, desk.contact(), "opted_out")
    desk.moved(*(desk.delivered(shop, message) for message in desk.messages(50)))
    shift.look()
    shift.wait(30, every=1)
    assert desk.states() == {JOB_DONE: 50, JOB_QUEUED: 1}
    assert desk.row(shop).status_detail.startswith("write-back of consent: till: ACCESS_DENIED")
