"""Twilio: what we send, and what each answer becomes."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from bellwire import Capability, ErrorClass, HttpAnswer, Msisdn, Retry, Status, Verdict
from bellwire.testing import NOW, account, answer, outgoing, sample, samples
from bellwire_connectors.twilio import carrier, codes
from bellwire_connectors.twilio.webhook import (
    build,
    build_query,
    check,
    checked,
    interpret,
    interpret_query,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

PACKAGE = "bellwire_connectors.twilio"
ACCOUNT = account(carrier, secrets=("token-1",))
MESSAGE = outgoing(msisdn=Msisdn("+12025550143"), sender_id="+12025550100")
SID = "SM00000000000000000000000000000001"


# -- out ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Built:
    label: str
    message: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, str | None] = field(default_factory=dict)


BUILT = [
    Built("number and text", fields={"To": "+12025550143", "Body": "Your order #1001 is on its way.", "From": "+12025550100"}),
    Built("the receipt's URL", fields={"StatusCallback": "https://bellwire.example/dlr/KEY"}),
    Built("no receipt's URL while there is none", message={"dlr_url": ""}, fields={"StatusCallback": None}),
    Built(
        "MG… is a Messaging Service",
        message={"sender_id": "MG" + "1" * 32},
        fields={"MessagingServiceSid": "MG" + "1" * 32, "From": None},
    ),
    Built("an alphanumeric sender", message={"sender_id": "Example"}, fields={"From": "Example", "MessagingServiceSid": None}),
    Built("the account's sender where the message has none", message={"sender_id": ""}, fields={"From": "+12025550100"}),
    Built("no sender at all is left to Twilio to refuse", {"sender_id": ""}, {"sender_id": ""}, fields={"From": None}),
    Built("validity as it is", message={"validity_s": 300}, fields={"ValidityPeriod": "300"}),
    Built("validity not over ten hours", message={"validity_s": 86_400}, fields={"ValidityPeriod": "36000"}),
    Built("validity not under a second", message={"validity_s": -5}, fields={"ValidityPeriod": "1"}),
    Built("line feeds, plus, ampersand and emoji", message={"text": "a+b&c=d\n😀 ñ"}, fields={"Body": "a+b&c=d\n😀 ñ"}),
]


@pytest.mark.parametrize("case", BUILT, ids=lambda case: case.label)
def test_build(case: Built) -> None:
    at = replace(ACCOUNT, settings={**ACCOUNT.settings, **case.settings})
    call = build([replace(MESSAGE, **case.message)], at)
    sent = dict(parse_qsl(call.body.decode(), keep_blank_values=True))
    assert {name: sent.get(name) for name in case.fields} == case.fields
    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_build_sends_what_the_vendor_s_client_sends() -> None:
    # the vendor's own client, its transport replaced at its documented seam
    class Wire(HttpClient):
        def __init__(self) -> None:
            super().__init__(logging.getLogger(__name__), False)

        def request(self, method: str, url: str, **kwargs: Any) -> Response:
            self.seen = {"method": method, "url": url, **kwargs}
            return Response(201, json.dumps({"sid": SID}))

    wire = Wire()
    client = Client("AC00000000000000000000000000000001", "token-1", http_client=wire)
    client.messages.create(
        to=MESSAGE.msisdn, from_=MESSAGE.sender_id, body=MESSAGE.text, status_callback=MESSAGE.dlr_url, validity_period=3600
    )
    call = build([MESSAGE], ACCOUNT)
    assert (call.method, call.url) == (wire.seen["method"], wire.seen["url"])
    assert dict(parse_qsl(call.body.decode())) == {name: str(value) for name, value in wire.seen["data"].items()}
    login = base64.b64encode(":".join(wire.seen["auth"]).encode()).decode()
    assert call.headers["Authorization"] == f"Basic {login}"


def test_an_api_key_signs_in_instead_of_the_token() -> None:
    keyed = replace(ACCOUNT, credentials={**ACCOUNT.credentials, "api_key_sid": "SK1", "api_key_secret": "s"})
    assert build([MESSAGE], keyed).headers["Authorization"] == "Basic " + base64.b64encode(b"SK1:s").decode()
    assert check(keyed).url.endswith("/Accounts/AC00000000000000000000000000000001/Messages.json?PageSize=1")


def test_base_url_replaces_the_vendor_s() -> None:
    elsewhere = replace(ACCOUNT, settings={"base_url": "http://127.0.0.1:8025/"})
    for call in (build([MESSAGE], elsewhere), build_query(SID, MESSAGE, elsewhere), check(elsewhere)):
        assert call.url.startswith("http://127.0.0.1:8025/2010-04-01/Accounts/AC00000000000000000000000000000001")


def test_the_query_names_the_message() -> None:
    call = build_query(SID, MESSAGE, ACCOUNT)
    assert (call.method, call.body) == ("GET", b"")
    assert call.url == f"https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages/{SID}.json"


def test_credentials_are_not_in_the_repr() -> None:
    assert "token-1" not in repr(build([MESSAGE], ACCOUNT))
    assert base64.b64encode(b"AC00000000000000000000000000000001:token-1").decode() not in repr(build([MESSAGE], ACCOUNT))


def test_one_message_a_call() -> None:
    assert Capability.BATCH not in carrier.capabilities
    with pytest.raises(ValueError, match="too many"):
        build([MESSAGE, MESSAGE], ACCOUNT)


# -- the answer ---------------------------------------------------------------------------------------------------


def error(status: int, code: object, **headers: str) -> HttpAnswer:
    body = {"code": code, "message": "words", "more_info": "", "status": status}
    return HttpAnswer(
        status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=json.dumps(body).encode()
    )


def plain(status: int, body: bytes = b"", **headers: str) -> HttpAnswer:
    return HttpAnswer(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


@dataclass(frozen=True)
class Answered:
    label: str
    answer: HttpAnswer
    verdict: Verdict
    error: ErrorClass | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


ACCEPTED, REJECTED, AMBIGUOUS = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.AMBIGUOUS
DATE, LATER = "Mon, 05 Jan 2026 09:00:00 GMT", "Mon, 05 Jan 2026 09:00:07 GMT"
ANSWERED = [
    Answered(
        "201: Twilio has it", answer(PACKAGE, "answer_created"), ACCEPTED, more={"carrier_ref": SID, "segments": 1, "price": None}
    ),
    Answered(
        "a Messaging Service does not know the segments yet",
        answer(PACKAGE, "answer_messaging_service"),
        ACCEPTED,
        more={"segments": None},
    ),
    Answered(
        "a price in the answer is a cost, and positive",
        plain(201, b'{"sid":"SM1","price":"-0.0075","price_unit":"usd"}'),
        ACCEPTED,
        more={"price": Decimal("0.0075"), "currency": "USD"},
    ),
    Answered(
        "odd fields beside a good sid",
        plain(201, b'{"sid":"SM1","num_segments":[],"price":{"a":1},"price_unit":7}'),
        ACCEPTED,
        more={"carrier_ref": "SM1"},
    ),
    Answered("opted out", answer(PACKAGE, "answer_opted_out"), REJECTED, ErrorClass.OPTED_OUT, {"code": "21610"}),
    Answered(
        "not a number, and its digits are not kept",
        answer(PACKAGE, "answer_invalid_number"),
        REJECTED,
        ErrorClass.INVALID_NUMBER,
        {"detail": "The 'To' number …14 is not a valid phone number."},
    ),
    Answered("wrong credentials", answer(PACKAGE, "answer_unauthorized"), REJECTED, ErrorClass.AUTH),
    Answered("401 without a body", plain(401), REJECTED, ErrorClass.AUTH, {"code": "401"}),
    Answered("403", error(403, 20403), REJECTED, ErrorClass.AUTH),
    Answered(
        "429 with seconds to wait", answer(PACKAGE, "answer_throttled"), REJECTED, ErrorClass.THROTTLED, {"retry_after_s": 1.0}
    ),
    Answered(
        "429 with a date to wait for",
        error(429, 20429, retry_after=LATER, date=DATE),
        REJECTED,
        ErrorClass.THROTTLED,
        {"retry_after_s": 7.0},
    ),
    Answered("429 with neither", plain(429), REJECTED, ErrorClass.THROTTLED, {"retry_after_s": None}),
    Answered("a full queue is a throttle", error(400, 21611), REJECTED, ErrorClass.THROTTLED),
    Answered("the account of the path does not exist", error(404, 20404), REJECTED, ErrorClass.AUTH),
    Answered("a code nobody mapped", error(400, 29999), REJECTED, ErrorClass.UNKNOWN, {"code": "29999"}),
    Answered("a code as text", error(400, "21610"), REJECTED, ErrorClass.OPTED_OUT),
    Answered("400 of somebody in between", plain(400, b"<html>"), REJECTED, ErrorClass.UNKNOWN, {"code": "400"}),
    Answered(
        "500 with Twilio's error body: it took nothing", answer(PACKAGE, "answer_server_error"), REJECTED, ErrorClass.CARRIER_DOWN
    ),
    Answered(
        "503 with Twilio's error body and a wish",
        error(503, 20503, retry_after="30"),
        REJECTED,
        ErrorClass.CARRIER_DOWN,
        {"retry_after_s": 30.0},
    ),
    Answered("500 without a body", plain(500), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("502 of a proxy", plain(502, b"<html>Bad Gateway</html>"), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("503 with somebody else's JSON", plain(503, b'{"error":"unavailable"}'), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("500 with a code and no words", plain(500, b'{"code":20500}'), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("201 without a sid", plain(201, b"{}"), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("201 cut short", plain(201, answer(PACKAGE, "answer_created").body[:-40]), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("200 of a captive portal", plain(200, b"<html>Welcome</html>"), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("a redirect is not followed", plain(302, b"", location="https://x.example"), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("408 of a proxy", plain(408), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("a list where an object belongs", plain(201, b'[{"sid":"SM1"}]'), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("nested without end", plain(201, b"[" * 60_000), AMBIGUOUS, ErrorClass.AMBIGUOUS),
]


@pytest.mark.parametrize("case", ANSWERED, ids=lambda case: case.label)
def test_interpret(case: Answered) -> None:
    (outcome,) = interpret(case.answer, [MESSAGE], ACCOUNT)
    assert (outcome.message_id, outcome.verdict, outcome.error_class) == (MESSAGE.message_id, case.verdict, case.error)
    assert {name: getattr(outcome, name) for name in case.more} == case.more
    assert bool(outcome.carrier_ref) is (case.verdict is ACCEPTED)


@pytest.mark.parametrize(("code", "expected"), codes.ERRORS.items())
def test_each_code_refuses_with_its_class(code: str, expected: ErrorClass) -> None:
    (outcome,) = interpret(error(400, int(code)), [MESSAGE], ACCOUNT)
    assert (outcome.verdict, outcome.error_class, outcome.code) == (REJECTED, expected, code)


# The classes as the carriers' contract lists them, against the table: a code that moves needs a reason.
CLASSES = {
    ErrorClass.INVALID_NUMBER: "21211 21217 21401 21614 21604 30005 30006",
    ErrorClass.OPTED_OUT: "21610",
    ErrorClass.NOT_ALLOWED_REGION: "21612 21408",
    ErrorClass.SENDER_REJECTED: "21606 21603 21212 21659 21657 21709 30018 30024 30032",
    ErrorClass.BAD_REQUEST: "21617 21602 21605 30009 30010 30012 30013",
    ErrorClass.AUTH: "20003 20005 20006 20008 30002",
    ErrorClass.THROTTLED: "21611 30001 20429 30022 30017 63017 63018 30023 30027",
    ErrorClass.BLOCKED_CONTENT: "30004 30007 30111",
    ErrorClass.UNREACHABLE: "30003",
    ErrorClass.EXPIRED: "30036",
    ErrorClass.UNKNOWN: "30008",
}


def test_the_table_holds_every_documented_class() -> None:
    assert {code: one for one, some in CLASSES.items() for code in some.split()}.items() <= codes.ERRORS.items()


def test_an_answer_speaks_of_one_message() -> None:
    second = replace(MESSAGE, message_id=UUID(int=9))
    outcomes = interpret(answer(PACKAGE, "answer_created"), [MESSAGE, second], ACCOUNT)
    assert [(one.message_id, one.verdict) for one in outcomes] == [(MESSAGE.message_id, ACCEPTED), (UUID(int=9), AMBIGUOUS)]
    assert outcomes[1].error_class is not None
    assert outcomes[1].error_class.retry is Retry.ASK_FIRST


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["sid", "code", "message", "price", "num_segments", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)
BODIES = st.binary(max_size=120) | JSON.map(lambda value: json.dumps(value).encode())
HEADERS = st.dictionaries(st.sampled_from(["retry-after", "date", "content-type"]), st.text(max_size=40), max_size=3)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 999), HEADERS, BODIES, st.integers(0, 3))
def test_any_answer_gives_one_outcome_a_message(status: int, headers: dict[str, str], body: bytes, count: int) -> None:
    messages = [replace(MESSAGE, message_id=UUID(int=n + 1)) for n in range(count)]
    outcomes = interpret(HttpAnswer(status=status, headers=headers, body=body), messages, ACCOUNT)
    assert [one.message_id for one in outcomes] == [one.message_id for one in messages]
    for one in outcomes:
        assert (one.error_class is None) is (one.verdict is ACCEPTED)
        assert one.verdict is not ACCEPTED or (200 <= status < 300 and one.carrier_ref)
        assert "\x00" not in one.detail + one.code + one.carrier_ref


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 999), BODIES)
def test_any_answer_to_a_query_or_a_check_is_read(status: int, body: bytes) -> None:
    found = HttpAnswer(status=status, body=body)
    assert isinstance(checked(found), str)
    assert interpret_query(found) is None or status == 200


def test_interpret_agrees_with_the_vendor_s_client_on_what_is_an_error() -> None:
    class Wire(HttpClient):
        said: HttpAnswer

        def __init__(self) -> None:
            super().__init__(logging.getLogger(__name__), False)

        def request(self, *_: Any, **__: Any) -> Response:
            return Response(self.said.status, self.said.body.decode())

    wire = Wire()
    client = Client("AC1", "token-1", http_client=wire)
    for name in (one for one in samples(PACKAGE) if one.startswith("answer_") and "account" not in one and "delivered" not in one):
        wire.said = answer(PACKAGE, name)
        (outcome,) = interpret(wire.said, [MESSAGE], ACCOUNT)
        if outcome.verdict is ACCEPTED:
            assert client.messages.create(to="+12025550143", body="x").sid == outcome.carrier_ref
        else:
            with pytest.raises(TwilioRestException) as raised:
                client.messages.create(to="+12025550143", body="x")
            assert str(raised.value.code) == outcome.code


# -- queries and checks -------------------------------------------------------------------------------------------


def test_a_query_brings_status_and_price() -> None:
    found = interpret_query(answer(PACKAGE, "answer_message_delivered"))
    assert found is not None
    assert (found.carrier_ref, found.status, found.price, found.currency) == (SID, Status.DELIVERED, Decimal("0.00750"), "USD")


@pytest.mark.parametrize(
    "found", [plain(404, b"{}"), plain(200), plain(200, b'{"sid":"SM1"}'), plain(500, b'{"sid":"SM1","status":"sent"}')]
)
def test_a_query_that_says_nothing_brings_nothing(found: HttpAnswer) -> None:
    assert interpret_query(found) is None


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (answer(PACKAGE, "answer_account_active"), ""),
        (plain(200, b'{"messages":[],"page":0}'), ""),
        (plain(200, b'{"sid":"AC1","status":"suspended"}'), "suspended"),
        (plain(200, b'{"sid":"AC1","status":"closed"}'), "closed"),
        (answer(PACKAGE, "answer_unauthorized"), "account_sid and auth_token"),
        (error(404, 20404), "code 20404"),
        (plain(200, b"<html>"), "base_url"),
        (plain(503), "HTTP 503"),
    ],
)
def test_a_check_says_what_is_wrong(found: HttpAnswer, says: str) -> None:
    assert says in checked(found)
    assert bool(says) is bool(checked(found))


# -- the value ----------------------------------------------------------------------------------------------------


def test_it_declares_what_it_does() -> None:
    assert carrier.name == "twilio"
    assert {one.value for one in carrier.capabilities} == {
        "dlr",
        "dlr_url",
        "mo",
        "price",
        "status_query",
        "validity",
        "signed",
        "carrier_auto_reply",
    }
    assert carrier.acknowledge.content_type == "text/xml"
    assert carrier.acknowledge.body.endswith(b"<Response/>")
    assert not carrier.by_session(ACCOUNT)


@pytest.mark.parametrize("name", samples(PACKAGE))
def test_every_sample_says_where_it_is_documented(name: str) -> None:
    from bellwire.testing.samples import load

    assert "twilio.com/docs/" in load(PACKAGE, name)["about"]


@pytest.mark.parametrize("name", [one for one in samples(PACKAGE) if not one.startswith("answer")])
def test_every_callback_passes_signed_and_not_unsigned(name: str) -> None:
    assert carrier.sign is not None
    carrier.verify(carrier.sign(sample(PACKAGE, name), ACCOUNT), ACCOUNT, NOW)
    with pytest.raises(Exception, match="signature"):
        carrier.verify(sample(PACKAGE, name), ACCOUNT, NOW)
