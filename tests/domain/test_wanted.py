"""Whom a privacy request is about, and whether two mean the same person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bellwire.domain.wanted import Wanted, wanted_in
from bellwire.model import Event, Msisdn, Person


def wanted(phone: str = "", ref: str = "", email: str = "") -> Wanted:
    return Wanted(
        phones=frozenset({Msisdn(phone)} - {""}),  # type: ignore[arg-type]  # the empty one goes
        refs=frozenset({ref} - {""}),
        emails=frozenset({email} - {""}),
    )


ANA, BEN, HOME = "+12025550101", "+12025550102", "family@example.com"
PAIRS = [
    ("the same number", wanted(ANA), wanted(ANA, ref="customer/1"), True),
    ("the same name at the platform", wanted(ref="customer/1"), wanted(BEN, ref="customer/1"), True),
    ("an address, and nothing better on one side", wanted(email=HOME), wanted(ANA, email=HOME), True),
    ("an address that two people share", wanted(ANA, email=HOME), wanted(BEN, email=HOME), False),
    ("an address that two customers share", wanted(ref="customer/1", email=HOME), wanted(ref="customer/2", email=HOME), False),
    ("nothing in common", wanted(ANA), wanted(BEN), False),
    ("nothing at all", wanted(), wanted(), False),
]


@pytest.mark.parametrize(("one", "other", "same"), [row[1:] for row in PAIRS], ids=[row[0] for row in PAIRS])
def test_two_requests_mean_the_same_person(one: Wanted, other: Wanted, same: bool) -> None:
    assert one.shares(other) is same
    assert other.shares(one) is same


# -- is it the person --------------------------------------------------------------------------------------------

NUMBER_OF_ANA = Msisdn("+998901234567")
NUMBER, REF, MAIL = frozenset({NUMBER_OF_ANA}), frozenset({"c-1"}), frozenset({"ana@example.com"})

MATCHES = [
    ("the number in another spelling", Wanted(phones=NUMBER), Person(phones=["90 123-45-67"]), True),
    ("in full-width digits", Wanted(phones=NUMBER), Person(phones=["９０１２３４５６７"]), True),
    ("as a number for marketing", Wanted(phones=NUMBER), Person(marketing_phones=["998901234567"]), True),
    ("one with the same last digits", Wanted(phones=NUMBER), Person(phones=["+998911234567"]), False),
    ("the reference", Wanted(refs=REF), Person(ref="c-1"), True),
    ("no reference at all", Wanted(refs=frozenset({""})), Person(), False),
    ("the address alone", Wanted(emails=MAIL), Person(email=" Ana@Example.com "), True),
    ("the address of a family, beside a number", Wanted(emails=MAIL, phones=NUMBER), Person(email="ana@example.com"), False),
    ("somebody else", Wanted(phones=NUMBER, refs=REF), Person(ref="c-2", phones=["+998900000000"]), False),
]


@pytest.mark.parametrize(("wanted", "person", "is_it"), [row[1:] for row in MATCHES], ids=[row[0] for row in MATCHES])
def test_is_it_the_person(wanted: Wanted, person: Person, is_it: bool) -> None:
    assert wanted.is_told_of({"worker": person}, "", ["UZ"]) is is_it


def test_an_object_of_theirs_is_enough() -> None:
    wanted = Wanted(subjects=frozenset({"order/5"}), refs=REF)
    assert wanted.is_told_of({}, "order/5", [])
    assert wanted.is_told_of({}, "customer/c-1", [])
    assert not wanted.is_told_of({}, "order/6", [])


def test_a_request_is_read_from_its_event() -> None:
    person = Person(ref="c-1", phones=["90 123 45 67", "nonsense"], email="Ana@Example.com")
    data: dict[str, Any] = {"request.orders": ["o-1", 2, None]}
    made = Event(
        id="1", type="person.erase_requested", occurred_at=datetime(2026, 1, 1, tzinfo=UTC), people={"customer": person}, data=data
    )
    wanted = wanted_in(made, ["UZ"])
    assert wanted == Wanted(phones=NUMBER, refs=REF, emails=MAIL, subjects=frozenset({"order/o-1"}))
    assert Wanted.read(wanted.document()) == wanted


def test_a_request_about_nobody_is_empty() -> None:
    assert wanted_in(Event(id="1", type="x", occurred_at=datetime(2026, 1, 1, tzinfo=UTC)), ["UZ"]).is_empty
