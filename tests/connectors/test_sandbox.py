"""The sandbox: what its numbers do, and its answers in process."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import phonenumbers
import pytest
from bellwire import (
    Capability,
    CarrierAccount,
    ErrorClass,
    Msisdn,
    Outcome,
    Outgoing,
    Status,
    Verdict,
)
from bellwire.testing import account, outgoing
from bellwire_connectors.sandbox import carrier
from bellwire_connectors.sandbox.plan import SCENARIOS, carrier_ref, outcomes, scenario
from bellwire_connectors.sandbox.session import Session

PACKAGE = "bellwire_connectors.sandbox"
ROOT = Path(__file__).resolve().parents[2]
KEY, OLD = "key-1", "key-0"
ACCOUNT = account(carrier, secrets=(KEY,))
REF = f"msg_{1:032x}"


def to(code: str, n: int = 1, **more: Any) -> Outgoing:
    return outgoing(msisdn=Msisdn(f"+9989009000{code}"), message_id=UUID(int=n), ref=f"msg_{n:032x}", **more)


ORDINARY = outgoing(msisdn=Msisdn("+998901234567"), message_id=UUID(int=1), ref=REF)


# -- numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("msisdn", "found"),
    [
        ("+998900900003", "03"),
        ("+12025900003", "03"),
        ("+34612900003", "03"),
        ("+385912900003", "03"),
        ("+573001900003", "03"),
        ("+8613800900003", "03"),
        ("+998901234567", ""),
        ("+998900000003", ""),
        ("+12025550103", ""),
        ("+9989009000031", ""),
        ("+998909000399", ""),
        ("+99890090099٣", ""),
        ("+998900900099", ""),
        ("", ""),
    ],
)
def test_a_number_s_last_six_digits_pick_its_scenario(msisdn: str, found: str) -> None:
    assert scenario(msisdn) is SCENARIOS.get(found, scenario("+998901234567"))


@pytest.mark.parametrize("start", ["+9989009000", "+120259000", "+346129000", "+3859129000", "+5730019000", "+86138009000"])
def test_test_numbers_are_numbers_one_can_enter(start: str) -> None:
    for code in SCENARIOS:
        assert phonenumbers.is_valid_number(phonenumbers.parse(start + code))
        assert scenario(start + code) is SCENARIOS[code]


@dataclass(frozen=True)
class Number:
    code: str
    sends: list[tuple[Verdict, ErrorClass | None]]
    dlrs: list[Status | None]


ACCEPTED, REJECTED, AMBIGUOUS = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.AMBIGUOUS
OK = (ACCEPTED, None)
SILENT = (AMBIGUOUS, ErrorClass.AMBIGUOUS)
NUMBERS = [
    Number("01", [OK], [Status.DELIVERED]),
    Number("02", [OK], [Status.DELIVERED]),
    Number("03", [OK], [Status.UNDELIVERED]),
    Number("04", [(REJECTED, ErrorClass.INVALID_NUMBER)] * 2, []),
    Number("05", [(REJECTED, ErrorClass.OPTED_OUT)] * 2, []),
    Number("06", [(REJECTED, ErrorClass.THROTTLED), OK, OK], [Status.DELIVERED]),
    Number("07", [(REJECTED, ErrorClass.CARRIER_DOWN)] * 2, []),
    Number("08", [SILENT] * 2, []),
    Number("09", [OK], []),
    Number("10", [OK], [Status.DELIVERED, Status.DELIVERED]),
    Number("11", [OK], [Status.DELIVERED]),
    Number("12", [OK], [Status.EXPIRED]),
    Number("13", [SILENT], [Status.DELIVERED]),
    Number("14", [OK], [Status.FAILED]),
    Number("15", [(REJECTED, ErrorClass.SENDER_REJECTED)], []),
    Number("16", [(REJECTED, ErrorClass.INSUFFICIENT_FUNDS)], []),
    Number("17", [(REJECTED, ErrorClass.NOT_ALLOWED_REGION)], []),
    Number("18", [OK], [Status.UNDELIVERED, Status.DELIVERED]),
    Number("19", [OK], [None]),
    Number("20", [OK], [Status.SENT, Status.DELIVERED]),
]


def send(session: Session, *messages: Outgoing, at: CarrierAccount = ACCOUNT) -> list[Outcome]:
    return list(asyncio.run(session.send(messages, at)))


@pytest.mark.parametrize("case", NUMBERS, ids=lambda case: f"{case.code}: {SCENARIOS[case.code].says}")
def test_each_number_in_process(case: Number) -> None:
    session, message = Session(), to(case.code)
    found = [send(session, message)[0] for _ in case.sends]
    assert [(one.verdict, one.error_class) for one in found] == case.sends
    assert carrier.plan is not None
    assert [one.dlr.status for one in carrier.plan(message)] == case.dlrs
    for one in carrier.plan(message):
        assert (one.dlr.message_ref, one.dlr.carrier_ref) == (message.ref, carrier_ref(message.ref))
        assert (one.dlr.error_class is None) is (one.dlr.status in {Status.DELIVERED, Status.SENT, None})
    assert {one.carrier_ref for one in found if one.verdict is ACCEPTED} <= {carrier_ref(message.ref)}


def test_every_number_has_its_row() -> None:
    assert [case.code for case in NUMBERS] == list(SCENARIOS)


def test_an_early_receipt_is_due_before_the_answer() -> None:
    early = scenario("+998900900011")
    assert early.steps[0].after_s < early.answer_after_s
    assert [one.after_s for one in outcomes("+998901234567", REF)] == [0.2]


def test_a_repeated_reference_gets_the_first_answer() -> None:
    session = Session()
    first, second = send(session, ORDINARY)[0], send(Session(), ORDINARY)[0]
    assert first == second == send(session, ORDINARY)[0]
    assert Capability.IDEMPOTENT_BY_REFERENCE in carrier.capabilities


def test_a_batch_has_one_answer_each() -> None:
    codes = ["01", "04", "08", "06"]
    found = send(Session(), *(to(code, n) for n, code in enumerate(codes, 1)))
    assert [one.message_id for one in found] == [UUID(int=n) for n in (1, 2, 3, 4)]
    assert [one.verdict for one in found] == [ACCEPTED, REJECTED, AMBIGUOUS, REJECTED]
    assert found[3].retry_after_s == 1.0
    assert send(Session()) == []


def test_the_price_is_the_account_s() -> None:
    priced = replace(ACCOUNT, settings={"price": "0.01", "currency": "EUR"})
    (found,) = send(Session(), replace(ORDINARY, segments=3), at=priced)
    assert (found.price, found.currency, found.segments) == (Decimal("0.03"), "EUR", 3)
    (free,) = send(Session(), ORDINARY)
    assert (free.price, free.currency) == (None, "")


def test_what_is_remembered_is_bounded() -> None:
    session = Session()
    send(session, *(to("06", n) for n in range(1, 10_050)))
    assert len(session._throttled) == 10_000  # the bound is the point of this test


def test_http_only_with_a_base_url() -> None:
    assert carrier.by_session(ACCOUNT)
    assert carrier.by_session(replace(ACCOUNT, settings={"base_url": ""}))
    assert not carrier.by_session(replace(ACCOUNT, settings={"base_url": "http://127.0.0.1:8025"}))


def test_the_page_lists_every_number() -> None:
    page = (ROOT / "docs" / "carriers" / "sandbox.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `(\d\d)` \| (.+?) \|", page, re.MULTILINE))
    assert listed == {code: one.says for code, one in SCENARIOS.items()}
