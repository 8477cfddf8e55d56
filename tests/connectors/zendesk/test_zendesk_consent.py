"""Consent on the user: who has the number, since when, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bellwire import ConsentChange, ConsentState, Msisdn, Purpose
from bellwire.testing import NOW, LooseLink
from bellwire_connectors.zendesk import connector
from standins.zendesk import Zendesk

ANA = Msisdn("+12025550142")
IN, OUT = ConsentState.OPTED_IN, ConsentState.OPTED_OUT


@pytest.fixture(autouse=True)
def _fields(desk: Zendesk) -> None:
    for key in ("sms_consent", "sms_consent_at", "sms_marketing"):
        desk.post_user_field(sent={"user_field": {"key": key, "title": key, "type": "text"}})


def say(link: LooseLink, state: ConsentState, *, ref: str = "", minutes: int = 0, purpose: Purpose = Purpose.TRANSACTIONAL) -> None:
    assert connector.write_consent is not None
    at = NOW + timedelta(minutes=minutes)
    connector.write_consent(ConsentChange(msisdn=ANA, purpose=purpose, state=state, at=at, source="reply", customer_ref=ref), link)


def stands(desk: Zendesk, user: int, key: str = "sms_consent") -> Any:
    return desk.users[user]["user_fields"].get(key)


def changes(desk: Zendesk) -> int:
    return sum(method == "PUT" for method, _, _ in desk.requests)


def test_a_stop_stands_on_the_user_with_its_time(desk: Zendesk, link: LooseLink, ana: int) -> None:
    say(link, OUT)
    assert (stands(desk, ana), stands(desk, ana, "sms_consent_at")) == ("opt_out", "opt_out 2026-01-05T09:00:00Z")


def test_the_same_again_changes_nothing_and_an_older_one_neither(desk: Zendesk, link: LooseLink, ana: int) -> None:
    say(link, OUT)
    say(link, OUT)
    say(link, IN, minutes=-30)
    assert (stands(desk, ana), changes(desk)) == ("opt_out", 1)
    say(link, IN, minutes=30)
    assert (stands(desk, ana), stands(desk, ana, "sms_consent_at")) == ("opt_in", "opt_in 2026-01-05T09:30:00Z")


def test_a_stop_reaches_everybody_with_that_number_and_a_yes_one_person(desk: Zendesk, link: LooseLink, ana: int) -> None:
    bo = desk.add_user("Bo Example", phone="+12025550142", shared_phone_number=True)
    line = desk.add_user("Cy Example", lines=["+12025550142"])
    other = desk.add_user("Di Example", phone="+12025550149")
    agent = desk.add_user("Ed Example", phone="+12025550142", role="agent")
    say(link, OUT)
    assert [stands(desk, one) for one in (ana, bo, line, other, agent)] == ["opt_out", "opt_out", "opt_out", None, None]
    say(link, IN, minutes=1)
    assert stands(desk, ana) == "opt_out", "whose yes it was nobody can tell"
    say(link, IN, minutes=1, ref=f"user/{ana}")
    assert [stands(desk, one) for one in (ana, bo, line)] == ["opt_in", "opt_out", "opt_out"]


def test_somebody_the_search_does_not_know_yet_is_found_by_reference(desk: Zendesk, link: LooseLink) -> None:
    user = desk.add_user("Bo Example", phone=None)
    say(link, OUT, ref=f"user/{user}")
    assert stands(desk, user) == "opt_out"


def test_without_the_field_for_the_time_the_state_stands_alone(desk: Zendesk, link: LooseLink, ana: int) -> None:
    del desk.users[ana]["user_fields"]["sms_consent_at"]
    say(link, OUT)
    say(link, OUT)
    assert (stands(desk, ana), stands(desk, ana, "sms_consent_at"), changes(desk)) == ("opt_out", None, 1)


def test_somebody_who_is_gone_is_passed_over(desk: Zendesk, link: LooseLink, ana: int) -> None:
    say(link, OUT, ref="user/1234567")
    assert stands(desk, ana) == "opt_out"


def test_nobody_with_that_number_and_nothing_is_written(desk: Zendesk, link: LooseLink) -> None:
    say(link, OUT)
    assert changes(desk) == 0


def test_marketing_has_a_place_where_there_is_one(desk: Zendesk, open_link: Callable[..., LooseLink], ana: int) -> None:
    say(open_link(), OUT, purpose=Purpose.MARKETING)
    assert changes(desk) == 0
    say(open_link(marketing_consent_field="sms_marketing"), OUT, purpose=Purpose.MARKETING)
    assert (stands(desk, ana), stands(desk, ana, "sms_marketing")) == (None, "opt_out")
    say(open_link(consent_field=""), OUT)
    assert stands(desk, ana) is None


def test_the_number_is_asked_for_as_it_is(desk: Zendesk, link: LooseLink, ana: int) -> None:
    say(link, OUT)
    [path] = [path for _, path, _ in desk.requests if "search" in path]
    assert path.endswith("query=phone%3A%22%2B12025550142%22")
