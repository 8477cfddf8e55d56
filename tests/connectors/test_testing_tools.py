"""The kit that connector authors use, tried on the example plugin: a check that can't fail would prove nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from bellwire import Event, HttpAnswer, PayloadInvalid, Person, Reply, Status
from bellwire.testing import (
    NOW,
    OLD_SECRET,
    SECRET,
    Case,
    FixedClock,
    LooseLink,
    account,
    answer,
    installation,
    outgoing,
    sample,
    samples,
)
from bellwire_example import carrier, connector

PAID = {
    "type": "order.paid",
    "subject": "receipt/R-1001",
    "customer.phones": ["+1 555 010 0001"],
    "data.order.total": "12.50",
}


def no_phone(receipt: dict[str, Any]) -> None:
    receipt["phone"] = ""


GOOD = [
    Case("a paid receipt becomes an event", sample="order_paid", events=[PAID]),
    Case("a receipt without a phone has nobody to text", sample="order_paid", edit=no_phone, events=[{"customer.phones": []}]),
    Case("an event we don't serve gives nothing", sample="drawer_opened"),
    Case(
        "a receipt without a number is refused, naming the field",
        sample="order_paid",
        edit=lambda receipt: receipt.pop("number"),
        error=PayloadInvalid,
        names="number",
    ),
    Case(
        "a whole event is compared, too",
        sample="order_paid",
        edit=no_phone,
        events=[
            Event(
                id="R-1001",
                type="order.paid",
                occurred_at=NOW.replace(hour=8, minute=59, second=58),
                subject="receipt/R-1001",
                people={"customer": Person()},
                data={"order.number": "R-1001", "order.total": "12.50", "order.currency": "EUR"},
            )
        ],
    ),
]

WRONG = [
    Case("another type than expected", sample="order_paid", events=[{**PAID, "type": "order.created"}]),
    Case("another value in the data", sample="order_paid", events=[{"data.order.total": "12.5"}]),
    Case("a person who isn't there", sample="order_paid", events=[{"agent.phones": ["+15550100001"]}]),
    Case("an event too few", sample="order_paid", events=[]),
    Case("an event too many", sample="drawer_opened", events=[PAID]),
    Case("no error where one is expected", sample="order_paid", error=PayloadInvalid),
    Case(
        "the error names another field",
        sample="order_paid",
        edit=lambda receipt: receipt.pop("total"),
        error=PayloadInvalid,
        names="number",
    ),
]

WRONG_HOW = {
    "another type than expected": "type: 'order.paid', expected 'order.created'",
    "another value in the data": "data.order.total: '12.50'",
    "a person who isn't there": "agent.phones: None",
    "an event too few": "0 expected, 1 read",
    "an event too many": "1 expected, 0 read",
    "no error where one is expected": "PayloadInvalid was not raised",
    "the error names another field": "does not name number",
}

FROM_A_CARRIER = [
    Case("a receipt", sample="dlr_delivered", dlrs=[{"carrier_ref": "77", "status": Status.DELIVERED}]),
    Case(
        "a raw status we can't map moves nothing",
        sample="dlr_delivered",
        edit=lambda form: form.update(state="HM"),
        dlrs=[{"status": None, "raw_status": "HM"}],
    ),
    Case("a reply", sample="reply_stop", replies=[Reply(id="78", msisdn="+15550100001", to="12345", text="STOP")]),
    Case("a form without its id", sample="dlr_delivered", edit=lambda form: form.pop("id"), error=PayloadInvalid, names="id"),
]


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.label)
def test_a_case_that_holds_passes(case: Case) -> None:
    case.check(connector)


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.label)
def test_a_case_that_does_not_hold_fails(case: Case) -> None:
    with pytest.raises(AssertionError, match=WRONG_HOW[case.label]):
        case.check(connector)


@pytest.mark.parametrize("case", FROM_A_CARRIER, ids=lambda case: case.label)
def test_a_carrier_s_case(case: Case) -> None:
    case.check(carrier)


def test_an_error_nobody_expected_comes_through() -> None:
    with pytest.raises(PayloadInvalid):
        Case("broken", sample="order_paid", edit=dict.clear).check(connector)


def test_headers_are_replaced_and_taken_away() -> None:
    case = Case("bent headers", sample="order_paid", headers={"X-Example-Kind": None, "X-More": "1"}, query=[("a", "b")])
    request = case.request("bellwire_example.till")
    assert (request.header("x-example-kind"), request.header("X-More"), request.query) == ("", "1", [("a", "b")])


def test_samples_are_listed_without_the_account_files() -> None:
    assert samples("bellwire_example.till") == ("drawer_opened", "order_paid")
    assert samples("") == ()


def test_an_unknown_sample_names_those_there_are() -> None:
    with pytest.raises(FileNotFoundError, match="order_paid"):
        sample("bellwire_example.till", "order_payed")


def test_a_text_body_is_edited_as_text(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "soap_samples"
    (package / "samples").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "samples" / "out.json").write_text('{"body": "<a>1</a>", "query": {"k": "v w"}, "url": "https://x.example/h"}')
    monkeypatch.syspath_prepend(tmp_path)
    request = Case("xml", sample="out", edit=lambda text: text.replace("1", "2")).request("soap_samples")
    assert (request.body, request.url, request.query) == (b"<a>2</a>", "https://x.example/h?k=v+w", [("k", "v w")])


def test_an_installation_signs_with_either_secret() -> None:
    both = installation(connector, secrets=(SECRET, OLD_SECRET))
    signed = connector.sign(sample("bellwire_example.till", "order_paid"), replace(both, secrets=(OLD_SECRET,)))
    connector.verify(signed, both, NOW)
    assert both.credentials == {"signing_secret": SECRET}


def test_a_carrier_s_answer_is_read() -> None:
    found = answer("bellwire_example.sms", "answer_accepted")
    assert found == HttpAnswer(status=200, headers={"content-type": "application/json"}, body=b'{"id":77}')
    assert carrier.build is not None
    assert carrier.build([outgoing()], account(carrier)).url == "https://api.example.com/texts"


def test_the_clock_moves_only_when_told() -> None:
    clock = FixedClock()
    assert (clock.now(), clock.monotonic()) == (NOW, 0)
    clock.advance(90)
    assert ((clock.now() - NOW).total_seconds(), clock.monotonic()) == (90, 90)


def test_a_link_renews_once_for_all_who_saw_the_same_token() -> None:
    link = LooseLink(replace(installation(connector), credentials={"token": "a"}))

    def refresh(_: Any) -> Mapping[str, str]:
        return {"token": "b"}

    assert link.renew("a", refresh).credentials == {"token": "b"}
    assert link.renew("a", refresh).credentials == {"token": "b"}
    link.remember(since="x")
    assert (link.renewals, link.cursor, link.now()) == (1, {"since": "x"}, NOW)


def test_the_kit_needs_no_test_runner() -> None:
    script = "import sys, bellwire.testing; print('pytest' in sys.modules, 'requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False False\n"
